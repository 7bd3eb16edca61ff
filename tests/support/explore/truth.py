"""Gathers the facts that the invariants judge, from what the service was really asked and what devices really got."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from otactl.model import Gate, Observation, Rollout, Unit, duration
from otactl.model.actions import Action, CancelUnit, CreateUnit, DeleteUnit, StartUnit
from otactl.model.record import Record
from otactl.verdicts import wave_verdict
from tests.support.explore import invariants
from tests.support.explore.declared import IGNORED, content_of, declared, devices_of, name_of
from tests.support.explore.invariants import Fault
from tests.support.explore.scene import Scene
from tests.support.explore.world import Manifest, Sent, Task, World, answer_key

replace = msgspec.structs.replace
NEVER_SENT = Sent()


def reach(
    world: World, sent: dict[str, Sent], key: str, task: Task, devices: Iterable[str]
) -> tuple[dict[str, Sent], list[Fault]]:
    """Return what devices were sent once a task reaches some of them, and what must not have been."""
    after, faults = dict(sent), list[Fault]()
    for device in devices:
        before = sent.get(device, NEVER_SENT)
        again = before.content == task.content
        by_hand = bool(task.deeds) or not task.rollout
        if not invariants.sent_once(before, task.content, asked=by_hand or _asked(world, task, before)):
            text = f"{device} was sent {task.content[:2]} again by {key} ({task.unit.unit_id})"
            faults.append(Fault("no device is sent one content twice unless asked", text))
        after[device] = Sent(
            content=task.content,
            times=before.times + 1 if again else 1,
            excused=by_hand or (again and before.excused),
            resent=again and (before.resent or world.manifest(task.rollout or "a").resend),
        )
    return after, faults


def vanished(sent: dict[str, Sent], task: Task, *, unseen: bool = False) -> dict[str, Sent]:
    """Return what devices were sent once a task is no longer there: nothing tells of one forgotten, or `unseen`."""
    untold = task.forgotten or unseen
    known = {d: s for d, s in sent.items() if untold and d in task.work and s.content == task.content}
    return {**sent, **{d: replace(s, excused=True) for d, s in known.items()}}


def _asked(world: World, task: Task, before: Sent) -> bool:
    """Return whether a person or the manifest asks for it: a retry, an accepted loss, a memory that was lost."""
    manifest = world.manifest(task.rollout)
    retried = manifest.name == "a" and before.outcome == "bad" and before.times < 2
    resent = manifest.resend and not before.resent
    return before.excused or manifest.accept or resent or retried or before.outcome == "canceled"


def by_name(world: World, name: str) -> Manifest | None:
    """Find the manifest that declares a name."""
    return next((m for m in world.manifests if name_of(m) == name and not m.removed), None)


def judge_commit(scene: Scene, records: Iterable[Record]) -> None:
    """Judge the waves that pass with a commit."""
    for record in records:
        manifest = by_name(scene.world, record.name)
        if manifest is None:
            continue
        rollout = declared(scene.settings.kind, manifest)
        before = scene.records.get(record.name)
        for wave in record.waves:
            old = before.record.wave(wave.name) if before is not None else None
            if wave_verdict.passed(wave, rollout) and not wave_verdict.passed(old, rollout):
                _judge_wave(scene, record, rollout, wave.name)


def _judge_wave(scene: Scene, record: Record, rollout: Rollout, name: str) -> None:
    wave = record.wave(name)
    made = wave.attempts_since(rollout.generation) if wave is not None else ()
    keys = wave.members if wave is not None else ()
    devices = {d for a in made for d in (*a.devices, *(r.device for r in a.results))}
    devices = devices or {d for k in keys for d in devices_of(k, scene.world.group)}
    gate = next((rollout.gate_of(w) for w in rollout.strategy.waves if w.name == name), rollout.strategy.gate)
    late = _without_answer(scene, gate)
    content = content_of(rollout)
    found = [scene.answers.get(answer_key(d, content), "mute" if d in late else "") for d in sorted(devices)]
    if not invariants.passed_truly(found.count("good"), len(found), gate.min_success_percent, found.count("")):
        text = f"wave {name} of {record.name} passed, and its devices {sorted(devices)} are {found}"
        scene.faults.append(Fault("no wave passes with a member unjudged or failed beyond its gate", text))


def _without_answer(scene: Scene, gate: Gate) -> set[str]:
    """Return the devices whose time for an answer is over: they are judged as failed."""
    if gate.silence_after is None:
        return set()
    started = [(t.unit.start_at or t.unit.created_at, t.work) for t in scene.tasks.values() if t.busy]
    silence = duration(gate.silence_after)
    return {d for at, work in started if at is not None and scene.now - at >= silence for d in work}


def judge_send(scene: Scene, holder: str, rollout: Rollout, action: Action, seen: Observation | None) -> None:
    """Judge a call that is about to reach the service; `seen` is what this pass read for it."""
    manifest = by_name(scene.world, rollout.name)
    withdraws = isinstance(action, CancelUnit | DeleteUnit) and action.why in ("suspended", "aborted")
    lease = scene.lease
    leased = lease is not None and lease.holder == holder and not lease.released and lease.expires_at > scene.now
    starts = isinstance(action, StartUnit) or (isinstance(action, CreateUnit) and action.start_at is not None)
    drifted = starts and manifest is not None and _drifted(scene, manifest, action, seen)
    suspended = manifest is not None and bool(manifest.suspend) and not manifest.abort
    if not invariants.may_send(leased=leased, suspended=suspended, withdraws=withdraws, starts_over_drift=drifted):
        text = f"{type(action).__name__} was sent: leased {leased}, suspended {suspended}, over drift {drifted}"
        scene.faults.append(Fault("nothing is sent while suspended, without lease, or over open drift", text))
    if isinstance(action, CreateUnit | StartUnit) and starts:
        needed = {"image", "role", *action.unit.members}
        shown = _right(rollout, seen)
        if not invariants.fully_checked(needed, shown):
            text = f"{action.unit.unit_id} was started; this pass did not show as right: {sorted(needed - shown)}"
            scene.faults.append(Fault("no start without the full check of that pass", text))


def _right(rollout: Rollout, seen: Observation | None) -> set[str]:
    if seen is None:
        return set()
    image, role = seen.image, seen.role
    found = {t.key for t in seen.targets if t.exists and not t.busy_with and t.ready == t.requested}
    found |= {"image"} if image is not None and image.exists and image.sha256 == rollout.firmware.sha256 else set()
    return found | ({"role"} if role is not None and role.exists and role.trusts == role.reads == "yes" else set())


def _drifted(scene: Scene, manifest: Manifest, action: Action, seen: Observation | None) -> bool:
    if not isinstance(action, StartUnit) or seen is None:
        return False
    unit: Unit | None = next((u for u in seen.units if u.vendor_id == action.vendor_id), None)
    if unit is None:
        return True
    fields, tags = scene.settings.shape.desired(action.unit)
    accepted = set(IGNORED) if manifest.accept else set[str]()
    wrong = {name for name, value in fields.items() if unit.fields.get(name) != value} - accepted
    wrong |= {key for key, value in tags.items() if unit.tags.get(key) != value}
    return bool(wrong) or set(unit.members) != set(action.unit.members)
