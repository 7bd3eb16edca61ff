"""What an attack on OTA updates found: nothing undeclared is sent, nothing twice, nothing is ended that runs."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from msgspec.structs import replace

from otactl.backends.aws.client import Answer
from otactl.model import (
    DriftPolicy,
    Ignore,
    Outcome,
    Phase,
    Reason,
    Stage,
    Strategy,
    Targets,
    VersionConfirm,
    VersionProof,
    Wave,
)
from otactl.report.status_summary import summarise
from tests.support.fuota_stage import edited, pushed
from tests.support.ota_stage import OTA_ROLE, OtaStage, block, gateway, one_wave, ota_policy, running
from tests.support.ota_waves import holds, newer, targets_of_creates, things, waves


def test_targets_fixed_after_a_creation_that_failed_are_what_it_is_made_again_with(ota_stage: OtaStage) -> None:
    ota_stage.run(waves(("w", things("gw-1", "gw-2"))))
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy("iam:PassRole"))
    ota_stage.advance(60)
    assert ota_stage.iot.get_ota_update(otaUpdateId=ota_stage.updates()[0])["otaUpdateInfo"]["errorInfo"]
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy())

    ota_stage.cron(edited(waves(("w", things("gw-1")))), rounds=5)

    assert targets_of_creates(ota_stage)[-1] == ["gw-1"]
    assert ota_stage.installs()["gw-2"] == 0
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


def test_targets_of_a_create_the_service_refused_are_not_frozen(ota_stage: OtaStage) -> None:
    def refusing(_service: str, operation: str, send) -> Answer:
        from botocore.exceptions import ClientError

        if operation != "CreateOTAUpdate":
            return send()
        error = {"Code": "InvalidRequestException", "Message": "no"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)

    ota_stage.run(waves(("w", things("gw-1", "gw-2"))), transport=ota_stage.transport(around=refusing))

    ota_stage.cron(edited(waves(("w", things("gw-1")))), rounds=4)

    assert targets_of_creates(ota_stage) == [["gw-1"]]
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


@pytest.mark.parametrize("after", [things("gw-2", "gw-3"), Targets(thing_groups=("mixed",))], ids=["things", "group"])
def test_a_thing_that_took_the_content_in_one_wave_is_not_sent_it_in_the_next(
    ota_stage: OtaStage, after: Targets
) -> None:
    ota_stage.fleet(thingGroups=[{"name": "mixed", "things": ["gw-2", "gw-3"]}])
    first = things("gw-1", "gw-2")
    ota_stage.run(waves(("canary", first), ("fleet", after if after.thing_groups else things("gw-3"))))
    ota_stage.advance(600)

    report = ota_stage.cron(edited(waves(("canary", first), ("fleet", after))), rounds=3)

    assert holds(report) == ["targets_were_sent_already"]
    assert ota_stage.installs()["gw-2"] == 1


def test_things_inside_a_group_with_another_update_hold_the_wave(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_3="late")
    arn = ota_stage.iot.describe_thing(thingName="gw-3")["thingArn"]
    ota_stage.iot.create_job(jobId="AFR_OTA-older", targets=[arn], document="{}")

    report = ota_stage.run(waves(("w", Targets(thing_groups=("gateways",)))))

    assert holds(report) == ["target_is_busy"]
    assert "AFR_OTA-older on gw-3" in report.rollouts[0].holds[0].message


def test_waves_put_in_another_order_still_run_one_after_another(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_1="late")
    canary, fleet = ("canary", things("gw-1")), ("fleet", things("gw-3"))
    ota_stage.run(waves(canary, fleet))
    ota_stage.advance(600)

    report = ota_stage.run(edited(waves(fleet, canary)))

    assert holds(report) == ["another_wave_in_progress"]
    assert len(ota_stage.created()) == 1


def test_an_environment_leaves_the_units_of_another_one_of_its_owner_alone(ota_stage: OtaStage) -> None:
    update = running(ota_stage, gw_1="late")
    elsewhere = replace(one_wave(), environment="staging")
    journal = type(ota_stage.journal())(ota_stage.folder / "other.db")

    report = ota_stage.run(elsewhere, journal=journal, name="staging")

    assert holds(report) == ["target_is_busy"]
    assert ota_stage.updates() == [update]
    assert ota_stage.carried_out("CancelJob") == ota_stage.carried_out("DeleteOTAUpdate") == []


def test_a_wave_renamed_after_a_creation_that_failed_leaves_nothing_behind(ota_stage: OtaStage) -> None:
    ota_stage.run(waves(("first", things("gw-1"))))
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy("iam:PassRole"))
    ota_stage.advance(60)
    assert ota_stage.iot.get_ota_update(otaUpdateId=ota_stage.updates()[0])["otaUpdateInfo"]["errorInfo"]
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy())

    ota_stage.cron(edited(waves(("second", things("gw-1")))), rounds=5)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.updates() == []


def test_an_accepted_failure_is_tried_once_and_not_for_ever(ota_stage: OtaStage) -> None:
    allowed = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:CalledViaLast": "x"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy("iam:PassRole"))
    ota_stage.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="more", PolicyDocument=document)
    ota_stage.cron(one_wave(), rounds=2)

    accepted = edited(one_wave(), drift=DriftPolicy(ignore=(Ignore(field="unit", reason="try again"),)))
    report = ota_stage.cron(accepted, rounds=6)

    assert len(ota_stage.created()) == 2
    assert holds(report) == ["unit_creation_failed"]


def test_a_single_404_of_the_job_loses_nothing(ota_stage: OtaStage) -> None:
    running(ota_stage, gw_1="late")
    ota_stage.advance(300)

    def gone(_service: str, operation: str, send) -> Answer:
        from botocore.exceptions import ClientError

        if operation != "DescribeJob":
            return send()
        error = {"Code": "ResourceNotFoundException", "Message": "no"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 404}}, operation)

    report = ota_stage.run(one_wave(), transport=ota_stage.transport(around=gone))
    ota_stage.cron(one_wave(), rounds=3, minutes=24 * 60)

    assert holds(report) == ["change_not_visible_yet"]
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.remembered().drift == ()


def test_a_deletion_by_hand_that_fails_ends_no_watching(ota_stage: OtaStage) -> None:
    update = running(ota_stage, gw_1="late")
    ota_stage.server.world.apply_settings({"otaDeleteFails": True})
    ota_stage.iot.delete_ota_update(otaUpdateId=update, forceDeleteAWSJob=True)
    ota_stage.run(one_wave())
    ota_stage.advance(30)
    assert ota_stage.iot.get_ota_update(otaUpdateId=update)["otaUpdateInfo"]["otaUpdateStatus"] == "DELETE_FAILED"
    ota_stage.server.world.apply_settings({"otaDeleteFails": False})

    ota_stage.cron(one_wave(), rounds=4, minutes=24 * 60)

    assert ota_stage.created() == [update]
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


def test_executions_that_lag_behind_the_jobs_counts_are_no_verdict(ota_stage: OtaStage) -> None:
    ota_stage.run(one_wave())
    ota_stage.advance(600)

    def behind(_service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "ListJobExecutionsForJob" and answer["executionSummaries"]:
            answer["executionSummaries"][0]["jobExecutionSummary"]["status"] = "IN_PROGRESS"
        return answer

    ota_stage.run(one_wave(), transport=ota_stage.transport(around=behind))

    assert ota_stage.remembered().attempts[0].stage is Stage.RUNNING
    ota_stage.cron(one_wave(), rounds=2)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


def test_a_canceled_job_with_devices_still_queued_has_not_ended(ota_stage: OtaStage) -> None:
    old = running(ota_stage)
    declared = newer(ota_stage, one_wave())

    def slow(_service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "DescribeJob" and answer["job"]["status"] == "CANCELED":
            answer["job"]["jobProcessDetails"]["numberOfQueuedThings"] = 1
        return answer

    report = ota_stage.run(declared, transport=ota_stage.transport(around=slow))

    assert report.rollouts[0].actions == ("cancelUnit",)
    assert holds(report) == ["previous_revision_running"]
    assert ota_stage.updates() == [old]


def test_an_execution_deleted_by_hand_does_not_make_a_wave_pass(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_3="failsSelfTest", gw_4="late")
    declared = waves(("w", Targets(thing_groups=("gateways",))))
    ota_stage.cron(declared, rounds=2)
    (update,) = ota_stage.updates()
    ota_stage.iot.delete_job_execution(jobId=f"AFR_OTA-{update}", thingName="gw-3", executionNumber=1, force=True)

    ota_stage.cron(declared, rounds=3, minutes=24 * 60)

    record = ota_stage.remembered()
    assert record.phase is Phase.FAILED
    assert {r.device: r.reason for r in record.attempts[0].results}["gw-3"] is Reason.REMOVED


def test_a_version_that_is_a_number_keeps_its_digits(ota_stage: OtaStage) -> None:
    confirm = VersionConfirm(version=VersionProof(shadow="reported.fw"), within="1h")
    declared = replace(one_wave(confirm=confirm), firmware=replace(one_wave().firmware, version="2.10"))

    def numbers(_service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "GetThingShadow":
            answer["payload"] = BytesIO(b'{"state": {"reported": {"fw": 2.10}}}')
        return answer

    for _ in range(3):
        ota_stage.run(declared, transport=ota_stage.transport(around=numbers))
        ota_stage.advance(600)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED


def test_an_edit_of_one_field_does_not_make_drift_of_another_the_manifests(ota_stage: OtaStage) -> None:
    first = replace(one_wave(), drift=DriftPolicy(mode="report"))
    update = running(ota_stage, first)
    second = edited(first, backend=block(description="other words"))
    ota_stage.run(second)
    ota_stage.advance(300)
    ota_stage.iot.update_job(jobId=f"AFR_OTA-{update}", jobExecutionsRolloutConfig={"maximumPerMinute": 1})

    report = ota_stage.run(second)

    causes = {field: e.cause.value for field, e in ota_stage.open_drift().items()}
    assert report.rollouts[0].actions == ()
    assert causes == {"description": "declared late", "awsJobExecutionsRolloutConfig": "out-of-band edit"}


def test_a_pace_and_a_description_declared_together_are_each_what_they_are(ota_stage: OtaStage) -> None:
    running(ota_stage)
    spec = block(description="other words", awsJobExecutionsRolloutConfig={"maximumPerMinute": 7})
    changed = edited(one_wave(), backend=spec)
    ota_stage.run(changed)
    ota_stage.advance(7200)

    ota_stage.run(changed)

    assert {f: e.cause.value for f, e in ota_stage.open_drift().items()} == {"description": "declared late"}


def test_a_device_still_at_it_is_found_by_its_name(ota_stage: OtaStage) -> None:
    declared = waves(("canary", things("gw-1")), ("fleet", Targets(thing_groups=("gateways",))))
    ota_stage.behave(gw_3="late")
    ota_stage.cron(declared, rounds=2)

    stored = ota_stage.journal().load_all("prod-eu").values()
    reported = {name: summarise(stored, name).device.results for name in ("gw-1", "gw-3")}

    assert [(line.wave, line.outcome) for line in reported["gw-1"]] == [("canary", "succeeded")]
    assert [(line.wave, line.outcome) for line in reported["gw-3"]] == [("fleet", "waiting")]


def test_devices_overdue_are_a_hold_with_the_way_out(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    ota_stage.advance(86400)

    report = ota_stage.run(one_wave())

    assert holds(report) == ["devices_are_overdue"]
    assert f"aws iot cancel-job --job-id AFR_OTA-{update}" in report.rollouts[0].holds[0].message


def test_a_rollout_taken_out_of_git_lets_its_things_go_when_its_update_is_gone(ota_stage: OtaStage) -> None:
    alpha = gateway(name="alpha", strategy=Strategy(waves=(Wave(name="w", targets=things("gw-1")),)))
    beta = gateway(name="beta", strategy=Strategy(waves=(Wave(name="w", targets=things("gw-1")),)), resend=True)
    ota_stage.run(alpha)
    (update,) = ota_stage.updates()
    ota_stage.advance(600)
    ota_stage.iot.delete_ota_update(otaUpdateId=update, forceDeleteAWSJob=True, deleteStream=True)
    ota_stage.advance(60)

    for _ in range(4):
        ota_stage.run(beta, covers=True)
        ota_stage.advance(600)

    assert ota_stage.record("alpha").phase in (Phase.REMOVED, Phase.PROGRESSING)
    assert ota_stage.record("beta").phase is Phase.SUCCEEDED


def test_foreign_drift_of_one_service_closes_though_another_is_not_asked_any_more(ota_stage: OtaStage) -> None:
    ota_stage.run(gateway())
    ota_stage.wireless.create_fuota_task(
        Name="x", FirmwareUpdateImage="s3://b/k", FirmwareUpdateRole=f"arn:aws:iam::123456789012:role/{OTA_ROLE}"
    )
    from tests.support.fuota_stage import declared

    ota_stage.run(gateway(), declared())
    entries = [e for e in ota_stage.record("@environment").drift if e.open]
    assert [e.origin for e in entries] == ["fuota"]

    ota_stage.run(gateway())
    assert [e.open for e in ota_stage.record("@environment").drift] == [True]
    (task,) = (t for t in ota_stage.wireless.list_fuota_tasks()["FuotaTaskList"] if t["Name"] == "x")
    ota_stage.wireless.delete_fuota_task(Id=task["Id"])
    for _ in range(2):
        ota_stage.advance(3600)
        ota_stage.run(gateway(), declared())
    assert [e.open for e in ota_stage.record("@environment").drift] == [False]


def test_a_stream_that_holds_another_file_is_not_sent_as_the_firmware(ota_stage: OtaStage) -> None:
    other = pushed(ota_stage, "1.0.0", b"older" * 500).image.removeprefix("s3://").partition("/")
    files = [{"fileId": 3, "s3Location": {"bucket": other[0], "key": other[2]}}]
    ota_stage.iot.create_stream(streamId="own", files=files, roleArn=f"arn:aws:iam::123456789012:role/{OTA_ROLE}")
    file = {**block().document["files"][0], "fileLocation": {"stream": {"streamId": "own", "fileId": 3}}}

    report = ota_stage.run(replace(one_wave(), backend=block(files=[file])))

    assert holds(report) == ["image_digest_is_unproved"]
    assert "file 3 of stream own is s3://" in report.rollouts[0].holds[0].message
    assert Outcome.SUCCEEDED not in {r.outcome for a in ota_stage.remembered().attempts for r in a.results}
