"""What jobs refuse, what faults make of them, and what a stale read shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.iot_fleet import Floor
from tests.support.simulator.stage import SimulatorStage, refusal

INVALID = (400, "InvalidRequestException")


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    made = Floor(stage)
    made.things("t1", "t2", "t3", group="g", behaviour="manual")
    return made


@pytest.mark.parametrize(
    "given",
    [
        {"jobExecutionsRolloutConfig": {"maximumPerMinute": 1001}},
        {"timeoutConfig": {"inProgressTimeoutInMinutes": 0}},
        {"timeoutConfig": {"inProgressTimeoutInMinutes": 10_081}},
        {"presignedUrlConfig": {"expiresInSec": 3601}},
        *(
            {
                "jobExecutionsRolloutConfig": {
                    "exponentialRate": {
                        "baseRatePerMinute": base,
                        "incrementFactor": factor,
                        "rateIncreaseCriteria": criteria,
                    }
                }
            }
            for base, factor, criteria in (
                (5, 5.1, {"numberOfNotifiedThings": 1}),
                (5, 1.55, {"numberOfNotifiedThings": 1}),
                (1001, 2, {"numberOfNotifiedThings": 1}),
                (5, 2, {}),
            )
        ),
        *(
            {
                "abortConfig": {
                    "criteriaList": [
                        {
                            "failureType": "FAILED",
                            "action": "CANCEL",
                            "thresholdPercentage": share,
                            "minNumberOfExecutedThings": 1,
                        }
                    ]
                }
            }
            for share in (0, 10.999, 101)
        ),
        {"jobExecutionsRetryConfig": {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 11}]}},
        {
            "jobExecutionsRetryConfig": {
                "criteriaList": [
                    {"failureType": "ALL", "numberOfRetries": 1},
                    {"failureType": "FAILED", "numberOfRetries": 1},
                ]
            }
        },
    ],
)
def test_a_configuration_out_of_its_range_is_refused_by_create_and_update(floor: Floor, given: dict[str, Any]) -> None:
    assert refusal(floor.job, **given)[:2] == INVALID
    floor.job()
    assert refusal(floor.iot.update_job, jobId="j", **given)[:2] == INVALID


def test_a_stale_read_shows_a_job_as_it_was_before_its_last_change(floor: Floor) -> None:
    floor.job()
    floor.iot.list_jobs()
    floor.stage.post("faults", rules=[{"service": "iot", "operation": "*", "effect": "staleRead"}])
    assert refusal(floor.shown)[:2] == (404, "ResourceNotFoundException")
    assert refusal(floor.statuses)[:2] == (404, "ResourceNotFoundException")
    assert floor.iot.list_jobs()["jobs"] == []
    floor.iot.cancel_job(jobId="j")
    assert floor.shown()["status"] == "IN_PROGRESS"
    assert set(floor.statuses().values()) == {"QUEUED"}
    floor.stage.advance(60)
    assert floor.shown()["status"] == "CANCELED"


@pytest.mark.parametrize(
    ("service", "effect", "said"),
    [
        ("iot", "throttle", (400, "ThrottlingException")),
        ("iot", "error500", (500, "InternalFailureException")),
        ("iot-jobs-data", "throttle", (429, "ThrottlingException")),
        ("iot-jobs-data", "error500", (500, "InternalFailureException")),
        ("signer", "throttle", (429, "TooManyRequestsException")),
        ("signer", "error500", (500, "InternalServiceErrorException")),
    ],
)
def test_faults_have_the_services_own_errors(floor: Floor, service: str, effect: str, said: tuple[int, str]) -> None:
    floor.stage.post("faults", rules=[{"service": service, "operation": "*", "effect": effect}])
    calls = {
        "iot": lambda: floor.iot.describe_job(jobId="j"),
        "iot-jobs-data": lambda: floor.device.get_pending_job_executions(thingName="t1"),
        "signer": lambda: floor.stage.client("signer").list_signing_profiles(),
    }
    assert refusal(calls[service])[:2] == said


def test_a_stale_list_still_shows_a_job_that_is_gone(floor: Floor) -> None:
    floor.job()
    floor.iot.delete_job(jobId="j", force=True)
    floor.stage.advance(5 + 59)
    assert floor.iot.list_jobs()["jobs"] == []
    floor.stage.post("faults", rules=[{"service": "iot", "operation": "*", "effect": "staleRead"}])
    assert [job["status"] for job in floor.iot.list_jobs()["jobs"]] == ["DELETION_IN_PROGRESS"]
    floor.stage.advance(1)
    assert floor.iot.list_jobs()["jobs"] == []


RATE = {"baseRatePerMinute": 5, "incrementFactor": 2.0, "rateIncreaseCriteria": {"numberOfNotifiedThings": 10}}
ONLY_ONE = "Provide only one of NumberOfNotifiedThings or NumberOfSucceededThings"
BOTH = {"numberOfNotifiedThings": 10, "numberOfSucceededThings": 10}


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        ({"exponentialRate": RATE}, "Provide MaximumPerMinute value when ExponentialRate is defined"),
        ({}, "Provide MaximumPerMinute value or provide ExponentialRate and MaximumPerMinute"),
        (
            {"exponentialRate": RATE, "maximumPerMinute": 4},
            "Exponential rollout baseRatePerMinute should be less than maximumPerMinute.",
        ),
        (
            {"exponentialRate": {**RATE, "rateIncreaseCriteria": BOTH}, "maximumPerMinute": 50},
            f"{ONLY_ONE} when RateIncreaseCriteria is defined",
        ),
    ],
)
def test_an_updated_rollout_needs_a_highest_rate_that_fits(floor: Floor, rollout: dict[str, Any], said: str) -> None:
    floor.job()
    assert refusal(floor.iot.update_job, jobId="j", jobExecutionsRolloutConfig=rollout) == (*INVALID, said)
    floor.stage.settings(updateJobChecks=False)
    floor.iot.update_job(jobId="j", jobExecutionsRolloutConfig=rollout)


def test_an_update_of_nothing_is_refused(floor: Floor) -> None:
    floor.job()
    said = refusal(floor.iot.update_job, jobId="j")
    assert said == (*INVALID, "Update Job request for job j cannot be empty.")


@pytest.mark.parametrize(("made", "taken"), [({}, False), ({"FAILED": 2}, True), ({"TIMED_OUT": 2}, False)])
def test_retries_of_a_job_can_only_be_ended(floor: Floor, made: dict[str, int], taken: bool) -> None:
    def retries(**kinds: int) -> dict[str, Any]:
        listed = [{"failureType": kind, "numberOfRetries": n} for kind, n in kinds.items()]
        return {"jobExecutionsRetryConfig": {"criteriaList": listed}} if listed else {}

    floor.job(**retries(**made))
    assert refusal(floor.iot.update_job, jobId="j", **retries(FAILED=1))[:2] == INVALID
    if taken:
        floor.iot.update_job(jobId="j", **retries(FAILED=0))
    else:
        assert refusal(floor.iot.update_job, jobId="j", **retries(FAILED=0))[:2] == INVALID


def test_two_abort_criteria_of_one_failure_type_are_a_switch(floor: Floor) -> None:
    once = {"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 50, "minNumberOfExecutedThings": 2}
    twice = {"abortConfig": {"criteriaList": [once, {**once, "thresholdPercentage": 10}]}}
    assert refusal(floor.job, **twice) == (*INVALID, "Multiple AbortCriteria cannot have the same failure type")
    floor.stage.settings(abortTypeTwice="take")
    floor.job(**twice)


def test_at_most_100_jobs_of_a_selection_are_active(floor: Floor) -> None:
    for number in range(100):
        floor.job(f"j{number}", "thing/t1")
    assert refusal(floor.job)[:2] == (410, "LimitExceededException")
    floor.job("c", targetSelection="CONTINUOUS")
    floor.iot.cancel_job(jobId="j0")
    floor.job()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("a" * 32_769, "InvalidRequestException"),
        ("\u00e9" * 16_385, "LimitExceededException"),
        (
            " ".join(f"${{aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/{number}}}" for number in range(11)),
            "LimitExceededException",
        ),
    ],
)
def test_a_job_document_has_its_limits(floor: Floor, document: str, said: str) -> None:
    urls = {"roleArn": "arn:aws:iam::123456789012:role/urls"}
    assert refusal(floor.job, document=document, presignedUrlConfig=urls)[1] == said
