"""Runs the product's own reconcile loop over a world, undisturbed or with one thing going wrong in it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import msgspec

from otactl.model.actions import Call
from otactl.reconcile import preview as previews
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RunReport
from otactl.verdicts.deadlines import SETTLE
from tests.support.explore import invariants
from tests.support.explore.carry_out import pass_time
from tests.support.explore.declared import ENVIRONMENT, Settings, declared
from tests.support.explore.invariants import Fault
from tests.support.explore.journal import FIRST, SceneJournal
from tests.support.explore.scene import Killed, Scene
from tests.support.explore.service import SceneService
from tests.support.explore.world import Change, Task, World

PAUSED = timedelta(minutes=3)
"""How long a controller is stopped when another one takes its lease."""


class Run(NamedTuple):
    """What came of a run: the world after it, the world at each point of it, and what must not have happened."""

    world: World
    points: tuple[tuple[str, World], ...]
    faults: tuple[Fault, ...]
    calls: int
    report: RunReport | None = None


def run(settings: Settings, world: World, trouble: str = "") -> Run:
    """Run a controller; `trouble` is what goes wrong, as `what@where`.

    `crash@3` dies at the third point, `stale@3` too, and the next run reads what there was before; `other@3` runs a
    second controller whole at that point, `late@3` after the lease of the first ran out. `lose@1` loses the answer to
    the first call, `refuse@1` has it throttled, `short@t-1` lists no unit t-1.
    """
    what, _, where = trouble.partition("@")
    if what in ("crash", "stale"):
        first = run(settings, world)
        after = first.points[int(where) - 1][1]
        if what == "crash":
            return Run(after, (), first.faults, 0)
        second = _run(Scene(settings, after), stale=world.tasks)
        return Run(second.world, (), (*first.faults, *second.faults), second.calls)
    scene = Scene(settings, world)
    if what in ("other", "late"):
        scene.at, scene.act = int(where), _late if what == "late" else _other
    return _run(scene, what=what, where=where)


def _other(scene: Scene) -> None:
    service = SceneService(scene, "B")
    _reconciler(scene, service, "B").run()


def _late(scene: Scene) -> None:
    scene.now += PAUSED
    later, faults = pass_time(scene.snapshot(), scene.now)
    scene.tasks, scene.sent, scene.answers = later.tasks, later.sent, later.answers
    scene.changes = later.changes
    scene.faults += faults
    _other(scene)


def _reconciler(scene: Scene, service: SceneService, holder: str) -> Reconciler:
    kind, world = scene.settings.kind, scene.world
    rollouts = tuple(declared(kind, m) for m in world.manifests if not m.removed)
    return Reconciler(
        ENVIRONMENT,
        rollouts,
        {kind: service},
        SceneJournal(scene),
        lambda: scene.now,
        holder,
        lambda _rollout: (),
        lambda _record: True,
        abreast=1,
    )


def _run(scene: Scene, *, what: str = "", where: str = "", stale: dict[str, Task] | None = None) -> Run:
    service = SceneService(scene, "A", stale=stale, short=where if what == "short" else "")
    service.lost = int(where) if what == "lose" else 0
    service.refused = int(where) if what == "refuse" else 0
    report: RunReport | None = None
    with suppress(Killed):
        report = _reconciler(scene, service, "A").run()
    faults = (*scene.faults, *_defects(report))
    return Run(scene.snapshot(), tuple(scene.points), faults, len(service.sent), report)


def _defects(report: RunReport | None) -> list[Fault]:
    errors = [*(e.message for e in report.errors), *(r.error for r in report.rollouts)] if report is not None else []
    return [Fault("no run ends in a defect of the product", text) for text in errors if invariants.is_defect(text)]


def whole_run(settings: Settings, world: World, *, compare: bool = True) -> Run:
    """Run a controller undisturbed, and judge what it leaves and, where asked to `compare`, what `plan` said of it."""
    planned = plan(settings, world) if compare else None
    scene = Scene(settings, world)
    service = SceneService(scene, "A")
    report = _reconciler(scene, service, "A").run()
    faults = [*scene.faults, *_defects(report)]
    if planned is not None and not invariants.as_planned(planned, service.sent):
        words = [[f"{c.operation} {c.key}" for c in calls] for calls in (planned, service.sent)]
        faults.append(Fault("`plan` = first calls of `reconcile`", f"planned {words[0]}, sent {words[1]}"))
    if not report.errors and not any(r.error for r in report.rollouts):
        faults += _unaccounted(scene, service)
    return Run(scene.snapshot(), tuple(scene.points), tuple(faults), len(service.sent), report)


def plan(settings: Settings, world: World) -> list[Call]:
    """Return the calls that `plan` shows as next."""
    scene = Scene(settings, world)
    service, journal = SceneService(scene, "P"), SceneJournal(scene)
    identity = journal.identity()
    found = previews.preview(
        msgspec.structs.replace(ENVIRONMENT, journal_id=identity.id, replaces=identity.replaces),
        tuple(declared(settings.kind, m) for m in world.manifests if not m.removed),
        scene.records,
        {settings.kind: service},
        {settings.kind: service},
        lambda: scene.now,
        lambda _rollout: (),
        lambda _record: True,
        abreast=1,
    )
    return [call for p in found for step in p.next for call in step.calls]


def _unaccounted(scene: Scene, service: SceneService) -> list[Fault]:
    """Return what a whole run left unsaid, and forget the changes that are in a ledger."""
    faults, records = list[Fault](), invariants.records_of(scene.records)
    left: list[Change] = []
    for change in scene.changes:
        if invariants.in_ledger(change, records):
            continue
        left.append(change)
        if _was_seen(scene, service, change):
            faults.append(
                Fault("every out-of-band change seen is in the ledger", f"{change.field} of {change.subject}")
            )
    scene.changes = tuple(left)
    lists = service.capabilities.names_own_task
    for key, task in scene.tasks.items():
        findable = lists or (task.rollout and scene.world.journal == FIRST and scene.world.backup is None)
        if findable and task.gone_at is None and not invariants.accounted_for(key, task, records):
            text = f"{key} ({task.unit.unit_id}) is {task.phase.value}, and nothing names it"
            faults.append(Fault("whatever lives at a service is known or reported as foreign", text))
    return faults


def _was_seen(scene: Scene, service: SceneService, change: Change) -> bool:
    """Return whether a run must have noticed a change: it read the unit once our own last write was settled."""
    attempts = [a for r in scene.records.values() for a in r.record.attempts if change.subject in a.vendor_ids]
    if change.field == "unit":
        return any(a.stage == "lost" for a in attempts)
    written = [a.last_write_at for a in attempts if a.last_write_at is not None]
    young = any(scene.now - moment < SETTLE for moment in (*written, change.at))
    return change.subject in service.shown and not young and any(a.live for a in attempts)
