"""Tests that a walk is kept whole: it goes on after a stop, packs its worlds, and stays free of faults found before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.explore import once
from tests.support.explore.declared import setting
from tests.support.explore.moves import apply, read_move
from tests.support.explore.story import replay
from tests.support.explore.walk import Walk, load
from tests.support.explore.world import World, fingerprint, pack, unpack


def test_a_walk_that_was_saved_goes_on_to_the_same_worlds(tmp_path: Path) -> None:
    whole, first = Walk(setting("tuya-1")), Walk(setting("tuya-1"))
    with once.installed():
        whole.go(lambda w: w.expanded >= 6)
        first.go(lambda w: w.expanded >= 3)
        first.save(tmp_path / "a.walk")
        second = load(tmp_path / "a.walk")
        second.go(lambda w: w.expanded >= 6)

    assert (second.found, second.transitions, second.line) == (whole.found, whole.transitions, whole.line)


def test_worlds_that_differ_in_the_absolute_time_alone_are_one_and_others_are_not() -> None:
    settings = setting("tuya-1")
    later, _ = apply(settings, World(), read_move("clock:72"))
    suspended, _ = apply(settings, World(), read_move("suspend:a"))

    assert fingerprint(later) == fingerprint(World()) != fingerprint(suspended)
    assert unpack(pack(suspended)) == suspended


# A create repeated under its old key is answered with the old unit; one that no read shows may have been sent already.
JOURNAL_LOST_WHILE_A_UNIT_WAS_DELETED = (
    "run wait wait device:t-2/*:good wait run journal:lost wait run wait run wait run wait"
)


@pytest.mark.parametrize("trace", [JOURNAL_LOST_WHILE_A_UNIT_WAS_DELETED])
def test_a_trace_that_once_broke_an_invariant_breaks_none(trace: str) -> None:
    with once.installed():
        _, faults = replay(setting("fuota-2"), trace.split())

    assert faults == ()
