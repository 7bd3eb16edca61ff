"""What goes wrong around an OTA update: its sources, its targets, its devices, what no one declares."""

from __future__ import annotations

from datetime import UTC

from msgspec.structs import replace

from otactl.model import Cause, Phase, iso
from tests.support.fuota_stage import BUCKET, KEY
from tests.support.ota_stage import OTA_ROLE_ARN, OtaStage, block, gateway, one_wave, running

DAY = 86400


def test_6_a_deleted_image_version_and_a_deleted_stream_are_reported_while_devices_wait(ota_stage: OtaStage) -> None:
    running(ota_stage)
    (version,) = ota_stage.s3.list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"]
    ota_stage.s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId=version["VersionId"])
    (stream,) = ota_stage.iot.list_streams()["streams"]
    ota_stage.iot.delete_stream(streamId=stream["streamId"])

    ota_stage.run(one_wave())

    drift = ota_stage.open_drift()
    assert drift["files.version"].cause is Cause.DELETED
    assert stream["streamId"] in str(drift["stream"].observed)


def test_7_targets_added_by_hand_and_members_that_left_are_reported(ota_stage: OtaStage) -> None:
    strategy = replace(gateway().strategy, waves=gateway().strategy.waves[1:])
    declared = gateway(backend=block(targetSelection="CONTINUOUS"), strategy=strategy)
    update = running(ota_stage, declared, gw_3="offline", gw_4="offline", gw_5="offline")
    arn = ota_stage.iot.describe_thing(thingName="gw-1")["thingArn"]
    ota_stage.iot.associate_targets_with_job(jobId=f"AFR_OTA-{update}", targets=[arn])
    ota_stage.iot.remove_thing_from_thing_group(thingName="gw-3", thingGroupName="gateways")

    ota_stage.run(declared)

    drift = ota_stage.open_drift()
    assert drift["members.device:gw-1"].observed is True
    assert (drift["devices.removed"].cause, drift["devices.removed"].observed) == (Cause.MEMBERSHIP, 1)


def test_8_devices_that_failed_are_reported_while_others_go_on(ota_stage: OtaStage) -> None:
    running(ota_stage, gw_1="offline", gw_2="failsDownload", gw_3="rejects")

    drift = ota_stage.open_drift()

    assert drift["devices.failed"].observed == {"failed": 1, "rejected": 1}


def test_8_devices_queued_or_stuck_for_a_day_are_reported_once_with_what_they_say(ota_stage: OtaStage) -> None:
    spec = block(awsJobTimeoutConfig=None)
    declared = gateway(backend=spec, strategy=one_wave().strategy)
    running(ota_stage, declared, gw_1="offline", gw_2="stuck")
    ota_stage.advance(DAY)

    ota_stage.run(declared)

    drift = ota_stage.open_drift()
    assert drift["devices.queued"].observed == {"devices": 1, "some": ["gw-1"]}
    assert drift["devices.inProgress"].observed == {"devices": 1, "said": {"gw-2": "self_test: ready"}}
    assert ota_stage.remembered().phase is Phase.PROGRESSING


def test_10_a_job_without_its_update_and_a_stream_of_none_are_reported_with_the_commands(ota_stage: OtaStage) -> None:
    arn = ota_stage.iot.describe_thing(thingName="gw-1")["thingArn"]
    ota_stage.behave(gw_1="offline")
    ota_stage.iot.create_job(jobId="AFR_OTA-gone-1", targets=[arn], document="{}")
    files = [{"fileId": 0, "s3Location": {"bucket": BUCKET, "key": KEY}}]
    ota_stage.iot.create_stream(streamId="AFR_OTA-0a1b", files=files, roleArn=OTA_ROLE_ARN)

    ota_stage.advance(4000)  # a stream made just now may be of an update that is being made

    ota_stage.run(gateway(suspend=None))

    entries = {e.subject: e for e in ota_stage.record("@environment").drift if e.open}
    assert "aws iot cancel-job --job-id AFR_OTA-gone-1" in str(entries["gone-1"].observed)
    assert "aws iot delete-stream --stream-id AFR_OTA-0a1b" in str(entries["AFR_OTA-0a1b"].observed)
    assert {e.cause for e in entries.values()} == {Cause.ORPHAN}


def test_10_an_update_of_ours_that_nothing_declares_is_an_orphan_and_a_stranger_is_foreign(
    ota_stage: OtaStage,
) -> None:
    update = running(ota_stage)
    file = {
        "fileName": "/x",
        "fileLocation": {"s3Location": {"bucket": BUCKET, "key": KEY}},
        "codeSigning": {"customCodeSigning": {"signature": {"inlineDocument": b"x"}}},
    }
    arn = ota_stage.iot.describe_thing(thingName="gw-2")["thingArn"]
    ota_stage.iot.create_ota_update(otaUpdateId="somebodys", targets=[arn], files=[file], roleArn=OTA_ROLE_ARN)

    ota_stage.run(covers=True)

    assert ota_stage.remembered().phase is Phase.ORPHANED
    assert f"aws iot cancel-job --job-id AFR_OTA-{update}" in str(ota_stage.open_drift()["unit"].observed)
    entries = {e.subject: e.cause for e in ota_stage.record("@environment").drift if e.open}
    assert entries == {"somebodys": Cause.FOREIGN}


def test_11_a_thing_with_an_older_update_waits_until_that_has_ended(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_1="late")
    arn = ota_stage.iot.describe_thing(thingName="gw-1")["thingArn"]
    ota_stage.iot.create_job(jobId="AFR_OTA-older", targets=[arn], document="{}")

    report = ota_stage.run(one_wave())

    assert [h.reason for h in report.rollouts[0].holds] == ["target_is_busy"]
    assert "AFR_OTA-older" in report.rollouts[0].holds[0].message
    ota_stage.behave()
    ota_stage.cron(one_wave(), rounds=4, minutes=24 * 60)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


def test_11_another_update_on_a_device_that_does_not_begin_is_named(ota_stage: OtaStage) -> None:
    running(ota_stage)
    arn = ota_stage.iot.describe_thing(thingName="gw-1")["thingArn"]
    ota_stage.iot.create_job(jobId="AFR_OTA-other", targets=[arn], document="{}")
    ota_stage.advance(DAY)

    ota_stage.run(one_wave())

    assert ota_stage.open_drift()["devices.otherUpdates"].observed == {"gw-1": ["AFR_OTA-other"]}


def test_tags_stripped_by_hand_are_put_back_while_devices_are_at_it(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    arn = ota_stage.iot.get_ota_update(otaUpdateId=update)["otaUpdateInfo"]["otaUpdateArn"]
    ota_stage.iot.untag_resource(resourceArn=arn, tagKeys=["otactl:owner", "team"])
    ota_stage.iot.tag_resource(resourceArn=arn, tags=[{"Key": "otactl:strange", "Value": "x"}])
    ota_stage.advance(300)

    ota_stage.run(one_wave())

    tags = {t["Key"]: t["Value"] for t in ota_stage.iot.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert (tags["otactl:owner"], tags["team"]) == ("acme", "gw")
    assert "otactl:strange" not in tags


def test_a_creation_that_takes_longer_than_an_hour_is_held_with_its_start(ota_stage: OtaStage) -> None:
    ota_stage.server.world.apply_settings({"otaCreateSeconds": 7200})
    ota_stage.run(gateway())
    (made,) = ota_stage.iot.list_ota_updates()["otaUpdates"]
    since = made["creationDate"].astimezone(UTC)
    ota_stage.advance(1800)
    early = ota_stage.run(gateway())
    ota_stage.advance(1801)

    report = ota_stage.run(gateway())

    (hold,) = report.rollouts[0].holds
    assert "devices_are_overdue" not in [h.reason for h in early.rollouts[0].holds]
    assert hold.reason == "devices_are_overdue"
    assert f"the service has not finished its creation, started at {iso(since)}" in hold.message
    assert ota_stage.open_drift()["creation"].observed == f"started at {iso(since)}"
