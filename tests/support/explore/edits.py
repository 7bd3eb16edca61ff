"""Edits what people declare, and what they break or restore around it: manifests, image, role, group, journal."""

from __future__ import annotations

import msgspec

from tests.support.explore.declared import Settings
from tests.support.explore.journal import FIRST
from tests.support.explore.world import Manifest, Sent, Task, World

replace = msgspec.structs.replace
TAKEN_OVER = "feedfacecafe0002"


def possible(settings: Settings, world: World) -> list[tuple[str, str, int]]:
    """Return every edit with what it is of and its price; taking back what a person did is free."""
    found: list[tuple[str, str, int]] = []
    for manifest in world.manifests:
        found += [(kind, manifest.name, price) for kind, price in _of(manifest)]
    if world.broken:
        found.append(("repair", "", 0))
    else:
        found += [("break", "image", 1), ("break", "role", 1)]
    if settings.kind != "tuya":
        found += [("joins", "d4", 1)] if "d4" not in world.group else []
        found += [("leaves", "d3", 1)] if "d3" in world.group else []
    if world.records:
        found += [("journal", "lost", 1)] if world.journal == FIRST else []
        found += [("journal", "saved", 1)] if world.backup is None else [("journal", "older", 0)]
    return found


def _of(manifest: Manifest) -> list[tuple[str, int]]:
    if manifest.removed:
        return [("restore", 0)]
    found = [("firmware", 1), ("remove", 1)]
    found += [("resume", 0)] if manifest.suspend else [("suspend", 1), ("suspendFinish", 1)]
    if manifest.name == "b":
        return [*found, ("window", 1)]
    found += [("goOn", 0)] if manifest.abort else [("abort", 1)]
    found += [("waves", 0)] if manifest.without else [("withoutCanary", 1), ("withoutFleet", 1)]
    found += [] if manifest.renamed else [("rename", 1)]
    found += [("accept", 1)] if not manifest.accept else []
    found += [("resend", 1)] if not manifest.resend else []
    return [*found, ("gate", 1), ("drift", 1)]


def apply(settings: Settings, world: World, kind: str, what: str) -> World:
    """Return the world after one edit."""
    match kind:
        case "break":
            return replace(world, broken=what)
        case "repair":
            return replace(world, broken="")
        case "joins":
            return replace(world, group=tuple(sorted((*world.group, what))))
        case "leaves":
            return replace(world, group=tuple(d for d in world.group if d != what))
        case "journal":
            return _journal(settings, world, what)
    old = world.manifest(what)
    changes: dict[str, dict[str, object]] = {
        "firmware": {"version": 1 - old.version},
        "remove": {"removed": True},
        "restore": {"removed": False},
        "resume": {"suspend": ""},
        "suspend": {"suspend": "withdraw"},
        "suspendFinish": {"suspend": "finish"},
        "abort": {"abort": True},
        "goOn": {"abort": False},
        "waves": {"without": ""},
        "withoutCanary": {"without": "canary"},
        "withoutFleet": {"without": "fleet"},
        "rename": {"renamed": True},
        "accept": {"accept": True},
        "gate": {"lenient": not old.lenient},
        "drift": {"report": not old.report},
        "resend": {"resend": True},
        "window": {"windowed": not old.windowed},
    }
    new = replace(old, **changes[kind])
    return replace(world, manifests=tuple(new if m is old else m for m in world.manifests))


def _journal(settings: Settings, world: World, what: str) -> World:
    """Lose the journal and take over from it, save it, or put the saved one back."""
    if what == "saved":
        return replace(world, backup=world.records)
    named = settings.shape.capabilities.names_own_task
    world = replace(world, sent={d: replace(s, resent=False) for d, s in world.sent.items()})
    still = {(d, t.content) for t in world.tasks.values() for d in t.work} if named else set()
    sent = {d: s if (d, s.content) in still else _forgotten(s) for d, s in world.sent.items()}
    kept = (world.backup or {}) if what == "older" else {}
    known = {i for held in kept.values() for i in held.record.vendor_ids}
    tasks = {k: t if k in known else _unknown(settings, t) for k, t in world.tasks.items()}
    changes = tuple(c for c in world.changes if c.subject in tasks)  # of a unit that is gone nothing tells any more
    world = replace(world, sent=sent, tasks=tasks, changes=changes)
    return replace(world, records=kept) if what == "older" else replace(world, records={}, journal=TAKEN_OVER)


def _unknown(settings: Settings, task: Task) -> Task:
    """Return a unit that no record knows: without a name no one can find it again, with one a run finds it."""
    if not settings.shape.capabilities.names_own_task:
        return replace(task, deeds=(*task.deeds, "forgotten"))
    answers_again = settings.second and settings.kind == "fuota"  # a create is answered with it, present or not
    return replace(task, forgotten=not answers_again)


def _forgotten(sent: Sent) -> Sent:
    """Return a sending that no memory of the product and no unit at the service tells of any more."""
    return replace(sent, excused=True)
