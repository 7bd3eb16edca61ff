"""The service throttles, breaks, answers late or not at all: one task a wave, nothing lost, others unharmed."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from otactl.backends.aws.client import Answer
from otactl.model import Firmware, Phase
from tests.support.fuota_stage import BUCKET, DIGEST, IMAGE, FuotaStage, declared, single_devices

WRITES = (
    "CreateFuotaTask",
    "AssociateMulticastGroupWithFuotaTask",
    "StartFuotaTask",
    "DeleteFuotaTask",
)
READS = ("ListFuotaTasks", "GetFuotaTask", "ListTagsForResource", "ListMulticastGroupsByFuotaTask", "GetMulticastGroup")


def check(ground: FuotaStage) -> None:
    record = ground.record()
    assert record.phase is Phase.SUCCEEDED
    assert len(ground.made()) == 2
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 3), (1, 3)]
    assert record.drift == ()


@pytest.mark.parametrize("effect", ["throttle", "error500", "timeoutBeforeCommit", "timeoutAfterCommit"])
@pytest.mark.parametrize("operation", WRITES)
def test_one_fault_of_a_write_is_got_over_with_one_task_a_wave(ground: FuotaStage, operation: str, effect: str) -> None:
    ground.fault(service="iotwireless", operation=operation, nth=1, effect=effect)

    ground.drive()

    check(ground)


READ_FAULTS = [(operation, effect) for operation in READS for effect in ("error500", "staleRead")]
READ_FAULTS += [
    ("GetFuotaTask", "throttle"),
    ("ListFuotaTasks", "timeoutBeforeCommit"),
]  # the transport makes one of them


@pytest.mark.parametrize(("operation", "effect"), READ_FAULTS)
def test_a_fault_of_every_second_read_is_got_over(ground: FuotaStage, operation: str, effect: str) -> None:
    ground.fault(service="iotwireless", operation=operation, probability=0.5, seed=4, effect=effect)

    for _ in range(10):
        ground.run()
        ground.advance(40)  # within the time a stale read may be behind
        if ground.run().rollouts[0].phase == "Succeeded":
            break
        ground.advance(3600)

    check(ground)


def test_a_throttle_that_does_not_end_is_reported_and_the_next_run_goes_on(ground: FuotaStage) -> None:
    ground.fault(service="iotwireless", operation="CreateFuotaTask", effect="throttle")

    report = ground.run()

    assert "throttled" in report.rollouts[0].error
    assert report.rollouts[0].requeue_after_seconds is not None
    ground.server.world.faults.replace([])
    ground.drive()
    check(ground)


def test_a_create_whose_answer_is_always_lost_makes_one_task(ground: FuotaStage) -> None:
    ground.fault(service="iotwireless", operation="CreateFuotaTask", effect="timeoutAfterCommit")
    ground.run()

    ground.server.world.faults.replace([])
    ground.drive()

    check(ground)


def test_a_permission_that_is_missing_is_not_asked_for_again_and_named(ground: FuotaStage) -> None:
    asked = []

    def denied(service: str, operation: str, send) -> Answer:
        if operation != "StartFuotaTask":
            return send()
        asked.append(operation)
        error = {"Code": "AccessDeniedException", "Message": "User is not authorized"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation)

    report = ground.run(transport=ground.transport(around=denied))

    assert asked == ["StartFuotaTask"]
    assert "PermissionDenied" in report.rollouts[0].error
    assert "grant iotwireless:StartFuotaTask" in report.rollouts[0].error
    assert report.rollouts[0].phase == "Stalled"


def test_one_broken_rollout_never_stops_the_others(ground: FuotaStage) -> None:
    firmware = Firmware(version="9", image=f"s3://{BUCKET}/gone/{DIGEST}.bin", sha256=DIGEST, size_bytes=len(IMAGE))
    broken = declared(name="broken", firmware=firmware)

    report = ground.drive(declared(), broken)

    phases = {r.name: r.phase for r in report.rollouts}
    assert phases == {"probe": "Succeeded", "broken": "Stalled"}
    assert "image_is_missing" in [h.reason for r in report.rollouts if r.name == "broken" for h in r.holds]


def test_a_budget_of_calls_ends_the_run_and_the_next_one_goes_on(ground: FuotaStage) -> None:
    report = ground.run(transport=ground.transport(call_budget=24))

    assert "budget of 24 calls" in report.rollouts[0].error
    ground.drive()
    check(ground)


def test_a_role_that_may_not_read_ends_in_a_done_task_and_a_failed_wave(ground: FuotaStage) -> None:
    ground.run()
    ground.iam.delete_role_policy(RoleName="acme-firmware-update", PolicyName="read")

    ground.drive(rounds=2)

    record = ground.record()
    assert record.phase is Phase.FAILED
    assert {r.reason for a in record.attempts for r in a.results} == {"timeout"}
    assert len(ground.made()) == 1


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
def test_a_rollout_succeeds_with_either_answer_to_what_aws_does_not_document(
    ground: FuotaStage, name: str, answer: object
) -> None:
    ground.server.world.apply_settings({name: answer})
    ground.fault(
        service="iotwireless", operation="AssociateMulticastGroupWithFuotaTask", nth=1, effect="timeoutAfterCommit"
    )

    ground.drive(rounds=8)

    check(ground)


def test_a_single_device_rollout_runs_by_id_and_by_deveui(ground: FuotaStage) -> None:
    ground.drive(single_devices(ground))

    record = ground.record()
    assert record.phase is Phase.SUCCEEDED
    assert sorted(str(r.name) for a in record.attempts for r in a.results) == ["70b3d57ed0000000", "70b3d57ed0000001"]


def test_a_quiet_run_costs_what_the_budget_says_and_writes_nothing(ground: FuotaStage) -> None:
    ground.run()
    before = len(ground.server.world.requests)
    with ground.journal() as journal:
        revision = journal.load("prod-eu", "probe").revision
    transport = ground.transport()

    ground.run(transport=transport)

    asked = [str(r["operation"]) for r in ground.server.world.requests[before:]]
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
    with ground.journal() as journal:
        assert journal.load("prod-eu", "probe").revision == revision
