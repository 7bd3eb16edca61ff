"""Lists what may happen next in a world, and lets it happen.

1. What belongs to an undisturbed life costs nothing: a whole run, time up to the next moment that matters, devices that
   answer well, and a person taking back what a person did. Everything else is a disturbance and costs one.
2. Time moves to the next moment at which the service or a rule of the product does something by itself.
3. Devices of one unit that nothing tells apart answer in the order of their names.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from otactl.model import UnitPhase, duration
from otactl.verdicts.deadlines import SETTLE
from tests.support.explore import edits, hands
from tests.support.explore.carry_out import answered, ended, moments, pass_time
from tests.support.explore.declared import Settings, declared
from tests.support.explore.invariants import Fault
from tests.support.explore.run import Run, run, whole_run
from tests.support.explore.scene import AFTER_COMMIT, AFTER_SEND, BEFORE_COMMIT, READ
from tests.support.explore.truth import reach
from tests.support.explore.world import Task, World, fingerprint

replace = msgspec.structs.replace
DAY = timedelta(hours=24)


class Move(NamedTuple):
    """One thing that happens: of a kind, to something, in some way."""

    kind: str
    what: str = ""
    how: str = ""

    @property
    def text(self) -> str:
        """Return the move as one word, from which it can be read again."""
        return ":".join(part for part in self if part)


class Step(NamedTuple):
    """A move with its price, the world after it, and what must not have happened on the way."""

    move: Move
    price: int
    world: World
    faults: tuple[Fault, ...] = ()


def read_move(text: str) -> Move:
    """Return the move of a word."""
    return Move(*text.split(":", 2))


def apply(settings: Settings, world: World, move: Move) -> tuple[World, tuple[Fault, ...]]:
    """Let one move happen."""
    match move.kind:
        case "run":
            found = run(settings, world, move.what) if move.what else whole_run(settings, world)
            return found.world, found.faults
        case "wait":
            now = next_moment(settings, world)
            after, faults = pass_time(world, now if now is not None else world.now)
            return after, tuple(faults)
        case "clock":
            after, faults = pass_time(world, world.now + timedelta(hours=int(move.what)))
            return after, tuple(faults)
        case "device":
            key, _, device = move.what.partition("/")
            return _answer(world, key, device, move.how)
        case "hand":
            return hands.apply(settings, world, move.what, move.how), ()
    return edits.apply(settings, world, move.kind, move.what), ()


def calm(settings: Settings, world: World) -> list[Move]:
    """Return the moves of an undisturbed life, but for the run."""
    found = [
        Move("device", f"{key}/*", "good")
        for key, task in world.tasks.items()
        if task.phase is UnitPhase.RUNNING and any(how in ("waiting", "started") for how in task.work.values())
    ]
    return [*found, Move("wait")] if next_moment(settings, world) is not None else found


def disturbances(settings: Settings, world: World) -> list[Move]:
    """Return every disturbance but those inside a run."""
    found = [Move("clock", hours) for hours in ("9", "72", "-2")]
    for key, task in world.tasks.items():
        for device, how in task.work.items():
            found += [Move("device", f"{key}/{device}", to) for to in _may_become(settings, task, how)]
    found += [Move("hand", key, deed) for key, deed in hands.possible(settings, world)]
    return found


def may_happen(settings: Settings, world: World, move: Move) -> bool:
    """Return whether a move is one of those from a world."""
    if move.kind == "run":
        what, _, where = move.what.partition("@")
        points = len(run(settings, world).points) if what in ("crash", "stale", "other", "late") else 0
        return not points or int(where) <= points
    edited = [Move(kind, what) for kind, what, _ in edits.possible(settings, world)]
    return move in (*calm(settings, world), *disturbances(settings, world), *edited)


def steps(settings: Settings, world: World, base: Run) -> list[Step]:
    """Return every step from a world; `base` is an undisturbed run from it."""
    found = [Step(Move("run"), 0, base.world, base.faults)]
    priced = [(move, 0) for move in calm(settings, world)]
    priced += [(Move(name, what), price) for name, what, price in edits.possible(settings, world)]
    priced += [(move, 1) for move in disturbances(settings, world)]
    found += [Step(move, price, *apply(settings, world, move)) for move, price in priced]
    return [*found, *_troubled(settings, world, base)]


def _troubled(settings: Settings, world: World, base: Run) -> list[Step]:
    """Return the steps of a run in which one thing goes wrong.

    Another controller comes in between in the first pass alone: a later one starts from what a crash there leaves.
    """
    found: list[Step] = []
    last: World = world
    first = next(
        (n for n, (label, _) in enumerate(base.points) if label == READ and n and _sent(base, n)), len(base.points)
    )
    for number, (label, after) in enumerate(base.points, start=1):
        if after.tasks is not last.tasks or after.records is not last.records:
            found.append(Step(Move("run", f"crash@{number}"), 1, after))
            if label == AFTER_SEND:
                found.append(_run_step(settings, world, f"stale@{number}"))
        if number <= first and label in (BEFORE_COMMIT, AFTER_COMMIT):
            found.append(_run_step(settings, world, f"late@{number}"))
        if number <= first and label == AFTER_COMMIT:
            found.append(_run_step(settings, world, f"other@{number}"))
        last = after
    for number in range(1, base.calls + 1):
        found.append(_run_step(settings, world, f"lose@{number}"))
        found.append(_run_step(settings, world, f"refuse@{number}"))
    if world.records:
        found += [_run_step(settings, world, f"short@{key}") for key in world.tasks]
    return found


def _sent(base: Run, before: int) -> bool:
    """Return whether a run had committed anything before a point: what follows is another pass."""
    return any(label == AFTER_COMMIT for label, _ in base.points[:before])


def _run_step(settings: Settings, world: World, trouble: str) -> Step:
    found = run(settings, world, trouble)
    return Step(Move("run", trouble), 1, found.world, found.faults)


def _may_become(settings: Settings, task: Task, how: str) -> tuple[str, ...]:
    radio = settings.kind == "fuota"
    if task.phase is UnitPhase.ENDED:
        return ("good", "bad") if radio and how == "mute" else ()
    if task.phase is not UnitPhase.RUNNING or how in ("good", "bad", "canceled"):
        return ()
    if how == "mute":
        return ("good", "bad")
    return ("bad", "mute") if radio or how == "started" else ("bad", "mute", "started")


def _answer(world: World, key: str, device: str, how: str) -> tuple[World, tuple[Fault, ...]]:
    """Let a device of a task go on; `*` are all that have not answered."""
    task = world.tasks[key]
    chosen = [d for d, now in task.work.items() if d == device or (device == "*" and now in ("waiting", "started"))]
    sent, faults = reach(world, world.sent, key, task, [d for d in chosen if task.work[d] == "waiting"])
    after = ended(replace(task, work={**task.work, **dict.fromkeys(chosen, how)}))
    for name in chosen:
        if name in sent and sent[name].content == task.content and how in ("good", "bad", "mute"):
            sent[name] = replace(sent[name], outcome=how)
    answers = answered(world.answers, after)
    return replace(world, tasks={**world.tasks, key: after}, sent=sent, answers=answers), tuple(faults)


def next_moment(settings: Settings, world: World) -> datetime | None:
    """Return the next moment at which anything happens by itself, or a rule of the product decides otherwise."""
    found = moments(world)
    for held in world.records.values():
        record = held.record
        found += [h.until for h in record.holds if h.until is not None]
        for attempt in record.attempts:
            if attempt.live:
                marks = (attempt.missing_since, attempt.last_write_at, attempt.start_sent_at, attempt.created_at)
                found += [m + SETTLE for m in marks if m is not None]
        for intent in record.intents:
            wait = duration(declared(settings.kind, world.manifests[0]).backend.settle_time)
            found += [intent.at + SETTLE, intent.at + wait]
            found += [intent.not_found_since + SETTLE] if intent.not_found_since is not None else []
        found += [e.unseen_at + SETTLE for e in record.drift if e.open and e.unseen_at is not None]
    if not settings.shape.capabilities.starts_explicitly:
        running = (t for t in world.tasks.values() if t.phase is UnitPhase.RUNNING)
        found += [t.unit.created_at + DAY for t in running if t.unit.created_at is not None]
    return min((m for m in found if m > world.now), default=None)


__all__ = ["Move", "Step", "apply", "fingerprint", "may_happen", "read_move", "steps"]
