"""Multicast groups under a FUOTA task, by unmodified boto3: readiness, frozen members, sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.simulator.stage import LEAD, SimulatorStage, refusal

D1, D2, D3 = ({"devEui": f"70b3d57ed000000{n}", "id": f"d{n}", "name": f"probe-{n}"} for n in (1, 2, 3))
FAR = {"devEui": "70b3d57ed0000009", "id": "far", "rfRegion": "US915"}
HOUR = timedelta(hours=1)


def fleet(stage: SimulatorStage, *devices: str, **changes: Any) -> None:
    """Three devices, and a group g1 with some of them."""
    group = {"name": "canary", "id": "g1", "rfRegion": "EU868", "devices": list(devices), **changes}
    stage.fleet(D1, D2, D3, FAR, groups=(group,))


def counts(stage: SimulatorStage) -> tuple[int, int]:
    """Devices wanted in the group, and devices in it."""
    shown = stage.wireless.get_multicast_group(Id="g1")["LoRaWAN"]
    return shown["NumberOfDevicesRequested"], shown["NumberOfDevicesInGroup"]


def readiness(stage: SimulatorStage) -> dict[str, str]:
    """MulticastDeviceStatus by device id."""
    listed = stage.wireless.list_wireless_devices(MulticastGroupId="g1")["WirelessDeviceList"]
    return {d["Id"]: d["MulticastDeviceStatus"] for d in listed}


def group_status(stage: SimulatorStage) -> str:
    """The group's status."""
    return str(stage.wireless.get_multicast_group(Id="g1")["Status"])


def members(stage: SimulatorStage) -> list[str]:
    """The devices of the group."""
    return list(stage.state()["groups"][0]["devices"])


def schedule(stage: SimulatorStage, after: timedelta = HOUR, **changes: Any) -> None:
    """StartMulticastGroupSession."""
    session = {"DlDr": 3, "DlFreq": 869525000, "SessionStartTime": stage.now() + after, "SessionTimeout": 600}
    stage.wireless.start_multicast_group_session(Id="g1", LoRaWAN={**session, **changes})


def in_session(stage: SimulatorStage, **task: Any) -> str:
    """A task that sends to the group."""
    stage.provision()
    made = stage.task(**{"FragmentSizeBytes": 112, **task})
    stage.add_groups(made, "g1")
    stage.start(made)
    stage.advance(LEAD.total_seconds())
    assert stage.status(made) == "In_FuotaSession"
    return made


def test_a_group_is_read_back_as_it_was_made(stage: SimulatorStage) -> None:
    gateways = {"GatewayList": ["gw1"], "TransmissionInterval": 60000}
    lorawan = {"RfRegion": "EU868", "DlClass": "ClassB", "ParticipatingGateways": gateways}
    made = stage.wireless.create_multicast_group(Name="canary", LoRaWAN=lorawan)
    shown = stage.wireless.get_multicast_group(Id=made["Id"])
    assert (shown["Name"], shown["Status"], shown["Arn"]) == ("canary", "Pending", made["Arn"])
    assert shown["LoRaWAN"] == {**lorawan, "NumberOfDevicesRequested": 0, "NumberOfDevicesInGroup": 0}
    listed = stage.wireless.list_multicast_groups()["MulticastGroupList"]
    assert listed == [{"Id": made["Id"], "Arn": made["Arn"], "Name": "canary"}]


@pytest.mark.parametrize(
    "lorawan",
    [
        {"RfRegion": "XX", "DlClass": "ClassC"},
        {"RfRegion": "EU868", "DlClass": "ClassA"},
        {
            "RfRegion": "EU868",
            "DlClass": "ClassC",
            "ParticipatingGateways": {"GatewayList": ["gw1"], "TransmissionInterval": 60001},
        },
    ],
)
def test_a_group_outside_the_model_is_refused(stage: SimulatorStage, lorawan: dict[str, Any]) -> None:
    assert refusal(stage.wireless.create_multicast_group, LoRaWAN=lorawan)[:2] == (400, "ValidationException")
    assert stage.wireless.list_multicast_groups()["MulticastGroupList"] == []


def test_a_device_is_wanted_in_its_group_before_it_is_in_it(stage: SimulatorStage) -> None:
    fleet(stage)
    stage.settings(multicastReadySeconds=100)
    stage.wireless.associate_wireless_device_with_multicast_group(Id="g1", WirelessDeviceId="d1")
    stage.advance(60)
    stage.wireless.associate_wireless_device_with_multicast_group(Id="g1", WirelessDeviceId="d2")
    stage.advance(39)
    assert counts(stage) == (2, 0)
    assert readiness(stage) == {"d1": "Multicast setup attempting", "d2": "Multicast setup attempting"}
    stage.advance(1)
    assert counts(stage) == (2, 1)
    assert readiness(stage) == {"d1": "Multicast setup ready", "d2": "Multicast setup attempting"}
    stage.advance(60)
    assert counts(stage) == (2, 2)


def test_a_device_that_gets_no_setup_is_never_ready(stage: SimulatorStage) -> None:
    fleet(stage, "d1", "d2", notReady=["d2"])
    stage.advance(30 * 86400)
    assert counts(stage) == (2, 1)
    assert readiness(stage) == {"d1": "Multicast setup ready", "d2": "Multicast setup attempting"}


def test_a_device_that_is_not_ready_at_the_start_hears_nothing(stage: SimulatorStage) -> None:
    fleet(stage, "d1", "d2", notReady=["d2"])
    task = in_session(stage)
    stage.advance(7200)
    assert stage.status(task) == "FuotaDone"
    assert stage.device_statuses(task) == {"d1": "Successful", "d2": "Initial"}


@pytest.mark.parametrize(("ready", "status"), [(1800, "Successful"), (1801, "Initial")])
def test_readiness_counts_at_the_start_of_the_session(stage: SimulatorStage, ready: int, status: str) -> None:
    fleet(stage, "d1")
    stage.settings(multicastReadySeconds=ready)
    task = in_session(stage)
    stage.advance(7200)
    assert stage.device_statuses(task) == {"d1": status}


def test_a_device_of_another_radio_region_does_not_come_into_a_group(stage: SimulatorStage) -> None:
    fleet(stage)
    said = refusal(stage.wireless.associate_wireless_device_with_multicast_group, Id="g1", WirelessDeviceId="far")
    assert said == (400, "ValidationException", "the RfRegion of device far is US915, the group's is EU868")
    assert members(stage) == []


def test_bulk_association_tells_by_the_counts_alone(stage: SimulatorStage) -> None:
    fleet(stage)
    call = stage.wireless.start_bulk_associate_wireless_device_with_multicast_group
    answer = call(Id="g1", QueryString="DeviceName:probe-*")
    assert set(answer) == {"ResponseMetadata"}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert members(stage) == ["d1", "d2", "d3"]
    stage.wireless.start_bulk_disassociate_wireless_device_from_multicast_group(
        Id="g1", QueryString="DeviceName:probe-2"
    )
    assert counts(stage) == (2, 2)


def test_a_group_goes_from_pending_over_attempting_into_its_session_and_back(stage: SimulatorStage) -> None:
    fleet(stage, "d1")
    assert group_status(stage) == "Pending"
    assert refusal(stage.wireless.get_multicast_group_session, Id="g1").status == 404
    schedule(stage)
    assert group_status(stage) == "Session_Attempting"
    assert stage.wireless.get_multicast_group_session(Id="g1")["LoRaWAN"]["SessionTimeout"] == 600
    stage.advance(3600)
    assert group_status(stage) == "In_Session"
    assert stage.wireless.send_data_to_multicast_group(
        Id="g1", PayloadData="AA==", WirelessMetadata={"LoRaWAN": {"FPort": 1}}
    )["MessageId"]
    stage.advance(599)
    assert group_status(stage) == "In_Session"
    stage.advance(1)
    assert group_status(stage) == "Pending"


@pytest.mark.parametrize("after", [timedelta(hours=48, seconds=1), timedelta(seconds=-1)])
def test_a_group_session_starts_within_48_hours(stage: SimulatorStage, after: timedelta) -> None:
    fleet(stage, "d1")
    assert refusal(schedule, stage=stage, after=after)[:2] == (400, "ValidationException")
    assert group_status(stage) == "Pending"
    schedule(stage, timedelta(hours=48))
    assert group_status(stage) == "Session_Attempting"


@pytest.mark.parametrize(
    "wrong", [{"SessionTimeout": 172801}, {"DlDr": 16}, {"DlFreq": 1_000_000_001}, {"PingSlotPeriod": 4097}]
)
def test_a_group_session_outside_the_model_is_refused(stage: SimulatorStage, wrong: dict[str, int]) -> None:
    fleet(stage, "d1")
    assert refusal(schedule, stage=stage, **wrong)[:2] == (400, "ValidationException")
    assert group_status(stage) == "Pending"


def test_a_group_session_can_be_cancelled(stage: SimulatorStage) -> None:
    fleet(stage, "d1")
    assert refusal(stage.wireless.cancel_multicast_group_session, Id="g1").code == "ConflictException"
    schedule(stage)
    stage.wireless.cancel_multicast_group_session(Id="g1")
    assert group_status(stage) == "Pending"
    stage.wireless.associate_wireless_device_with_multicast_group(Id="g1", WirelessDeviceId="d2")
    assert members(stage) == ["d1", "d2"]


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("associate_wireless_device_with_multicast_group", {"WirelessDeviceId": "d2"}),
    ("disassociate_wireless_device_from_multicast_group", {"WirelessDeviceId": "d1"}),
    ("start_bulk_associate_wireless_device_with_multicast_group", {"QueryString": "*"}),
    ("start_bulk_disassociate_wireless_device_from_multicast_group", {"QueryString": "*"}),
    ("update_multicast_group", {"Name": "other"}),
]


@pytest.mark.parametrize("by", ["the group", "a task"])
@pytest.mark.parametrize(("operation", "more"), CHANGES)
def test_a_group_is_frozen_while_a_session_is_scheduled(
    stage: SimulatorStage, operation: str, more: dict[str, Any], by: str
) -> None:
    fleet(stage, "d1")
    if by == "a task":
        in_session(stage)
    else:
        schedule(stage)
    said = refusal(getattr(stage.wireless, operation), Id="g1", **more)
    assert said == (409, "ConflictException", "a session of the group is scheduled; its members are frozen")
    assert members(stage) == ["d1"]
    assert stage.wireless.get_multicast_group(Id="g1")["Name"] == "canary"


def test_a_task_opens_the_session_of_its_group_and_closes_it(stage: SimulatorStage) -> None:
    fleet(stage, "d1")
    in_session(stage, FragmentIntervalMS=9000, RedundancyPercent=30)
    session = stage.wireless.get_multicast_group_session(Id="g1")["LoRaWAN"]
    # 1024 bytes are 10 fragments of 112 and 3 of redundancy; at 9 s and with a minute of set-up 177 s; the power above.
    assert session == {"DlDr": 3, "SessionStartTime": stage.now(), "SessionTimeout": 256}
    stage.advance(176)
    assert group_status(stage) == "In_Session"
    stage.advance(1)
    assert group_status(stage) == "Pending"


def test_a_task_inherits_frequency_and_ping_slot_and_restarts_the_session(stage: SimulatorStage) -> None:
    fleet(stage, "d1")
    stage.provision()
    task = stage.task(FragmentSizeBytes=48, FragmentIntervalMS=9000)
    stage.add_groups(task, "g1")
    schedule(stage, timedelta(minutes=10), DlFreq=868100000, PingSlotPeriod=64, SessionTimeout=7200)
    moment = stage.start(task)
    stage.advance(LEAD.total_seconds())
    session = stage.wireless.get_multicast_group_session(Id="g1")["LoRaWAN"]
    assert (session["DlFreq"], session["PingSlotPeriod"]) == (868100000, 64)
    # 22 fragments of 48 bytes take 258 s, and EU868 carries them at its slowest rate.
    assert (session["DlDr"], session["SessionStartTime"], session["SessionTimeout"]) == (0, moment, 512)


@pytest.mark.parametrize("state", ["Pending", "FuotaSession_Waiting", "In_FuotaSession"])
def test_a_group_that_a_task_uses_is_not_deleted(stage: SimulatorStage, state: str) -> None:
    fleet(stage, "d1")
    stage.provision()
    task = stage.task(FragmentSizeBytes=112)
    stage.add_groups(task, "g1")
    if state != "Pending":
        stage.start(task)
    if state == "In_FuotaSession":
        stage.advance(1800)
    assert stage.status(task) == state
    said = refusal(stage.wireless.delete_multicast_group, Id="g1")
    assert said == (409, "ConflictException", f"FUOTA task {task} uses the multicast group")
    assert group_status(stage) in ("Pending", "In_Session")


def test_a_group_that_no_task_uses_is_deleted(stage: SimulatorStage) -> None:
    fleet(stage, "d1")
    stage.wireless.delete_multicast_group(Id="g1")
    assert refusal(stage.wireless.get_multicast_group, Id="g1").status == 404


def test_a_deleted_task_closes_no_session_but_its_own(stage: SimulatorStage) -> None:
    fleet(stage, "d1")
    idle = stage.task()
    stage.add_groups(idle, "g1")
    stage.wireless.delete_fuota_task(Id=idle)
    schedule(stage, timedelta(minutes=30))
    stage.advance(60)
    assert refusal(stage.wireless.get_fuota_task, Id=idle).status == 404
    assert group_status(stage) == "Session_Attempting"


def test_a_group_stays_in_session_until_the_last_task_that_sends_to_it_is_done(stage: SimulatorStage) -> None:
    fleet(stage, "d1")
    long = in_session(stage, FragmentSizeBytes=128, FragmentIntervalMS=600_000)
    short = stage.task(FragmentSizeBytes=128, FragmentIntervalMS=1000)
    stage.add_groups(short, "g1")
    stage.start(short)
    stage.advance(1800 + 68)
    assert (stage.status(long), stage.status(short), group_status(stage)) == (
        "In_FuotaSession",
        "FuotaDone",
        "In_Session",
    )
    stage.advance(128)  # the timeout that the short one gave the session
    assert group_status(stage) == "In_Session"
    stage.advance(4860)
    assert group_status(stage) == "Pending"
