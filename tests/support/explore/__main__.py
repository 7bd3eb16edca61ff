"""Explores the small worlds of every service: `walk` in layers, `wander` at random, `replay` a trace.

`walk` goes on where it was stopped; `record` writes what the walks have reached into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import random
import resource
import sys
import time
from pathlib import Path

from tests.support.explore import once, recorded, rest
from tests.support.explore.declared import EVERY, setting
from tests.support.explore.shrink import shortened
from tests.support.explore.story import replay, story_of
from tests.support.explore.walk import Violation, Walk, load
from tests.support.explore.wander import wander

SAVE_EVERY = 120.0


def main(words: list[str]) -> int:
    """Run one command; 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.explore", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    walking = commands.add_parser("walk", help="every world, breadth first")
    walking.add_argument("--folder", type=Path, default=Path(".otactl/explore"))
    walking.add_argument("--states", type=int, default=500_000, help="distinct worlds of each service and answer")
    walking.add_argument("--minutes", type=float, default=600.0, help="stop after so long")
    walking.add_argument("--disturbances", type=int, default=2, help="worlds with so many before them are expanded")
    walking.add_argument("--workers", type=int, default=2)
    walking.add_argument("--only", action="append", default=[], help="fuota-1, tuya-2, …")
    wandering = commands.add_parser("wander", help="long seeded walks")
    wandering.add_argument("--seeds", type=int, default=100)
    wandering.add_argument("--first", type=int, default=0)
    wandering.add_argument("--moves", type=int, default=60)
    wandering.add_argument("--only", action="append", default=[])
    recording = commands.add_parser("record", help="the table of docs/reliability.md, from walks that were saved")
    recording.add_argument("--folder", type=Path, default=Path(".otactl/explore"))
    playing = commands.add_parser("replay", help="one trace")
    playing.add_argument("settings")
    playing.add_argument("moves", nargs="*")
    given = parser.parse_args(words)
    if given.command == "walk":
        return _walk(given)
    if given.command == "record":
        recorded.write(recorded.rows(given.folder))
        return 0
    with once.installed():
        if given.command == "wander":
            return _wander(given)
        return _replay(given.settings, tuple(given.moves))


def _names(only: list[str]) -> list[str]:
    return [s.name for s in EVERY if not only or s.name in only]


def _walk(given: argparse.Namespace) -> int:
    given.folder.mkdir(parents=True, exist_ok=True)
    until = time.time() + 60 * given.minutes
    jobs = [(name, given.folder, given.states, given.disturbances, until) for name in _names(given.only)]
    with multiprocessing.Pool(given.workers) as pool:
        violations = pool.starmap(walk_one, jobs, chunksize=1)
    print(recorded.summary(recorded.rows(given.folder)))
    return 1 if sum(violations) else 0


def walk_one(name: str, folder: Path, states: int, disturbances: int, until: float) -> int:
    """Walk the worlds of one service and answer, on from where an earlier walk was stopped; returns its violations."""
    gc.disable()  # nothing the walk keeps has cycles; exceptions have, so now and then:
    path = folder / f"{name}.walk"
    walk = load(path) if path.exists() else Walk(setting(name))
    walk.most_disturbances = disturbances
    with once.installed():
        _continue(walk, path, states, until)
    return len(walk.violations)


def _continue(walk: Walk, path: Path, states: int, until: float) -> None:
    """Go on with a walk; saves it, and prints where it is, now and then."""
    shown = len(walk.violations)
    while not walk.done and walk.states < states and time.time() < until:
        pause = min(time.time() + SAVE_EVERY, until)
        walk.go(lambda w: time.time() > pause or w.states >= states)  # noqa: B023 - called at once
        gc.collect()
        walk.memory = max(walk.memory, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        walk.save(path)
        print(recorded.line(walk), flush=True)
        for violation in walk.violations[shown:]:
            print(story_of(violation), flush=True)
        shown = len(walk.violations)


def _wander(given: argparse.Namespace) -> int:
    wrong = 0
    for name in _names(given.only):
        for seed in range(given.first, given.first + given.seeds):
            found = wander(setting(name), random.Random(seed), given.moves)  # noqa: S311 - a seeded walk
            if found is not None:
                wrong += 1
                print(f"seed {seed}\n{story_of(shortened(found))}", flush=True)
    print(f"{len(_names(given.only)) * given.seeds} walks of {given.moves} moves, {wrong} with a violation")
    return 1 if wrong else 0


def _replay(name: str, moves: tuple[str, ...]) -> int:
    world, faults = replay(setting(name), moves)
    if not faults:
        faults = tuple(rest.faults_at_rest(setting(name), world, set())[0])
    for fault in faults:
        print(story_of(Violation(name, fault, moves)))
    print(f"{len(moves)} moves, {len(faults)} invariants do not hold")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
