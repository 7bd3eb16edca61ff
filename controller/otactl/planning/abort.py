"""Cancels a rollout: stops what its services can stop and reports what continues.

1. A unit that has not started is deleted; a running one starts no further devices, where its service supports that.
   Devices that have started finish.
2. A create whose answer was lost is waited for and canceled once it is visible; it is not sent again.
"""

from __future__ import annotations

from otactl.model import Attempt, Unit, UnitPhase
from otactl.model.actions import Action, CancelUnit, DeleteUnit, Hold
from otactl.planning.context import POLL, Plan
from otactl.planning.wave_context import RolloutContext


def plan(ctx: RolloutContext, why: str, *, stalled: bool = False) -> Plan:
    """Stop what can be stopped, then report what continues."""
    if actions := end(ctx, why):
        return ctx.act(*actions)
    going = any(a.live for a in ctx.at.record.attempts)
    return ctx.wait_until(ctx.at.now + POLL if going else None, hold(ctx, why, stalled=stalled))


def end(ctx: RolloutContext, reason: str) -> tuple[Action, ...]:
    """Return the actions that cancel or delete every unit that allows it (rule 1)."""
    return tuple(a for attempt in ctx.at.record.attempts for a in _end(ctx, attempt, reason))


def goes_on(ctx: RolloutContext) -> tuple[str, ...]:
    """Return what can no longer be stopped, each with the command that forces it, if there is one."""
    parts, at = [], ctx.at
    for attempt in at.record.attempts:
        unit = at.unit_of(attempt)
        if attempt.live and unit is not None and unit.phase in (UnitPhase.SCHEDULED, UnitPhase.RUNNING):
            force = ctx.can.force_command or ctx.can.end_command
            parts.append(f"{attempt.unit_id} will finish; to stop it at its risk: {_force(force, attempt)}")
        elif attempt.live and any(i.creates and i.unit_id == attempt.unit_id for i in at.record.intents):
            parts.append(f"{attempt.unit_id} may have been created: the answer was lost; the next passes search for it")
    return tuple(parts)


def hold(ctx: RolloutContext, why: str, *, stalled: bool) -> Hold:
    """Return why nothing more is sent, and what continues."""
    return Hold(reason="aborted", message="; ".join((why, *goes_on(ctx))), stalled=stalled)


def _end(ctx: RolloutContext, attempt: Attempt, reason: str) -> list[Action]:
    unit = ctx.at.unit_of(attempt)
    if unit is None or not attempt.live or not unit.phase.is_there or attempt.vendor_id is None:
        return []
    kind = ctx.at.rollout.backend_kind
    if unit.phase is UnitPhase.OPEN or (unit.phase is UnitPhase.SCHEDULED and ctx.can.starts_explicitly):
        return [
            DeleteUnit(unit_id=attempt.unit_id, vendor_id=attempt.vendor_id, backend=kind, why="aborted", reason=reason)
        ]
    if not _stoppable(unit, ctx):
        return []
    return [
        CancelUnit(unit_id=attempt.unit_id, vendor_id=attempt.vendor_id, backend=kind, why="aborted", reason=reason)
    ]


def _stoppable(unit: Unit, ctx: RolloutContext) -> bool:
    return unit.phase is UnitPhase.RUNNING and ctx.can.cancels_waiting and not unit.stopping


def _force(command: str, attempt: Attempt) -> str:
    return command.format(id=attempt.vendor_id)
