"""Changes units behind the back of otactl, as a person with the console of the service can."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from otactl.model import JsonObject, Unit, UnitPhase
from otactl.model.tags import TAG_ATTEMPT, TAG_WAVE
from tests.support.explore.carry_out import answered, stop
from tests.support.explore.declared import Settings
from tests.support.explore.truth import vanished
from tests.support.explore.world import Change, Sent, Task, World

replace = msgspec.structs.replace
FOREIGN, COPY = "x-1", "x-2"


BY_HAND = timedelta(minutes=35, seconds=7)
"""From a deed to the start it asks for: at another second than any start of ours, so that one can tell them apart."""


def possible(settings: Settings, world: World) -> list[tuple[str, str]]:
    """Return what a person may do, by the unit it is done to."""
    can = settings.shape.capabilities
    found: list[tuple[str, str]] = []
    for key, task in world.tasks.items():
        if task.phase is UnitPhase.DELETING or not task.rollout:
            continue
        if can.names_own_task:
            found += [(key, "delete")]
            found += [(key, "edit")] if "edit" not in task.deeds else []
            found += [(key, "copy")] if COPY not in world.tasks else []
        if can.cancels_waiting and task.phase is UnitPhase.RUNNING and not task.unit.stopping:
            found += [(key, "cancel")]
        if can.starts_explicitly and task.phase is UnitPhase.OPEN and task.unit.members:
            found += [(key, "start")]
    if FOREIGN not in world.tasks:
        found += [(FOREIGN, "create")]
    return found


def apply(settings: Settings, world: World, key: str, deed: str) -> World:
    """Return the world after one deed."""
    if deed == "create":
        unit = Unit(unit_id="handmade", phase=UnitPhase.RUNNING, vendor_id=FOREIGN, created_at=world.now)
        made = Task(unit=replace(unit, arn=f"arn:{FOREIGN}"), work={"d3": "started"}, content="ee" * 32)
        return replace(world, tasks={**world.tasks, FOREIGN: made})
    task = world.tasks[key]
    if deed == "copy":
        return replace(world, tasks={**world.tasks, COPY: _copied(settings, task)})
    change = Change(subject=key, unit_id=task.unit.unit_id, field=_field(settings, task, deed), at=world.now)
    changes = (*(c for c in world.changes if (c.subject, c.field) != (key, change.field)), change)
    if deed == "delete":
        rest = {k: t for k, t in world.tasks.items() if k != key}
        kept = tuple(c for c in changes if c.subject != key or c is change)
        # A create without an answer whose unit is deleted before any run has seen it is sent again (decision 0017).
        unseen = all(key not in held.record.vendor_ids for held in world.records.values())
        return replace(world, tasks=rest, changes=kept, sent=vanished(world.sent, task, unseen=unseen))
    after = _changed(settings, world, task, deed)
    answers, sent = answered(world.answers, after), dict(world.sent)
    for device in (d for d, how in task.work.items() if deed == "cancel" and how == "waiting"):
        sent[device] = replace(sent.get(device, Sent()), excused=True)  # whether it had started no one can tell
    return replace(world, tasks={**world.tasks, key: after}, changes=changes, answers=answers, sent=sent)


def _field(settings: Settings, task: Task, deed: str) -> str:
    if deed == "edit":
        return "redundancyPercent" if _edits_field(settings, task) else f"tags.{TAG_WAVE}"
    if deed == "cancel":
        return "job" if settings.kind == "otaUpdate" else "batch"
    return {"delete": "unit", "start": "startTime"}[deed]


def _edits_field(settings: Settings, task: Task) -> bool:
    return settings.kind == "fuota" and task.phase is UnitPhase.OPEN


def _changed(settings: Settings, world: World, task: Task, deed: str) -> Task:
    unit, deeds = task.unit, (*task.deeds, deed)
    if deed == "edit":
        fields: JsonObject = {"fields": {**unit.fields, "redundancyPercent": 99}}
        tags: JsonObject = {"tags": {**unit.tags, TAG_WAVE: "other"}}
        return replace(task, unit=replace(unit, **(fields if _edits_field(settings, task) else tags)), deeds=deeds)
    if deed == "start":
        started = replace(unit, phase=UnitPhase.SCHEDULED, start_at=world.now + BY_HAND)
        return replace(task, unit=started, deeds=deeds)
    return stop(replace(task, deeds=deeds), middle=False)


def _copied(settings: Settings, task: Task) -> Task:
    """Return a unit that carries the marks of another one, under the next attempt's number, open or running."""
    unit_id = f"{task.unit.unit_id.rsplit('-', 2)[0]}-9-00000000"
    phase = UnitPhase.OPEN if settings.shape.capabilities.starts_explicitly else UnitPhase.RUNNING
    unit = replace(task.unit, unit_id=unit_id, vendor_id=COPY, arn=f"arn:{COPY}", start_at=None, phase=phase)
    tags = {**unit.tags, TAG_ATTEMPT: "9"}
    fields = {**unit.fields, **({"name": f"acme-{unit_id}"} if "name" in unit.fields else {})}
    return replace(
        task, unit=replace(unit, tags=tags, fields=fields), rollout="", work=dict.fromkeys(task.work, "waiting")
    )
