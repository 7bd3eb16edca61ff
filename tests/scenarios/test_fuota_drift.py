"""Someone changes a task, its members, its image or its role: the ledger says what, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from otactl.model import Cause, DriftEntry, DriftPolicy, DriftStatus, Ignore, Phase
from tests.support.fuota_stage import (
    BUCKET,
    GROUPS,
    IMAGE,
    KEY,
    ROLE,
    FuotaStage,
    declared,
    lose_journal,
    read,
    single_devices,
    trust,
)

SETTLED = 180  # seconds after which every read shows what otactl itself wrote


@pytest.fixture
def opened(fuota_stage: FuotaStage) -> FuotaStage:
    """A canary task made and filled; its start is held, because a device has not heard its multicast setup."""
    fuota_stage.deafen()
    fuota_stage.run()
    fuota_stage.advance(SETTLED)
    assert fuota_stage.task()["Status"] == "Pending"
    return fuota_stage


@pytest.fixture
def started(fuota_stage: FuotaStage) -> FuotaStage:
    """A canary whose session waits for its time."""
    fuota_stage.run()
    fuota_stage.advance(SETTLED)
    assert fuota_stage.task()["Status"] == "FuotaSession_Waiting"
    return fuota_stage


def drift(fuota_stage: FuotaStage) -> list[DriftEntry]:
    return list(fuota_stage.record().drift)


def only(fuota_stage: FuotaStage) -> DriftEntry:
    (entry,) = drift(fuota_stage)
    return entry


FIELDS: list[tuple[str, dict[str, Any], object, object]] = [
    ("description", {"Description": "by hand"}, "probes", "by hand"),
    ("descriptor", {"Descriptor": "BBBB"}, "AAECAw==", "BBBB"),
    ("redundancyPercent", {"RedundancyPercent": 3}, 30, 3),
    ("fragmentSizeBytes", {"FragmentSizeBytes": 50}, 112, 50),
    ("fragmentIntervalMs", {"FragmentIntervalMS": 12000}, 9000, 12000),
    ("image", {"FirmwareUpdateImage": "s3://acme-firmware-eu/other.bin"}, f"s3://{BUCKET}/{KEY}", None),
    ("role", {"FirmwareUpdateRole": "arn:aws:iam::123456789012:role/other"}, None, None),
    ("name", {"Name": "renamed"}, None, "renamed"),
]


@pytest.mark.parametrize(("field", "edit", "desired", "observed"), FIELDS, ids=[f[0] for f in FIELDS])
def test_a_field_edited_by_hand_is_set_back_and_remembered(
    opened: FuotaStage, field: str, edit: dict[str, Any], desired: object, observed: object
) -> None:
    before = opened.task()
    opened.wireless.update_fuota_task(Id=before["Id"], **edit)

    opened.run()

    after = opened.task()
    (member,) = edit
    assert after[member] == before[member]
    entry = only(opened)
    assert (entry.field, entry.cause, entry.status) == (field, Cause.OUT_OF_BAND_EDIT, DriftStatus.CORRECTED)
    assert entry.closed_by == "otactl"
    assert desired in (None, entry.desired)
    assert observed in (None, entry.observed)


def test_what_happens_to_a_tag_is_undone_whether_the_task_is_open_or_started(opened: FuotaStage) -> None:
    arn = opened.task()["Arn"]
    opened.wireless.untag_resource(ResourceArn=arn, TagKeys=["otactl:owner"])
    opened.wireless.tag_resource(
        ResourceArn=arn, Tags=[{"Key": "team", "Value": "theirs"}, {"Key": "otactl:x", "Value": "1"}]
    )
    wanted = {"tags.otactl:owner", "tags.team", "tags.otactl:x"}

    opened.run()

    tags = {t["Key"]: t["Value"] for t in opened.wireless.list_tags_for_resource(ResourceArn=arn)["Tags"]}
    assert (tags["otactl:owner"], tags["team"], "otactl:x" in tags) == ("acme", "soil", False)
    assert {e.field: e.status for e in drift(opened)} == dict.fromkeys(wanted, DriftStatus.CORRECTED)


def test_a_started_tasks_tags_are_still_set_back(started: FuotaStage) -> None:
    arn = started.task()["Arn"]
    started.wireless.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "theirs"}])

    started.run()

    tags = {t["Key"]: t["Value"] for t in started.wireless.list_tags_for_resource(ResourceArn=arn)["Tags"]}
    assert tags["team"] == "soil"
    assert only(started).status is DriftStatus.CORRECTED


def test_a_group_taken_out_is_put_back(opened: FuotaStage) -> None:
    task = opened.task()["Id"]
    opened.wireless.disassociate_multicast_group_from_fuota_task(Id=task, MulticastGroupId=GROUPS[0])

    opened.run()

    listed = opened.wireless.list_multicast_groups_by_fuota_task(Id=task)["MulticastGroupList"]
    assert [g["Id"] for g in listed] == [GROUPS[0]]
    entry = only(opened)
    assert (entry.field, entry.cause) == (f"members.group:{GROUPS[0]}", Cause.MEMBERSHIP)
    assert (entry.desired, entry.observed, entry.status) == (True, False, DriftStatus.CORRECTED)


def test_a_group_put_in_by_hand_is_taken_out(opened: FuotaStage) -> None:
    task = opened.task()["Id"]
    opened.wireless.associate_multicast_group_with_fuota_task(Id=task, MulticastGroupId=GROUPS[1])

    opened.run()

    listed = opened.wireless.list_multicast_groups_by_fuota_task(Id=task)["MulticastGroupList"]
    assert [g["Id"] for g in listed] == [GROUPS[0]]
    assert (only(opened).field, only(opened).status) == (f"members.group:{GROUPS[1]}", DriftStatus.CORRECTED)


def test_a_device_taken_out_of_a_single_device_task_is_put_back(fuota_stage: FuotaStage) -> None:
    rollout = single_devices(fuota_stage)
    fuota_stage.fault(service="iotwireless", operation="StartFuotaTask", effect="error500")  # it stays open meanwhile
    fuota_stage.run(rollout)
    fuota_stage.server.world.faults.replace([])
    fuota_stage.advance(SETTLED)
    task = fuota_stage.task()["Id"]
    member = fuota_stage.wireless.list_wireless_devices(FuotaTaskId=task)["WirelessDeviceList"][0]["Id"]
    fuota_stage.wireless.disassociate_wireless_device_from_fuota_task(Id=task, WirelessDeviceId=member)

    fuota_stage.run(rollout)

    inside = [d["Id"] for d in fuota_stage.wireless.list_wireless_devices(FuotaTaskId=task)["WirelessDeviceList"]]
    assert member in inside
    (entry,) = [e for e in fuota_stage.record().drift if e.cause is Cause.MEMBERSHIP]
    assert entry.status is DriftStatus.CORRECTED


def test_an_open_task_deleted_by_hand_is_made_again_as_the_next_attempt(opened: FuotaStage) -> None:
    opened.wireless.delete_fuota_task(Id=opened.task()["Id"])
    opened.advance(SETTLED)  # the service has let go of it
    opened.deafen(False)

    opened.drive()

    record = opened.record()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, a.stage.value) for a in record.waves[0].attempts] == [(1, "lost"), (2, "deleted")]
    (entry,) = record.drift
    assert (entry.field, entry.cause, entry.observed) == ("unit", Cause.DELETED, "deleted")


def test_a_started_task_deleted_by_hand_is_not_made_again(started: FuotaStage) -> None:
    started.wireless.delete_fuota_task(Id=started.task()["Id"])

    report = started.run()

    assert report.rollouts[0].phase == "Stalled"
    assert [h.reason for h in report.rollouts[0].holds] == ["unit_was_deleted"]
    started.advance(3600)
    started.run()
    assert len(started.made()) == 1
    assert (only(started).field, only(started).open) == ("unit", True)


def test_a_task_started_by_hand_is_reported_and_its_devices_still_give_the_verdict(opened: FuotaStage) -> None:
    opened.deafen(False)
    moment = opened.server.world.clock.now() + timedelta(minutes=45)
    opened.wireless.start_fuota_task(Id=opened.task()["Id"], LoRaWAN={"StartTime": moment})

    opened.run()

    entry = only(opened)
    assert (entry.field, entry.status, entry.desired) == ("startTime", DriftStatus.IMPOSSIBLE, None)
    opened.drive()
    assert opened.record().phase is Phase.SUCCEEDED
    assert len(opened.made()) == 2


def test_a_task_no_one_declares_is_reported_once_and_let_be(fuota_stage: FuotaStage) -> None:
    fuota_stage.wireless.create_fuota_task(
        Name="by-hand",
        FirmwareUpdateImage="s3://b/k",
        FirmwareUpdateRole="arn:aws:iam::123456789012:role/r",
        LoRaWAN={"RfRegion": "EU868"},
    )

    fuota_stage.drive()

    (entry,) = fuota_stage.record("@environment").drift
    assert (entry.subject, entry.cause, entry.open) == ("by-hand", Cause.FOREIGN, True)
    assert [t["Name"] for t in fuota_stage.wireless.list_fuota_tasks()["FuotaTaskList"]] == ["by-hand"]


def test_foreign_tasks_are_not_reported_where_the_environment_ignores_them(fuota_stage: FuotaStage) -> None:
    fuota_stage.wireless.create_fuota_task(
        Name="by-hand",
        FirmwareUpdateImage="s3://b/k",
        FirmwareUpdateRole="arn:aws:iam::123456789012:role/r",
        LoRaWAN={"RfRegion": "EU868"},
    )

    fuota_stage.run(foreign_tasks="ignore")

    assert fuota_stage.record("@environment").drift == ()


def test_a_rollout_taken_out_of_git_leaves_an_orphan_reported_with_the_command_that_ends_it(opened: FuotaStage) -> None:
    task = opened.task()["Id"]

    opened.run(covers=True)

    entry = only(opened)
    assert entry.cause is Cause.ORPHAN
    assert f"aws iotwireless delete-fuota-task --id {task}" in str(entry.observed)
    assert opened.record().phase is Phase.ORPHANED
    assert opened.task()["Status"] == "Pending"


def test_a_task_with_our_name_and_marks_that_the_journal_lost_is_adopted_not_made_again(opened: FuotaStage) -> None:
    lose_journal(opened.folder)
    opened.deafen(False)

    opened.drive()

    assert len(opened.made()) == 2
    assert opened.record().phase is Phase.SUCCEEDED


def other_bytes(fuota_stage: FuotaStage) -> None:
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=bytes(reversed(IMAGE)), ChecksumAlgorithm="SHA256")


def no_image(fuota_stage: FuotaStage) -> None:
    fuota_stage.s3.delete_object(Bucket=BUCKET, Key=KEY)


def right_bytes(fuota_stage: FuotaStage) -> None:
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE, ChecksumAlgorithm="SHA256")


def versioning(status: str) -> Callable[[FuotaStage], None]:
    return lambda fuota_stage: fuota_stage.s3.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": status}
    )


def trusts(service: str) -> Callable[[FuotaStage], None]:
    return lambda fuota_stage: fuota_stage.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust(service))


def reads(bucket: str) -> Callable[[FuotaStage], None]:
    return lambda fuota_stage: fuota_stage.iam.put_role_policy(
        RoleName=ROLE, PolicyName="read", PolicyDocument=read(bucket)
    )


def no_role(fuota_stage: FuotaStage) -> None:
    fuota_stage.iam.delete_role_policy(RoleName=ROLE, PolicyName="read")
    fuota_stage.iam.delete_role(RoleName=ROLE)


def role_again(fuota_stage: FuotaStage) -> None:
    fuota_stage.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust())
    reads(BUCKET)(fuota_stage)


SOURCES: list[tuple[str, Cause, Callable[[FuotaStage], None], Callable[[FuotaStage], None]]] = [
    ("image.sha256", Cause.IMAGE_BYTES, other_bytes, right_bytes),
    ("image.object", Cause.IMAGE_BYTES, no_image, right_bytes),
    ("image.bucketVersioning", Cause.IMAGE_BYTES, versioning("Suspended"), versioning("Enabled")),
    ("role.policies", Cause.ROLE, trusts("lambda.amazonaws.com"), trusts("iotwireless.amazonaws.com")),
    ("role.policies", Cause.ROLE, reads("another-bucket"), reads(BUCKET)),
    ("role", Cause.ROLE, no_role, role_again),
]


@pytest.mark.parametrize(
    ("field", "cause", "change", "undo"), SOURCES, ids=["bytes", "gone", "versioning", "trust", "permission", "role"]
)
def test_a_changed_image_or_role_holds_the_start_until_its_owner_sets_it_back(
    opened: FuotaStage,
    field: str,
    cause: Cause,
    change: Callable[[FuotaStage], None],
    undo: Callable[[FuotaStage], None],
) -> None:
    change(opened)
    opened.deafen(False)

    report = opened.run()

    entry = only(opened)
    assert (entry.field, entry.cause, entry.status) == (field, cause, DriftStatus.IMPOSSIBLE)
    assert report.rollouts[0].phase == "Stalled"
    assert report.rollouts[0].holds
    assert opened.task()["Status"] == "Pending"

    undo(opened)
    opened.run()

    assert opened.task()["Status"] == "FuotaSession_Waiting"
    assert only(opened).closed_by == "set back out of band, or declared so"


def test_in_report_mode_nothing_is_set_back_and_nothing_starts(opened: FuotaStage) -> None:
    rollout = declared(drift=DriftPolicy(mode="report"))
    opened.run(rollout)
    opened.deafen(False)
    opened.wireless.update_fuota_task(Id=opened.task()["Id"], RedundancyPercent=3)

    report = opened.run(rollout)

    assert (opened.task()["RedundancyPercent"], opened.task()["Status"]) == (3, "Pending")
    assert [h.reason for h in report.rollouts[0].holds] == ["drift_needs_decision"]
    entry = only(opened)
    assert (entry.open, entry.status) == (True, DriftStatus.WAITING)
    assert opened.writes("UpdateFuotaTask")[1:] == []  # the edit by hand is the only update


def ignoring(fuota_stage: FuotaStage, days: int) -> DriftPolicy:
    until = fuota_stage.server.world.clock.now() + timedelta(days=days)
    return DriftPolicy(ignore=(Ignore(field="redundancyPercent", reason="trial in the field", until=until),))


def test_an_ignored_field_is_acknowledged_and_holds_nothing(opened: FuotaStage) -> None:
    rollout = declared(drift=ignoring(opened, days=2))
    opened.deafen(False)
    opened.wireless.update_fuota_task(Id=opened.task()["Id"], RedundancyPercent=25)

    opened.run(rollout)

    assert (opened.task()["RedundancyPercent"], opened.task()["Status"]) == (25, "FuotaSession_Waiting")
    entry = only(opened)
    assert (entry.status, entry.action) == (DriftStatus.ACKNOWLEDGED, "ignored: trial in the field")


def test_an_ignore_that_ran_out_ignores_nothing(opened: FuotaStage) -> None:
    opened.wireless.update_fuota_task(Id=opened.task()["Id"], RedundancyPercent=25)

    opened.run(declared(drift=ignoring(opened, days=-1)))

    assert opened.task()["RedundancyPercent"] == 30
    assert only(opened).status is DriftStatus.CORRECTED


def test_a_drift_seen_by_many_runs_keeps_its_first_date_and_is_written_once(opened: FuotaStage) -> None:
    opened.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    opened.run()
    first = only(opened).first_seen

    transport = opened.transport()
    opened.run(transport=transport)

    assert only(opened).first_seen == first
    assert transport.stats.writes == 0


def test_the_role_policy_is_compared_by_meaning_not_by_layout(opened: FuotaStage) -> None:
    document = json.loads(read())
    opened.iam.put_role_policy(RoleName=ROLE, PolicyName="read", PolicyDocument=json.dumps(document, indent=4))

    opened.run()

    assert drift(opened) == []
