"""Lets a world come to rest: no further disturbance, every device answers well, time goes on as long as it matters."""

from __future__ import annotations

from otactl.model.record import Phase, Record
from tests.support.explore import invariants
from tests.support.explore.declared import Settings, name_of
from tests.support.explore.invariants import Fault
from tests.support.explore.moves import Move, apply, calm, next_moment
from tests.support.explore.run import Run, whole_run
from tests.support.explore.world import World, fingerprint

MOST = 60
INVARIANT = "from every state, without further disturbance, the rollout ends or holds with a named way out"
_OVER = (Phase.SUCCEEDED, Phase.REMOVED, Phase.ABORTED)


def faults_at_rest(
    settings: Settings, world: World, known: set[int], base: Run | None = None
) -> tuple[list[Fault], list[Move]]:
    """Return what does not hold on the way to rest and there, with the moves; `known` are worlds that come to rest,
    `base` is a run from this one."""
    moves: list[Move] = []
    passed: list[int] = []
    for _ in range(MOST):
        name = fingerprint(world)
        if name in known:
            known.update(passed)
            return [], moves
        passed.append(name)
        found = base if base is not None else whole_run(settings, world, compare=False)
        base = None
        moves.append(Move("run"))
        if found.faults:
            return list(found.faults), moves
        still = fingerprint(found.world) == name
        world = found.world
        for move in calm(settings, world):
            if move.kind != "wait":
                world, wrong = apply(settings, world, move)
                moves.append(move)
                still = False
                if wrong:
                    return list(wrong), moves
        if next_moment(settings, world) is not None:
            world, wrong = apply(settings, world, Move("wait"))
            moves.append(Move("wait"))
            if wrong:
                return list(wrong), moves
        elif still:
            faults = _restless(world)
            if not faults:
                known.update(passed)
            return faults, moves
    return [Fault(INVARIANT, f"it did not come to rest in {MOST} runs")], moves


def _cancels_nothing(world: World, text: str) -> bool:
    """Return whether a hold asks to cancel units of which none can be canceled any more."""
    return "cancel those" in text and not any(key in text and task.busy for key, task in world.tasks.items())


def _restless(world: World) -> list[Fault]:
    """Return the rollouts that neither ended nor say what to do."""
    faults = []
    for manifest in world.manifests:
        held = world.records.get(name_of(manifest))
        record = held.record if held is not None else Record(environment="", name="")
        over = (record.phase in _OVER and not record.under_way) or (manifest.removed and not record.under_way)
        ways = [h.message for h in record.holds if not _cancels_nothing(world, h.message)]
        if not invariants.comes_to_rest(over, ways):
            held_by = [f"{h.reason}: {h.message}" for h in record.holds]
            faults.append(Fault(INVARIANT, f"{record.name} rests as {record.phase.value}, held by {held_by}"))
    return faults
