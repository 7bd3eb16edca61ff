"""Walks every interleaving of a small world breadth first, each world once.

1. Worlds are expanded by the number of moves to them, so the first trace to a world is a shortest one. A trace has at
   most so many disturbances; a world that is reached again with fewer is expanded again.
2. From each world that is expanded every step is taken and judged, and the world is let come to rest. Worlds one
   disturbance further are reached and judged, and not expanded.
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
from tests.support.explore.moves import Step, apply, read_move, steps
from tests.support.explore.run import whole_run
from tests.support.explore.world import World, fingerprint, pack, unpack

COMPARED = 4
"""Every so many worlds `plan` is compared with the run: it takes longer than the run itself."""
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
    spent: int


@dataclass
class Walk:
    """One walk over the worlds of one service."""

    settings: Settings
    most_disturbances: int = 1
    judge_rest: bool = True
    start: tuple[str, ...] = ()
    """Moves that every trace starts with."""
    expanded: int = 0
    transitions: int = 0
    seconds: float = 0.0
    memory: int = 0
    """The most memory that a process of this walk took, in MiB."""
    found: set[int] = field(default_factory=set)
    resting: set[int] = field(default_factory=set)
    line: deque[Waiting] = field(default_factory=deque)
    least: dict[int, int] = field(default_factory=dict)
    """Fewest disturbances to a world that is expanded, or waits for it."""
    violations: list[Violation] = field(default_factory=list)
    _last: int = 0

    def __post_init__(self) -> None:
        if not self.found:
            world = World()
            for word in self.start:
                world, _ = apply(self.settings, world, read_move(word))
            name = fingerprint(world)
            self.found.add(name)
            self.least[name] = 0
            self.line.append(Waiting(pack(world), rolled(self.start), len(self.start), 0))

    @property
    def states(self) -> int:
        """Return how many distinct worlds were reached."""
        return len(self.found)

    @property
    def depth(self) -> int:
        """Return the number of moves to which every trace was taken."""
        return self.line[0].length if self.line else self.deepest

    @property
    def deepest(self) -> int:
        """Return the number of moves of the longest trace that was taken."""
        return self.line[-1].length if self.line else self._last

    @property
    def done(self) -> bool:
        """Return whether every world was expanded."""
        return not self.line

    def go(self, until: Callable[[Walk], bool]) -> None:
        """Expand worlds until a condition holds, or none is left."""
        start = time.process_time()
        before = self.seconds
        while self.line and not until(self):
            waiting = self.line.popleft()
            self._last = waiting.length
            self._expand(waiting)
            self.seconds = before + time.process_time() - start

    def _expand(self, waiting: Waiting) -> None:
        world = unpack(waiting.world)
        if self.least.get(fingerprint(world), 0) < waiting.spent:
            return  # it was reached with fewer disturbances since, and is expanded so
        self.expanded += 1
        base = whole_run(self.settings, world, compare=self.expanded % COMPARED == 1)
        for step in steps(self.settings, world, base):
            self.transitions += 1
            for fault in step.faults:
                self._note(fault, waiting.trace, step.move.text)
            if not step.faults:  # what follows from a fault says nothing more
                self._reach(waiting, step)
        if self.judge_rest:
            faults, moves = rest.faults_at_rest(self.settings, world, self.resting, base)
            for fault in faults:
                self._note(fault, waiting.trace, *(m.text for m in moves))

    def _reach(self, waiting: Waiting, step: Step) -> None:
        name, spent = fingerprint(step.world), waiting.spent + step.price
        self.found.add(name)
        if spent <= self.most_disturbances and spent < self.least.get(name, spent + 1):
            self.least[name] = spent
            trace = (waiting.trace, step.move.text)
            self.line.append(Waiting(pack(step.world), trace, waiting.length + 1, spent))

    def _note(self, fault: Fault, trace: Trace, *more: str) -> None:
        self.violations.append(Violation(self.settings.name, fault, (*unrolled(trace), *more)))

    def save(self, path: Path) -> None:
        """Write the walk to a file, which is there whole or not at all."""
        state = {
            "settings": self.settings.name,
            "numbers": (self.most_disturbances, self.judge_rest, self.expanded, self.transitions),
            "seconds": self.seconds,
            "memory": self.memory,
            "found": array("Q", self.found).tobytes(),
            "resting": array("Q", self.resting).tobytes(),
            "line": [(w.world, unrolled(w.trace), w.spent) for w in self.line],
            "least": (array("Q", self.least).tobytes(), bytes(self.least.values())),
            "violations": [tuple(v) for v in self.violations],
        }
        fresh = path.with_suffix(".new")
        fresh.write_bytes(pickle.dumps(state))
        fresh.replace(path)


def load(path: Path) -> Walk:
    """Read a walk that was saved by this program."""
    state = pickle.loads(path.read_bytes())  # noqa: S301 - the walk's own file
    disturbances, judges, expanded, transitions = state["numbers"]
    names, fewest = state["least"]
    return Walk(
        settings=setting(state["settings"]),
        most_disturbances=disturbances,
        judge_rest=judges,
        expanded=expanded,
        transitions=transitions,
        seconds=state["seconds"],
        memory=state["memory"],
        found=set(_numbers(state["found"])),
        resting=set(_numbers(state["resting"])),
        line=deque(Waiting(world, rolled(moves), len(moves), spent) for world, moves, spent in state["line"]),
        least=dict(zip(_numbers(names), fewest, strict=True)),
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
