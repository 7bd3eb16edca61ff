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


def check(tuya_stage: TuyaStage) -> None:
    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert len(tuya_stage.batches()) == 3
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 2), (1, 4)]
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)
    assert record.drift == ()
    assert record.intents == ()


def test_an_undisturbed_run_passes_as_many_points_as_are_tried_below(tuya_stage: TuyaStage) -> None:
    kill = Kill()

    assert lives(tuya_stage, kill, plugs(), at_commits=False, pause=600) == 0
    assert kill.points == WRITE_POINTS


@pytest.mark.parametrize("at", range(1, WRITE_POINTS + 1))
@pytest.mark.sampled(4)
def test_killed_before_or_after_any_write_each_batch_is_made_once(tuya_stage: TuyaStage, at: int) -> None:
    assert lives(tuya_stage, Kill(at), plugs(), at_commits=False, pause=600) == 1
    check(tuya_stage)


@pytest.mark.parametrize("at", range(5, 13))
@pytest.mark.sampled(4)
def test_killed_around_the_commits_of_the_second_wave_each_batch_is_made_once(tuya_stage: TuyaStage, at: int) -> None:
    kill = Kill(at)
    died = lives(tuya_stage, kill, plugs(), at_commits=True, pause=600)

    assert died == (1 if kill.points >= at else 0)
    check(tuya_stage)


@pytest.mark.parametrize("seconds", [300, 880, 1000])
@pytest.mark.parametrize("nth", [2, 3])
@pytest.mark.sampled(4)
def test_a_batch_of_several_that_arrives_late_is_the_only_one_or_refused(
    tuya_stage: TuyaStage, nth: int, seconds: int
) -> None:
    rule = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "effect": "late"}
    tuya_stage.server.world.faults.replace([{**rule, "nth": nth, "seconds": seconds}])

    for _ in range(16):
        tuya_stage.run()
        tuya_stage.advance(200)
    tuya_stage.cron(rounds=4)

    check(tuya_stage)


def test_two_lost_batches_are_distinguished_by_their_devices(tuya_stage: TuyaStage) -> None:
    rule = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "effect": "timeoutAfterCommit"}
    tuya_stage.server.world.faults.replace([{**rule, "probability": 1.0, "seed": 1}])

    tuya_stage.cron(rounds=4)

    check(tuya_stage)
