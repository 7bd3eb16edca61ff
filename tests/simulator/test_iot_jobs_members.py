"""Things that leave the targets of a job, come back, or are deleted; both answers of the switches."""

from __future__ import annotations

import pytest

from tests.support.simulator.iot_fleet import Floor, names
from tests.support.simulator.stage import SimulatorStage


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    return Floor(stage)


def live(floor: Floor) -> None:
    """Live AWS as it was measured."""
    floor.stage.settings(leavingRemoves="queued", rejoining="always", jobCounts="executions")


def leave(floor: Floor, *things: str) -> None:
    """Take things out of group g."""
    for thing in things:
        floor.iot.remove_thing_from_thing_group(thingGroupName="g", thingName=thing)


def come_back(floor: Floor, *things: str) -> None:
    """Put things into group g."""
    for thing in things:
        floor.iot.add_thing_to_thing_group(thingGroupName="g", thingName=thing)


def three_in_a_continuous_job(floor: Floor) -> None:
    """One queued, one in progress, one that succeeded."""
    floor.things("waits", "works", "done", group="g", behaviour="manual")
    floor.job(targetSelection="CONTINUOUS")
    floor.report("works", "IN_PROGRESS")
    floor.report("done", "SUCCEEDED")


def test_who_leaves_a_continuous_job_queued_is_removed_and_who_is_in_progress_stays(floor: Floor) -> None:
    live(floor)
    three_in_a_continuous_job(floor)
    leave(floor, "waits", "works", "done")
    assert floor.statuses() == {"waits": "REMOVED", "works": "IN_PROGRESS", "done": "SUCCEEDED"}
    assert floor.execution("waits")["versionNumber"] == 1
    floor.report("works", "SUCCEEDED")
    assert floor.device.get_pending_job_executions(thingName="waits")["queuedJobs"] == []


def test_who_leaves_a_snapshot_job_still_does_it(floor: Floor) -> None:
    live(floor)
    floor.things("t", group="g", behaviour="manual")
    floor.job()
    leave(floor, "t")
    assert floor.statuses() == {"t": "QUEUED"}
    floor.report("t", "SUCCEEDED")
    assert floor.shown()["status"] == "COMPLETED"


def test_who_comes_back_after_the_end_gets_a_new_execution_and_all_are_counted(floor: Floor) -> None:
    live(floor)
    three_in_a_continuous_job(floor)
    leave(floor, "waits", "works", "done")
    come_back(floor, "waits", "works", "done")
    assert floor.statuses() == {"waits": "QUEUED", "works": "IN_PROGRESS", "done": "QUEUED"}
    assert [floor.execution(t)["executionNumber"] for t in ("waits", "works", "done")] == [2, 1, 2]
    assert floor.counts() == {"Queued": 2, "InProgress": 1, "Succeeded": 1, "Removed": 1}
    floor.report("done", "FAILED")
    listed = floor.iot.list_job_executions_for_thing(thingName="done")["executionSummaries"]
    reported = [(e["jobExecutionSummary"]["executionNumber"], e["jobExecutionSummary"]["status"]) for e in listed]
    assert reported == [(2, "FAILED"), (1, "SUCCEEDED")]
    assert floor.counts()["Succeeded"] == 1


def test_who_is_done_and_joins_another_group_of_the_job_gets_it_again(floor: Floor) -> None:
    live(floor)
    floor.things("t", group="g", behaviour="manual")
    floor.things(group="h")
    floor.job("j", "thinggroup/g", "thinggroup/h", targetSelection="CONTINUOUS")
    floor.report("t", "SUCCEEDED")
    floor.iot.add_thing_to_thing_group(thingGroupName="h", thingName="t")
    assert floor.execution("t")["executionNumber"] == 2


def test_an_earlier_execution_that_is_deleted_counts_no_more(floor: Floor) -> None:
    live(floor)
    three_in_a_continuous_job(floor)
    leave(floor, "done")
    come_back(floor, "done")
    floor.iot.delete_job_execution(jobId="j", thingName="done", executionNumber=1)
    assert floor.counts() == {"Queued": 2, "InProgress": 1}


def test_a_job_that_removes_all_who_leave_ends_their_executions(floor: Floor) -> None:
    floor.stage.settings(leavingRemoves="pending")
    floor.things(*names(6), group="g", behaviour="manual")
    floor.job(jobExecutionsRolloutConfig={"maximumPerMinute": 4})
    floor.device.start_next_pending_job_execution(thingName="t0")
    floor.device.start_next_pending_job_execution(thingName="t1")
    floor.report("t1", "SUCCEEDED")
    leave(floor, "t0", "t1", "t2", "t5")
    floor.iot.delete_thing(thingName="t3")
    floor.stage.advance(60)
    assert floor.statuses() == {
        "t0": "REMOVED",
        "t1": "SUCCEEDED",
        "t2": "REMOVED",
        "t3": "REMOVED",
        "t4": "QUEUED",
        "t5": "REMOVED",
    }


@pytest.mark.parametrize("selection", ["SNAPSHOT", "CONTINUOUS"])
def test_who_is_deleted_before_the_end_is_removed(floor: Floor, selection: str) -> None:
    live(floor)
    floor.things("waits", "works", group="g", behaviour="manual")
    floor.job(targetSelection=selection)
    floor.report("works", "IN_PROGRESS")
    for thing in ("waits", "works"):
        floor.iot.delete_thing(thingName=thing)
    assert floor.counts() == {"Removed": 2}


def test_who_has_another_target_is_not_removed(floor: Floor) -> None:
    live(floor)
    floor.things("t", group="g", behaviour="manual")
    floor.things("t", group="h", behaviour="manual")
    floor.job("j", "thinggroup/g", "thinggroup/h", targetSelection="CONTINUOUS")
    leave(floor, "t")
    assert floor.statuses() == {"t": "QUEUED"}
    floor.iot.delete_thing_group(thingGroupName="h")
    assert floor.statuses() == {"t": "REMOVED"}


def test_where_only_the_removed_come_back_each_thing_is_counted_once(floor: Floor) -> None:
    floor.stage.settings(leavingRemoves="pending", rejoining="removedOnly", jobCounts="things")
    three_in_a_continuous_job(floor)
    leave(floor, "waits", "done")
    come_back(floor, "waits", "done")
    assert floor.statuses() == {"waits": "QUEUED", "works": "IN_PROGRESS", "done": "SUCCEEDED"}
    assert floor.counts() == {"Queued": 1, "InProgress": 1, "Succeeded": 1}
