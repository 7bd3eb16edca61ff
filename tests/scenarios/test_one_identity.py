"""One device, whatever it is called and whoever sends to it: by id, by DevEUI, in a group, in a task made by hand."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import Cause, Device, Gate, Phase, Rollout, Strategy, Targets, Wave
from otactl.reconcile.reconciler import RunReport
from tests.support.fuota_stage import BUCKET, GROUPS, IMAGE, KEY, ROLE, FuotaStage, declared, pushed

SECOND = "91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d03"
ROLE_ARN = f"arn:aws:iam::123456789012:role/{ROLE}"


def singles(name: str, *devices: Device) -> Rollout:
    """A rollout of one wave of single devices."""
    base = declared()
    spec = msgspec.structs.replace(base.backend, data_rate=None, fragment_size_bytes=None, fragment_interval_ms=None)
    wave = Wave(name="all", targets=Targets(wireless_devices=devices))
    return declared(name=name, backend=spec, strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=90)))


def groups(name: str, *waves: str) -> Rollout:
    """A rollout with a wave a group."""
    named = tuple(Wave(name=f"w{n}", targets=Targets(multicast_groups=(g,))) for n, g in enumerate(waves))
    return declared(name=name, strategy=Strategy(waves=named, gate=Gate(min_success_percent=90)))


def ids(fuota_stage: FuotaStage) -> list[str]:
    """The service's ids of the devices, in the order of their DevEUIs."""
    listed = fuota_stage.wireless.list_wireless_devices()["WirelessDeviceList"]
    return [d["Id"] for d in sorted(listed, key=lambda d: d["LoRaWAN"]["DevEui"])]


def holds(report: RunReport) -> dict[str, list[str]]:
    """The reasons each rollout is held for."""
    return {r.name: [h.reason for h in r.holds] for r in report.rollouts}


@pytest.mark.parametrize("other", ["by DevEUI", "by group", "group and group"])
def test_of_two_rollouts_at_one_device_the_second_waits_for_the_first(fuota_stage: FuotaStage, other: str) -> None:
    by_id = singles("aaa", Device(id=ids(fuota_stage)[0]))
    fuota_stage.fleet(groups=[{"name": "g3", "id": SECOND, "rfRegion": "EU868", "devices": fuota_stage.euis[:1]}])
    first, second = {
        "by DevEUI": (by_id, singles("bbb", Device(dev_eui=fuota_stage.euis[0]))),
        "by group": (by_id, groups("bbb", GROUPS[0])),
        "group and group": (groups("aaa", GROUPS[0]), groups("bbb", SECOND)),
    }[other]
    second = msgspec.structs.replace(second, firmware=pushed(fuota_stage, "2.5.0", IMAGE[::-1]))

    at_once = holds(fuota_stage.run(first, second))
    fuota_stage.advance(60)
    later = fuota_stage.run(first, second)

    assert at_once["bbb"] == ["target_is_busy"]
    assert holds(later)["bbb"] == ["target_is_busy"]
    assert first.name in later.rollouts[1].holds[0].message
    assert len(fuota_stage.writes("StartFuotaTask")) == 1
    assert {r.phase for r in fuota_stage.drive(first, second).rollouts} == {"Succeeded"}


def test_two_names_of_one_device_in_a_wave_hold_before_anything_is_made(fuota_stage: FuotaStage) -> None:
    both = singles("probe", Device(id=ids(fuota_stage)[0]), Device(dev_eui=fuota_stage.euis[0]))

    report = fuota_stage.drive(both, rounds=2)

    assert holds(report) == {"probe": ["duplicate_target"]}
    assert fuota_stage.euis[0] in report.rollouts[0].holds[0].message
    assert fuota_stage.made() == []


@pytest.mark.parametrize(
    ("device", "reported"),
    [
        (Device(dev_eui="70b3d57ed00000ff"), "fix the manifest"),
        (Device(id="70B3D57ED0000001"), "write {devEui: 70B3D57ED0000001}"),
    ],
)
def test_a_device_that_is_not_there_holds_before_anything_is_made(
    fuota_stage: FuotaStage, device: Device, reported: str
) -> None:
    report = fuota_stage.run(singles("probe", device))

    assert holds(report) == {"probe": ["target_is_missing"]}
    assert report.rollouts[0].holds[0].message.endswith(reported)
    assert fuota_stage.made() == []


def test_a_canary_inside_the_fleets_group_is_not_sent_the_content_twice(fuota_stage: FuotaStage) -> None:
    fuota_stage.fleet(groups=[{"name": "g3", "id": SECOND, "rfRegion": "EU868", "devices": fuota_stage.euis[:1]}])

    report = fuota_stage.drive(groups("probe", SECOND, GROUPS[0]), rounds=5)

    assert holds(report) == {"probe": ["targets_were_sent_already"]}
    assert len(fuota_stage.writes("StartFuotaTask")) == 1


def by_hand(fuota_stage: FuotaStage, status: str, *, device: str | None = None) -> str:
    """A task no one declared, on the first group or on a device: pending, scheduled or on air."""
    lorawan = {"RfRegion": "EU868"}
    made = fuota_stage.wireless.create_fuota_task(
        Name="by-hand",
        LoRaWAN=lorawan,
        FirmwareUpdateImage=f"s3://{BUCKET}/{KEY}",
        FirmwareUpdateRole=ROLE_ARN,
        RedundancyPercent=20,
        FragmentSizeBytes=112,
        FragmentIntervalMS=9000,
    )
    if device is None:
        fuota_stage.wireless.associate_multicast_group_with_fuota_task(Id=made["Id"], MulticastGroupId=GROUPS[0])
    else:
        fuota_stage.wireless.associate_wireless_device_with_fuota_task(Id=made["Id"], WirelessDeviceId=device)
    if status != "Pending":
        fuota_stage.advance(120)
        start = fuota_stage.server.world.clock.now() + timedelta(minutes=31)
        fuota_stage.wireless.start_fuota_task(Id=made["Id"], LoRaWAN={"StartTime": start})
    if status in ("In_FuotaSession", "FuotaDone"):
        fuota_stage.advance(32 * 60)
    if status == "FuotaDone":
        fuota_stage.advance(3600)
    assert fuota_stage.wireless.get_fuota_task(Id=made["Id"])["Status"] == status
    return str(made["Id"])


@pytest.mark.parametrize("status", ["FuotaSession_Waiting", "In_FuotaSession"])
@pytest.mark.parametrize("inside", [False, True], ids=["the group", "a device in it"])
def test_a_task_made_by_hand_holds_the_start_until_it_has_ended(
    fuota_stage: FuotaStage, status: str, inside: bool
) -> None:
    task = by_hand(fuota_stage, status, device=ids(fuota_stage)[0] if inside else None)
    rollout = groups("probe", GROUPS[0])

    report = fuota_stage.run(rollout)

    assert holds(report) == {"probe": ["target_is_busy"]}
    assert f"FUOTA task {task} (by-hand) is {status}" in report.rollouts[0].holds[0].message
    assert fuota_stage.writes("StartFuotaTask")[1:] == []
    fuota_stage.advance(2 * 3600)
    fuota_stage.drive(rollout)
    assert fuota_stage.record().phase is Phase.SUCCEEDED


def test_a_task_made_by_hand_that_has_not_started_is_reported_with_the_start(fuota_stage: FuotaStage) -> None:
    task = by_hand(fuota_stage, "Pending")

    fuota_stage.run(groups("probe", GROUPS[0]))

    (sent,) = [
        e.message for e in fuota_stage.journal().history("prod-eu", "probe") if e.message.startswith("startUnit")
    ]
    assert f"warning: FUOTA task {task} (by-hand) is Pending, with devices of group:{GROUPS[0]}" in sent


def test_a_task_made_by_hand_that_is_done_or_reaches_others_holds_no_one(fuota_stage: FuotaStage) -> None:
    by_hand(fuota_stage, "FuotaDone")
    by_hand(fuota_stage, "FuotaSession_Waiting", device=ids(fuota_stage)[1])

    fuota_stage.run(groups("probe", GROUPS[0]))

    assert len(fuota_stage.writes("StartFuotaTask")) == 3


def test_a_pass_with_nothing_to_start_reads_no_target_and_no_task_of_others(fuota_stage: FuotaStage) -> None:
    by_hand(fuota_stage, "Pending", device=ids(fuota_stage)[1])
    rollout = groups("probe", GROUPS[0])
    fuota_stage.run(rollout)
    fuota_stage.advance(300)
    before = len(fuota_stage.server.world.requests)

    fuota_stage.run(rollout)

    asked = [str(r["operation"]) for r in fuota_stage.server.world.requests[before:]]
    assert asked.count("GetFuotaTask") == 1
    assert {"GetMulticastGroup", "GetWirelessDevice", "ListWirelessDevices"}.isdisjoint(asked)


def test_live_tasks_of_another_environment_are_foreign_and_reported_without_the_command_that_deletes_them(
    fuota_stage: FuotaStage,
) -> None:
    here, there = groups("probe", GROUPS[0]), groups("probe-test", GROUPS[1])
    there = msgspec.structs.replace(there, environment="staging")

    for _ in range(2):
        fuota_stage.run(here)
        fuota_stage.run(there, name="staging")

    assert len(fuota_stage.writes("StartFuotaTask")) == 2
    for name, other in (("prod-eu", "staging"), ("staging", "prod-eu")):
        (entry,) = fuota_stage.journal().load(name, "@environment").record.drift
        assert entry.cause is Cause.FOREIGN
        assert f"of environment {other} of owner acme" in str(entry.observed)
        assert "delete-fuota-task" not in str(entry.observed)
