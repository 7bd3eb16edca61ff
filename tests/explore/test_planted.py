"""Each invariant, broken by one line in the product, is found by the walk within a few moves."""

from __future__ import annotations

import os

import pytest

from tests.support.explore import once
from tests.support.explore.declared import setting
from tests.support.explore.planted import FAULTS, Planted, planted
from tests.support.explore.shrink import shortened
from tests.support.explore.story import replay, story_of
from tests.support.explore.walk import Violation, Walk

MOST_MOVES, MOST_EXPANDED = 15, 400
QUICK = ("a start is not checked", "a suspension holds nothing", "a hold names no way out", "a plan shows no call")
SOUGHT = [f for f in FAULTS if f.name in QUICK or os.environ.get("OTACTL_TEST_NO_SKIP")]
"""All of them in `make check`; `make test` has no time for more."""


def found(fault: Planted) -> list[Violation]:
    """The violations of the invariant that a fault breaks, as soon as there is one."""
    walk = Walk(setting(fault.settings), start=fault.after)

    def mine() -> list[Violation]:
        return [v for v in walk.violations if v.fault.invariant == fault.invariant]

    walk.go(lambda w: bool(mine()) or w.expanded > MOST_EXPANDED)
    return mine()


@pytest.mark.parametrize("fault", SOUGHT, ids=lambda f: f.name)
def test_a_fault_of_one_line_is_found_with_a_short_trace_that_plays_again(fault: Planted) -> None:
    with planted(fault), once.installed():
        (violation, *_) = found(fault)
        short = shortened(violation)
        _, again = replay(setting(short.settings), short.moves)
        story = story_of(short)

    assert 1 <= len(short.moves) < MOST_MOVES
    assert fault.invariant in {f.invariant for f in again} or short.fault.invariant.startswith("from every state")
    assert story.splitlines()[0] == fault.invariant
    assert f"replay {short.settings} {' '.join(short.moves)}" in story


def test_every_invariant_has_a_fault_that_breaks_it() -> None:
    assert len({f.invariant for f in FAULTS}) == 9
