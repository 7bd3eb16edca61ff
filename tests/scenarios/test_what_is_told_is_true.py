"""A verdict, a ledger entry, a correction: told only when it was seen."""

from __future__ import annotations

import msgspec
import pytest

from otactl.model import Cause, DriftPolicy, DriftStatus, Ignore, Phase, Source
from tests.scenarios.test_edits_mid_rollout import ONE, SESSION
from tests.support.fuota_stage import (
    BUCKET,
    DIGEST,
    GROUPS,
    KEY,
    ROLE,
    FuotaStage,
    declared,
    lose_journal,
    pushed,
    single_devices,
    trust,
)


def test_other_bytes_put_there_after_the_start_do_not_pass_a_wave(ground: FuotaStage) -> None:
    ground.run(declared(strategy=ONE))
    ground.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"evil" * 700, ChecksumAlgorithm="SHA256")
    ground.advance(60)
    ground.run(declared(strategy=ONE))
    ground.advance(SESSION)
    ground.run(declared(strategy=ONE))

    report = ground.drive(declared(strategy=ONE))

    assert report.rollouts[0].phase == "Failed"
    assert [h.reason for h in report.rollouts[0].holds] == ["image_differed_at_session"]
    (entry,) = ground.record().drift
    assert (entry.field, entry.open) == ("image.sha256", True)
    assert DIGEST not in ground.images()

    accepted = DriftPolicy(ignore=(Ignore(field="image.sha256", reason="looked at every device"),))
    ground.run(declared(strategy=ONE, drift=accepted))
    assert ground.record().phase is Phase.SUCCEEDED


@pytest.mark.parametrize("by_task", [True, False])
def test_a_success_of_the_rollout_before_is_not_taken_for_this_ones(ground: FuotaStage, by_task: bool) -> None:
    ground.server.world.apply_settings({"listByTaskIncludesGroupMembers": by_task})
    ground.drive(declared(strategy=ONE))
    assert ground.record().phase is Phase.SUCCEEDED
    following = declared(strategy=ONE, firmware=pushed(ground, "2.5.0", b"new" * 900))
    ground.run(following)
    ground.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust("ec2.amazonaws.com"))

    ground.drive(following)

    verdict = ground.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.succeeded, verdict.total) == (False, 0, 3)


def test_a_second_rollout_is_proved_by_group_when_its_session_was_looked_at(ground: FuotaStage) -> None:
    ground.server.world.apply_settings({"listByTaskIncludesGroupMembers": False})
    ground.drive(declared(strategy=ONE))
    following = declared(strategy=ONE, firmware=pushed(ground, "2.5.0", b"new" * 900))
    ground.run(following)
    ground.advance(SESSION)
    assert ground.task()["Status"] == "In_FuotaSession"
    ground.run(following)  # cron looks in while the session lasts: the success of before is not shown any more

    ground.drive(following)

    assert ground.record().phase is Phase.SUCCEEDED
    assert set(ground.images()) == {following.firmware.sha256}


def test_devices_that_vanish_during_a_session_count_as_failed(ground: FuotaStage) -> None:
    ground.run(declared(strategy=ONE))
    ground.advance(SESSION)
    listed = ground.wireless.list_wireless_devices(MulticastGroupId=GROUPS[0])["WirelessDeviceList"]
    for device in listed[:2]:
        ground.wireless.delete_wireless_device(Id=device["Id"])

    ground.drive(declared(strategy=ONE))

    verdict = ground.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.succeeded, verdict.total) == (False, 1, 3)


def test_two_rollouts_that_share_a_group_go_one_after_the_other(ground: FuotaStage) -> None:
    first = declared(strategy=ONE)
    second = declared(
        name="second",
        strategy=ONE,
        firmware=pushed(ground, "2.5.0", b"new" * 900),
        source=Source(file="rollouts/second.yaml", digest="e" * 64),
    )

    report = ground.run(first, second)

    assert [h.reason for r in report.rollouts if r.name == "second" for h in r.holds] == ["target_is_busy"]
    ground.drive(first, second)
    assert {r.phase for r in ground.drive(first, second, rounds=1).rollouts} == {"Succeeded"}
    assert set(ground.images()) == {second.firmware.sha256}


def test_a_copy_with_our_marks_is_told_and_not_adopted_beside_the_live_one(ground: FuotaStage) -> None:
    ground.run(declared(strategy=ONE))
    task = ground.task()
    tags = ground.wireless.list_tags_for_resource(ResourceArn=task["Arn"])["Tags"]
    copy = ground.wireless.create_fuota_task(
        Name=task["Name"] + "-copy",
        FirmwareUpdateImage=task["FirmwareUpdateImage"],
        FirmwareUpdateRole=task["FirmwareUpdateRole"],
        LoRaWAN={"RfRegion": "EU868"},
        Tags=tags,
    )
    ground.advance(300)

    ground.run(declared(strategy=ONE))

    (entry,) = ground.record().drift
    assert (entry.subject, entry.cause, entry.open) == (copy["Id"], Cause.FOREIGN, True)
    assert len(ground.writes("StartFuotaTask")) == 1


@pytest.mark.parametrize(("tag", "value"), [("otactl:owner", "Acme"), ("otactl:rollout", "other")])
def test_a_mark_changed_by_hand_is_set_back_and_the_task_stays_ours(ground: FuotaStage, tag: str, value: str) -> None:
    ground.run(declared(strategy=ONE))
    ground.wireless.tag_resource(ResourceArn=ground.task()["Arn"], Tags=[{"Key": tag, "Value": value}])
    ground.advance(300)

    ground.run(declared(strategy=ONE))

    (entry,) = ground.record().drift
    assert (entry.field, entry.status) == (f"tags.{tag}", DriftStatus.CORRECTED)
    ground.drive(declared(strategy=ONE))
    assert ground.record().phase is Phase.SUCCEEDED
    assert len(ground.made()) == 1


def test_an_orphans_other_drift_stays_open_until_its_unit_is_gone(ground: FuotaStage) -> None:
    ground.deafen()
    ground.run(declared(strategy=ONE))
    task = ground.task()["Id"]
    ground.advance(300)
    ground.wireless.update_fuota_task(Id=task, Description="by hand")
    ground.run(declared(strategy=ONE, drift=DriftPolicy(mode="report")))

    ground.run(covers=True)

    assert {e.field for e in ground.record().drift if e.open} == {"description", "unit"}
    ground.wireless.delete_fuota_task(Id=task)
    for _ in range(2):
        ground.advance(300)
        ground.run(covers=True)
    assert ground.record().phase is Phase.REMOVED
    assert {e.closed_by for e in ground.record().drift} == {"the unit ended"}


def test_a_correction_that_was_refused_is_not_told_as_ours(ground: FuotaStage) -> None:
    ground.deafen()
    ground.run(declared(strategy=ONE))
    task = ground.task()["Id"]
    ground.advance(300)
    ground.wireless.update_fuota_task(Id=task, Description="by hand")
    ground.fault(service="iotwireless", operation="UpdateFuotaTask", effect="error500")
    ground.run(declared(strategy=ONE))
    ground.server.world.faults.replace([])
    ground.wireless.update_fuota_task(Id=task, Description="probes")

    ground.run(declared(strategy=ONE))

    (entry,) = ground.record().drift
    assert (entry.status, entry.closed_by) == (DriftStatus.CLOSED, "set back out of band, or declared so")


def test_a_start_whose_answer_was_lost_and_that_reads_do_not_show_yet_is_not_sent_again(ground: FuotaStage) -> None:
    ground.fault(service="iotwireless", operation="StartFuotaTask", effect="timeoutAfterCommit")
    ground.run(declared(strategy=ONE))
    ground.advance(30)
    ground.fault(service="iotwireless", operation="GetFuotaTask", effect="staleRead", probability=1.0)
    report = ground.run(declared(strategy=ONE))
    assert [h.reason for h in report.rollouts[0].holds] == ["change_not_visible_yet"]
    ground.server.world.faults.replace([])

    ground.drive(declared(strategy=ONE))

    assert [r["operation"] for r in ground.server.world.requests].count("StartFuotaTask") == 1
    assert ground.record().phase is Phase.SUCCEEDED
    assert ground.record().drift == ()


def test_an_update_in_place_whose_answer_was_lost_is_one_task_in_the_end(ground: FuotaStage) -> None:
    new = declared(strategy=ONE, firmware=pushed(ground, "2.5.0", b"new" * 900))
    ground.deafen()
    ground.run(declared(strategy=ONE))
    ground.advance(300)
    ground.fault(service="iotwireless", operation="UpdateFuotaTask", effect="timeoutAfterCommit")
    ground.run(new)
    ground.server.world.faults.replace([])
    ground.deafen(False)

    ground.drive(new)

    assert ground.record().phase is Phase.SUCCEEDED
    assert (len(ground.made()), len(ground.writes("StartFuotaTask"))) == (1, 1)


def test_what_is_checked_is_what_is_sent_whatever_stands_in_the_uri(ground: FuotaStage) -> None:
    ground.s3.put_object(Bucket=BUCKET, Key=f"{KEY}#2", Body=b"other" * 9, ChecksumAlgorithm="SHA256")
    odd = msgspec.structs.replace(declared().firmware, image=f"s3://{BUCKET}/{KEY}#2")

    report = ground.run(declared(strategy=ONE, firmware=odd))

    assert "image_digest_differs" in {h.reason for h in report.rollouts[0].holds}
    assert ground.made() == []


def test_a_device_deleted_while_the_journal_was_lost_counts_as_failed(ground: FuotaStage) -> None:
    rollout = single_devices(ground)
    ground.run(rollout)
    ground.advance(SESSION)
    lose_journal(ground.folder)
    listed = ground.wireless.list_wireless_devices(FuotaTaskId=ground.task()["Id"])["WirelessDeviceList"]
    ground.wireless.delete_wireless_device(Id=listed[0]["Id"])

    ground.drive(rollout)

    verdict = ground.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.total) == (False, 2)


def test_a_small_budget_gets_one_rollout_after_the_other_done(ground: FuotaStage) -> None:
    names = ("a", "b", "c")
    rollouts = [  # all three send one content to one group
        declared(name=n, strategy=ONE, resend=True, source=Source(file=f"rollouts/{n}.yaml", digest=n * 64))
        for n in names
    ]
    for _ in range(40):
        ground.run(*rollouts, transport=ground.transport(call_budget=50), call_budget=50)
        ground.advance(1800)

    assert {ground.record(n).phase for n in names} == {Phase.SUCCEEDED}
