"""Tells which creates without an answer a person has yet to clear up, where several units may be the result.

1. While a unit that may be the result can still reach a device, the create is neither adopted nor dropped.
2. Once all of them have ended, the manifest decides: `strategy.resend` sends again, and a create that is not declared
   any more (another revision, a wave or manifest removed, an abort) is not followed up.
3. In both ways a late copy of the create is waited for, as where no unit was found.
"""

from __future__ import annotations

from otactl.model import AmbiguousCreate, Observation, Record, Rollout


def is_undeclared(wave: str, rollout: Rollout) -> bool:
    """Return whether nothing more is sent for a wave: it, or its rollout, was removed from the manifest or aborted."""
    return rollout.removed or rollout.abort is not None or all(w.name != wave for w in rollout.strategy.waves)


def undecided(record: Record, rollout: Rollout, seen: Observation) -> tuple[AmbiguousCreate, ...]:
    """Return the creates that wait for a person (rules 1 and 2)."""
    if not seen.ambiguous:
        return ()
    decided = {
        attempt.unit_id
        for wave in record.waves
        for attempt in wave.attempts
        if rollout.resend or attempt.generation != rollout.generation or is_undeclared(wave.name, rollout)
    }
    return tuple(a for a in seen.ambiguous if not (a.ended and a.unit_id in decided))
