"""A walk that was stopped goes on as if it had not been, and a world is the same after it was packed."""

from __future__ import annotations

from pathlib import Path

from tests.support.explore import once
from tests.support.explore.declared import setting
from tests.support.explore.moves import apply, read_move
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
