"""Over real HTTP and a real journal file: killed at every single write and every commit, then run again."""

from __future__ import annotations

import threading

import pytest

from otactl.backends.aws.client import Answer
from otactl.model import Phase
from tests.support.crash_points import lives
from tests.support.fuota_stage import FuotaStage, declared
from tests.support.in_memory_cloud import Kill

# An undisturbed run of two waves: two creates, two associations, two starts, two deletions; each can die before it is
# sent and after it was carried out.
WRITE_POINTS = 16
COMMIT_POINTS = 36


def test_an_undisturbed_run_passes_as_many_points_as_are_tried_below(fuota_stage: FuotaStage) -> None:
    kill = Kill()

    assert lives(fuota_stage, kill, declared(), at_commits=False) == 0
    assert kill.points == WRITE_POINTS
    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == 2


@pytest.mark.parametrize("at", range(1, WRITE_POINTS + 1))
@pytest.mark.sampled(5)
def test_killed_before_or_after_any_write_it_makes_one_task_a_wave_and_ends_the_same(
    fuota_stage: FuotaStage, at: int
) -> None:
    assert lives(fuota_stage, Kill(at), declared(), at_commits=False) == 1
    check(fuota_stage)


@pytest.mark.parametrize("at", range(1, COMMIT_POINTS + 1))
@pytest.mark.sampled(5)
def test_killed_before_or_after_any_commit_it_ends_the_same(fuota_stage: FuotaStage, at: int) -> None:
    kill = Kill(at)
    died = lives(fuota_stage, kill, declared(), at_commits=True)

    assert died == (1 if kill.points >= at else 0)
    check(fuota_stage)


def check(fuota_stage: FuotaStage) -> None:
    record = fuota_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == len(set(fuota_stage.made())) == 2
    assert len(fuota_stage.writes("StartFuotaTask")) == 2
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 3), (1, 3)]
    assert record.drift == ()
    assert record.intents == ()
    assert fuota_stage.wireless.list_fuota_tasks()["FuotaTaskList"] == [] or all(
        t["Status"] == "Delete_Waiting" for t in tasks(fuota_stage)
    )


def tasks(fuota_stage: FuotaStage) -> list[dict[str, object]]:
    listed = fuota_stage.wireless.list_fuota_tasks()["FuotaTaskList"]
    return [fuota_stage.wireless.get_fuota_task(Id=t["Id"]) for t in listed]


def test_two_runs_at_once_make_one_task_and_one_says_who_works(fuota_stage: FuotaStage) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slow(service: str, operation: str, send) -> Answer:
        if operation == "CreateFuotaTask":
            arrived.set()
            assert go_on.wait(20)
        return send()

    first = threading.Thread(
        target=lambda: fuota_stage.run(transport=fuota_stage.transport(around=slow), holder="host-a/1")
    )
    first.start()
    assert arrived.wait(20)

    report = fuota_stage.run(holder="host-b/2")
    go_on.set()
    first.join(30)

    assert report.lease_held_by.startswith("host-a/1 ")
    assert len(fuota_stage.made()) == 1
