"""Tells which creates without an answer a person has yet to clear up, where several units may be the result.

1. While a unit that may be the result can still reach a device, the create is neither adopted nor dropped.
2. Once all of them have ended, the manifest decides: `strategy.resend`, set after the create, sends again, and a create
   that is not declared any more (another revision, a wave or manifest removed, an abort) is not followed up.
3. In both ways a late copy of the create is waited for, as where no unit was found.
"""

from __future__ import annotations

from datetime import datetime

from otactl.model import AmbiguousCreate, Observation, Record, Rollout


def is_undeclared(wave: str, rollout: Rollout) -> bool:
    """Return whether nothing more is sent for a wave: it, or its rollout, was removed from the manifest or aborted."""
    return rollout.removed or rollout.abort is not None or all(w.name != wave for w in rollout.strategy.waves)


def undecided(record: Record, rollout: Rollout, seen: Observation) -> tuple[AmbiguousCreate, ...]:
    """Return the creates that wait for a person (rules 1 and 2)."""
    if not seen.ambiguous:
        return ()
    created = {i.unit_id: i.at for i in record.intents if i.creates}
    decided = {
        attempt.unit_id
        for wave in record.waves
        for attempt in wave.attempts
        if attempt.generation != rollout.generation
        or is_undeclared(wave.name, rollout)
        or _is_to_be_sent_again(created.get(attempt.unit_id), rollout)
    }
    return tuple(a for a in seen.ambiguous if not (a.ended and a.unit_id in decided))


def _is_to_be_sent_again(created_at: datetime | None, rollout: Rollout) -> bool:
    """Return whether `strategy.resend` was set after a create was sent; None for one that is dropped already."""
    return rollout.resend_since is not None and (created_at is None or rollout.may_resend(created_at))
