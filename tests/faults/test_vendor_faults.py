"""The service throttles, breaks, answers late or not at all: one task a wave, nothing lost, others unharmed."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from otactl.backends.aws.client import Answer
from otactl.model import Firmware, Phase
from tests.support.fuota_stage import BUCKET, DIGEST, IMAGE, FuotaStage, declared, single_devices

READS = ("ListFuotaTasks", "GetFuotaTask", "ListTagsForResource", "ListMulticastGroupsByFuotaTask", "GetMulticastGroup")


def check(fuota_stage: FuotaStage) -> None:
    record = fuota_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == 2
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 3), (1, 3)]
    assert record.drift == ()


READ_FAULTS = [(operation, effect) for operation in READS for effect in ("error500", "staleRead")]
READ_FAULTS += [
    ("GetFuotaTask", "throttle"),
    ("ListFuotaTasks", "timeoutBeforeCommit"),
]  # the transport makes one of them


@pytest.mark.parametrize(("operation", "effect"), READ_FAULTS)
@pytest.mark.sampled(4)
def test_a_fault_of_every_second_read_is_got_over(fuota_stage: FuotaStage, operation: str, effect: str) -> None:
    fuota_stage.fault(service="iotwireless", operation=operation, probability=0.5, seed=4, effect=effect)

    for _ in range(10):
        fuota_stage.run()
        fuota_stage.advance(40)  # within the time a stale read may be behind
        if fuota_stage.run().rollouts[0].phase == "Succeeded":
            break
        fuota_stage.advance(3600)

    check(fuota_stage)


def test_a_throttle_that_does_not_end_is_reported_and_the_next_run_goes_on(fuota_stage: FuotaStage) -> None:
    fuota_stage.fault(service="iotwireless", operation="CreateFuotaTask", effect="throttle")

    report = fuota_stage.run()

    assert "throttled" in report.rollouts[0].error
    assert report.rollouts[0].requeue_after_seconds is not None
    fuota_stage.server.world.faults.replace([])
    fuota_stage.drive()
    check(fuota_stage)


def test_a_create_whose_answer_is_always_lost_makes_one_task(fuota_stage: FuotaStage) -> None:
    fuota_stage.fault(service="iotwireless", operation="CreateFuotaTask", effect="timeoutAfterCommit")
    fuota_stage.run()

    fuota_stage.server.world.faults.replace([])
    fuota_stage.drive()

    check(fuota_stage)


def test_a_permission_that_is_missing_is_not_asked_for_again_and_named(fuota_stage: FuotaStage) -> None:
    asked = []

    def denied(service: str, operation: str, send) -> Answer:
        if operation != "StartFuotaTask":
            return send()
        asked.append(operation)
        error = {"Code": "AccessDeniedException", "Message": "User is not authorized"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation)

    report = fuota_stage.run(transport=fuota_stage.transport(around=denied))

    assert asked == ["StartFuotaTask"]
    assert "PermissionDenied" in report.rollouts[0].error
    assert "grant iotwireless:StartFuotaTask" in report.rollouts[0].error
    assert report.rollouts[0].phase == "Stalled"


def test_one_broken_rollout_never_stops_the_others(fuota_stage: FuotaStage) -> None:
    firmware = Firmware(version="9", image=f"s3://{BUCKET}/gone/{DIGEST}.bin", sha256=DIGEST, size_bytes=len(IMAGE))
    broken = declared(name="broken", firmware=firmware)

    report = fuota_stage.drive(declared(), broken)

    phases = {r.name: r.phase for r in report.rollouts}
    assert phases == {"probe": "Succeeded", "broken": "Stalled"}
    assert "image_is_missing" in [h.reason for r in report.rollouts if r.name == "broken" for h in r.holds]


def test_a_budget_of_calls_ends_the_run_and_the_next_one_goes_on(fuota_stage: FuotaStage) -> None:
    report = fuota_stage.run(transport=fuota_stage.transport(call_budget=24))

    assert "budget of 24 calls" in report.rollouts[0].error
    fuota_stage.drive()
    check(fuota_stage)


def test_a_role_that_may_not_read_ends_in_a_done_task_and_a_failed_wave(fuota_stage: FuotaStage) -> None:
    fuota_stage.run()
    fuota_stage.iam.delete_role_policy(RoleName="acme-firmware-update", PolicyName="read")

    fuota_stage.drive(rounds=3)

    record = fuota_stage.record()
    assert record.phase is Phase.FAILED
    assert {r.reason for a in record.attempts for r in a.results} == {"timeout"}
    assert len(fuota_stage.made()) == 1


SWITCHES = [
    ("outsidePendingError", "ValidationException"),
    ("associateAgain", "conflict"),
    ("tokenAfterDelete", "old"),
    ("usedToken", "conflict"),
    ("listByTaskIncludesGroupMembers", False),
    ("echoDefaults", True),
    ("roundInterval", False),
    ("secondStart", "moves"),
    ("doneHoldsDevices", True),
    ("startTooSoonError", "ConflictException"),
    ("startWithoutTime", "refuse"),
    ("silentHoldSession", True),
    ("deleteStopsSession", False),
    ("sourceConditions", False),
    ("deleteWaitingSeconds", 7200),
    ("multicastReadySeconds", 600),
]


@pytest.mark.parametrize(("name", "answer"), SWITCHES)
@pytest.mark.sampled(4)
def test_a_rollout_succeeds_with_either_answer_to_what_aws_does_not_document(
    fuota_stage: FuotaStage, name: str, answer: object
) -> None:
    fuota_stage.server.world.apply_settings({name: answer})
    fuota_stage.fault(
        service="iotwireless", operation="AssociateMulticastGroupWithFuotaTask", nth=1, effect="timeoutAfterCommit"
    )

    fuota_stage.drive(rounds=8)

    check(fuota_stage)


def test_a_single_device_rollout_runs_by_id_and_by_deveui(fuota_stage: FuotaStage) -> None:
    fuota_stage.drive(single_devices(fuota_stage))

    record = fuota_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert sorted(str(r.name) for a in record.attempts for r in a.results) == ["70b3d57ed0000000", "70b3d57ed0000001"]


def test_a_quiet_run_costs_what_the_budget_says_and_writes_nothing(fuota_stage: FuotaStage) -> None:
    fuota_stage.run()
    before = len(fuota_stage.server.world.requests)
    with fuota_stage.journal() as journal:
        revision = journal.load("prod-eu", "probe").revision
    transport = fuota_stage.transport()

    fuota_stage.run(transport=transport)

    asked = [str(r["operation"]) for r in fuota_stage.server.world.requests[before:]]
    wireless = ["ListFuotaTasks", "GetFuotaTask", "ListTagsForResource", "ListMulticastGroupsByFuotaTask"]
    image_and_role = [
        "HeadObject",
        "GetBucketVersioning",
        "GetBucketLocation",
        "GetBucketPolicy",
        "GetRole",
        "ListRolePolicies",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "SimulatePrincipalPolicy",
    ]
    assert sorted(asked) == sorted(["GetCallerIdentity", *wireless, *image_and_role])
    assert transport.stats.writes == 0
    with fuota_stage.journal() as journal:
        assert journal.load("prod-eu", "probe").revision == revision
