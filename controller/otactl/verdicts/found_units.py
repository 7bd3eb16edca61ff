"""Tells whether a unit that was found by its tags may be a retry.

1. The tags of a unit name its wave and its number. The targets that a retry was made for are in the journal alone.
2. Number 1 is for the whole wave. A later one is for the whole wave if it holds every target of it.
3. One that another actor deleted before its start sent nothing; its deletion is the decision to create the wave's unit
   again. Where otactl deleted it, as a suspension or an abort does, no one has decided that: `strategy.resend` does,
   if it was set after the unit was found.
"""

from __future__ import annotations

from otactl.model import Attempt, Rollout, Stage, Wave


def may_be_retry(attempt: Attempt, wave: Wave, rollout: Rollout) -> bool:
    """Return whether nothing tells for which targets of the declared revision it was made."""
    if not attempt.may_be_retry or attempt.generation != rollout.generation:
        return False
    decided = attempt.stage is Stage.LOST or (
        attempt.stage is Stage.SUPERSEDED and rollout.may_resend(attempt.created_at)
    )
    sent_nothing = decided and attempt.start_at is None
    return not sent_nothing and not set(rollout.targets_of(wave).keys) <= set(attempt.members)
