"""What an attack on OTA updates found: nothing undeclared is sent, nothing twice, nothing is ended that runs."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from msgspec.structs import replace

from otactl.backends.aws.client import Answer
from otactl.model import (
    Device,
    DriftPolicy,
    Gate,
    Ignore,
    Outcome,
    Phase,
    Reason,
    Rollout,
    Stage,
    Strategy,
    Targets,
    VersionConfirm,
    VersionProof,
    Wave,
)
from otactl.report.status_summary import summarise
from tests.support.fuota_stage import edited, pushed
from tests.support.ota_stage import OTA_ROLE, THINGS, OtaStage, block, gateway, one_wave, ota_policy, running


def things(*names: str) -> Targets:
    return Targets(things=tuple(Device(id=name) for name in names))


def waves(*named: tuple[str, Targets], **changes: object) -> Rollout:
    listed = tuple(Wave(name=name, targets=targets) for name, targets in named)
    return gateway(strategy=Strategy(waves=listed, gate=Gate(min_success_percent=90)), **changes)


def targets_of_creates(gateways: OtaStage) -> list[list[str]]:
    creates = gateways.carried_out("CreateOTAUpdate")
    return [[arn.split("/")[-1] for arn in c["parameters"]["targets"]] for c in creates]


def holds(report) -> list[str]:
    return [h.reason for h in report.rollouts[0].holds]


def newer(gateways: OtaStage, rollout: Rollout) -> Rollout:
    return edited(rollout, firmware=pushed(gateways, "2.5.0", b"newer" * 500))


def test_new_content_goes_to_the_targets_declared_with_it(gateways: OtaStage) -> None:
    gateways.cron(waves(("w", things("gw-1", "gw-2"))), rounds=3)

    gateways.cron(newer(gateways, waves(("w", things("gw-1")))), rounds=3)

    assert targets_of_creates(gateways) == [["gw-1", "gw-2"], ["gw-1"]]
    assert not any(e.open for e in gateways.remembered().drift)


def test_targets_mended_after_a_creation_that_failed_are_what_it_is_made_again_with(gateways: OtaStage) -> None:
    gateways.run(waves(("w", things("gw-1", "gw-2"))))
    gateways.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy("iam:PassRole"))
    gateways.advance(60)
    assert gateways.iot.get_ota_update(otaUpdateId=gateways.updates()[0])["otaUpdateInfo"]["errorInfo"]
    gateways.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy())

    gateways.cron(edited(waves(("w", things("gw-1")))), rounds=5)

    assert targets_of_creates(gateways)[-1] == ["gw-1"]
    assert gateways.installs()["gw-2"] == 0
    assert gateways.remembered().phase is Phase.SUCCEEDED


def test_a_lost_create_is_not_sent_again_once_other_content_is_declared(gateways: OtaStage) -> None:
    old = one_wave()
    gateways.fault(service="iot", operation="CreateOTAUpdate", effect="error500")
    gateways.run(old)
    gateways.server.world.faults.replace([])
    declared = newer(gateways, old)

    waiting = gateways.run(declared)
    gateways.cron(declared, rounds=5)

    assert holds(waiting) == ["change_not_visible_yet"]
    assert len(gateways.created()) == 1
    assert gateways.carried_out("CreateOTAUpdate")[0]["parameters"]["files"][0]["fileVersion"] == "2.5.0"
    assert gateways.remembered().phase is Phase.SUCCEEDED


def test_a_lost_create_is_not_sent_again_while_it_may_not_start(gateways: OtaStage) -> None:
    gateways.fault(service="iot", operation="CreateOTAUpdate", effect="timeoutBeforeCommit")
    gateways.run(one_wave())
    gateways.server.world.faults.replace([])
    gateways.behave(gw_1="late")
    arn = gateways.iot.describe_thing(thingName="gw-1")["thingArn"]
    gateways.iot.create_job(jobId="AFR_OTA-older", targets=[arn], document="{}")
    gateways.advance(3600)
    once = gateways.run(one_wave())
    gateways.advance(200)

    report = gateways.run(one_wave())

    assert (holds(once), holds(report)) == (["change_not_visible_yet"], ["target_is_busy"])
    assert gateways.created() == []


def test_targets_of_a_create_the_service_refused_are_not_frozen(gateways: OtaStage) -> None:
    def refusing(_service: str, operation: str, send) -> Answer:
        from botocore.exceptions import ClientError

        if operation != "CreateOTAUpdate":
            return send()
        error = {"Code": "InvalidRequestException", "Message": "no"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)

    gateways.run(waves(("w", things("gw-1", "gw-2"))), transport=gateways.transport(around=refusing))

    gateways.cron(edited(waves(("w", things("gw-1")))), rounds=4)

    assert targets_of_creates(gateways) == [["gw-1"]]
    assert gateways.remembered().phase is Phase.SUCCEEDED


def test_content_gone_back_to_while_its_stopped_update_ends_is_made_up_for_not_failed(gateways: OtaStage) -> None:
    first = one_wave()
    gateways.behave(gw_1="offline", gw_2="manual")
    gateways.run(first)
    gateways.advance(200)
    job = gateways.device.start_next_pending_job_execution(thingName="gw-2")["execution"]["jobId"]
    gateways.run(first)
    gateways.run(newer(gateways, first))  # stops the first; gw-2 has begun it
    back = replace(first, source=replace(first.source, digest="f" * 64))

    waiting = gateways.run(back)
    gateways.device.update_job_execution(jobId=job, thingName="gw-2", status="SUCCEEDED")
    gateways.behave()
    gateways.cron(back, rounds=4)

    assert holds(waiting) == ["previous_revision_running"]
    record = gateways.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert targets_of_creates(gateways) == [list(THINGS), ["gw-1"]]
    assert record.wave("all").verdict.total == 5


def test_content_gone_back_to_after_other_content_is_sent_to_everyone_again(gateways: OtaStage) -> None:
    first = one_wave()
    running(gateways, gw_1="offline")
    declared = newer(gateways, first)
    gateways.run(declared)
    gateways.behave()
    gateways.cron(declared, rounds=3)

    gateways.cron(replace(first, source=replace(first.source, digest="f" * 64)), rounds=4)

    assert targets_of_creates(gateways) == [list(THINGS)] * 3
    assert gateways.remembered().phase is Phase.SUCCEEDED


@pytest.mark.parametrize("after", [things("gw-2", "gw-3"), Targets(thing_groups=("mixed",))], ids=["things", "group"])
def test_a_thing_that_took_the_content_in_one_wave_is_not_sent_it_in_the_next(
    gateways: OtaStage, after: Targets
) -> None:
    gateways.fleet(thingGroups=[{"name": "mixed", "things": ["gw-2", "gw-3"]}])
    first = things("gw-1", "gw-2")
    gateways.run(waves(("canary", first), ("fleet", after if after.thing_groups else things("gw-3"))))
    gateways.advance(600)

    report = gateways.cron(edited(waves(("canary", first), ("fleet", after))), rounds=3)

    assert holds(report) == ["targets_were_sent_already"]
    assert gateways.installs()["gw-2"] == 1


def test_things_inside_a_group_with_another_update_hold_the_wave(gateways: OtaStage) -> None:
    gateways.behave(gw_3="late")
    arn = gateways.iot.describe_thing(thingName="gw-3")["thingArn"]
    gateways.iot.create_job(jobId="AFR_OTA-older", targets=[arn], document="{}")

    report = gateways.run(waves(("w", Targets(thing_groups=("gateways",)))))

    assert holds(report) == ["target_is_busy"]
    assert "AFR_OTA-older on gw-3" in report.rollouts[0].holds[0].message


def test_waves_put_in_another_order_still_run_one_after_another(gateways: OtaStage) -> None:
    gateways.behave(gw_1="late")
    canary, fleet = ("canary", things("gw-1")), ("fleet", things("gw-3"))
    gateways.run(waves(canary, fleet))
    gateways.advance(600)

    report = gateways.run(edited(waves(fleet, canary)))

    assert holds(report) == ["another_wave_is_under_way"]
    assert len(gateways.created()) == 1


def test_an_environment_leaves_the_units_of_another_one_of_its_owner_alone(gateways: OtaStage) -> None:
    update = running(gateways, gw_1="late")
    elsewhere = replace(one_wave(), environment="staging")
    journal = type(gateways.journal())(gateways.folder / "other.db")

    report = gateways.run(elsewhere, journal=journal, name="staging")

    assert holds(report) == ["target_is_busy"]
    assert gateways.updates() == [update]
    assert gateways.carried_out("CancelJob") == gateways.carried_out("DeleteOTAUpdate") == []


def test_a_wave_renamed_after_a_creation_that_failed_leaves_nothing_behind(gateways: OtaStage) -> None:
    gateways.run(waves(("first", things("gw-1"))))
    gateways.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy("iam:PassRole"))
    gateways.advance(60)
    assert gateways.iot.get_ota_update(otaUpdateId=gateways.updates()[0])["otaUpdateInfo"]["errorInfo"]
    gateways.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy())

    gateways.cron(edited(waves(("second", things("gw-1")))), rounds=5)

    assert gateways.remembered().phase is Phase.SUCCEEDED
    assert gateways.updates() == []


def test_an_accepted_failure_is_tried_once_and_not_for_ever(gateways: OtaStage) -> None:
    allowed = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:CalledViaLast": "x"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    gateways.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy("iam:PassRole"))
    gateways.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="more", PolicyDocument=document)
    gateways.cron(one_wave(), rounds=2)

    accepted = edited(one_wave(), drift=DriftPolicy(ignore=(Ignore(field="unit", reason="try again"),)))
    report = gateways.cron(accepted, rounds=6)

    assert len(gateways.created()) == 2
    assert holds(report) == ["unit_creation_failed"]


def test_a_single_404_of_the_job_loses_nothing(gateways: OtaStage) -> None:
    running(gateways, gw_1="late")
    gateways.advance(300)

    def gone(_service: str, operation: str, send) -> Answer:
        from botocore.exceptions import ClientError

        if operation != "DescribeJob":
            return send()
        error = {"Code": "ResourceNotFoundException", "Message": "no"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 404}}, operation)

    report = gateways.run(one_wave(), transport=gateways.transport(around=gone))
    gateways.cron(one_wave(), rounds=3, minutes=24 * 60)

    assert holds(report) == ["change_not_visible_yet"]
    assert gateways.remembered().phase is Phase.SUCCEEDED
    assert gateways.remembered().drift == ()


def test_a_deletion_by_hand_that_fails_ends_no_watching(gateways: OtaStage) -> None:
    update = running(gateways, gw_1="late")
    gateways.server.world.apply_settings({"otaDeleteFails": True})
    gateways.iot.delete_ota_update(otaUpdateId=update, forceDeleteAWSJob=True)
    gateways.run(one_wave())
    gateways.advance(30)
    assert gateways.iot.get_ota_update(otaUpdateId=update)["otaUpdateInfo"]["otaUpdateStatus"] == "DELETE_FAILED"
    gateways.server.world.apply_settings({"otaDeleteFails": False})

    gateways.cron(one_wave(), rounds=4, minutes=24 * 60)

    assert gateways.created() == [update]
    assert gateways.remembered().phase is Phase.SUCCEEDED


def test_executions_that_lag_behind_the_jobs_counts_are_no_verdict(gateways: OtaStage) -> None:
    gateways.run(one_wave())
    gateways.advance(600)

    def behind(_service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "ListJobExecutionsForJob" and answer["executionSummaries"]:
            answer["executionSummaries"][0]["jobExecutionSummary"]["status"] = "IN_PROGRESS"
        return answer

    gateways.run(one_wave(), transport=gateways.transport(around=behind))

    assert gateways.remembered().attempts[0].stage is Stage.RUNNING
    gateways.cron(one_wave(), rounds=2)
    assert gateways.remembered().phase is Phase.SUCCEEDED


def test_a_canceled_job_with_devices_still_queued_has_not_ended(gateways: OtaStage) -> None:
    old = running(gateways)
    declared = newer(gateways, one_wave())

    def slow(_service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "DescribeJob" and answer["job"]["status"] == "CANCELED":
            answer["job"]["jobProcessDetails"]["numberOfQueuedThings"] = 1
        return answer

    report = gateways.run(declared, transport=gateways.transport(around=slow))

    assert report.rollouts[0].actions == ("cancelUnit",)
    assert holds(report) == ["previous_revision_running"]
    assert gateways.updates() == [old]


def test_an_execution_deleted_by_hand_does_not_make_a_wave_pass(gateways: OtaStage) -> None:
    gateways.behave(gw_3="failsSelfTest", gw_4="late")
    declared = waves(("w", Targets(thing_groups=("gateways",))))
    gateways.cron(declared, rounds=2)
    (update,) = gateways.updates()
    gateways.iot.delete_job_execution(jobId=f"AFR_OTA-{update}", thingName="gw-3", executionNumber=1, force=True)

    gateways.cron(declared, rounds=3, minutes=24 * 60)

    record = gateways.remembered()
    assert record.phase is Phase.FAILED
    assert {r.device: r.reason for r in record.attempts[0].results}["gw-3"] is Reason.REMOVED


def test_a_version_that_is_a_number_keeps_its_digits(gateways: OtaStage) -> None:
    confirm = VersionConfirm(version=VersionProof(shadow="reported.fw"), within="1h")
    declared = replace(one_wave(confirm=confirm), firmware=replace(one_wave().firmware, version="2.10"))

    def numbers(_service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "GetThingShadow":
            answer["payload"] = BytesIO(b'{"state": {"reported": {"fw": 2.10}}}')
        return answer

    for _ in range(3):
        gateways.run(declared, transport=gateways.transport(around=numbers))
        gateways.advance(600)

    assert gateways.remembered().phase is Phase.SUCCEEDED


def test_an_edit_of_one_field_does_not_make_drift_of_another_the_manifests(gateways: OtaStage) -> None:
    first = replace(one_wave(), drift=DriftPolicy(mode="report"))
    update = running(gateways, first)
    second = edited(first, backend=block(description="other words"))
    gateways.run(second)
    gateways.advance(300)
    gateways.iot.update_job(jobId=f"AFR_OTA-{update}", jobExecutionsRolloutConfig={"maximumPerMinute": 1})

    report = gateways.run(second)

    causes = {field: e.cause.value for field, e in gateways.open_drift().items()}
    assert report.rollouts[0].actions == ()
    assert causes == {"description": "declared late", "awsJobExecutionsRolloutConfig": "out-of-band edit"}


def test_a_pace_and_a_description_declared_together_are_each_what_they_are(gateways: OtaStage) -> None:
    running(gateways)
    spec = block(description="other words", awsJobExecutionsRolloutConfig={"maximumPerMinute": 7})
    changed = edited(one_wave(), backend=spec)
    gateways.run(changed)
    gateways.advance(7200)

    gateways.run(changed)

    assert {f: e.cause.value for f, e in gateways.open_drift().items()} == {"description": "declared late"}


def test_a_device_still_at_it_is_found_by_its_name(gateways: OtaStage) -> None:
    declared = waves(("canary", things("gw-1")), ("fleet", Targets(thing_groups=("gateways",))))
    gateways.behave(gw_3="late")
    gateways.cron(declared, rounds=2)

    stored = gateways.journal().load_all("prod-eu").values()
    told = {name: summarise(stored, name).device.results for name in ("gw-1", "gw-3")}

    assert [(line.wave, line.outcome) for line in told["gw-1"]] == [("canary", "succeeded")]
    assert [(line.wave, line.outcome) for line in told["gw-3"]] == [("fleet", "waiting")]


def test_devices_overdue_are_a_hold_with_the_way_out(gateways: OtaStage) -> None:
    update = running(gateways)
    gateways.advance(86400)

    report = gateways.run(one_wave())

    assert holds(report) == ["devices_are_overdue"]
    assert f"aws iot cancel-job --job-id AFR_OTA-{update}" in report.rollouts[0].holds[0].message


def test_a_rollout_taken_out_of_git_lets_its_things_go_when_its_update_is_gone(gateways: OtaStage) -> None:
    alpha = gateway(name="alpha", strategy=Strategy(waves=(Wave(name="w", targets=things("gw-1")),)))
    beta = gateway(name="beta", strategy=Strategy(waves=(Wave(name="w", targets=things("gw-1")),)), resend=True)
    gateways.run(alpha)
    (update,) = gateways.updates()
    gateways.advance(600)
    gateways.iot.delete_ota_update(otaUpdateId=update, forceDeleteAWSJob=True, deleteStream=True)
    gateways.advance(60)

    for _ in range(4):
        gateways.run(beta, covers=True)
        gateways.advance(600)

    assert gateways.record("alpha").phase in (Phase.REMOVED, Phase.PROGRESSING)
    assert gateways.record("beta").phase is Phase.SUCCEEDED


def test_foreign_drift_of_one_service_closes_though_another_is_not_asked_any_more(gateways: OtaStage) -> None:
    gateways.run(gateway())
    gateways.wireless.create_fuota_task(
        Name="x", FirmwareUpdateImage="s3://b/k", FirmwareUpdateRole=f"arn:aws:iam::123456789012:role/{OTA_ROLE}"
    )
    from tests.support.fuota_stage import declared

    gateways.run(gateway(), declared())
    entries = [e for e in gateways.record("@environment").drift if e.open]
    assert [e.origin for e in entries] == ["fuota"]

    gateways.run(gateway())
    assert [e.open for e in gateways.record("@environment").drift] == [True]
    (task,) = (t for t in gateways.wireless.list_fuota_tasks()["FuotaTaskList"] if t["Name"] == "x")
    gateways.wireless.delete_fuota_task(Id=task["Id"])
    for _ in range(2):
        gateways.advance(3600)
        gateways.run(gateway(), declared())
    assert [e.open for e in gateways.record("@environment").drift] == [False]


def test_a_stream_that_holds_another_file_is_not_sent_as_the_firmware(gateways: OtaStage) -> None:
    other = pushed(gateways, "1.0.0", b"older" * 500).image.removeprefix("s3://").partition("/")
    files = [{"fileId": 3, "s3Location": {"bucket": other[0], "key": other[2]}}]
    gateways.iot.create_stream(streamId="own", files=files, roleArn=f"arn:aws:iam::123456789012:role/{OTA_ROLE}")
    file = {**block().document["files"][0], "fileLocation": {"stream": {"streamId": "own", "fileId": 3}}}

    report = gateways.run(replace(one_wave(), backend=block(files=[file])))

    assert holds(report) == ["image_digest_is_unproved"]
    assert "file 3 of stream own is s3://" in report.rollouts[0].holds[0].message
    assert Outcome.SUCCEEDED not in {r.outcome for a in gateways.remembered().attempts for r in a.results}
