"""Tells a trace as a story that a person can follow, and how to play it again."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.explore.declared import Settings, setting
from tests.support.explore.invariants import Fault
from tests.support.explore.moves import Move, apply, read_move
from tests.support.explore.run import run, whole_run
from tests.support.explore.walk import Violation
from tests.support.explore.world import World

COMMAND = "python -m tests.support.explore replay"
_TROUBLES = {
    "crash": "dies at point {at} ({label})",
    "stale": "dies at point {at} ({label}), and the next one reads what there was before it",
    "other": "stops at point {at} ({label}) while controller B runs whole, then goes on",
    "late": "stops at point {at} ({label}) for three minutes, B runs whole, then it goes on",
    "lose": "gets no answer to its call {at}, which was carried out",
    "refuse": "has its call {at} throttled",
    "short": "gets a list without {at}",
}
_EDITS = {
    "firmware": "the manifest of {what} declares the other firmware",
    "remove": "the manifest of {what} is removed from Git",
    "restore": "the manifest of {what} is put back",
    "resume": "{what} goes on",
    "suspend": "{what} is suspended",
    "suspendFinish": "{what} is suspended; what runs may finish",
    "abort": "{what} is aborted",
    "goOn": "the abort of {what} is taken back",
    "waves": "{what} has all its waves again",
    "withoutCanary": "wave canary is taken out of {what}",
    "withoutFleet": "wave fleet is taken out of {what}",
    "rename": "{what} is renamed to {what}x",
    "accept": "{what} accepts drift and losses",
    "resend": "{what} asks to send again",
    "gate": "the gate of {what} is changed",
    "drift": "{what} changes its drift mode",
    "window": "a window is declared for {what}, or taken away",
    "break": "the {what} is changed under the rollouts",
    "repair": "image and role are right again",
    "joins": "{what} joins the group",
    "leaves": "{what} leaves the group",
}


def story_of(violation: Violation) -> str:
    """Return a violation as a story, each move with what it changed, and the command that plays it again."""
    settings = setting(violation.settings)
    lines = [f"{violation.fault.invariant}", f"  does not hold: {violation.fault.text}", f"  service: {settings.name}"]
    world = World()
    for number, word in enumerate(violation.moves, start=1):
        move = read_move(word)
        lines.append(f"  {number:2}. {_words(settings, world, move)}")
        after, _ = apply(settings, world, move)
        lines += [f"      {line}" for line in _changes(world, after)]
        world = after
    return "\n".join((*lines, f"  again: {COMMAND} {settings.name} {' '.join(violation.moves)}"))


def replay(settings: Settings, words: Sequence[str]) -> tuple[World, tuple[Fault, ...]]:
    """Play a trace; returns its world and every invariant that did not hold on the way."""
    world, faults = World(), list[Fault]()
    for word in words:
        world, wrong = apply(settings, world, read_move(word))
        faults += wrong
    return world, tuple(faults)


def _words(settings: Settings, world: World, move: Move) -> str:
    if move.kind == "run" and move.what:
        what, _, at = move.what.partition("@")
        points = run(settings, world).points if what in ("crash", "stale", "other", "late") else ()
        label = points[int(at) - 1][0] if points and int(at) <= len(points) else ""
        return f"controller A {_TROUBLES[what].format(at=at, label=label)}"
    if move.kind == "run":
        found = whole_run(settings, world, compare=False)
        return f"controller A runs, {found.calls} calls"
    if move.kind == "wait":
        return "time goes on to the next moment that matters"
    if move.kind == "clock":
        return f"the clock jumps {move.what} hours"
    if move.kind == "device":
        key, _, device = move.what.partition("/")
        return f"{'each device' if device == '*' else device} of {key}: {move.how}"
    if move.kind == "hand":
        return f"by hand: {move.how} {move.what}"
    if move.kind == "journal":
        return {"lost": "the journal is lost, a new one takes over", "saved": "the journal is saved"}.get(
            move.what, "the saved journal is put back"
        )
    return _EDITS[move.kind].format(what=move.what)


def _changes(before: World, after: World) -> list[str]:
    """Return what a move changed at the service and in the records."""
    lines = [f"at {after.now:%d %H:%M:%S}"] if after.now != before.now else []
    for key in sorted({*before.tasks, *after.tasks}):
        old, new = before.tasks.get(key), after.tasks.get(key)
        if new is None:
            lines.append(f"{key} is no longer there")
        elif old is None or (old.phase, old.work, old.deeds) != (new.phase, new.work, new.deeds):
            devices = ", ".join(f"{d} {how}" for d, how in new.work.items())
            lines.append(f"{key} ({new.unit.unit_id}) is {new.phase.value}: {devices or 'no devices'}")
    for name, held in sorted(after.records.items()):
        was, record = before.records.get(name), held.record
        if was is not None and was.record == record:
            continue
        stages = ", ".join(f"{w.name} {a.number} {a.stage.value}" for w in record.waves for a in w.attempts)
        holds = "; ".join(f"{h.reason}: {h.message}" for h in record.holds)
        drift = ", ".join(f"{e.subject} {e.field} ({e.cause.value})" for e in record.drift if e.open)
        parts = [f"record {name}: {record.phase.value}", stages, f"holds {holds}" if holds else "", drift]
        lines.append("; ".join(part for part in parts if part))
    return lines
