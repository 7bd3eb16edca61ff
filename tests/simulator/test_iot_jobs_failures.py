"""How a job fares when its executions fail: aborted, timed out, tried again, canceled or deleted one by one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.iot_fleet import Floor, abort, names
from tests.support.simulator.stage import SimulatorStage, refusal


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    return Floor(stage)


def test_an_abort_cancels_who_has_not_started_and_lets_the_others_end(floor: Floor) -> None:
    floor.things("t0", group="g", behaviour="manual")
    floor.things("t1", "t2", group="g", behaviour="manual")
    floor.things("t3", "t4", "t5", group="g", behaviour="offline")
    floor.job(**abort("FAILED", 50, 2), jobExecutionsRolloutConfig={"maximumPerMinute": 5})
    for thing in ("t0", "t1", "t2"):
        floor.device.start_next_pending_job_execution(thingName=thing)
    floor.report("t0", "SUCCEEDED")
    assert floor.shown()["status"] == "IN_PROGRESS"
    floor.report("t1", "FAILED")
    assert floor.shown()["status"] == "CANCELED"
    assert floor.counts() == {"Succeeded": 1, "Failed": 1, "InProgress": 1, "Canceled": 3}
    floor.report("t2", "SUCCEEDED")
    assert floor.counts() == {"Succeeded": 2, "Failed": 1, "Canceled": 3}


@pytest.mark.parametrize(
    ("kind", "reports", "aborted"),
    [
        ("FAILED", ["FAILED"], False),
        ("FAILED", ["REJECTED", "REJECTED"], False),
        ("REJECTED", ["REJECTED", "SUCCEEDED"], True),
        ("ALL", ["REJECTED", "FAILED"], True),
        ("ALL", ["SUCCEEDED", "SUCCEEDED", "FAILED"], False),
    ],
)
def test_an_abort_needs_its_share_of_its_failure_among_enough_things(
    floor: Floor, kind: str, reports: list[str], aborted: bool
) -> None:
    floor.things(*names(5), group="g", behaviour="manual")
    floor.job(**abort(kind, 50, 2))
    for number, status in enumerate(reports):
        floor.report(f"t{number}", status)
    assert (floor.shown()["status"] == "CANCELED") is aborted


@pytest.mark.parametrize("reported", ["both", "code", "comment", "neither"])
def test_how_an_abort_is_reported_is_a_switch(floor: Floor, reported: str) -> None:
    floor.stage.settings(abortReason=reported)
    floor.things("t", "u", group="g", behaviour="manual")
    floor.job(**abort("ALL", 10, 1))
    floor.report("t", "REJECTED")
    shown = floor.shown()
    comment = "Abort criteria for failure type ALL with threshold 10.00% met. "
    comment += "Total completed executions: 1, total ALL executions: 1"
    assert shown.get("reasonCode") == ("ABORT_CANCEL" if reported in ("both", "code") else None)
    assert shown.get("comment") == (comment if reported in ("both", "comment") else None)
    assert "forceCanceled" not in shown


@pytest.mark.parametrize(("counts", "aborted"), [("ended", True), ("executed", False)])
def test_whether_a_canceled_execution_counts_towards_an_abort_is_a_switch(
    floor: Floor, counts: str, aborted: bool
) -> None:
    floor.stage.settings(abortCounts=counts)
    floor.things(*names(4), group="g", behaviour="manual")
    floor.job(**abort("FAILED", 50, 2))
    floor.iot.cancel_job_execution(jobId="j", thingName="t0")
    floor.report("t1", "FAILED")
    assert (floor.shown()["status"] == "CANCELED") is aborted


def test_who_is_in_progress_too_long_times_out(floor: Floor) -> None:
    floor.things("t", "u", group="g", behaviour="stuck")
    floor.things("q", group="g", behaviour="offline")
    floor.job(timeoutConfig={"inProgressTimeoutInMinutes": 5}, **abort("TIMED_OUT", 100, 2))
    floor.stage.advance(120)
    assert floor.execution("t")["approximateSecondsBeforeTimedOut"] == 180
    floor.stage.advance(179)
    assert floor.counts() == {"InProgress": 2, "Queued": 1}
    floor.stage.advance(1)
    assert floor.counts() == {"TimedOut": 2, "Canceled": 1}
    assert "approximateSecondsBeforeTimedOut" not in floor.execution("t")


@pytest.mark.parametrize(("reaches", "counted"), [("notStarted", {"InProgress": 2}), ("all", {"TimedOut": 2})])
def test_whom_a_changed_timeout_reaches_is_a_switch(floor: Floor, reaches: str, counted: dict[str, int]) -> None:
    floor.stage.settings(timeoutChangeReaches=reaches)
    floor.things("t", "u", group="g", behaviour="stuck")
    floor.job(timeoutConfig={"inProgressTimeoutInMinutes": 600})
    floor.stage.advance(600)
    floor.iot.update_job(jobId="j", timeoutConfig={"inProgressTimeoutInMinutes": 5})
    assert floor.counts() == counted
    floor.stage.advance(36_000)
    assert floor.counts() == {"TimedOut": 2}


@pytest.mark.parametrize(
    ("behaviour", "kind", "attempts"),
    [("failsDownload", "FAILED", 3), ("failsDownload", "TIMED_OUT", 1), ("stuck", "ALL", 3), ("rejects", "ALL", 1)],
)
def test_a_failure_is_tried_again_as_often_as_the_job_allows(
    floor: Floor, behaviour: str, kind: str, attempts: int
) -> None:
    floor.things("t", group="g", behaviour=behaviour)
    floor.job(
        timeoutConfig={"inProgressTimeoutInMinutes": 5},
        jobExecutionsRetryConfig={"criteriaList": [{"failureType": kind, "numberOfRetries": 2}]},
        **abort("ALL", 1, 1),
    )
    floor.stage.advance(3600)
    listed = floor.iot.list_job_executions_for_job(jobId="j")["executionSummaries"]
    found = [e["jobExecutionSummary"] for e in listed]
    assert [(e["executionNumber"], e["retryAttempt"]) for e in found] == [(n + 1, n) for n in range(attempts)][::-1]
    assert floor.shown()["status"] == "CANCELED"


def test_executions_are_listed_by_job_and_by_thing(floor: Floor) -> None:
    floor.things(*names(5), group="g", behaviour="manual")
    floor.job("a")
    floor.job("b", "thing/t0")
    floor.report("t0", "SUCCEEDED", "a")
    pages = floor.iot.get_paginator("list_job_executions_for_job").paginate(
        jobId="a", status="QUEUED", PaginationConfig={"PageSize": 3}
    )
    assert [len(page["executionSummaries"]) for page in pages] == [3, 1]

    def of_thing(**given: Any) -> list[tuple[str, str]]:
        found = floor.iot.list_job_executions_for_thing(thingName="t0", **given)["executionSummaries"]
        return [(e["jobId"], e["jobExecutionSummary"]["status"]) for e in found]

    assert of_thing() == [("b", "QUEUED"), ("a", "SUCCEEDED")]
    assert of_thing(status="QUEUED") == of_thing(jobId="b") == [("b", "QUEUED")]
    said = refusal(floor.iot.list_job_executions_for_thing, thingName="x")
    assert said[:2] == (404, "ResourceNotFoundException")


def test_an_execution_is_canceled_if_queued_or_by_force(floor: Floor) -> None:
    floor.things("t", "u", "v", group="g", behaviour="manual")
    floor.job()
    cancel = floor.iot.cancel_job_execution
    said = refusal(cancel, jobId="j", thingName="u", expectedVersion=9)
    assert said[:2] == (409, "VersionConflictException")
    cancel(jobId="j", thingName="u", expectedVersion=1, statusDetails={"why": "moved"})
    assert (floor.execution("u")["status"], floor.details("u")) == ("CANCELED", {"why": "moved"})
    floor.device.start_next_pending_job_execution(thingName="t")
    wrong = (409, "InvalidStateTransitionException")
    assert refusal(cancel, jobId="j", thingName="t")[:2] == wrong
    cancel(jobId="j", thingName="t", force=True)
    assert floor.execution("t")["forceCanceled"] is True
    assert refusal(cancel, jobId="j", thingName="t", force=True)[:2] == wrong
    assert floor.counts() == {"Canceled": 2, "Queued": 1}
    assert refusal(cancel, jobId="j", thingName="x")[:2] == (404, "ResourceNotFoundException")


def test_an_execution_is_deleted_if_ended_or_by_force(floor: Floor) -> None:
    floor.things("t", "u", group="g", behaviour="manual")
    floor.job()
    delete = floor.iot.delete_job_execution
    said = refusal(delete, jobId="j", thingName="t", executionNumber=1)
    assert said[:2] == (409, "InvalidStateTransitionException")
    delete(jobId="j", thingName="t", executionNumber=1, force=True)
    floor.report("u", "FAILED")
    delete(jobId="j", thingName="u", executionNumber=1)
    assert (floor.statuses(), floor.counts()) == ({}, {})
    assert floor.shown()["status"] == "COMPLETED"
    assert refusal(delete, jobId="j", thingName="u", executionNumber=1)[:2] == (404, "ResourceNotFoundException")
