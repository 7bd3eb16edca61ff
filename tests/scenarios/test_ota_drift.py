"""Every way an OTA update can differ from what is declared, over real HTTP: reported, corrected where possible."""

from __future__ import annotations

import json

import pytest

from otactl.model import Cause, DriftPolicy, DriftStatus, Ignore, Phase, Stage
from tests.support.fuota_stage import BUCKET, KEY, edited
from tests.support.ota_stage import OTA_ROLE, OtaStage, block, gateway, one_wave, ota_policy, running

DAY = 86400


def test_1_a_record_deleted_by_hand_is_reported_and_its_job_watched_to_the_end(ota_stage: OtaStage) -> None:
    update = running(ota_stage, gw_1="late")
    ota_stage.server.world.apply_settings({"deleteUpdateDeletesJob": False})
    ota_stage.iot.delete_ota_update(otaUpdateId=update, forceDeleteAWSJob=True)
    ota_stage.advance(60)

    ota_stage.run(one_wave())
    entry = ota_stage.open_drift()["record"]
    ota_stage.cron(one_wave(), rounds=3, minutes=24 * 60)

    assert (entry.cause, entry.status) == (Cause.DELETED, DriftStatus.IMPOSSIBLE)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.installs() == dict.fromkeys(ota_stage.installs(), 1)
    assert ota_stage.iot.list_jobs()["jobs"] == []


def test_1_a_record_and_job_deleted_by_hand_hold_until_a_person_accepts_the_loss(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    ota_stage.iot.delete_ota_update(otaUpdateId=update, forceDeleteAWSJob=True, deleteStream=True)
    ota_stage.run(one_wave())
    ota_stage.advance(300)

    report = ota_stage.run(one_wave())

    assert [h.reason for h in report.rollouts[0].holds] == ["unit_was_deleted"]
    assert ota_stage.open_drift()["unit"].cause is Cause.DELETED
    ota_stage.behave()
    accepted = DriftPolicy(ignore=(Ignore(field="unit", reason="deleted in a drill"),))
    ota_stage.cron(one_wave(), rounds=2)
    assert len(ota_stage.created()) == 1
    ota_stage.cron(edited(one_wave(), drift=accepted), rounds=3)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert len(ota_stage.created()) == 2


def test_2_an_update_of_our_name_that_another_actor_made_is_refused_not_adopted(ota_stage: OtaStage) -> None:
    ota_stage.fault(service="iot", operation="CreateOTAUpdate", effect="error500")
    ota_stage.run(one_wave())
    (intent,) = ota_stage.remembered().intents
    ota_stage.server.world.faults.replace([])
    wanted = intent.call.parameters
    file = {
        "fileName": "/other",
        "fileLocation": {"s3Location": {"bucket": BUCKET, "key": KEY}},
        "codeSigning": {"customCodeSigning": {"signature": {"inlineDocument": b"x"}}},
    }
    ota_stage.iot.create_ota_update(
        otaUpdateId=wanted["otaUpdateId"], targets=wanted["targets"], files=[file], roleArn=wanted["roleArn"]
    )

    report = ota_stage.run(one_wave())

    assert "NameTaken" in report.rollouts[0].error
    assert "files.0.fileName" in report.rollouts[0].error
    assert ota_stage.remembered().attempts[0].vendor_id is None


def only_iam_can_judge(ota_stage: OtaStage, action: str) -> None:
    """Let the role have an action under a condition that is not met, and that no look at its policies can decide."""
    allowed: dict[str, object] = {"Effect": "Allow", "Action": action, "Resource": "*"}
    allowed["Condition"] = {"StringEquals": {"aws:CalledViaLast": "lambda.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy(action))
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="more", PolicyDocument=document)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("iam:PassRole", "iam:PassRole"),
        ("iot:CreateJob", "iot:CreateJob"),
        ("iot:CreateStream", "iot:CreateStream"),
        ("s3:GetObjectVersion", "s3:GetObjectVersion"),
    ],
)
def test_a_role_that_lacks_what_creation_needs_is_held_before_anything_is_made(
    ota_stage: OtaStage, action: str, words: str
) -> None:
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy(action))

    report = ota_stage.run(one_wave())

    assert [h.reason for h in report.rollouts[0].holds] == ["role_lacks_permission"]
    assert words in report.rollouts[0].holds[0].message
    assert ota_stage.created() == []


def test_3_a_creation_that_failed_shows_its_error_and_is_made_again_when_the_role_is_fixed(
    ota_stage: OtaStage,
) -> None:
    only_iam_can_judge(ota_stage, "iam:PassRole")

    report = ota_stage.cron(one_wave(), rounds=3)

    hold = report.rollouts[0].holds[0]
    assert hold.reason == "unit_creation_failed"
    assert "not authorized to perform: iam:PassRole" in hold.message
    assert ota_stage.open_drift()["unit"].cause is Cause.VENDOR
    assert len(ota_stage.created()) == 1
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy())
    ota_stage.cron(one_wave(), rounds=5)
    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, a.stage) for a in record.attempts] == [(1, Stage.SUPERSEDED), (2, Stage.DELETED)]
    assert ota_stage.updates() == []


def test_3_leftovers_of_a_failed_creation_are_found_and_named(ota_stage: OtaStage) -> None:
    order = {
        "signingProfileName": "gateway",
        "signingProfileParameter": {
            "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b",
            "platform": "AmazonFreeRTOS-Default",
            "certificatePathOnDevice": "/cert.pem",
        },
        "destination": {"s3Destination": {"bucket": BUCKET, "prefix": "signed/"}},
    }
    spec = block(files=[{"fileName": "/update", "codeSigning": {"startSigningJobParameter": order}}])
    declared = gateway(backend=spec, strategy=one_wave().strategy)
    only_iam_can_judge(ota_stage, "iot:CreateJob")

    ota_stage.cron(declared, rounds=3)

    left = sorted(field.removeprefix("leftover.") for field in ota_stage.open_drift() if field.startswith("leftover."))
    assert [name.split("/")[0] for name in left] == [left[0], "s3:"]
    assert left[0].startswith("AFR_OTA-")
    ota_stage.iot.delete_stream(streamId=left[0])
    ota_stage.s3.delete_object(Bucket=BUCKET, Key=left[1].removeprefix(f"s3://{BUCKET}/"))
    ota_stage.run(declared)
    assert [field for field in ota_stage.open_drift() if field.startswith("leftover.")] == []


def test_4_a_cancel_by_hand_is_reported_with_its_reason_and_the_wave_does_not_pass(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    ota_stage.iot.cancel_job(jobId=f"AFR_OTA-{update}", reasonCode="SUPPORT", comment="too hot today")

    report = ota_stage.run(one_wave())

    events = [e.message for e in ota_stage.journal().history("prod-eu", "gateway") if e.kind == "drift"]
    assert any("canceled by another actor (SUPPORT too hot today)" in e and "out-of-band edit" in e for e in events)
    assert report.rollouts[0].phase == "Failed"
    results = {r.device: r.reason for r in ota_stage.remembered().attempts[0].results}
    assert results["gw-1"] == "canceled"


@pytest.mark.parametrize("reported", ["code", "comment", "neither"])
def test_4_an_abort_by_its_criteria_is_reported_from_a_cancel_by_hand(ota_stage: OtaStage, reported: str) -> None:
    ota_stage.server.world.apply_settings({"abortReason": reported})
    criterion = {
        "failureType": "FAILED",
        "action": "CANCEL",
        "thresholdPercentage": 20,
        "minNumberOfExecutedThings": 2,
    }
    spec = block(awsJobAbortConfig={"abortCriteriaList": [criterion]})
    ota_stage.behave(gw_1="failsSelfTest", gw_2="failsSelfTest", gw_5="offline")
    declared = gateway(backend=spec, strategy=one_wave().strategy)

    ota_stage.cron(declared, rounds=3)

    messages = [e.message for e in ota_stage.journal().history("prod-eu", "gateway") if e.kind == "drift"]
    assert any("stopped by its abort criteria" in m and "vendor" in m for m in messages)
    assert ota_stage.remembered().phase is Phase.FAILED


def test_4_a_job_deleted_under_its_record_is_lost_and_the_record_goes_before_it_is_made_again(
    ota_stage: OtaStage,
) -> None:
    update = running(ota_stage)
    ota_stage.iot.delete_job(jobId=f"AFR_OTA-{update}", force=True)
    ota_stage.advance(300)
    once = ota_stage.run(one_wave())
    ota_stage.advance(300)

    report = ota_stage.run(one_wave())
    assert [h.reason for h in once.rollouts[0].holds] == ["change_not_visible_yet"]  # one read alone may be wrong
    assert [h.reason for h in report.rollouts[0].holds] == ["unit_was_deleted"]

    ota_stage.behave()
    accepted = edited(one_wave(), drift=DriftPolicy(ignore=(Ignore(field="unit", reason="drill"),)))
    ota_stage.cron(accepted, rounds=4)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.updates() == []


def test_5_a_pace_changed_by_hand_is_set_back_in_place(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    job = f"AFR_OTA-{update}"
    ota_stage.advance(300)
    ota_stage.run(one_wave())
    ota_stage.iot.update_job(
        jobId=job,
        jobExecutionsRolloutConfig={"maximumPerMinute": 1},
        timeoutConfig={"inProgressTimeoutInMinutes": 5},
    )

    report = ota_stage.run(one_wave())

    assert report.rollouts[0].actions == ("updateUnit",)
    shown = ota_stage.iot.describe_job(jobId=job)["job"]
    assert shown["jobExecutionsRolloutConfig"]["maximumPerMinute"] == 100
    assert shown["timeoutConfig"] == {"inProgressTimeoutInMinutes": 60}
    ota_stage.advance(300)
    ota_stage.run(one_wave())
    closed = {e.field: (e.status, e.closed_by) for e in ota_stage.remembered().drift if not e.open}
    assert closed["awsJobExecutionsRolloutConfig"] == (DriftStatus.CORRECTED, "otactl")
    assert ota_stage.created() == [update]


def test_5_abort_criteria_added_by_hand_cannot_be_cleared_and_are_reported(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    criterion = {
        "failureType": "ALL",
        "action": "CANCEL",
        "thresholdPercentage": 90.0,
        "minNumberOfExecutedThings": 100,
    }
    ota_stage.iot.update_job(jobId=f"AFR_OTA-{update}", abortConfig={"criteriaList": [criterion]})

    report = ota_stage.run(one_wave())

    assert report.rollouts[0].actions == ()
    entry = ota_stage.open_drift()["awsJobAbortConfig"]
    assert (entry.desired, entry.status) == (None, DriftStatus.IMPOSSIBLE)
