"""What jobs refuse, what faults make of them, and what a stale read shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.floor import Floor
from tests.simulator.stage import Stage, refusal

INVALID = (400, "InvalidRequestException")


@pytest.fixture
def floor(stage: Stage) -> Floor:
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
