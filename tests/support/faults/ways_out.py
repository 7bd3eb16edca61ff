"""Follows the way out that a code names, as its explanation tells a person to."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.faults.end_state import State
from tests.support.faults.scenes import Scene

WAYS: dict[str, Callable[[Scene], None]] = {}


def follow(code: str, scene: Scene) -> bool:
    """Do what a code asks a person to do; False for one that is not known here."""
    way = WAYS.get(code)
    if way is None:
        return False
    way(scene)
    return True


def end_after(_code: str, end: State) -> State:
    """Return the end that a way out leads to."""
    return end
