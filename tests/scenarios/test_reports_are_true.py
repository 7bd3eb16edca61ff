"""A verdict, a ledger entry, a correction: reported only when it was seen."""

from __future__ import annotations

import msgspec
import pytest

from otactl.drift.ledger import PERHAPS_OTACTL
from otactl.model import Cause, DriftPolicy, DriftStatus, Ignore, Phase, Source
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
from tests.support.wave_strategies import ONE, SESSION


def test_other_bytes_put_there_after_the_start_do_not_pass_a_wave(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"evil" * 700, ChecksumAlgorithm="SHA256")
    fuota_stage.advance(60)
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(SESSION)
    fuota_stage.run(declared(strategy=ONE))

    report = fuota_stage.drive(declared(strategy=ONE))

    assert report.rollouts[0].phase == "Failed"
    assert [h.reason for h in report.rollouts[0].holds] == ["image_differed_at_session"]
    (entry,) = fuota_stage.record().drift
    assert (entry.field, entry.open) == ("image.sha256", True)
    assert DIGEST not in fuota_stage.images()

    accepted = DriftPolicy(ignore=(Ignore(field="image.sha256", reason="looked at every device"),))
    fuota_stage.run(declared(strategy=ONE, drift=accepted))
    assert fuota_stage.record().phase is Phase.SUCCEEDED


@pytest.mark.parametrize("by_task", [True, False])
def test_a_success_of_the_rollout_before_is_not_taken_for_this_ones(fuota_stage: FuotaStage, by_task: bool) -> None:
    fuota_stage.server.world.apply_settings({"listByTaskIncludesGroupMembers": by_task})
    fuota_stage.drive(declared(strategy=ONE))
    assert fuota_stage.record().phase is Phase.SUCCEEDED
    following = declared(strategy=ONE, firmware=pushed(fuota_stage, "2.5.0", b"new" * 900))
    fuota_stage.run(following)
    fuota_stage.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust("ec2.amazonaws.com"))

    fuota_stage.drive(following)

    verdict = fuota_stage.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.succeeded, verdict.total) == (False, 0, 3)


def test_a_second_rollout_is_proved_by_group_when_its_session_was_looked_at(fuota_stage: FuotaStage) -> None:
    fuota_stage.server.world.apply_settings({"listByTaskIncludesGroupMembers": False})
    fuota_stage.drive(declared(strategy=ONE))
    following = declared(strategy=ONE, firmware=pushed(fuota_stage, "2.5.0", b"new" * 900))
    fuota_stage.run(following)
    fuota_stage.advance(SESSION)
    assert fuota_stage.task()["Status"] == "In_FuotaSession"
    fuota_stage.run(following)  # cron looks in while the session lasts: the success of before is not shown any more

    fuota_stage.drive(following)

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert set(fuota_stage.images()) == {following.firmware.sha256}


def test_devices_that_vanish_during_a_session_count_as_failed(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(SESSION)
    listed = fuota_stage.wireless.list_wireless_devices(MulticastGroupId=GROUPS[0])["WirelessDeviceList"]
    for device in listed[:2]:
        fuota_stage.wireless.delete_wireless_device(Id=device["Id"])

    fuota_stage.drive(declared(strategy=ONE))

    verdict = fuota_stage.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.succeeded, verdict.total) == (False, 1, 3)


def test_two_rollouts_that_share_a_group_go_one_after_the_other(fuota_stage: FuotaStage) -> None:
    first = declared(strategy=ONE)
    second = declared(
        name="second",
        strategy=ONE,
        firmware=pushed(fuota_stage, "2.5.0", b"new" * 900),
        source=Source(file="rollouts/second.yaml", digest="e" * 64),
    )

    report = fuota_stage.run(first, second)

    assert [h.reason for r in report.rollouts if r.name == "second" for h in r.holds] == ["target_is_busy"]
    fuota_stage.drive(first, second)
    assert {r.phase for r in fuota_stage.drive(first, second, rounds=1).rollouts} == {"Succeeded"}
    assert set(fuota_stage.images()) == {second.firmware.sha256}


def test_a_copy_with_our_marks_is_reported_and_not_adopted_beside_the_live_one(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared(strategy=ONE))
    task = fuota_stage.task()
    tags = fuota_stage.wireless.list_tags_for_resource(ResourceArn=task["Arn"])["Tags"]
    copy = fuota_stage.wireless.create_fuota_task(
        Name=task["Name"] + "-copy",
        FirmwareUpdateImage=task["FirmwareUpdateImage"],
        FirmwareUpdateRole=task["FirmwareUpdateRole"],
        LoRaWAN={"RfRegion": "EU868"},
        Tags=tags,
    )
    fuota_stage.advance(300)

    fuota_stage.run(declared(strategy=ONE))

    (entry,) = fuota_stage.record().drift
    assert (entry.subject, entry.cause, entry.open) == (copy["Id"], Cause.FOREIGN, True)
    assert len(fuota_stage.writes("StartFuotaTask")) == 1


@pytest.mark.parametrize(("tag", "value"), [("otactl:owner", "Acme"), ("otactl:rollout", "other")])
def test_a_mark_changed_by_hand_is_set_back_and_the_task_stays_ours(
    fuota_stage: FuotaStage, tag: str, value: str
) -> None:
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.wireless.tag_resource(ResourceArn=fuota_stage.task()["Arn"], Tags=[{"Key": tag, "Value": value}])
    fuota_stage.advance(300)

    fuota_stage.run(declared(strategy=ONE))

    (entry,) = fuota_stage.record().drift
    assert (entry.field, entry.status) == (f"tags.{tag}", DriftStatus.CORRECTED)
    fuota_stage.drive(declared(strategy=ONE))
    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == 1


def test_an_orphans_other_drift_stays_open_until_its_unit_is_gone(fuota_stage: FuotaStage) -> None:
    fuota_stage.deafen()
    fuota_stage.run(declared(strategy=ONE))
    task = fuota_stage.task()["Id"]
    fuota_stage.advance(300)
    fuota_stage.wireless.update_fuota_task(Id=task, Description="by hand")
    fuota_stage.run(declared(strategy=ONE, drift=DriftPolicy(mode="report")))

    fuota_stage.run(covers=True)

    assert {e.field for e in fuota_stage.record().drift if e.open} == {"description", "unit"}
    fuota_stage.wireless.delete_fuota_task(Id=task)
    for _ in range(2):
        fuota_stage.advance(300)
        fuota_stage.run(covers=True)
    assert fuota_stage.record().phase is Phase.REMOVED
    assert {e.closed_by for e in fuota_stage.record().drift} == {"the unit ended"}


@pytest.mark.parametrize(
    ("effect", "by"), [("throttle", "set back out of band, or declared so"), ("error500", PERHAPS_OTACTL)]
)
def test_a_correction_that_may_have_been_refused_is_not_reported_as_ours(
    fuota_stage: FuotaStage, effect: str, by: str
) -> None:
    fuota_stage.deafen()
    fuota_stage.run(declared(strategy=ONE))
    task = fuota_stage.task()["Id"]
    fuota_stage.advance(300)
    fuota_stage.wireless.update_fuota_task(Id=task, Description="by hand")
    fuota_stage.fault(service="iotwireless", operation="UpdateFuotaTask", effect=effect)
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.server.world.faults.replace([])
    fuota_stage.wireless.update_fuota_task(Id=task, Description="probes")

    fuota_stage.run(declared(strategy=ONE))

    (entry,) = fuota_stage.record().drift
    assert (entry.status, entry.closed_by) == (DriftStatus.CLOSED, by)


@pytest.mark.parametrize(
    ("boundary", "status", "by"),
    [("answered", DriftStatus.CORRECTED, "otactl"), ("lost", DriftStatus.CLOSED, PERHAPS_OTACTL)],
)
def test_a_correction_whose_answer_is_lost_is_reported_as_perhaps_ours(
    fuota_stage: FuotaStage, boundary: str, status: DriftStatus, by: str
) -> None:
    fuota_stage.deafen()
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(300)
    fuota_stage.wireless.update_fuota_task(Id=fuota_stage.task()["Id"], Description="by hand")
    if boundary == "lost":
        fuota_stage.fault(service="iotwireless", operation="UpdateFuotaTask", effect="timeoutAfterCommit")
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.server.world.faults.replace([])

    fuota_stage.run(declared(strategy=ONE))

    (entry,) = fuota_stage.record().drift
    assert (entry.status, entry.closed_by) == (status, by)


def test_a_start_whose_answer_was_lost_and_that_reads_do_not_show_yet_is_not_sent_again(
    fuota_stage: FuotaStage,
) -> None:
    fuota_stage.fault(service="iotwireless", operation="StartFuotaTask", effect="timeoutAfterCommit")
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(30)
    fuota_stage.fault(service="iotwireless", operation="GetFuotaTask", effect="staleRead", probability=1.0)
    report = fuota_stage.run(declared(strategy=ONE))
    assert [h.reason for h in report.rollouts[0].holds] == ["change_not_visible_yet"]
    fuota_stage.server.world.faults.replace([])

    fuota_stage.drive(declared(strategy=ONE))

    assert [r["operation"] for r in fuota_stage.server.world.requests].count("StartFuotaTask") == 1
    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert fuota_stage.record().drift == ()


def test_an_update_in_place_whose_answer_was_lost_is_one_task_in_the_end(fuota_stage: FuotaStage) -> None:
    new = declared(strategy=ONE, firmware=pushed(fuota_stage, "2.5.0", b"new" * 900))
    fuota_stage.deafen()
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(300)
    fuota_stage.fault(service="iotwireless", operation="UpdateFuotaTask", effect="timeoutAfterCommit")
    fuota_stage.run(new)
    fuota_stage.server.world.faults.replace([])
    fuota_stage.deafen(False)

    fuota_stage.drive(new)

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert (len(fuota_stage.made()), len(fuota_stage.writes("StartFuotaTask"))) == (1, 1)


def test_what_is_checked_is_what_is_sent_whatever_stands_in_the_uri(fuota_stage: FuotaStage) -> None:
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=f"{KEY}#2", Body=b"other" * 9, ChecksumAlgorithm="SHA256")
    odd = msgspec.structs.replace(declared().firmware, image=f"s3://{BUCKET}/{KEY}#2")

    report = fuota_stage.run(declared(strategy=ONE, firmware=odd))

    assert "image_digest_differs" in {h.reason for h in report.rollouts[0].holds}
    assert fuota_stage.made() == []


def test_a_device_deleted_while_the_journal_was_lost_counts_as_failed(fuota_stage: FuotaStage) -> None:
    rollout = single_devices(fuota_stage)
    fuota_stage.run(rollout)
    fuota_stage.advance(SESSION)
    lose_journal(fuota_stage.folder)
    listed = fuota_stage.wireless.list_wireless_devices(FuotaTaskId=fuota_stage.task()["Id"])["WirelessDeviceList"]
    fuota_stage.wireless.delete_wireless_device(Id=listed[0]["Id"])

    fuota_stage.drive(rollout)

    verdict = fuota_stage.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.total) == (False, 2)


def test_a_small_budget_gets_one_rollout_after_the_other_done(fuota_stage: FuotaStage) -> None:
    names = ("a", "b", "c")
    rollouts = [  # all three send one content to one group
        declared(name=n, strategy=ONE, resend=True, source=Source(file=f"rollouts/{n}.yaml", digest=n * 64))
        for n in names
    ]
    for _ in range(40):
        fuota_stage.run(*rollouts, transport=fuota_stage.transport(call_budget=50), call_budget=50)
        fuota_stage.advance(1800)

    assert {fuota_stage.record(n).phase for n in names} == {Phase.SUCCEEDED}
