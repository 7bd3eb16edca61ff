"""Walks long ways at random from a seed: deeper than layers can be complete, with disturbances on disturbances."""

from __future__ import annotations

from random import Random

from tests.support.explore import edits, rest
from tests.support.explore.declared import Settings
from tests.support.explore.moves import Move, apply, calm, disturbances
from tests.support.explore.run import whole_run
from tests.support.explore.scene import AFTER_SEND, BEFORE_SEND
from tests.support.explore.walk import Violation
from tests.support.explore.world import World

CALM, RUN = 0.35, 0.4
"""Share of moves that belong to an undisturbed life, and of runs among all."""


def wander(settings: Settings, random: Random, moves: int) -> Violation | None:
    """Take some moves at random, then let the world come to rest; returns the first invariant that does not hold."""
    world, trace, known = World(), list[str](), set[int]()
    for _ in range(moves):
        move = _drawn(settings, world, random)
        trace.append(move.text)
        world, faults = apply(settings, world, move)
        if faults:
            return Violation(settings.name, faults[0], tuple(trace))
    found, way = rest.faults_at_rest(settings, world, known)
    if found:
        return Violation(settings.name, found[0], (*trace, *(m.text for m in way)))
    return None


def _drawn(settings: Settings, world: World, random: Random) -> Move:
    chance = random.random()
    if chance < RUN:
        return Move("run") if random.random() < 0.7 else _troubled(settings, world, random)
    quiet = calm(settings, world)
    if chance < RUN + CALM and quiet:
        return random.choice(quiet)
    edited = [Move(kind, what) for kind, what, price in edits.possible(settings, world) if price or random.random()]
    return random.choice([*edited, *disturbances(settings, world)])


def _troubled(settings: Settings, world: World, random: Random) -> Move:
    base = whole_run(settings, world, compare=False)
    points = range(1, len(base.points) + 1)
    found = [f"{what}@{random.choice(points)}" for what in ("crash", "stale", "other") if points]
    before_renewal = [n for n in points if base.points[n - 1][0] not in (BEFORE_SEND, AFTER_SEND)]
    found += [f"late@{random.choice(before_renewal)}"] if before_renewal else []
    found += [f"{what}@{random.randint(1, base.calls)}" for what in ("lose", "refuse") if base.calls]
    found += [f"short@{key}" for key in world.tasks]
    trouble = random.choice(found) if found else ""
    return Move("run", trouble)
