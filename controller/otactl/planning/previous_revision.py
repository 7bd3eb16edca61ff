"""Plans the next step while a wave's attempt is of another revision than the manifest declares.

1. An open unit is carried over by an update where that is possible (`supersede`). A difference from what was last
   written is recorded first, since the update would remove it.
2. One that is with its devices is waited for; the next revision follows when it has ended.
3. One that was deleted after its start may come back: it is waited for until it is not shown `SETTLE` after it was
   believed missing, or until a person accepts the loss. One that was never found cannot.
4. One whose status is not known is touched by nothing, and a person looks at it.
"""

from __future__ import annotations

from collections.abc import Callable

from otactl.model import Stage, UnitPhase, iso
from otactl.model.actions import Hold
from otactl.planning import detect_drift, preflight, start_waits, supersede
from otactl.planning.context import Plan
from otactl.planning.ended_unit import loss_accepted
from otactl.planning.live_unit import status_is_unknown
from otactl.planning.start_context import of_successor
from otactl.planning.start_unit import settling, to_the_start
from otactl.planning.wave_context import AttemptContext, UnitContext, WaveContext
from otactl.verdicts.deadlines import SETTLE


def lost_revision_may_return(ctx: WaveContext) -> Plan | None:
    """Return the plan if its unit was deleted after its start (rule 3)."""
    if not isinstance(ctx, AttemptContext) or not ctx.of_another_revision:
        return None
    attempt, unit, now = ctx.attempt, ctx.unit, ctx.at.now
    if attempt.stage is not Stage.LOST or attempt.start_at is None or attempt.vendor_id is None or loss_accepted(ctx):
        return None
    shown = unit is not None and unit.phase is not UnitPhase.ABSENT
    until = attempt.lost_at + SETTLE if attempt.lost_at is not None else None
    if not shown and (until is None or now >= until):
        return None
    when = "is still shown" if shown or until is None else f"may become visible again until {iso(until)}"
    text = (
        f"{attempt.unit_id} of the previous revision was deleted out of band after its start, and {when}; the "
        "declared revision follows once it is confirmed missing; to start now, accept the loss in spec.drift.ignore "
        "(field unit)"
    )
    hold = Hold(reason="previous_revision_running", message=text, until=None if shown else until)
    return ctx.wait(hold, soon=True)


def carried_over(ctx: AttemptContext) -> Plan | None:
    """Return the way to its start, if it is open and can become what is declared now (rule 1)."""
    if ctx.attempt.stage is not Stage.OPEN or not supersede.carries_over(ctx):
        return None
    if detect_drift.unsettled(ctx):
        return ctx.wait(*settling(ctx.attempt), soon=True)
    return to_the_start(ctx)


def scheduled(ctx: AttemptContext) -> Plan | None:
    """Return the hold if it is scheduled: it ends when its successor could be created (rule 2)."""
    if ctx.attempt.stage is not Stage.SCHEDULED:
        return None
    holds = preflight.may_create(of_successor(ctx)) or settling(ctx.attempt)
    return ctx.wait(*holds, soon=True)


def running(ctx: AttemptContext) -> Plan | None:
    """Return the hold if it is with its devices (rule 2)."""
    if ctx.attempt.stage is not Stage.RUNNING:
        return None
    holds = supersede.on_air_hold(ctx)
    if ctx.can.cancels_waiting:
        holds = (*holds, *preflight.may_create(of_successor(ctx)))
    if isinstance(ctx, UnitContext):
        holds = (*holds, *start_waits.session_hold(ctx))
    return ctx.wait(*holds, soon=True)


def otherwise(ctx: AttemptContext) -> Plan | None:
    """Return the plan while our change is not visible yet."""
    return ctx.wait(*settling(ctx.attempt), soon=True)


PREVIOUS_RULES: tuple[Callable[[AttemptContext], Plan | None], ...] = (
    status_is_unknown,
    carried_over,
    scheduled,
    running,
    otherwise,
)
