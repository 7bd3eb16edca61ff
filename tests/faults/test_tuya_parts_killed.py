"""A wave of several batches, killed anywhere, its answers lost, its requests late: each batch is made once."""

from __future__ import annotations

import pytest

from otactl.backends.tuya import batching
from otactl.model import Phase
from tests.support.crash_points import lives
from tests.support.in_memory_cloud import Kill
from tests.support.tuya_stage import PLUGS, TuyaStage, plugs

WRITE_POINTS = 6  # before and after each of three creates; the fleet's two are sent side by side


@pytest.fixture(autouse=True)
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices: the fleet of four takes two."""
    monkeypatch.setattr(batching, "MOST_NAMES", 2)


def check(gate: TuyaStage) -> None:
    record = gate.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert len(gate.batches()) == 3
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 2), (1, 4)]
    assert gate.installs() == dict.fromkeys(PLUGS, 1)
    assert record.drift == ()
    assert record.intents == ()


def test_an_undisturbed_run_passes_as_many_points_as_are_tried_below(gate: TuyaStage) -> None:
    kill = Kill()

    assert lives(gate, kill, plugs(), at_commits=False, pause=600) == 0
    assert kill.points == WRITE_POINTS


@pytest.mark.parametrize("at", range(1, WRITE_POINTS + 1))
def test_killed_before_or_after_any_write_each_batch_is_made_once(gate: TuyaStage, at: int) -> None:
    assert lives(gate, Kill(at), plugs(), at_commits=False, pause=600) == 1
    check(gate)


@pytest.mark.parametrize("at", range(5, 13))
def test_killed_around_the_commits_of_the_second_wave_each_batch_is_made_once(gate: TuyaStage, at: int) -> None:
    kill = Kill(at)
    died = lives(gate, kill, plugs(), at_commits=True, pause=600)

    assert died == (1 if kill.points >= at else 0)
    check(gate)


@pytest.mark.parametrize("seconds", [300, 880, 1000])
@pytest.mark.parametrize("nth", [2, 3])
def test_a_batch_of_several_that_arrives_late_is_the_only_one_or_refused(
    gate: TuyaStage, nth: int, seconds: int
) -> None:
    rule = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "effect": "late"}
    gate.server.world.faults.replace([{**rule, "nth": nth, "seconds": seconds}])

    for _ in range(16):
        gate.run()
        gate.advance(200)
    gate.cron(rounds=4)

    check(gate)


def test_two_lost_batches_are_told_apart_by_their_devices(gate: TuyaStage) -> None:
    rule = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "effect": "timeoutAfterCommit"}
    gate.server.world.faults.replace([{**rule, "probability": 1.0, "seed": 1}])

    gate.cron(rounds=4)

    check(gate)
