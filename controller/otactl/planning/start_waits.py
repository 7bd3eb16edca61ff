"""Limits waiting before and after a start: the share of ready devices that is enough, and overdue sessions.

1. A group starts when every device is ready. With `strategy.startWhenReady` it starts with `percent` of them, once
   `after` has passed since its unit was created; those that were not ready stay in the wave and count in the gate.
2. A session that the service shows as waiting BEGINS_WITHIN after its start, or as running long after its end, waits
   for a person: the hold names the command that deletes it.
3. A session is long past its end after its own length once more, GRACE at least; one of unknown length,
   UNKNOWN_LENGTH after its start. Radio sessions are the only ones with a start of their own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from otactl.lorawan.errors import LorawanError
from otactl.model import UnitPhase, Value, duration, exact, iso
from otactl.model.actions import Hold
from otactl.planning.wave_context import AttemptContext, UnitContext

BEGINS_WITHIN = timedelta(hours=1)
GRACE = timedelta(hours=6)
UNKNOWN_LENGTH = timedelta(days=7)
READY_LIMIT = timedelta(days=2)


class ReadyRule(Value, frozen=True, kw_only=True):
    """How many percent of a group's devices must be ready, and how long a group may hold a start."""

    percent: float = 100.0
    limit: timedelta | None = None

    def suffices(self, ready: int, requested: int) -> bool:
        """Return whether so many of a group's devices are enough; no device never is."""
        return ready > 0 and 100 * ready >= exact(self.percent) * requested


ALL_READY = ReadyRule()


def ready_rule(ctx: AttemptContext) -> ReadyRule:
    """Return how much of a group is enough to start now (rule 1), and how long the wait for more may last."""
    at, attempt = ctx.at, ctx.attempt
    declared = at.rollout.strategy.start_when_ready
    if declared is None:
        return ReadyRule(limit=READY_LIMIT)
    after = duration(declared.after)
    waited = attempt.created_at is not None and at.now - attempt.created_at >= after
    return ReadyRule(percent=declared.percent if waited else 100.0, limit=max(after, READY_LIMIT))


def session_hold(ctx: UnitContext) -> tuple[Hold, ...]:
    """Return the hold of a session that should have started, or ended, long ago (rules 2 and 3)."""
    at, attempt, unit = ctx.at, ctx.attempt, ctx.unit
    if not ctx.can.starts_explicitly or attempt.start_at is None or unit.version_check is not None:
        return ()  # one whose versions are waited for is over
    end = ctx.can.end_command.format(id=attempt.vendor_id)
    if unit.phase is UnitPhase.SCHEDULED:
        late = attempt.start_at + BEGINS_WITHIN
        what = f"was to start at {iso(attempt.start_at)} and is still waiting"
    elif unit.phase is UnitPhase.RUNNING:
        late = _overdue(ctx, attempt.start_at)
        what = f"started at {iso(attempt.start_at)} and is still on air"
    else:
        return ()
    if at.now < late:
        return ()
    text = (
        f"{attempt.unit_id} {what}, as its service shows it; check it there. Waiting for it; to stop waiting: "
        f"{end}, then accept the loss in spec.drift.ignore (field unit) to send it again"
    )
    return (Hold(reason="session_is_overdue", message=text, overdue_since=late),)


def _overdue(ctx: AttemptContext, start: datetime) -> datetime:
    try:
        length = None if ctx.of_another_revision else ctx.at.rollout.session_length()
    except LorawanError:
        length = None
    return start + (UNKNOWN_LENGTH if length is None else length + max(length, GRACE))
