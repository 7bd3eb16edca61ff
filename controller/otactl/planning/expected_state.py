"""Predicts the record and the observation that a step leaves when every call of it is carried out and shown at once.

Ids that the service assigns are placeholders, shown as `<id>` and `<arn>`; no call with one is ever sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from otactl.model import DeviceResult, Observation, Outcome, Record, Unit, UnitPhase, Value
from otactl.model.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    Placeholder,
    Receipt,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UpdateUnit,
    unit_of,
)
from otactl.planning.assess import Assessment, intended, settled
from otactl.ports import Capabilities, Shape
from otactl.state.intents import CallResult
from otactl.state.jobs import ActionResult, PlannedCalls

ID, ARN = "<id>", "<arn>"

Lower = Callable[[Action, Observation], tuple[Call, ...]]


class Step(Value, frozen=True, kw_only=True):
    """One action with its exact calls, as `plan` prints it; `irrevocable` if its calls let devices start."""

    action: Action
    calls: tuple[Call, ...]
    irrevocable: bool = False


def steps(look: Assessment, shape: Shape, lower: Lower) -> tuple[Step, ...]:
    """Return the actions of an assessment with their calls; what only the service will know in them is masked."""
    return tuple(
        Step(
            action=action,
            calls=tuple(_masked(call) for call in lower(action, look.seen)),
            irrevocable=starts_devices(action, shape.capabilities),
        )
        for action in look.plan.actions
    )


def starts_devices(action: Action, can: Capabilities) -> bool:
    """Return whether an action lets devices start, which no later call undoes."""
    match action:
        case StartUnit():
            return True
        case CreateUnit(start_at=start_at) | ResendCreate(start_at=start_at):
            return start_at is not None
        case UpdateUnit(fields=fields):
            return bool(set(fields) & set(can.starting_fields))
        case _:
            return False


def carried_out(look: Assessment, ready: Iterable[Step], shape: Shape, now: datetime) -> tuple[Record, Observation]:
    """Return the record and the observation after the steps of an assessment."""
    done = tuple(ready)
    record = intended(look, [(step.action, step.calls) for step in done], shape, now)
    record, _ = settled(record, [_result(record.name, step) for step in done], shape, now)
    seen = msgspec.structs.replace(look.seen, expected=True)
    for step in done:
        seen = _after(seen, step.action, shape)
    return record, seen


def time_passes(seen: Observation, endless: bool) -> Observation:
    """Return the observation when scheduled units have run, running ones ended well, and groups become ready.

    A unit that never ends (`endless`) runs on.
    """
    replace = msgspec.structs.replace
    units = []
    for unit in seen.units:
        if unit.phase in (UnitPhase.SCHEDULED, UnitPhase.RUNNING) and not endless:
            names = (m.partition(":")[2] if m.startswith("device:") else m for m in unit.members)
            good = tuple(DeviceResult(device=n, outcome=Outcome.SUCCEEDED) for n in names)
            units.append(replace(unit, phase=UnitPhase.ENDED, results=good))
        else:
            units.append(unit)
    targets = tuple(replace(t, ready=t.requested, busy_with="") for t in seen.targets)
    return replace(seen, units=tuple(units), targets=targets)


def _ids(unit_id: str) -> tuple[str, str]:
    """Return placeholders for the id and ARN of a unit, distinct inside and shown alike."""
    return f"{ID}{unit_id}", f"{ARN}{unit_id}"


def _masked(call: Call) -> Call:
    shown = {name: _placeholder(value) for name, value in call.parameters.items()}
    return call if shown == call.parameters else msgspec.structs.replace(call, parameters=shown)


def _placeholder(value: object) -> object:
    """Return a stand-in as the type that is never sent; any other value as it is."""
    mark = next((m for m in (ID, ARN) if isinstance(value, str) and value.startswith(m)), "")
    return Placeholder(of=mark.strip("<>")) if mark else value


def _result(rollout: str, step: Step) -> ActionResult:
    vendor_id, arn = _ids(unit_of(step.action))
    receipts = [CallResult(key=c.key, receipt=Receipt(key=c.key, vendor_id=vendor_id, arn=arn)) for c in step.calls]
    job = PlannedCalls(rollout=rollout, action=step.action, calls=step.calls)
    return ActionResult(job=job, results=tuple(receipts))


def _after(seen: Observation, action: Action, shape: Shape) -> Observation:
    """Return the observation an action is expected to lead to."""
    replace = msgspec.structs.replace
    if isinstance(action, CreateUnit | ResendCreate):
        fields, marks = shape.desired(action.unit)
        members = () if shape.capabilities.members_after_create else action.unit.members
        phase = UnitPhase.OPEN if shape.capabilities.starts_explicitly else UnitPhase.RUNNING
        vendor_id, arn = _ids(action.unit.unit_id)
        if seen.unit(action.unit.unit_id) is not None:  # the rest of it was created
            whole = tuple(replace(u, missing_targets=()) if u.unit_id == action.unit.unit_id else u for u in seen.units)
            return replace(seen, units=whole)
        unit = Unit(
            unit_id=action.unit.unit_id,
            phase=phase,
            vendor_id=vendor_id,
            arn=arn,
            fields=fields,
            tags=marks,
            members=members,
            start_at=action.start_at,
        )
        return replace(seen, units=(*seen.units, unit))
    if isinstance(action, CancelUnit):
        stopped = tuple(replace(u, stopping=True) if u.vendor_id == action.vendor_id else u for u in seen.units)
        return replace(seen, units=stopped)
    if isinstance(action, DeleteUnit):
        return replace(seen, units=tuple(u for u in seen.units if u.vendor_id != action.vendor_id))
    units = tuple(_changed(u, action, shape) if _is_of(u, action) else u for u in seen.units)
    return replace(seen, units=units)


def _is_of(unit: Unit, action: Action) -> bool:
    return (
        unit.arn == action.arn if isinstance(action, MarkUnit) else unit.vendor_id == getattr(action, "vendor_id", "")
    )


def _changed(unit: Unit, action: Action, shape: Shape) -> Unit:
    replace = msgspec.structs.replace
    match action:
        case UpdateUnit(unit=declared):
            fields, _ = shape.desired(declared)
            return replace(unit, unit_id=declared.unit_id, fields={**unit.fields, **fields})
        case MarkUnit(unit=declared):
            _, marks = shape.desired(declared)
            kept = {k: v for k, v in unit.tags.items() if k not in action.remove}
            return replace(unit, tags={**kept, **marks})
        case AddMembers():
            return replace(unit, members=tuple(sorted({*unit.members, *action.members})))
        case RemoveMembers():
            return replace(unit, members=tuple(sorted({*unit.members} - {*action.members})))
        case StartUnit(start_at=start_at):
            return replace(unit, phase=UnitPhase.SCHEDULED, start_at=start_at)
        case _:
            return unit
