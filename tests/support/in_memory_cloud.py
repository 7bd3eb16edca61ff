"""A service and a journal in memory, behind the ports: enough to run whole rollouts and to be killed at any call.

The cloud obeys the calls' own words (operations and parameters), so what the backend lowers is what is exercised.
`Killed` is raised where a process would die: before a call arrives, after it was done, before the journal is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from otactl.backends.fuota.definition import FuotaShape
from otactl.backends.fuota.statuses import FIELD_MEMBERS
from otactl.errors import ConflictError, LeaseHeldError
from otactl.model import (
    DeviceResult,
    Event,
    JsonObject,
    Listed,
    Observation,
    Outcome,
    PreflightRequest,
    Record,
    Rollout,
    Survey,
    TargetFacts,
    Unit,
    UnitPhase,
)
from otactl.model.actions import Action, Call, Receipt, UnitDeclaration
from otactl.ports import Commit, Identity, Lease, Stored
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RunReport
from otactl.reconcile.send import no_one
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE


class Killed(BaseException):
    """The process died here."""


class Kill:
    """Dies at the n-th point it passes; `points` counts them."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.points = at, 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.points += 1
            if self.points == self.at:
                raise Killed


class Cloud:
    """Tasks in memory under a clock; a Backend by way of the backend's definition."""

    capabilities = FuotaShape.capabilities

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.tasks: dict[str, Unit] = {}
        self.tokens: dict[str, str] = {}
        self.created: list[str] = []
        self.sent: list[str] = []
        self.kill: Kill = Kill()
        self.outcome: Callable[[str], Outcome] = lambda _device: Outcome.SUCCEEDED
        self._lock = threading.Lock()

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        return FuotaShape().desired(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        return FuotaShape().lower(action, seen)

    def advance(self, span: timedelta) -> None:
        self.now += span
        for key, task in self.tasks.items():
            if task.start_at is not None and self.now >= task.start_at + timedelta(hours=1):
                self.tasks[key] = msgspec.structs.replace(task, phase=UnitPhase.ENDED)
            elif task.start_at is not None and self.now >= task.start_at:
                self.tasks[key] = msgspec.structs.replace(task, phase=UnitPhase.RUNNING)

    def survey(self) -> Survey:
        listed = tuple(Listed(vendor_id=k, name=str(t.fields["name"]), arn=t.arn) for k, t in self.tasks.items())
        return Survey(account="123456789012", listed=listed)

    def marks(self, item: Listed) -> Mapping[str, str]:
        return self.tasks[item.vendor_id].tags

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        units = []
        for task in self.tasks.values():
            ours = task.tags.get("otactl:rollout") in rollout.names
            if not ours and not any(task.vendor_id in (a.vendor_id, a.unit_id) for a in known.attempts):
                continue
            name = str(task.fields["name"]).removeprefix("acme-")
            results = None
            if task.phase is UnitPhase.ENDED:
                results = tuple(DeviceResult(device=f"{m}-dev", outcome=self.outcome(m)) for m in task.members)
            units.append(msgspec.structs.replace(task, unit_id=name, results=results))
        return Observation(units=tuple(units))

    def preflight(self, rollout: Rollout, request: PreflightRequest, seen: Observation, survey: Survey) -> Observation:
        groups = sorted({k for wave in rollout.strategy.waves for k in rollout.targets_of(wave).keys})
        targets = tuple(TargetFacts(key=k, exists=True, region="EU868", requested=1, ready=1) for k in groups)
        return msgspec.structs.replace(seen, targets=targets, image=FACTS_IMAGE, role=FACTS_ROLE)

    def send(self, call: Call) -> Receipt:
        self.kill()
        with self._lock:
            receipt = self._do(call)
            self.sent.append(call.operation)
        self.kill()
        return receipt

    def _do(self, call: Call) -> Receipt:
        wanted: dict[str, Any] = call.parameters
        if call.operation == "CreateFuotaTask":
            return self._create(call, wanted)
        key = str(wanted.get("Id") or str(wanted.get("ResourceArn")).removeprefix("arn:"))
        task = self.tasks.get(key)
        if task is None:
            if call.operation == "DeleteFuotaTask":
                return Receipt(key=call.key)
            raise ConflictError(f"{key} is gone")
        match call.operation:
            case "DeleteFuotaTask":
                del self.tasks[key]
                return Receipt(key=call.key)
            case "TagResource":
                marks = {**task.tags, **{t["Key"]: t["Value"] for t in wanted["Tags"]}}
                self.tasks[key] = msgspec.structs.replace(task, tags=marks)
                return Receipt(key=call.key)
            case "UntagResource":
                marks = {k: v for k, v in task.tags.items() if k not in wanted["TagKeys"]}
                self.tasks[key] = msgspec.structs.replace(task, tags=marks)
                return Receipt(key=call.key)
        if task.phase is not UnitPhase.OPEN:
            raise ConflictError(f"{key} is {task.phase}")
        if call.operation == "StartFuotaTask":
            start_at = wanted["LoRaWAN"]["StartTime"]
            assert start_at - self.now >= timedelta(minutes=30)
            self.tasks[key] = msgspec.structs.replace(task, phase=UnitPhase.SCHEDULED, start_at=start_at)
        elif call.operation == "UpdateFuotaTask":
            self.tasks[key] = msgspec.structs.replace(task, fields={**task.fields, **_fields(wanted)})
        elif call.operation.startswith("Associate"):
            members = tuple(sorted({*task.members, _member(wanted)}))
            self.tasks[key] = msgspec.structs.replace(task, members=members)
        elif call.operation.startswith("Disassociate"):
            members = tuple(sorted({*task.members} - {_member(wanted)}))
            self.tasks[key] = msgspec.structs.replace(task, members=members)
        else:
            raise AssertionError(call.operation)
        return Receipt(key=call.key)

    def _create(self, call: Call, wanted: dict[str, Any]) -> Receipt:
        token = str(wanted["ClientRequestToken"])
        if token not in self.tokens:
            key = f"t-{len(self.created) + 1}"
            self.tokens[token] = key
            self.created.append(str(wanted["Name"]))
            marks = {t["Key"]: t["Value"] for t in wanted["Tags"]}
            self.tasks[key] = Unit(
                unit_id="", phase=UnitPhase.OPEN, vendor_id=key, arn=f"arn:{key}", fields=_fields(wanted), tags=marks
            )
        key = self.tokens[token]
        return Receipt(key=call.key, vendor_id=key, arn=f"arn:{key}")


def _fields(wanted: dict[str, Any]) -> JsonObject:
    fields = {ours: wanted[theirs] for ours, theirs in FIELD_MEMBERS.items() if theirs in wanted}
    if "LoRaWAN" in wanted:
        fields["rfRegion"] = wanted["LoRaWAN"]["RfRegion"]
    return fields


def _member(wanted: JsonObject) -> str:
    group = wanted.get("MulticastGroupId")
    return f"group:{group}" if group is not None else f"device:{wanted['WirelessDeviceId']}"


class Memory:
    """A journal in memory; dies around a commit when asked to."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.revisions: dict[str, int] = {}
        self.events: dict[str, list[Event]] = {}
        self.commits = 0
        self.kill: Kill = Kill()
        self.held: Lease | None = None

    def identity(self) -> Identity:
        return Identity(id="feedfacecafe0001")

    def load(self, environment: str, name: str) -> Stored:
        raw = self.records.get(name)
        if raw is None:
            return Stored(record=Record(backend="fuota", environment=environment, name=name), revision=0)
        return Stored(record=msgspec.json.decode(raw, type=Record), revision=self.revisions[name])

    def load_all(self, environment: str) -> dict[str, Stored]:
        return {name: self.load(environment, name) for name in self.records}

    def environments(self) -> tuple[str, ...]:
        return ("prod-eu",)

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        self.kill()
        for one in commits:
            if self.revisions.get(one.record.name, 0) != one.expected_revision:
                raise ConflictError(f"{one.record.name} moved")
        for one in commits:
            name = one.record.name
            self.records[name] = msgspec.json.encode(one.record)
            self.revisions[name] = one.expected_revision + 1
            self.events.setdefault(name, []).extend(one.events)
        self.commits += 1
        self.kill()
        return {one.record.name: one.expected_revision + 1 for one in commits}

    def history(self, environment: str, name: str) -> tuple[Event, ...]:
        return tuple(self.events.get(name, ()))

    def lease(self, environment: str) -> Lease | None:
        return self.held

    def acquire(self, environment: str, holder: str, now: datetime) -> Lease:
        if self.held is not None and self.held.holder != holder and self.held.expires_at > now:
            raise LeaseHeldError(environment, self.held.holder, "later")
        fencing = 1 if self.held is None else self.held.fencing + (self.held.holder != holder)
        self.held = Lease(
            environment=environment,
            holder=holder,
            host="h",
            pid=1,
            expires_at=now + timedelta(seconds=120),
            fencing=fencing,
        )
        return self.held

    def release(self, lease: Lease, now: datetime) -> None:
        self.held = None

    def end_lease(self, environment: str, now: datetime) -> Lease | None:
        ended, self.held = self.held, None
        return ended


def run(
    cloud: Cloud,
    journal: Memory,
    *rollouts: Rollout,
    holder: str = "me",
    covers: bool = False,
    counted: Callable[[int, int], None] = no_one,
) -> RunReport:
    return Reconciler(
        ENVIRONMENT,
        rollouts,
        {"fuota": cloud},
        journal,
        lambda: cloud.now,
        holder,
        lambda _r: (),
        lambda _s: covers,
        counted=counted,
    ).run()
