"""Ends a rollout: what its services can stop is stopped, and what they cannot is told.

1. What nothing was sent of yet is deleted; what runs is told to begin no more devices, where its service can be told.
   Devices that have begun go on to their end.
2. A making whose answer was lost is waited for, and ended when it is seen: nothing is sent again.
"""

from __future__ import annotations

from otactl.model import Attempt, Unit, UnitPhase
from otactl.model.actions import Action, CancelUnit, DeleteUnit, Hold
from otactl.planning.context import PlanContext
from otactl.ports import Shape
from otactl.state import lifecycle


def end(at: PlanContext, shape: Shape, reason: str) -> tuple[Action, ...]:
    """What ends every unit that can be ended (rule 1)."""
    return tuple(a for attempt in at.record.attempts for a in _end(at, shape, attempt, reason))


def goes_on(at: PlanContext, shape: Shape) -> tuple[str, ...]:
    """What cannot be stopped any more, each with the way to force it, if there is one."""
    told = []
    for attempt in at.record.attempts:
        unit = lifecycle.find_unit(attempt, at.seen)
        if attempt.live and unit is not None and unit.phase in (UnitPhase.SCHEDULED, UnitPhase.RUNNING):
            force = shape.capabilities.force_command or shape.capabilities.end_command
            told.append(f"{attempt.unit_id} goes on to its end; to stop it at its risk: {_force(force, attempt)}")
        elif attempt.live and any(i.creates and i.unit_id == attempt.unit_id for i in at.record.intents):
            told.append(f"{attempt.unit_id} may have been made: its answer was lost, and it is looked for")
    return tuple(told)


def hold(at: PlanContext, shape: Shape, why: str, *, stalled: bool) -> Hold:
    """Why nothing more is sent, and what goes on."""
    return Hold(reason="aborted", message="; ".join((why, *goes_on(at, shape))), stalled=stalled)


def _end(at: PlanContext, shape: Shape, attempt: Attempt, reason: str) -> list[Action]:
    unit = lifecycle.find_unit(attempt, at.seen)
    if unit is None or not attempt.live or not unit.phase.is_there or attempt.vendor_id is None:
        return []
    kind = at.rollout.backend_kind
    if unit.phase is UnitPhase.OPEN or (unit.phase is UnitPhase.SCHEDULED and shape.capabilities.starts_explicitly):
        return [
            DeleteUnit(unit_id=attempt.unit_id, vendor_id=attempt.vendor_id, backend=kind, why="aborted", reason=reason)
        ]
    if not _stoppable(unit, shape):
        return []
    return [
        CancelUnit(unit_id=attempt.unit_id, vendor_id=attempt.vendor_id, backend=kind, why="aborted", reason=reason)
    ]


def _stoppable(unit: Unit, shape: Shape) -> bool:
    return unit.phase is UnitPhase.RUNNING and shape.capabilities.cancels_waiting and not unit.stopping


def _force(command: str, attempt: Attempt) -> str:
    return command.format(id=attempt.vendor_id)
