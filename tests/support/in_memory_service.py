"""A service in memory for any backend definition: units follow from the actions behind the calls it is sent.

It shows facts of a target only where that target may start next, as backends do, so that a look may lack facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from otactl.errors import ConflictError
from otactl.model import (
    DeviceResult,
    JsonObject,
    Listed,
    Observation,
    Outcome,
    PreflightRequest,
    Reason,
    Record,
    Rollout,
    Survey,
    TargetFacts,
    Unit,
    UnitPhase,
    tally,
)
from otactl.model.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    Receipt,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
)
from otactl.ports import PureHalf
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE
from tests.support.in_memory_cloud import Kill, Killed

IMAGE = msgspec.structs.replace(FACTS_IMAGE, version="1")
SESSION = timedelta(hours=1)
replace = msgspec.structs.replace


class DeadFrom(Kill):
    """Dies at the n-th point it passes and at every one after it."""

    def __call__(self) -> None:
        super().__call__()
        if self.at is not None and self.points > self.at:
            raise Killed


class Service:
    """Units in memory under a clock, behind the port of a backend."""

    def __init__(self, definition: PureHalf, start: datetime) -> None:
        self.definition = definition
        self.capabilities = definition.capabilities
        self.now = start
        self.units: dict[str, Unit] = {}
        self.owners: dict[str, str] = {}
        self.outcomes: dict[str, dict[str, Outcome]] = {}
        self.hidden: set[str] = set()
        self.created = 0
        self.sent: list[Call] = []
        self.kill = Kill()
        self._actions: dict[str, Action] = {}

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        return self.definition.desired(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        calls = self.definition.lower(action, seen)
        self._actions |= {call.key: action for call in calls}
        return calls

    def marks(self, item: Listed) -> Mapping[str, str]:
        return self.units[item.vendor_id].tags

    def survey(self) -> Survey:
        named = self.capabilities.names_own_task
        listed = (
            Listed(vendor_id=k, name=f"acme-{u.unit_id}" if named else "", arn=u.arn) for k, u in self.units.items()
        )
        return Survey(account=ENVIRONMENT.account, listed=tuple(i for i in listed if i.vendor_id not in self.hidden))

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        ids = {*known.vendor_ids}
        units = tuple(
            self._shown(unit)
            for key, unit in self.units.items()
            if key not in self.hidden and (self.owners[key] == rollout.name or key in ids)
        )
        return Observation(units=units)

    def preflight(self, rollout: Rollout, request: PreflightRequest, seen: Observation, survey: Survey) -> Observation:
        if request.starting is None:
            return seen
        targets = tuple(
            TargetFacts(key=k, exists=True, vendor_id=k.partition(":")[2], region="EU868", requested=1, ready=1)
            for k in sorted(request.starting.keys)
        )
        image = replace(IMAGE, sha256=rollout.firmware.sha256)
        return replace(seen, targets=targets, image=image, role=FACTS_ROLE)

    def _shown(self, unit: Unit) -> Unit:
        outcomes = self.outcomes[unit.vendor_id]
        results = tuple(
            DeviceResult(device=d, outcome=o, reason=Reason.DOWNLOAD if o is Outcome.FAILED else None)
            for d, o in sorted(outcomes.items())
        )
        ended = unit.phase is UnitPhase.ENDED
        return replace(unit, results=results if ended else None, tally=tally(results))

    def send(self, call: Call) -> Receipt:
        self.kill()
        self.sent.append(call)
        receipt = self._act(call, self._actions[call.key])
        self.kill()
        return receipt

    def _act(self, call: Call, action: Action) -> Receipt:
        if isinstance(action, CreateUnit | ResendCreate):
            return self._create(call, action)
        key = action.arn.removeprefix("arn:") if isinstance(action, MarkUnit) else action.vendor_id
        unit = self.units.get(key)
        if unit is None:
            if isinstance(action, DeleteUnit):
                return Receipt(key=call.key)
            raise ConflictError(f"{key} is missing")
        match action:
            case DeleteUnit():
                del self.units[key]
                return Receipt(key=call.key)
            case CancelUnit(why=why):
                waiting = [d for d, o in self.outcomes[key].items() if o is Outcome.WAITING]
                self.outcomes[key] |= dict.fromkeys(waiting, Outcome.FAILED)
                unit = replace(unit, stopping=True, canceled_by_us=True, withdrawn=why == "suspended")
            case UpdateUnit(unit=declared):
                unit = replace(unit, unit_id=declared.unit_id, fields={**unit.fields, **self.desired(declared)[0]})
            case MarkUnit(unit=declared, remove=remove):
                kept = {k: v for k, v in unit.tags.items() if k not in remove}
                unit = replace(unit, tags={**kept, **self.desired(declared)[1]})
            case AddMembers(members=members):
                unit = replace(unit, members=tuple(sorted({*unit.members, *members})))
            case RemoveMembers(members=members):
                unit = replace(unit, members=tuple(sorted({*unit.members} - {*members})))
            case StartUnit(start_at=start_at):
                unit = replace(unit, phase=UnitPhase.SCHEDULED, start_at=start_at)
        self.units[key] = unit
        self._wait_for(unit)
        return Receipt(key=call.key)

    def _create(self, call: Call, action: CreateUnit | ResendCreate) -> Receipt:
        there = next((k for k, u in self.units.items() if u.unit_id == action.unit.unit_id), None)
        if there is None:
            self.created += 1
            there = f"t-{self.created}"
            fields, tags = self.desired(action.unit)
            explicit = self.capabilities.starts_explicitly
            self.units[there] = Unit(
                unit_id=action.unit.unit_id,
                phase=UnitPhase.OPEN if explicit else UnitPhase.RUNNING,
                vendor_id=there,
                arn=f"arn:{there}",
                fields=fields,
                tags=tags,
                members=() if self.capabilities.members_after_create else action.unit.members,
                created_at=self.now,
                start_at=None if explicit else self.now,
            )
            self.owners[there] = action.unit.rollout
            self._wait_for(self.units[there])
        return Receipt(key=call.key, vendor_id=there, arn=f"arn:{there}")

    def _wait_for(self, unit: Unit) -> None:
        devices = {m.partition(":")[2] for m in unit.members}
        known = self.outcomes.get(unit.vendor_id, {})
        self.outcomes[unit.vendor_id] = {d: known.get(d, Outcome.WAITING) for d in devices}

    def advance(self, span: timedelta) -> None:
        """Let time pass: sessions start and end by the clock, other units when every device has answered."""
        self.now += span
        for key, unit in self.units.items():
            if unit.phase not in (UnitPhase.SCHEDULED, UnitPhase.RUNNING) or unit.start_at is None:
                continue
            if self.capabilities.starts_explicitly:
                over = self.now >= unit.start_at + SESSION
            else:
                over = Outcome.WAITING not in self.outcomes[key].values()
            phase = UnitPhase.RUNNING if self.now >= unit.start_at else unit.phase
            self.units[key] = replace(unit, phase=UnitPhase.ENDED if over else phase)

    def answer(self, outcome: Outcome, most: int) -> None:
        """Let up to `most` devices of units that run answer."""
        for key, unit in self.units.items():
            if unit.phase in (UnitPhase.RUNNING, UnitPhase.ENDED):
                waiting = [d for d, o in sorted(self.outcomes[key].items()) if o is Outcome.WAITING]
                self.outcomes[key] |= dict.fromkeys(waiting[:most], outcome)
