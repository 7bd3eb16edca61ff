"""Carries out what a service is asked to do, and what it does by itself as time passes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from otactl.errors import ConflictError
from otactl.model import Unit, UnitPhase
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
from tests.support.explore.declared import devices_of
from tests.support.explore.invariants import Fault
from tests.support.explore.scene import Scene
from tests.support.explore.truth import reach, vanished
from tests.support.explore.world import Sent, Task, World, answer_key

replace = msgspec.structs.replace
SESSION, SLOW = timedelta(hours=1), timedelta(minutes=1)
OPEN_WORK = ("waiting", "started", "mute")


def carry_out(scene: Scene, call: Call, action: Action) -> Receipt:
    """Do what an action asks. Raises: ConflictError where the unit is missing, or not in the state for it."""
    if isinstance(action, CreateUnit | ResendCreate):
        return _create(scene, call, action.unit)
    key = action.arn.removeprefix("arn:") if isinstance(action, MarkUnit) else action.vendor_id
    task = scene.tasks.get(key)
    if task is None or task.phase is UnitPhase.DELETING:
        if isinstance(action, DeleteUnit):
            return Receipt(key=call.key)
        raise ConflictError(f"{key} is missing")
    if isinstance(action, DeleteUnit):
        scene.put(key, deleted(scene, task))
        return Receipt(key=call.key)
    if isinstance(action, CancelUnit):
        stopped = stop(task, middle=scene.settings.second and scene.settings.kind == "tuya")
        unit = replace(stopped.unit, canceled_by_us=True, withdrawn=action.why == "suspended")
        scene.put(key, replace(stopped, unit=unit))
        scene.answers = answered(scene.answers, stopped)
        scene.sent = _interrupted(scene.sent, task, stopped)
        return Receipt(key=call.key)
    if isinstance(action, MarkUnit):
        kept = {k: v for k, v in task.unit.tags.items() if k not in action.remove}
        tags = {**kept, **scene.settings.shape.desired(action.unit)[1]}
        scene.put(key, replace(task, unit=replace(task.unit, tags=tags)))
        return Receipt(key=call.key)
    if task.phase is not UnitPhase.OPEN and not isinstance(action, UpdateUnit):
        raise ConflictError(f"{key} is {task.phase.value}")
    scene.put(key, _changed(scene, task, call, action))
    return Receipt(key=call.key)


def _changed(scene: Scene, task: Task, call: Call, action: Action) -> Task:
    unit = task.unit
    match action:
        case UpdateUnit(unit=declared, fields=names):
            fields = scene.settings.shape.desired(declared)[0]
            chosen = {name: fields.get(name) for name in names}
            unit_id = str(chosen["name"]).removeprefix("acme-") if "name" in chosen else unit.unit_id
            changed = replace(unit, unit_id=unit_id, fields={**unit.fields, **chosen})
            content = declared.firmware.sha256 if "image" in chosen else task.content
            return replace(task, unit=changed, content=content)
        case AddMembers(members=members):
            added = {m for m in members if call.key.endswith(m)}
            if scene.settings.second and added <= set(unit.members):
                raise ConflictError("it is a member already")
            return with_members(scene, task, {*unit.members, *added})
        case RemoveMembers():
            return with_members(scene, task, {m for m in unit.members if not call.key.endswith(m)})
        case StartUnit(start_at=start_at):
            if start_at - scene.now < timedelta(minutes=30):
                raise ConflictError("the start is less than 30 minutes ahead")
            return replace(task, unit=replace(unit, phase=UnitPhase.SCHEDULED, start_at=start_at))
    raise TypeError(f"a service takes no {type(action).__name__} here")


def with_members(scene: Scene, task: Task, members: Iterable[str]) -> Task:
    """Return a task that holds these targets."""
    keys = tuple(sorted(members))
    devices = {d for key in keys for d in devices_of(key, scene.world.group)}
    return replace(task, unit=replace(task.unit, members=keys), work=dict.fromkeys(sorted(devices), "waiting"))


def _create(scene: Scene, call: Call, unit: UnitDeclaration) -> Receipt:
    can = scene.settings.shape.capabilities
    if can.names_own_task:
        there = next((k for k, t in scene.tasks.items() if t.unit.unit_id == unit.unit_id), None)
        if scene.settings.second and scene.settings.kind == "fuota":
            there = there or scene.tokens.get(unit.unit_id)  # a token that was used once stays used
        if there is not None:
            return Receipt(key=call.key, vendor_id=there, arn=f"arn:{there}")
    scene.made += 1
    key = unit.unit_id if scene.settings.kind == "otaUpdate" else f"t-{scene.made}"
    fields, tags = scene.settings.shape.desired(unit)
    slow = scene.settings.second and not can.starts_explicitly
    begins = UnitPhase.SCHEDULED if slow and can.names_own_task else UnitPhase.RUNNING
    members = () if can.members_after_create else unit.members
    shown = Unit(
        unit_id=unit.unit_id,
        phase=UnitPhase.OPEN if can.starts_explicitly else begins,
        vendor_id=key,
        arn=f"arn:{key}",
        fields=fields,
        tags=tags,
        created_at=scene.now,
        start_at=None if can.starts_explicitly else scene.now,
    )
    task = Task(
        unit=shown,
        work={},
        content=unit.firmware.sha256,
        rollout=unit.rollout[:1],
        wave=unit.wave,
        ready_at=scene.now + SLOW if slow else None,
    )
    scene.put(key, with_members(scene, task, members))
    scene.tokens = {**scene.tokens, unit.unit_id: key}
    return Receipt(key=call.key, vendor_id=key, arn=f"arn:{key}")


def deleted(scene: Scene, task: Task) -> Task | None:
    """Return what is left of a task that is deleted: nothing, or one being deleted for a while."""
    slow = scene.settings.second and scene.settings.shape.capabilities.names_own_task
    if not slow or task.phase is UnitPhase.OPEN:
        return None
    return replace(task, unit=replace(task.unit, phase=UnitPhase.DELETING), gone_at=scene.now + SLOW)


def stop(task: Task, *, middle: bool) -> Task:
    """Return a task that starts no further devices; `middle` also stops those that had started."""
    ends = OPEN_WORK if middle else ("waiting",)
    work = {d: "canceled" if how in ends else how for d, how in task.work.items()}
    return ended(replace(task, work=work, unit=replace(task.unit, stopping=True)))


def _interrupted(sent: dict[str, Sent], before: Task, after: Task) -> dict[str, Sent]:
    """Return what devices were sent once a stop has canceled some in the middle: they have the content to come."""
    stopped = (d for d, how in after.work.items() if how == "canceled" and before.work[d] not in ("waiting", how))
    known = {d: sent[d] for d in stopped if d in sent and sent[d].content == after.content}
    return {**sent, **{d: replace(s, outcome="canceled") for d, s in known.items()}}


def ended(task: Task) -> Task:
    """Return the task, ended when none of its devices is left to answer."""
    over = (
        task.phase is UnitPhase.RUNNING
        and task.ends_at is None
        and not any(how in OPEN_WORK for how in task.work.values())
    )
    return replace(task, unit=replace(task.unit, phase=UnitPhase.ENDED)) if over else task


def answered(answers: dict[str, str], task: Task) -> dict[str, str]:
    """Return what became of the devices of a task; of one made by hand only what they took counts.

    A device that took the content has it, whatever another unit with the same content says of it later.
    """
    known = ("good", "bad", "mute", "canceled") if task.rollout else ("good",)
    reached = {answer_key(d, task.content): how for d, how in task.work.items() if how in known}
    return {**answers, **{key: how for key, how in reached.items() if answers.get(key) != "good"}}


def moments(world: World) -> list[datetime]:
    """Return when the service does something by itself."""
    found: list[datetime] = []
    for task in world.tasks.values():
        if task.phase is UnitPhase.SCHEDULED and task.unit.start_at is not None and task.ready_at is None:
            found.append(task.unit.start_at)
        found += [m for m in (task.ready_at, task.gone_at, task.ends_at) if m is not None]
    return found


def pass_time(world: World, now: datetime) -> tuple[World, list[Fault]]:
    """Return the world at a later moment, with what its service did by then, and what must not have happened."""
    tasks, sent, answers, faults = dict(world.tasks), world.sent, world.answers, list[Fault]()
    for key, task in world.tasks.items():
        unit = task.unit
        if task.gone_at is not None and now >= task.gone_at:
            del tasks[key]
            sent = vanished(sent, task)
            continue
        if task.ready_at is not None and now >= task.ready_at:
            phase = UnitPhase.RUNNING if unit.phase is UnitPhase.SCHEDULED else unit.phase
            task = replace(task, ready_at=None, unit=replace(unit, phase=phase))
        elif unit.phase is UnitPhase.SCHEDULED and unit.start_at is not None and now >= unit.start_at:
            sent, wrong = reach(world, sent, key, task, task.work)
            faults += wrong
            work = {d: "started" if how == "waiting" else how for d, how in task.work.items()}
            task = replace(
                task, work=work, unit=replace(unit, phase=UnitPhase.RUNNING), ends_at=unit.start_at + SESSION
            )
        if task.ends_at is not None and now >= task.ends_at:
            silent = {d: "mute" if how == "started" else how for d, how in task.work.items()}
            answers = answered(answers, replace(task, work=silent))
            task = replace(task, ends_at=None, unit=replace(task.unit, phase=UnitPhase.ENDED))
        tasks[key] = task
    gone = {key for key, task in world.tasks.items() if task.forgotten and key not in tasks}
    changes = tuple(c for c in world.changes if c.subject not in gone) if gone else world.changes
    return replace(world, now=now, tasks=tasks, sent=sent, answers=answers, changes=changes), faults
