"""Walks every interleaving of a small world breadth first, each world once.

1. Worlds are reached in layers by the number of disturbances before them: a layer is complete before the next begins,
   so that the first trace to a world has the fewest.
2. From each world that is expanded every step is taken and judged, and the world is let come to rest. Worlds one
   disturbance beyond the last layer are reached and judged, and not expanded.
3. A walk can be stopped and gone on with: its memory is one file.
"""

from __future__ import annotations

import pickle
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.support.explore import rest
from tests.support.explore.declared import Settings, setting
from tests.support.explore.invariants import Fault
from tests.support.explore.moves import Move, steps
from tests.support.explore.run import whole_run
from tests.support.explore.world import World, fingerprint, pack, unpack

Trace = tuple["Trace", str] | tuple[()]


class Violation(NamedTuple):
    """An invariant that does not hold after some moves."""

    settings: str
    fault: Fault
    moves: tuple[str, ...]


class Waiting(NamedTuple):
    """A world that is still to be expanded."""

    world: bytes
    trace: Trace
    length: int


@dataclass
class Walk:
    """One walk over the worlds of one service."""

    settings: Settings
    most_disturbances: int = 1
    judge_rest: bool = True
    layer: int = 0
    expanded: int = 0
    transitions: int = 0
    deepest: int = 0
    seconds: float = 0.0
    found: set[int] = field(default_factory=set)
    resting: set[int] = field(default_factory=set)
    now: deque[Waiting] = field(default_factory=deque)
    later: deque[Waiting] = field(default_factory=deque)
    violations: list[Violation] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.found:
            self._begin(World())

    def _begin(self, world: World) -> None:
        self.found.add(fingerprint(world))
        self.now.append(Waiting(pack(world), (), 0))

    @property
    def states(self) -> int:
        """Return how many distinct worlds were reached."""
        return len(self.found)

    @property
    def done(self) -> bool:
        """Return whether every layer is complete."""
        return not self.now and not (self.later and self.layer < self.most_disturbances)

    def go(self, until: Callable[[Walk], bool]) -> None:
        """Expand worlds until a condition holds, or none is left."""
        start = time.process_time()
        before = self.seconds
        while not self.done and not until(self):
            if not self.now:
                self.layer += 1
                self.now, self.later = self.later, deque()
            self._expand(self.now.popleft())
            self.seconds = before + time.process_time() - start

    def _expand(self, waiting: Waiting) -> None:
        world = unpack(waiting.world)
        self.expanded += 1
        self.deepest = max(self.deepest, waiting.length + 1)
        base = whole_run(self.settings, world)
        for step in steps(self.settings, world, base):
            self.transitions += 1
            for fault in step.faults:
                self._note(fault, waiting.trace, step.move.text)
            if step.faults:
                continue  # what follows from a fault says nothing more
            name = fingerprint(step.world)
            if name in self.found:
                continue
            self.found.add(name)
            if self.layer + step.price <= self.most_disturbances:
                line = self.later if step.price else self.now
                line.append(Waiting(pack(step.world), (waiting.trace, step.move.text), waiting.length + 1))
        if self.judge_rest:
            faults, moves = rest.faults_at_rest(self.settings, world, self.resting, base)
            for fault in faults:
                self._note(fault, waiting.trace, *(m.text for m in moves))

    def _note(self, fault: Fault, trace: Trace, *more: str) -> None:
        self.violations.append(Violation(self.settings.name, fault, (*unrolled(trace), *more)))

    def save(self, path: Path) -> None:
        """Write the walk to a file, which is there whole or not at all."""
        state = {
            "settings": self.settings.name,
            "numbers": (self.most_disturbances, self.judge_rest, self.layer, self.expanded, self.transitions),
            "deepest": self.deepest,
            "seconds": self.seconds,
            "found": array("Q", self.found).tobytes(),
            "resting": array("Q", self.resting).tobytes(),
            "lines": [[(w.world, unrolled(w.trace)) for w in line] for line in (self.now, self.later)],
            "violations": [tuple(v) for v in self.violations],
        }
        fresh = path.with_suffix(".new")
        fresh.write_bytes(pickle.dumps(state))
        fresh.replace(path)


def load(path: Path) -> Walk:
    """Read a walk that was saved by this program."""
    state = pickle.loads(path.read_bytes())  # noqa: S301 - the walk's own file
    disturbances, judges, layer, expanded, transitions = state["numbers"]
    lines = [deque(Waiting(world, rolled(moves), len(moves)) for world, moves in line) for line in state["lines"]]
    return Walk(
        settings=setting(state["settings"]),
        most_disturbances=disturbances,
        judge_rest=judges,
        layer=layer,
        expanded=expanded,
        transitions=transitions,
        deepest=state["deepest"],
        seconds=state["seconds"],
        found=set(_numbers(state["found"])),
        resting=set(_numbers(state["resting"])),
        now=lines[0],
        later=lines[1],
        violations=[Violation(name, Fault(*fault), moves) for name, fault, moves in state["violations"]],
    )


def _numbers(data: bytes) -> array[int]:
    found = array("Q")
    found.frombytes(data)
    return found


def unrolled(trace: Trace) -> tuple[str, ...]:
    """Return a trace as words, first to last."""
    words: list[str] = []
    while trace:
        trace, word = trace
        words.append(word)
    return tuple(reversed(words))


def rolled(words: tuple[str, ...]) -> Trace:
    """Return words as a trace, which shares its beginning with others."""
    trace: Trace = ()
    for word in words:
        trace = (trace, word)
    return trace


__all__ = ["Move", "Violation", "Walk", "load"]
