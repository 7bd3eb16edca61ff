"""AWS IoT throttles (HTTP 400), limits (410), breaks, answers late or never: one update a wave, none sent twice."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from otactl.backends.aws.client import Answer
from otactl.model import Phase, Stage
from tests.support.ota_stage import THINGS, OtaStage, block, gateway, one_wave, running

READS = (
    "ListOTAUpdates",
    "GetOTAUpdate",
    "DescribeJob",
    "ListTagsForResource",
    "ListJobExecutionsForJob",
    "ListJobs",
    "ListStreams",
    "GetJobDocument",
    "DescribeStream",
    "DescribeThing",
    "DescribeThingGroup",
)


def check(ota_stage: OtaStage) -> None:
    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert len(set(ota_stage.created())) == 2
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 2), (1, 3)]
    assert record.drift == ()
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)


READ_FAULTS = [(operation, effect) for operation in READS for effect in ("error500", "staleRead")]
READ_FAULTS += [("GetOTAUpdate", "throttle"), ("DescribeJob", "timeoutBeforeCommit")]  # the transport makes one of them


@pytest.mark.parametrize(("operation", "effect"), READ_FAULTS)
@pytest.mark.sampled(4)
def test_a_fault_of_every_second_read_is_got_over(ota_stage: OtaStage, operation: str, effect: str) -> None:
    ota_stage.fault(service="iot", operation=operation, probability=0.5, seed=4, effect=effect)

    for _ in range(10):
        ota_stage.run(gateway())
        ota_stage.advance(40)  # within the time a stale read may be behind
        if ota_stage.run(gateway()).rollouts[0].phase == "Succeeded":
            break
        ota_stage.advance(600)

    check(ota_stage)


@pytest.mark.parametrize("effect", ["throttle", "error500"])
def test_what_was_sent_is_remembered_though_the_next_look_fails(ota_stage: OtaStage, effect: str) -> None:
    ota_stage.fault(service="iot", operation="GetOTAUpdate", effect=effect)

    ota_stage.run(one_wave())

    (attempt,) = ota_stage.remembered().attempts
    assert attempt.vendor_id == attempt.unit_id
    assert ota_stage.remembered().intents == ()


def test_every_read_stale_at_once_makes_no_second_update(ota_stage: OtaStage) -> None:
    ota_stage.fault(service="iot", operation="*", effect="staleRead")
    for _ in range(6):
        ota_stage.run(gateway())
        ota_stage.advance(20)
    ota_stage.server.world.faults.replace([])

    ota_stage.cron()

    check(ota_stage)


def test_a_create_whose_answer_is_always_lost_makes_one_update(ota_stage: OtaStage) -> None:
    ota_stage.fault(service="iot", operation="CreateOTAUpdate", effect="timeoutAfterCommit")
    for _ in range(3):
        ota_stage.run(gateway())
    ota_stage.server.world.faults.replace([])

    ota_stage.cron()

    check(ota_stage)


def answering(operation: str, status: int, code: str, asked: list[str]):
    """A transport whose calls of an operation are all answered with an error."""

    def around(_service: str, called: str, send) -> Answer:
        if called != operation:
            return send()
        asked.append(called)
        error = {"Code": code, "Message": "no"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)

    return around


@pytest.mark.parametrize(("status", "code"), [(400, "ThrottlingException"), (410, "LimitExceededException")])
def test_throttles_and_limits_are_tried_again_and_reported_as_what_they_are(
    ota_stage: OtaStage, status: int, code: str
) -> None:
    asked: list[str] = []
    transport = ota_stage.transport(around=answering("CreateOTAUpdate", status, code, asked))

    report = ota_stage.run(one_wave(), transport=transport)

    assert len(asked) == 4
    assert f"is throttled or over a limit after 4 attempts ({code}: no)" in report.rollouts[0].error
    assert report.rollouts[0].phase != "Failed"
    ota_stage.cron(one_wave())
    assert len(ota_stage.created()) == 1


def test_another_400_is_never_tried_again(ota_stage: OtaStage) -> None:
    asked: list[str] = []
    transport = ota_stage.transport(around=answering("CreateOTAUpdate", 400, "InvalidRequestException", asked))

    report = ota_stage.run(one_wave(), transport=transport)

    assert len(asked) == 1
    assert "RequestRefused" in report.rollouts[0].error


@pytest.mark.parametrize("operation", ["UpdateJob", "CancelJob"])
@pytest.mark.parametrize("effect", ["throttle", "error500", "timeoutBeforeCommit", "timeoutAfterCommit"])
@pytest.mark.sampled(4)
def test_one_fault_of_a_change_in_place_is_got_over(ota_stage: OtaStage, operation: str, effect: str) -> None:
    running(ota_stage, gw_1="late")
    ota_stage.fault(service="iot", operation=operation, nth=1, effect=effect)
    changed = (
        one_wave()
        if operation == "CancelJob"
        else gateway(backend=block(awsJobExecutionsRolloutConfig={"maximumPerMinute": 7}), strategy=one_wave().strategy)
    )
    if operation == "CancelJob":
        changed = gateway(backend=block(protocols=["HTTP"]), strategy=one_wave().strategy)

    for _ in range(4):
        ota_stage.run(changed)
        ota_stage.advance(86400)
    ota_stage.run(changed)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert len(ota_stage.created()) == (2 if operation == "CancelJob" else 1)


SWITCHES = [
    ("deleteUpdateDeletesJob", False),
    ("unsetRolloutReadsBack", "zero"),
    ("abortReason", "neither"),
    ("timeoutChangeReaches", "all"),
    ("jobDescription", "empty"),
    ("otaCreateSeconds", 900),
    ("otaDeleteSeconds", 3600),
    ("jobDeleteSeconds", 3600),
    ("deleteStreamInUse", "conflict"),
    ("longUpdateId", "createFails"),
]


@pytest.mark.parametrize(("name", "answer"), SWITCHES)
@pytest.mark.sampled(4)
def test_a_rollout_succeeds_with_either_answer_to_what_aws_does_not_document(
    ota_stage: OtaStage, name: str, answer: object
) -> None:
    ota_stage.server.world.apply_settings({name: answer})

    ota_stage.cron(rounds=14)

    check(ota_stage)
    assert ota_stage.updates() == []
    assert ota_stage.iot.list_jobs()["jobs"] == [] or name == "jobDeleteSeconds"


def test_a_deletion_that_fails_is_reported_and_tried_again(ota_stage: OtaStage) -> None:
    ota_stage.server.world.apply_settings({"otaDeleteFails": True})
    ota_stage.cron(one_wave(), rounds=3)

    entry = ota_stage.open_drift()["unit"]
    assert entry.desired == "deleted"
    assert ota_stage.remembered().phase is Phase.SUCCEEDED

    ota_stage.server.world.apply_settings({"otaDeleteFails": False})
    ota_stage.cron(one_wave(), rounds=3)
    assert ota_stage.updates() == []
    assert [a.stage for a in ota_stage.remembered().attempts] == [Stage.DELETED]
