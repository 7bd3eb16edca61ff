"""Tests that a walk is kept whole: it goes on after a stop, packs its worlds, and stays free of faults found before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.explore import once, rest
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


# A service that remembers no name tells nothing of a unit that was deleted before a run of the new journal saw it.
NOTHING_TELLS_OF_IT = "run wait device:b-all-1-cb920347/*:good run journal:lost wait"
SENT_AGAIN_UNKNOWN = f"{NOTHING_TELLS_OF_IT} run wait device:b-all-1-cb920347/*:good"


# A tag edited on a running unit of the revision before, and a field edited on an open one just before its update.
EDITED_WHILE_RUNNING = "run firmware:a hand:t-1:edit wait wait run"
EDITED_BEFORE_ITS_UPDATE = "run:crash@20 firmware:a hand:t-1:edit run wait run wait run"


# A unit canceled by hand is gone before a new journal saw it, and its name is used again: the lost ledger alone knew.
CANCELED_AND_FORGOTTEN = (
    "run wait hand:a-canary-1-81a8aebb:cancel withoutCanary:a run journal:lost wait run waves:a run wait wait run"
)

# A device that is never connected is judged as failed once its time for an answer is over.
NEVER_CONNECTED = (
    "run wait gate:a device:a-canary-1-81a8aebb/*:good device:b-all-1-cb920347/*:good run wait "
    "device:a-fleet-1-5579b980/d2:mute device:a-fleet-1-5579b980/d2:good wait wait run"
)


@pytest.mark.parametrize(
    ("world", "trace"),
    [
        ("fuota-2", JOURNAL_LOST_WHILE_A_UNIT_WAS_DELETED),
        ("otaUpdate-2", SENT_AGAIN_UNKNOWN),
        ("otaUpdate-2", CANCELED_AND_FORGOTTEN),
        ("fuota-1", EDITED_WHILE_RUNNING),
        ("fuota-1", EDITED_BEFORE_ITS_UPDATE),
        ("otaUpdate-2", NEVER_CONNECTED),
    ],
)
def test_a_trace_that_once_broke_an_invariant_breaks_none(world: str, trace: str) -> None:
    with once.installed():
        _, faults = replay(setting(world), trace.split())

    assert faults == ()


@pytest.mark.parametrize(
    ("trace", "excused"),
    [(NOTHING_TELLS_OF_IT, True), (NOTHING_TELLS_OF_IT.replace("lost wait", "lost run wait"), False)],
)
def test_a_loss_excuses_what_is_sent_again_only_if_no_run_has_seen_its_unit(trace: str, excused: bool) -> None:
    with once.installed():
        world, _ = replay(setting("otaUpdate-2"), trace.split())

    assert world.sent["d3"].excused is excused


# A batch of the lost journal, and the one whose create got no answer: same content, same devices, both ended.
TWO_ENDED = "run device:t-1/*:good run journal:lost run:lose@1 wait run device:t-3/d1:{} run wait run"


@pytest.mark.parametrize(
    ("trace", "left"),
    [
        (TWO_ENDED.format("good"), set()),
        (TWO_ENDED.format("bad"), {"lost_create_is_ambiguous"}),
        (TWO_ENDED.format("bad") + " resend:a run wait run device:t-4/*:good run", set()),
    ],
)
def test_a_create_that_two_ended_batches_may_be_of_has_a_way_out(trace: str, left: set[str]) -> None:
    with once.installed():
        world, faults = replay(setting("tuya-1"), trace.split())
        restless, _ = rest.faults_at_rest(setting("tuya-1"), world, set())

    assert ([*faults, *restless], {h.reason for h in world.records["a"].record.holds} - {"target_is_busy"}) == (
        [],
        left,
    )
