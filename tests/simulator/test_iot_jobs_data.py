"""A device written with plain boto3: it sees its jobs, takes one, reports."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.iot_fleet import Floor
from tests.support.simulator.stage import SimulatorStage, refusal

WRONG = (409, "InvalidStateTransitionException")
INVALID = (400, "InvalidRequestException")
MISSING = (404, "ResourceNotFoundException")


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    made = Floor(stage)
    made.things("t", group="g", behaviour="manual")
    return made


def pending(floor: Floor) -> tuple[list[str], list[str]]:
    """Jobs in progress and jobs queued of thing t."""
    found = floor.device.get_pending_job_executions(thingName="t")
    return [e["jobId"] for e in found["inProgressJobs"]], [e["jobId"] for e in found["queuedJobs"]]


def test_a_device_takes_a_job_and_reports_to_its_end(floor: Floor) -> None:
    floor.job(document='{"afr_ota": 1}')
    taken = floor.device.start_next_pending_job_execution(thingName="t", statusDetails={"self_test": "receiving"})
    now = int(floor.stage.now().timestamp())
    assert taken["execution"] == {
        "jobId": "j",
        "thingName": "t",
        "status": "IN_PROGRESS",
        "statusDetails": {"self_test": "receiving"},
        "queuedAt": now,
        "startedAt": now,
        "lastUpdatedAt": now,
        "versionNumber": 2,
        "executionNumber": 1,
        "jobDocument": '{"afr_ota": 1}',
    }
    floor.stage.advance(10)
    floor.report("t", "IN_PROGRESS", statusDetails={"received": "12/64"})
    floor.report("t", "SUCCEEDED", statusDetails={"self_test": "active"})
    shown = floor.execution("t")
    assert shown["statusDetails"]["detailsMap"] == {"self_test": "active"}
    assert (shown["status"], shown["versionNumber"], shown["lastUpdatedAt"]) == ("SUCCEEDED", 4, floor.stage.now())
    assert pending(floor) == ([], [])
    assert floor.shown()["status"] == "COMPLETED"


def test_jobs_are_pending_in_progress_first_then_by_age(floor: Floor) -> None:
    for job in ("a", "b", "c"):
        floor.job(job)
        floor.stage.advance(1)
    assert pending(floor) == ([], ["a", "b", "c"])
    floor.report("t", "IN_PROGRESS", "c")
    assert pending(floor) == (["c"], ["a", "b"])
    floor.report("t", "FAILED", "c")
    taken = floor.device.start_next_pending_job_execution(thingName="t")
    assert taken["execution"]["jobId"] == "a"


def test_starting_again_gives_the_job_in_progress_as_it_is(floor: Floor) -> None:
    floor.job()
    first = floor.device.start_next_pending_job_execution(thingName="t", statusDetails={"a": "1"})
    again = floor.device.start_next_pending_job_execution(thingName="t", statusDetails={"a": "2"})
    assert again["execution"] == first["execution"]


def test_nothing_pending_is_answered_with_nothing(floor: Floor) -> None:
    assert "execution" not in floor.device.start_next_pending_job_execution(thingName="t")
    assert "execution" not in floor.device.describe_job_execution(thingName="t", jobId="$next")
    assert refusal(floor.device.get_pending_job_executions, thingName="x")[:2] == MISSING


def test_a_device_describes_a_job_and_the_next_one_with_or_without_document(floor: Floor) -> None:
    floor.job("a")
    floor.job("b")
    describe = floor.device.describe_job_execution
    following = describe(thingName="t", jobId="$next")["execution"]
    assert (following["jobId"], following["jobDocument"]) == ("a", '{"do": "it"}')
    plain = describe(thingName="t", jobId="b", includeJobDocument=False)["execution"]
    assert (plain["jobId"], plain["status"], "jobDocument" in plain) == ("b", "QUEUED", False)
    assert refusal(describe, thingName="t", jobId="x")[:2] == MISSING
    assert refusal(describe, thingName="t", jobId="b", executionNumber=2)[:2] == MISSING
    floor.report("t", "REJECTED", "b")
    assert refusal(describe, thingName="t", jobId="b")[:2] == (410, "TerminalStateException")


def test_an_update_answers_state_and_document_if_asked(floor: Floor) -> None:
    floor.job()
    bare = floor.report("t", "IN_PROGRESS")
    assert set(bare) == {"ResponseMetadata"}
    full = floor.report(
        "t", "IN_PROGRESS", statusDetails={"a": "1"}, includeJobExecutionState=True, includeJobDocument=True
    )
    assert full["executionState"] == {"status": "IN_PROGRESS", "statusDetails": {"a": "1"}, "versionNumber": 3}
    assert full["jobDocument"] == '{"do": "it"}'


def test_an_update_that_expects_another_version_is_refused(floor: Floor) -> None:
    floor.job()
    said = refusal(floor.report, thing="t", status="IN_PROGRESS", expectedVersion=5)
    assert said == (*INVALID, "Expected version 5 but found version 1")
    floor.report("t", "IN_PROGRESS", expectedVersion=1)
    floor.report("t", "SUCCEEDED", expectedVersion=2)


@pytest.mark.parametrize("status", ["QUEUED", "CANCELED", "REMOVED", "TIMED_OUT"])
def test_a_device_sets_only_what_is_its_to_set(floor: Floor, status: str) -> None:
    floor.job()
    assert refusal(floor.report, thing="t", status=status)[:2] == WRONG


@pytest.mark.parametrize(("switch", "kept"), [("replace", {"b": "2"}), ("merge", {"a": "1", "b": "2"})])
def test_what_details_do_to_the_former_is_a_switch(floor: Floor, switch: str, kept: dict[str, str]) -> None:
    floor.stage.settings(deviceDetails=switch)
    floor.job()
    floor.report("t", "IN_PROGRESS", statusDetails={"a": "1"})
    floor.report("t", "IN_PROGRESS", statusDetails={"b": "2"})
    floor.report("t", "IN_PROGRESS")
    assert floor.details("t") == kept


def test_a_device_is_notified_of_at_most_10_jobs_those_in_progress_first(floor: Floor) -> None:
    for number in range(12):
        floor.job(f"j{number:02}")
    floor.report("t", "IN_PROGRESS", "j11")
    assert pending(floor) == (["j11"], [f"j{number:02}" for number in range(9)])


@pytest.mark.parametrize(("end", "started"), [("SUCCEEDED", True), ("REJECTED", False)])
def test_who_ends_without_a_start_was_started_then_unless_it_rejects(floor: Floor, end: str, started: bool) -> None:
    floor.job()
    floor.report("t", end)
    assert ("startedAt" in floor.execution("t")) is started


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED", "REJECTED"])
def test_what_has_ended_takes_no_update(floor: Floor, end: str) -> None:
    floor.job()
    floor.report("t", end)
    assert refusal(floor.report, thing="t", status="IN_PROGRESS")[:2] == WRONG


def test_a_job_that_is_not_the_things_is_not_found(floor: Floor) -> None:
    floor.things("u", behaviour="manual")
    floor.job()
    assert refusal(floor.report, thing="u", status="IN_PROGRESS")[:2] == MISSING
    assert refusal(floor.report, thing="t", status="IN_PROGRESS", job="x")[:2] == MISSING
    assert refusal(floor.report, thing="t", status="IN_PROGRESS", executionNumber=2)[:2] == MISSING


def test_a_step_timer_runs_beside_the_jobs_own(floor: Floor) -> None:
    floor.job(timeoutConfig={"inProgressTimeoutInMinutes": 10})
    taken = floor.device.start_next_pending_job_execution(thingName="t", stepTimeoutInMinutes=2)
    assert taken["execution"]["approximateSecondsBeforeTimedOut"] == 120
    floor.stage.advance(100)
    floor.report("t", "IN_PROGRESS", stepTimeoutInMinutes=3)
    floor.stage.advance(100)
    assert floor.statuses() == {"t": "IN_PROGRESS"}
    floor.report("t", "IN_PROGRESS", stepTimeoutInMinutes=-1)
    floor.stage.advance(399)
    assert floor.statuses() == {"t": "IN_PROGRESS"}
    floor.stage.advance(1)
    assert floor.statuses() == {"t": "TIMED_OUT"}


def test_a_step_that_takes_too_long_times_out(floor: Floor) -> None:
    floor.job()
    floor.device.start_next_pending_job_execution(thingName="t", stepTimeoutInMinutes=2)
    floor.stage.advance(120)
    assert floor.statuses() == {"t": "TIMED_OUT"}


@pytest.mark.parametrize(
    "given",
    [
        {"stepTimeoutInMinutes": 0},
        {"stepTimeoutInMinutes": 10_081},
        {"statusDetails": {f"k{n}": "v" for n in range(11)}},
        {"statusDetails": {"k": "v" * 1025}},
    ],
)
def test_what_a_device_may_not_send_is_refused(floor: Floor, given: dict[str, Any]) -> None:
    floor.job()
    assert refusal(floor.report, thing="t", status="IN_PROGRESS", **given)[:2] == INVALID
    assert refusal(floor.device.start_next_pending_job_execution, thingName="t", **given)[:2] == INVALID
    assert floor.statuses() == {"t": "QUEUED"}
