"""The same for OTA updates: killed at every write and commit, in a change too; no image reaches a device twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from otactl.model import Phase, Rollout, Stage
from tests.support.crash_points import lives
from tests.support.fuota_stage import pushed
from tests.support.in_memory_cloud import Kill
from tests.support.ota_stage import THINGS, OtaStage, block, gateway, one_wave, running

# Two waves: two creates, two deletions; each can die before it is sent and after it was carried out.
WRITE_POINTS = 8
COMMIT_POINTS = 20


@pytest.mark.parametrize(("at_commits", "points"), [(False, WRITE_POINTS), (True, COMMIT_POINTS)])
def test_an_undisturbed_run_passes_as_many_points_as_are_tried_below(
    ota_stage: OtaStage, at_commits: bool, points: int
) -> None:
    kill = Kill()

    assert lives(ota_stage, kill, gateway(), at_commits=at_commits, pause=600) == 0
    assert kill.points == points


@pytest.mark.parametrize("at", range(1, WRITE_POINTS + 1))
@pytest.mark.sampled(5)
def test_killed_before_or_after_any_write_it_makes_one_update_a_wave_and_ends_the_same(
    ota_stage: OtaStage, at: int
) -> None:
    assert lives(ota_stage, Kill(at), gateway(), at_commits=False, pause=600) == 1
    check(ota_stage)


@pytest.mark.parametrize("at", range(1, COMMIT_POINTS + 1))
@pytest.mark.sampled(5)
def test_killed_before_or_after_any_commit_it_ends_the_same(ota_stage: OtaStage, at: int) -> None:
    kill = Kill(at)
    died = lives(ota_stage, kill, gateway(), at_commits=True, pause=600)

    assert died == (1 if kill.points >= at else 0)
    check(ota_stage)


def check(ota_stage: OtaStage) -> None:
    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert len(set(ota_stage.created())) == len(ota_stage.created()) == 2
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 2), (1, 3)]
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)
    assert record.drift == ()
    assert record.intents == ()
    ota_stage.cron(rounds=2)
    assert ota_stage.updates() == []
    assert {a.stage for a in ota_stage.remembered().attempts} == {Stage.DELETED}


def newer(ota_stage: OtaStage) -> Rollout:
    """Other content while the first is with devices."""
    running(ota_stage, gw_1="offline")
    ota_stage.behave()
    return replace(one_wave(), firmware=pushed(ota_stage, "2.5.0", b"newer" * 500))


def paced(ota_stage: OtaStage) -> Rollout:
    """Another pace while it runs."""
    running(ota_stage, gw_1="late")
    return replace(one_wave(), backend=block(awsJobExecutionsRolloutConfig={"maximumPerMinute": 7}))


@pytest.mark.parametrize("at", range(1, 13))
@pytest.mark.parametrize("change", [newer, paced])
@pytest.mark.sampled(5)
def test_killed_anywhere_in_a_change_it_ends_the_same(
    ota_stage: OtaStage, change: Callable[[OtaStage], Rollout], at: int
) -> None:
    declared = change(ota_stage)
    kill = Kill(at)

    died = lives(ota_stage, kill, declared, at_commits=at > 6, pause=86400)

    assert died == (1 if kill.points >= at else 0)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert len(set(ota_stage.created())) == len(ota_stage.created()) == (2 if change is newer else 1)
    assert ota_stage.most_installs_of_one_image() == 1
