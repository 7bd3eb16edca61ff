"""Withdraws a session that is scheduled for a time which a freeze, or a window, has come to forbid.

1. A start is judged when it is sent, by its own time and the session's whole length. The same question is asked again
   while the start lies ahead, so a window that only closes before it changes nothing.
2. A session that otactl scheduled is deleted; it comes back as another attempt, at the next permitted start.
3. One that another actor scheduled is not ours to withdraw: it is reported with its start and the command that ends it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from otactl.lorawan.errors import LorawanError
from otactl.model import Attempt, UnitPhase, iso
from otactl.model.actions import Action, Hold
from otactl.planning import suspend
from otactl.planning.context import PlanContext
from otactl.planning.wave_context import RolloutContext, UnitContext
from otactl.schedule import windows


def withdraw(ctx: RolloutContext) -> tuple[Action, ...]:
    """Return what deletes every session of ours whose scheduled start is forbidden now (rules 1 and 2)."""
    found = (_withdrawn(ctx, attempt) for attempt in ctx.at.record.attempts if attempt.live and attempt.started_by_us)
    return tuple(action for action in found if action is not None)


def holds(ctx: UnitContext) -> tuple[Hold, ...]:
    """Return the hold of a session that another actor scheduled for a forbidden time (rule 3)."""
    attempt, unit = ctx.attempt, ctx.unit
    begins = unit.start_at or attempt.start_at
    if unit.phase is not UnitPhase.SCHEDULED or begins is None or not (why := _forbidden(ctx, attempt, begins)):
        return ()
    end = ctx.can.end_command.format(id=attempt.vendor_id)
    text = f"{attempt.unit_id} was scheduled by another actor and is to start at {iso(begins)}: {why}; to end it: {end}"
    return (Hold(reason="scheduled_start_is_forbidden", message=text),)


def _withdrawn(ctx: RolloutContext, attempt: Attempt) -> Action | None:
    unit = ctx.at.unit_of(attempt)
    begins = (unit.start_at if unit is not None else None) or attempt.start_at
    if begins is None or not (why := _forbidden(ctx, attempt, begins)):
        return None
    reason = f"its start at {iso(begins)} is not permitted any more: {why}"
    return suspend.before_its_start(ctx, attempt, reason)


def _forbidden(ctx: RolloutContext, attempt: Attempt, begins: datetime) -> str:
    """Return why a start that lies ahead is not permitted; empty if it is."""
    at = ctx.at
    if not ctx.can.starts_explicitly or begins <= at.now:
        return ""
    found = windows.verdict(at.rollout.windows, at.environment.freezes, begins, _length(at, attempt))
    return "" if found.permitted else found.sentence


def _length(at: PlanContext, attempt: Attempt) -> timedelta | None:
    """Return how long the session of an attempt takes; None where that is not known, as of another revision."""
    if attempt.generation != at.rollout.generation:
        return None
    try:
        return at.rollout.session_length(attempt.try_number if attempt.retry_targets else 1)
    except LorawanError:
        return None
