"""Plays a service in memory by its declared capabilities, behind the port of a backend.

1. What it is sent are the actions behind the product's own calls; a call it does not take is a conflict, as a refusal
   of its state is.
2. A service that names its units finds them by name and marks, as its backend does; one that does not shows a unit to
   the record that has its id, or to an unanswered create that fits it alone.
3. `second` answers each open point the other way: creations and deletions take a while, a name that was used once stays
   used, a stopped unit stops devices in the middle, adding a member twice is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from otactl.backends.aws.tags import unit_is_ours
from otactl.backends.tuya.batching import Candidates, known_parts
from otactl.errors import TransientError
from otactl.model import (
    AmbiguousCreate,
    Attempt,
    ImageFacts,
    Intent,
    JsonObject,
    Listed,
    Observation,
    PreflightRequest,
    RoleFacts,
    Rollout,
    Stage,
    Survey,
    TargetFacts,
    Unit,
    UnitPhase,
)
from otactl.model.actions import Action, Call, Receipt, UnitDeclaration
from otactl.model.record import Record
from tests.support.explore import carry_out
from tests.support.explore.declared import ENVIRONMENT, declared, devices_of
from tests.support.explore.scene import AFTER_SEND, BEFORE_SEND, READ, Scene
from tests.support.explore.shown import shown
from tests.support.explore.truth import judge_send
from tests.support.explore.world import Task

replace = msgspec.structs.replace
SETTLE_TIME = timedelta(minutes=15)
PREFIX = f"{ENVIRONMENT.owner}-"


class SceneService:
    """The service of a scene, as one run sees it.

    `stale` are tasks that reads show instead of those that are there; `short` is a unit that no list shows.
    """

    def __init__(self, scene: Scene, holder: str, *, stale: dict[str, Task] | None = None, short: str = "") -> None:
        self._scene, self._holder = scene, holder
        self._shape = scene.settings.shape
        self.capabilities = self._shape.capabilities
        self.stale, self.short = stale, short
        self.lost = 0
        self.refused = 0
        self.sent: list[Call] = []
        self.shown: set[str] = set()
        self._numbers = 0
        self._actions: dict[str, tuple[Action, Observation]] = {}

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        return self._shape.desired(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        calls = self._shape.lower(action, seen)
        for call in calls:
            self._actions[call.key] = (action, seen)
        return calls

    def _tasks(self) -> dict[str, Task]:
        return self._scene.tasks if self.stale is None else self.stale

    def survey(self) -> Survey:
        self._scene.point(READ)
        if not self.capabilities.names_own_task:
            return Survey(account=ENVIRONMENT.account)
        listed = (
            Listed(vendor_id=key, name=self._named(task), arn=task.unit.arn)
            for key, task in self._tasks().items()
            if key != self.short
        )
        survey = Survey(account=ENVIRONMENT.account, listed=tuple(listed))
        self._scene.listed |= {item.vendor_id for item in survey.listed}
        return survey

    def _named(self, task: Task) -> str:
        return f"{PREFIX}{task.unit.unit_id}" if task.rollout or task.unit.tags else task.unit.unit_id

    def marks(self, item: Listed) -> Mapping[str, str]:
        task = self._tasks().get(item.vendor_id)
        return task.unit.tags if task is not None else {}

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        self._scene.point(READ)
        if self.capabilities.names_own_task:
            return Observation(units=self._named_units(rollout, known, survey))
        return self._unnamed_units(known)

    def _named_units(self, rollout: Rollout, known: Record, survey: Survey) -> tuple[Unit, ...]:
        units: list[Unit] = []
        listed = {item.vendor_id: item for item in survey.listed}
        by_name = {item.name: item for item in survey.listed}
        read: set[str] = set()
        for attempt in known.attempts:
            item = listed.get(attempt.vendor_id or "") or by_name.get(f"{PREFIX}{attempt.unit_id}")
            key = attempt.vendor_id or (item.vendor_id if item is not None else None)
            if key is None:
                continue
            read.add(key)
            task = self._tasks().get(key)
            if task is None and attempt.live and item is not None:
                raise TransientError(
                    f"the list shows {key}, a read does not; the next pass checks again", retry_after=60
                )
            if task is None:
                continue
            if attempt.live or (attempt.stage is Stage.LOST and item is not None):
                ours = unit_is_ours(task.unit, ENVIRONMENT, attempt.rollout or rollout.name)
                units += [self._shown(task, attempt)] if attempt.vendor_id is not None or ours else []
            elif attempt.stage is Stage.FAILED:
                units.append(self._shown(task, attempt))
            elif attempt.stage is Stage.ENDED and item is not None:
                phase = task.phase if task.phase is UnitPhase.DELETING else UnitPhase.ENDED
                units.append(Unit(unit_id=attempt.unit_id, phase=phase, vendor_id=key))
        for item in survey.listed:
            if item.vendor_id in read or not item.name.startswith(tuple(f"{PREFIX}{name}-" for name in rollout.names)):
                continue
            found = self._tasks().get(item.vendor_id)
            if found is not None and unit_is_ours(found.unit, ENVIRONMENT, *rollout.names):
                fresh = Attempt(number=1, generation="", unit_id=found.unit.unit_id)
                units.append(self._shown(found, fresh))
        return tuple(units)

    def _unnamed_units(self, known: Record) -> Observation:
        units: list[Unit] = []
        ambiguous: list[AmbiguousCreate] = []
        for attempt in known.attempts:
            if not attempt.live and attempt.stage is not Stage.LOST:
                continue
            parts, unclear = known_parts(attempt, known, self._find)
            ambiguous += [unclear] if unclear is not None else []
            for key in parts.jobs.values():
                task = self._tasks().get(key)
                if task is not None and key != self.short:
                    units.append(replace(self._shown(task, attempt), unit_id=attempt.unit_id))
        return Observation(units=tuple(units), ambiguous=tuple(ambiguous))

    def _find(self, intent: Intent, known: frozenset[str]) -> Candidates:
        """Find what an unanswered create may have made: the same image and devices, made about then."""
        wanted = intent.call.parameters
        names = set(wanted.get("TargetDeviceName") or ())  # type: ignore[call-overload]
        ids = [
            key
            for key, task in self._tasks().items()
            if key not in known
            and key != self.short
            and task.content == wanted["FirmwareId"]
            and set(task.work) == names
            and task.unit.created_at is not None
            and abs(task.unit.created_at - intent.at) <= timedelta(minutes=30)
            and (task.ready_at is None or task.ready_at <= self._scene.now)
        ]
        alive = [key for key in ids if set(self._tasks()[key].work.values()) != {"canceled"}]
        chosen = sorted(alive or ids)
        tasks = [self._tasks()[key] for key in chosen]
        ended = all(task.phase is UnitPhase.ENDED for task in tasks)
        alike = len(chosen) > 1 and ended and all(task.work == tasks[0].work for task in tasks)
        late = self._scene.now - intent.at < SETTLE_TIME
        return Candidates(ids=() if alike and late else tuple(chosen), ended=ended, alike=alike)

    def _shown(self, task: Task, attempt: Attempt) -> Unit:
        self.shown.add(task.unit.vendor_id)
        return shown(self._scene.settings, task, attempt, self._scene.now)

    def preflight(self, rollout: Rollout, request: PreflightRequest, seen: Observation, survey: Survey) -> Observation:
        starting = request.starting
        explicit = self.capabilities.starts_explicitly
        inside = {key: devices_of(key, self._scene.world.group) for key in request.joined_groups}
        seen = replace(seen, inside=inside) if inside else seen
        if starting is None:
            return seen
        broken = self._scene.world.broken
        sha = "f" * 64 if broken == "image" else rollout.firmware.sha256
        idle = starting.waits or rollout.suspend is not None or rollout.abort is not None
        idle = idle or (not explicit and starting.unit is not None)
        targets = () if idle else tuple(self._target(key, request, survey) for key in starting.keys)
        return replace(
            seen,
            targets=targets,
            devices=tuple(sorted({d for t in targets for d in t.devices})),
            image=ImageFacts(
                exists=True,
                size_bytes=rollout.firmware.size_bytes,
                sha256=sha,
                region=ENVIRONMENT.region,
                versioning=True,
                fingerprint=sha[:8],
                version=rollout.firmware.sha256,
            ),
            role=RoleFacts(
                exists=True, trusts="no" if broken == "role" else "yes", reads="yes", fingerprint=broken or "role"
            ),
        )

    def _target(self, key: str, request: PreflightRequest, survey: Survey) -> TargetFacts:
        devices = devices_of(key, self._scene.world.group)
        others = [
            other
            for other, task in self._tasks().items()
            if task.busy and not set(devices).isdisjoint(task.work) and other not in request.our_ids | survey.known
        ]
        group = key.startswith(("group:", "thingGroup:"))
        return TargetFacts(
            key=key,
            exists=True,
            vendor_id=key.partition(":")[2],
            region="EU868" if self.capabilities.sends_redundancy else None,
            requested=len(devices) if group else None,
            ready=len(devices) if group else None,
            members=devices if group else (),
            busy_with=", ".join(sorted(others)),
        )

    def send(self, call: Call) -> Receipt:
        scene = self._scene
        action, seen = self._actions[call.key]
        self._numbers += 1
        scene.point(BEFORE_SEND)
        if self._numbers == self.refused:
            raise TransientError("throttled", committed=False)
        self.sent.append(call)
        judge_send(scene, self._holder, self._rollout_of(action), action, seen)
        receipt = carry_out.carry_out(scene, call, action)
        scene.point(AFTER_SEND)
        if self._numbers == self.lost:
            raise TransientError("the connection was lost")
        return receipt

    def _rollout_of(self, action: Action) -> Rollout:
        """Return the rollout that an action is for, by the name of its unit."""
        world = self._scene.world
        unit = getattr(action, "unit", None)
        name = unit.rollout if unit is not None else str(getattr(action, "unit_id", ""))
        found = next((m for m in world.manifests if name.startswith(m.name)), world.manifests[0])
        return declared(self._scene.settings.kind, found)
