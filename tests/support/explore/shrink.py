"""Shortens a trace to moves that are all needed to reach its fault."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.explore import rest
from tests.support.explore.declared import Settings, setting
from tests.support.explore.invariants import Fault
from tests.support.explore.moves import apply, may_happen, read_move
from tests.support.explore.walk import Violation
from tests.support.explore.world import World


def shortened(violation: Violation) -> Violation:
    """Return a violation of the same invariant by as few of its moves as can be found, the longest pieces first."""
    settings, moves = setting(violation.settings), list(violation.moves)
    fault = violation.fault
    size = max(len(moves) // 2, 1)
    while size:
        at = 0
        while at < len(moves):
            fewer = moves[:at] + moves[at + size :]
            found = _fault(settings, fewer, violation.fault.invariant)
            if found is not None:
                moves, fault = fewer[: found[1]], found[0]
            else:
                at += size
        size //= 2
    return Violation(violation.settings, fault, tuple(moves))


def _fault(settings: Settings, words: Sequence[str], invariant: str) -> tuple[Fault, int] | None:
    """Return the fault that some moves lead to, with how many of them it takes; None where one cannot happen."""
    world = World()
    for number, word in enumerate(words, start=1):
        move = read_move(word)
        if not may_happen(settings, world, move):
            return None
        world, faults = apply(settings, world, move)
        for fault in faults:
            if fault.invariant == invariant:
                return fault, number
    if invariant == rest.INVARIANT:
        for fault in rest.faults_at_rest(settings, world, set())[0]:
            if fault.invariant == invariant:
                return fault, len(words)
    return None
