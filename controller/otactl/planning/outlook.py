"""Predicts the steps after the next one by assessing the state that each step is expected to leave.

1. Every call, member, group and device is expected to succeed: the outlook shows the planned steps and predicts no
   failures.
2. Ids that the service assigns are placeholders, shown as `<id>` and `<arn>`; no call with one is ever sent.
3. A hold that needs a person ends the outlook; so does one that neither time nor a step changes, such as an approval.
   A hold that only waits is expected to pass.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from otactl.model import DeviceResult, Environment, Observation, Outcome, Rollout, Unit, UnitPhase, Value
from otactl.model.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    Hold,
    MarkUnit,
    Placeholder,
    Receipt,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UpdateUnit,
    unit_of,
)
from otactl.planning.assess import Assessment, assess, intended, settled
from otactl.planning.sent_content import SentContents
from otactl.ports import Shape
from otactl.state.intents import CallResult
from otactl.state.jobs import ActionResult, PlannedCalls
from otactl.state.lifecycle import SETTLE

STEPS = 400
ID, ARN = "<id>", "<arn>"


class Outlook(Value, frozen=True, kw_only=True):
    """The expected steps, and the holds at which they end because a person has to act."""

    steps: tuple[Step, ...] = ()
    holds: tuple[Hold, ...] = ()


class Step(Value, frozen=True, kw_only=True):
    """One action with its exact calls, as `plan` prints it."""

    action: Action
    calls: tuple[Call, ...]


Lower = Callable[[Action, Observation], tuple[Call, ...]]


def steps(look: Assessment, lower: Lower) -> tuple[Step, ...]:
    """Return the actions of an assessment with their calls."""
    return tuple(Step(action=a, calls=lower(a, look.seen)) for a in look.plan.actions)


def outlook(
    environment: Environment,
    rollout: Rollout,
    first: Assessment,
    shape: Shape,
    lower: Lower,
    refused: tuple[Hold, ...],
    now: datetime,
    sendings: SentContents | None = None,
) -> Outlook:
    """Return the steps after the first assessment's, to the end of the rollout or to where a person is needed."""
    later: list[Step] = []
    holds: tuple[Hold, ...] = ()
    before: tuple[Hold, ...] = ()
    look, moment = first, now
    for number in range(STEPS):
        ready = steps(look, lower)
        if number:
            later += [msgspec.structs.replace(r, calls=tuple(_masked(c) for c in r.calls)) for r in ready]
        if not ready and (any(h.stalled or h.reason == "suspended" for h in look.plan.holds) or not _more(look)):
            holds = look.plan.holds if number else ()
            break
        if not ready and before and before == look.plan.holds and all(h.until is None for h in before):
            holds = before
            break
        before = look.plan.holds if not ready else ()
        record = intended(look, [(r.action, r.calls) for r in ready], moment)
        done = [_expected(rollout, r) for r in ready]
        record, _ = settled(record, done, shape, moment)
        seen = msgspec.structs.replace(look.seen, expected=True)
        for step in ready:
            seen = _after(seen, step.action, shape)
        moment += SETTLE + timedelta(seconds=1)
        if not ready:
            seen = _time_passes(seen, rollout.backend.endless)
            moment = max(moment, look.plan.requeue_at or moment)
        look = assess(environment, rollout, record, seen, shape, refused, moment, sendings=sendings)
    return Outlook(steps=tuple(later), holds=holds)


def _ids(unit_id: str) -> tuple[str, str]:
    """Return placeholders for the id and ARN of a unit, distinct inside and shown alike."""
    return f"{ID}{unit_id}", f"{ARN}{unit_id}"


def _masked(call: Call) -> Call:
    shown = {name: _placeholder(value) for name, value in call.parameters.items()}
    return msgspec.structs.replace(call, parameters=shown)


def _placeholder(value: object) -> object:
    """Return a stand-in as the type that is never sent; any other value as it is."""
    mark = next((m for m in (ID, ARN) if isinstance(value, str) and value.startswith(m)), "")
    return Placeholder(of=mark.strip("<>")) if mark else value


def _more(look: Assessment) -> bool:
    return look.plan.requeue_at is not None


def _expected(rollout: Rollout, step: Step) -> ActionResult:
    vendor_id, arn = _ids(unit_of(step.action))
    receipts = [CallResult(key=c.key, receipt=Receipt(key=c.key, vendor_id=vendor_id, arn=arn)) for c in step.calls]
    job = PlannedCalls(rollout=rollout.name, action=step.action, calls=step.calls)
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


def _time_passes(seen: Observation, endless: bool) -> Observation:
    """Scheduled units run, running ones end well unless they never end, groups that were not ready become so."""
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
