"""Jobs by unmodified boto3: made, read, listed, changed, canceled, deleted, refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.support.simulator.iot_fleet import Floor, arn
from tests.support.simulator.stage import ACCOUNT, REGION, SimulatorStage, refusal

INVALID = (400, "InvalidRequestException")
CONFIGS: dict[str, Any] = {
    "presignedUrlConfig": {"roleArn": "arn:aws:iam::123456789012:role/urls", "expiresInSec": 600},
    "jobExecutionsRolloutConfig": {"maximumPerMinute": 10},
    "abortConfig": {
        "criteriaList": [
            {"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 12.5, "minNumberOfExecutedThings": 3}
        ]
    },
    "timeoutConfig": {"inProgressTimeoutInMinutes": 30},
    "jobExecutionsRetryConfig": {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 2}]},
}


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    made = Floor(stage)
    made.things("t1", "t2", "t3", group="g", behaviour="manual")
    return made


def test_a_job_is_read_back_as_it_was_made(floor: Floor) -> None:
    floor.job("j", "thing/t1", "thinggroup/g", description="new image", **CONFIGS)
    shown = floor.shown()
    now = floor.stage.now()
    assert (shown.pop("createdAt"), shown.pop("lastUpdatedAt")) == (now, now)
    assert shown.pop("jobProcessDetails")["numberOfQueuedThings"] == 3
    assert shown == {
        **CONFIGS,
        "jobArn": arn("job/j"),
        "jobId": "j",
        "description": "new image",
        "status": "IN_PROGRESS",
        "targetSelection": "SNAPSHOT",
        "targets": [arn("thing/t1"), arn("thinggroup/g")],
        "isConcurrent": False,
        "schedulingConfig": {},
    }
    assert floor.iot.get_job_document(jobId="j")["document"] == '{"do": "it"}'


def test_configurations_never_given_read_back_empty_or_not_at_all(floor: Floor) -> None:
    shown = floor.shown(floor.job())
    empty = ("presignedUrlConfig", "jobExecutionsRolloutConfig", "timeoutConfig", "schedulingConfig")
    assert [shown[name] for name in empty] == [{}, {}, {}, {}]
    absent = {"abortConfig", "jobExecutionsRetryConfig", "reasonCode", "comment", "forceCanceled"}
    assert not absent & set(shown)


def test_a_job_id_is_taken_until_its_job_is_gone(floor: Floor) -> None:
    floor.job()
    said = refusal(floor.job)
    assert said[:2] == (409, "ResourceAlreadyExistsException")
    floor.iot.delete_job(jobId="j", force=True)
    assert refusal(floor.job)[:2] == (409, "ResourceAlreadyExistsException")
    floor.stage.advance(5)
    floor.job()


def test_a_refusal_of_a_taken_id_carries_the_job(floor: Floor) -> None:
    floor.job()
    try:
        floor.job()
    except floor.iot.exceptions.ResourceAlreadyExistsException as error:
        carried = error.response
    assert (carried["resourceId"], carried["resourceArn"]) == ("j", arn("job/j"))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (arn("thing/x"), (404, "ResourceNotFoundException")),
        (arn("thinggroup/x"), (404, "ResourceNotFoundException")),
        ("t1", INVALID),
        (arn("job/t1"), INVALID),
        (arn("thing/t1").replace(REGION, "us-east-1"), (404, "ResourceNotFoundException")),
        (arn("thing/t1").replace(ACCOUNT, "210987654321"), (404, "ResourceNotFoundException")),
    ],
)
def test_a_target_is_a_thing_or_a_group_of_here(floor: Floor, target: str, said: tuple[int, str]) -> None:
    assert refusal(floor.iot.create_job, jobId="j", targets=[target], document="{}")[:2] == said


def test_a_job_has_at_most_100_targets(floor: Floor) -> None:
    floor.things(*(f"m{n}" for n in range(101)))
    said = refusal(floor.iot.create_job, jobId="j", targets=[arn(f"thing/m{n}") for n in range(101)], document="{}")
    assert said[:2] == (410, "LimitExceededException")


def test_what_is_not_simulated_is_refused_by_name(floor: Floor) -> None:
    for given in ({"schedulingConfig": {"endBehavior": "CANCEL"}}, {"documentParameters": {"a": "b"}}):
        said = refusal(floor.job, **given)
        assert said[:2] == INVALID
        assert next(iter(given)) in said.message


def test_jobs_are_listed_newest_first_and_filtered(floor: Floor) -> None:
    floor.job("a", targetSelection="CONTINUOUS")
    floor.job("b", "thing/t1")
    floor.job("c", "thing/t1")
    floor.iot.cancel_job(jobId="c")

    def ids(**given: Any) -> list[str]:
        pages = floor.iot.get_paginator("list_jobs").paginate(**given)
        return [job["jobId"] for page in pages for job in page["jobs"]]

    assert ids(PaginationConfig={"PageSize": 2}) == ["c", "b", "a"]
    assert ids(status="IN_PROGRESS") == ["b", "a"]
    assert ids(targetSelection="CONTINUOUS") == ids(thingGroupName="g") == ["a"]
    assert refusal(floor.iot.list_jobs, thingGroupName="x")[:2] == (404, "ResourceNotFoundException")


def test_an_update_sets_what_it_gives_and_leaves_the_rest(floor: Floor) -> None:
    floor.job("j", description="old", **CONFIGS)
    floor.stage.advance(10)
    before = floor.shown()
    floor.iot.update_job(jobId="j", jobExecutionsRolloutConfig={"maximumPerMinute": 3})
    changed = {"jobExecutionsRolloutConfig": {"maximumPerMinute": 3}, "lastUpdatedAt": floor.stage.now()}
    assert floor.shown() == {**before, **changed}
    floor.iot.update_job(jobId="j", description="new")
    assert floor.shown() == {**before, **changed, "description": "new"}


def test_only_a_job_in_progress_is_updated_or_canceled(floor: Floor) -> None:
    floor.job()
    floor.iot.cancel_job(jobId="j")
    for call in (partial(floor.iot.update_job, description="new"), floor.iot.cancel_job):
        assert refusal(call, jobId="j")[:2] == INVALID
        assert refusal(call, jobId="x")[:2] == (404, "ResourceNotFoundException")
    floor.iot.delete_job(jobId="j")
    assert refusal(floor.iot.update_job, jobId="j", description="new")[:2] == INVALID


def test_canceling_takes_what_is_queued_and_tells_why(floor: Floor) -> None:
    floor.job(jobExecutionsRolloutConfig={"maximumPerMinute": 2})
    floor.device.start_next_pending_job_execution(thingName="t1")
    floor.iot.cancel_job(jobId="j", reasonCode="WRONG_IMAGE", comment="built from the wrong branch")
    shown = floor.shown()
    assert (shown["status"], shown["reasonCode"], shown["comment"]) == (
        "CANCELED",
        "WRONG_IMAGE",
        "built from the wrong branch",
    )
    assert shown["completedAt"] == floor.stage.now()
    assert "forceCanceled" not in shown
    assert floor.statuses() == {"t1": "IN_PROGRESS", "t2": "CANCELED", "t3": "CANCELED"}
    floor.report("t1", "SUCCEEDED")
    assert floor.counts() == {"Succeeded": 1, "Canceled": 2}
    assert floor.shown()["status"] == "CANCELED"


def test_canceling_by_force_takes_what_is_in_progress_too(floor: Floor) -> None:
    floor.job()
    floor.device.start_next_pending_job_execution(thingName="t1")
    floor.iot.cancel_job(jobId="j", force=True)
    assert floor.counts() == {"Canceled": 3}
    assert floor.shown()["forceCanceled"] is True
    assert floor.execution("t1")["forceCanceled"] is True
    assert refusal(floor.report, thing="t1", status="SUCCEEDED")[:2] == (409, "InvalidStateTransitionException")


def test_deleting_takes_an_ended_job_or_force_and_its_time(floor: Floor) -> None:
    floor.job()
    said = refusal(floor.iot.delete_job, jobId="j")
    assert said[:2] == (409, "InvalidStateTransitionException")
    floor.iot.delete_job(jobId="j", force=True)
    assert floor.shown()["status"] == "DELETION_IN_PROGRESS"
    assert refusal(floor.iot.delete_job, jobId="j", force=True)[:2] == (409, "InvalidStateTransitionException")
    assert refusal(floor.execution, thing="t1")[:2] == (404, "ResourceNotFoundException")
    assert floor.device.get_pending_job_executions(thingName="t1")["queuedJobs"] == []
    floor.stage.advance(5)
    for call in (floor.iot.describe_job, floor.iot.get_job_document, floor.iot.list_job_executions_for_job):
        assert refusal(call, jobId="j")[:2] == (404, "ResourceNotFoundException")


def test_at_most_10_jobs_are_being_deleted(floor: Floor) -> None:
    for n in range(11):
        floor.job(f"j{n}", "thing/t1")
    for n in range(10):
        floor.iot.delete_job(jobId=f"j{n}", force=True)
    assert refusal(floor.iot.delete_job, jobId="j10", force=True)[:2] == (410, "LimitExceededException")
    floor.stage.advance(5)
    floor.iot.delete_job(jobId="j10", force=True)


def test_targets_are_added_to_a_continuous_job_in_progress(floor: Floor) -> None:
    floor.things("u1", "u2", group="h", behaviour="manual")
    floor.job("j", "thing/t1", targetSelection="CONTINUOUS")
    said = floor.iot.associate_targets_with_job(
        jobId="j", targets=[arn("thinggroup/h"), arn("thing/t1")], comment="more"
    )
    assert (said["jobId"], said["jobArn"]) == ("j", arn("job/j"))
    assert floor.shown()["targets"] == [arn("thing/t1"), arn("thinggroup/h")]
    assert floor.shown()["comment"] == "more"
    assert floor.statuses() == {"t1": "QUEUED", "u1": "QUEUED", "u2": "QUEUED"}
    missing = refusal(floor.iot.associate_targets_with_job, jobId="j", targets=[arn("thinggroup/x")])
    assert missing[:2] == (404, "ResourceNotFoundException")


def test_targets_are_not_added_to_a_snapshot_or_an_ended_job(floor: Floor) -> None:
    floor.job("s")
    floor.job("c", targetSelection="CONTINUOUS")
    floor.iot.cancel_job(jobId="c")
    for job in ("s", "c"):
        said = refusal(floor.iot.associate_targets_with_job, jobId=job, targets=[arn("thing/t1")])
        assert said[:2] == INVALID
