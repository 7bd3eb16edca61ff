"""Who is in a FUOTA task, by unmodified boto3: devices or groups, one radio region, one task at a time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.stage import SimulatorStage, refusal

D1, D2, D3 = ({"devEui": f"70b3d57ed000000{n}", "id": f"d{n}"} for n in (1, 2, 3))
FAR = {"devEui": "70b3d57ed0000009", "id": "far", "rfRegion": "US915"}


def group(name: str, *devices: str, **changes: Any) -> dict[str, Any]:
    """A multicast group for the fleet; its id is its name."""
    return {"name": name, "id": name, "rfRegion": "EU868", "devices": list(devices), **changes}


def fleet(stage: SimulatorStage) -> None:
    """Three devices in two groups, and a device and a group of another radio region."""
    stage.fleet(D1, D2, D3, FAR, groups=(group("g1", "d1", "d2"), group("g2", "d3"), group("gf", rfRegion="US915")))


def members(stage: SimulatorStage, task: str) -> list[str]:
    """The groups of a task."""
    return [g["Id"] for g in stage.wireless.list_multicast_groups_by_fuota_task(Id=task)["MulticastGroupList"]]


def test_devices_come_into_a_task_and_leave_it(stage: SimulatorStage) -> None:
    fleet(stage)
    task = stage.task()
    call = stage.wireless.associate_wireless_device_with_fuota_task
    assert call(Id=task, WirelessDeviceId="d1")["ResponseMetadata"]["HTTPStatusCode"] == 204
    stage.add(task, "d2")
    assert stage.device_statuses(task) == {"d1": "Initial", "d2": "Initial"}
    leave = stage.wireless.disassociate_wireless_device_from_fuota_task
    assert leave(Id=task, WirelessDeviceId="d1")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert stage.device_statuses(task) == {"d2": "Initial"}


def test_groups_come_into_a_task_and_leave_it(stage: SimulatorStage) -> None:
    fleet(stage)
    task = stage.task()
    stage.add_groups(task, "g1", "g2")
    listed = stage.wireless.list_multicast_groups_by_fuota_task(Id=task)["MulticastGroupList"]
    assert listed == [{"Id": "g1"}, {"Id": "g2"}]
    stage.wireless.disassociate_multicast_group_from_fuota_task(Id=task, MulticastGroupId="g1")
    assert members(stage, task) == ["g2"]


def test_the_groups_of_a_task_are_listed_page_by_page(stage: SimulatorStage) -> None:
    fleet(stage)
    task = stage.task()
    stage.add_groups(task, "g1", "g2")
    first = stage.wireless.list_multicast_groups_by_fuota_task(Id=task, MaxResults=1)
    rest = stage.wireless.list_multicast_groups_by_fuota_task(Id=task, MaxResults=1, NextToken=first["NextToken"])
    assert [first["MulticastGroupList"], rest["MulticastGroupList"]] == [[{"Id": "g1"}], [{"Id": "g2"}]]
    assert "NextToken" not in rest


@pytest.mark.parametrize(
    ("operation", "member", "resource"),
    [
        ("associate_wireless_device_with_fuota_task", {"WirelessDeviceId": "unknown"}, "WirelessDevice"),
        ("associate_multicast_group_with_fuota_task", {"MulticastGroupId": "unknown"}, "MulticastGroup"),
        ("disassociate_wireless_device_from_fuota_task", {"WirelessDeviceId": "d1"}, "WirelessDevice"),
        ("disassociate_multicast_group_from_fuota_task", {"MulticastGroupId": "g1"}, "MulticastGroup"),
    ],
)
def test_a_member_that_is_not_there_is_not_found(
    stage: SimulatorStage, operation: str, member: dict[str, str], resource: str
) -> None:
    fleet(stage)
    task = stage.task()
    with pytest.raises(stage.wireless.exceptions.ResourceNotFoundException) as caught:
        getattr(stage.wireless, operation)(Id=task, **member)
    assert caught.value.response["ResourceType"] == resource
    assert caught.value.response["ResourceId"] in member.values()


def test_a_task_with_devices_takes_no_group_until_they_left(stage: SimulatorStage) -> None:
    fleet(stage)
    task = stage.task()
    stage.add(task, "d1")
    said = refusal(stage.wireless.associate_multicast_group_with_fuota_task, Id=task, MulticastGroupId="g1")
    assert said == (409, "ConflictException", "the task holds devices; it cannot hold multicast groups too")
    assert members(stage, task) == []
    stage.wireless.disassociate_wireless_device_from_fuota_task(Id=task, WirelessDeviceId="d1")
    stage.add_groups(task, "g1")
    assert members(stage, task) == ["g1"]


def test_a_task_with_groups_takes_no_device_until_they_left(stage: SimulatorStage) -> None:
    fleet(stage)
    task = stage.task()
    stage.add_groups(task, "g2")
    said = refusal(stage.wireless.associate_wireless_device_with_fuota_task, Id=task, WirelessDeviceId="d1")
    assert said == (409, "ConflictException", "the task holds multicast groups; it cannot hold devices too")
    assert "d1" not in stage.device_statuses(task)
    stage.wireless.disassociate_multicast_group_from_fuota_task(Id=task, MulticastGroupId="g2")
    stage.add(task, "d1")
    assert stage.device_statuses(task) == {"d1": "Initial"}


@pytest.mark.parametrize("switch", ["success", "conflict"])
@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("associate_wireless_device_with_fuota_task", {"WirelessDeviceId": "d1"}),
        ("associate_multicast_group_with_fuota_task", {"MulticastGroupId": "g1"}),
    ],
)
def test_a_second_association_is_answered_as_the_switch_says(
    stage: SimulatorStage, operation: str, member: dict[str, str], switch: str
) -> None:
    fleet(stage)
    stage.settings(associateAgain=switch)
    task = stage.task()
    associate = getattr(stage.wireless, operation)
    associate(Id=task, **member)
    if switch == "success":
        associate(Id=task, **member)
    else:
        said = refusal(associate, Id=task, **member)
        assert said == (409, "ConflictException", f"{next(iter(member.values()))} is associated already")
    held = stage.state()["tasks"][0]
    assert held["devices"] + held["groups"] == list(member.values())


@pytest.mark.parametrize(
    ("operation", "member", "what"),
    [
        ("associate_wireless_device_with_fuota_task", {"WirelessDeviceId": "far"}, "device far"),
        ("associate_multicast_group_with_fuota_task", {"MulticastGroupId": "gf"}, "multicast group gf"),
    ],
)
def test_a_member_of_another_radio_region_is_refused(
    stage: SimulatorStage, operation: str, member: dict[str, str], what: str
) -> None:
    fleet(stage)
    task = stage.task()
    said = refusal(getattr(stage.wireless, operation), Id=task, **member)
    assert said == (400, "ValidationException", f"the RfRegion of {what} is US915, the task's is EU868")
    held = stage.state()["tasks"][0]
    assert held["devices"] + held["groups"] == []


@pytest.mark.parametrize(("devices", "groups", "what"), [(["d1"], [], "device d1"), ([], ["g1"], "multicast group g1")])
def test_a_task_cannot_leave_the_radio_region_of_its_members(
    stage: SimulatorStage, devices: list[str], groups: list[str], what: str
) -> None:
    fleet(stage)
    task = stage.task()
    stage.add(task, *devices)
    stage.add_groups(task, *groups)
    said = refusal(stage.wireless.update_fuota_task, Id=task, LoRaWAN={"RfRegion": "US915"})
    assert said == (400, "ValidationException", f"the RfRegion of {what} is EU868, the task's is US915")
    assert stage.wireless.get_fuota_task(Id=task)["LoRaWAN"] == {"RfRegion": "EU868"}


def test_a_device_made_by_the_api_has_the_radio_region_of_its_profile(stage: SimulatorStage) -> None:
    def made(region: str, eui: str) -> str:
        profile = stage.wireless.create_device_profile(LoRaWAN={"RfRegion": region})["Id"]
        lorawan = {"DevEui": eui, "DeviceProfileId": profile}
        return str(stage.wireless.create_wireless_device(Type="LoRaWAN", DestinationName="o", LoRaWAN=lorawan)["Id"])

    here, far = made("EU868", "70b3d57ed0000001"), made("US915", "70b3d57ed0000002")
    task = stage.task()
    stage.add(task, here)
    said = refusal(stage.wireless.associate_wireless_device_with_fuota_task, Id=task, WirelessDeviceId=far)
    assert said.message == f"the RfRegion of device {far} is US915, the task's is EU868"
    assert stage.device_statuses(task) == {here: "Initial"}


@pytest.mark.parametrize(("listed", "expected"), [(True, {"d1", "d2", "d3"}), (False, set())])
def test_the_list_by_task_shows_the_devices_of_its_groups_as_the_switch_says(
    stage: SimulatorStage, listed: bool, expected: set[str]
) -> None:
    fleet(stage)
    stage.settings(listByTaskIncludesGroupMembers=listed)
    task = stage.task()
    stage.add_groups(task, "g1", "g2")
    assert set(stage.device_statuses(task)) == expected


def test_the_list_by_task_shows_single_devices_whatever_the_switch_says(stage: SimulatorStage) -> None:
    fleet(stage)
    stage.settings(listByTaskIncludesGroupMembers=False)
    task = stage.task()
    stage.add(task, "d1")
    assert stage.device_statuses(task) == {"d1": "Initial"}


def test_the_list_by_group_shows_its_devices_and_what_became_of_them(stage: SimulatorStage) -> None:
    stage.provision()
    stage.settings(listByTaskIncludesGroupMembers=False)
    stage.fleet(D1, {**D2, "behaviour": "micError"}, D3, groups=(group("g1", "d1", "d2"), group("g2", "d3")))
    before = stage.wireless.list_wireless_devices(MulticastGroupId="g1")["WirelessDeviceList"]
    assert [d["Id"] for d in before] == ["d1", "d2"]
    assert all("FuotaDeviceStatus" not in d for d in before)
    task = stage.task(FragmentSizeBytes=112)
    stage.add_groups(task, "g1")
    stage.start(task)
    stage.advance(7200)
    after = stage.wireless.list_wireless_devices(MulticastGroupId="g1")["WirelessDeviceList"]
    assert {d["Id"]: d["FuotaDeviceStatus"] for d in after} == {"d1": "Successful", "d2": "MICError"}


def test_the_two_filters_exclude_each_other(stage: SimulatorStage) -> None:
    fleet(stage)
    said = refusal(stage.wireless.list_wireless_devices, FuotaTaskId=stage.task(), MulticastGroupId="g1")
    assert said[:2] == (400, "ValidationException")


def test_a_list_without_a_task_or_group_shows_no_status(stage: SimulatorStage) -> None:
    fleet(stage)
    listed = stage.wireless.list_wireless_devices()["WirelessDeviceList"]
    assert [d["Id"] for d in listed] == ["d1", "d2", "d3", "far"]
    assert listed[0]["LoRaWAN"] == {"DevEui": "70b3d57ed0000001"}
    assert all("FuotaDeviceStatus" not in d and "MulticastDeviceStatus" not in d for d in listed)


def test_the_devices_of_a_task_are_listed_250_to_a_page(stage: SimulatorStage) -> None:
    stage.fleet(*({"devEui": f"{n:016x}", "id": f"d{n}"} for n in range(260)), groups=())
    stage.fleet(groups=(group("all", *(f"d{n}" for n in range(260))),))
    task = stage.task()
    stage.add_groups(task, "all")
    first = stage.wireless.list_wireless_devices(FuotaTaskId=task, MaxResults=250)
    rest = stage.wireless.list_wireless_devices(FuotaTaskId=task, MaxResults=250, NextToken=first["NextToken"])
    ids = [d["Id"] for page in (first, rest) for d in page["WirelessDeviceList"]]
    assert (len(first["WirelessDeviceList"]), ids) == (250, [f"d{n}" for n in range(260)])
    assert "NextToken" not in rest


def running(stage: SimulatorStage, *tasks: str) -> None:
    """Start tasks one second after another, and go to where all are in session."""
    for task in tasks:
        stage.start(task)
        stage.advance(1)
    stage.advance(1800)
    assert [stage.status(t) for t in tasks] == ["In_FuotaSession"] * len(tasks)


def test_a_device_in_session_takes_no_part_in_another_task(stage: SimulatorStage) -> None:
    stage.provision()
    stage.fleet(D1, D2, D3, groups=(group("g1", "d1", "d2"),))
    single, grouped = stage.task(), stage.task(FragmentSizeBytes=112)
    stage.add(single, "d1", "d3")
    stage.add_groups(grouped, "g1")
    running(stage, single, grouped)
    conflict = "Device_exist_in_conflict_fuota_task"
    assert stage.device_statuses(grouped) == {"d1": conflict, "d2": "Initial"}
    stage.advance(7200)
    assert stage.device_statuses(single) == {"d1": "Successful", "d3": "Successful"}
    assert stage.device_statuses(grouped) == {"d1": conflict, "d2": "Successful"}


def test_a_device_in_two_groups_takes_part_in_the_first_session_alone(stage: SimulatorStage) -> None:
    stage.provision()
    stage.fleet(D1, D2, D3, groups=(group("g1", "d1", "d2"), group("g2", "d2", "d3")))
    tasks = [stage.task(FragmentSizeBytes=112) for _ in range(2)]
    for task, name in zip(tasks, ("g1", "g2"), strict=True):
        stage.add_groups(task, name)
    running(stage, *tasks)
    stage.advance(7200)
    assert stage.device_statuses(tasks[0]) == {"d1": "Successful", "d2": "Successful"}
    assert stage.device_statuses(tasks[1]) == {"d2": "Device_exist_in_conflict_fuota_task", "d3": "Successful"}


@pytest.mark.parametrize(("held", "status"), [(False, "Successful"), (True, "Device_exist_in_conflict_fuota_task")])
def test_a_done_task_holds_its_devices_as_the_switch_says(stage: SimulatorStage, held: bool, status: str) -> None:
    stage.provision()
    stage.fleet(D1)
    stage.settings(doneHoldsDevices=held, deleteWaitingSeconds=0)
    first, second, third = stage.task(), stage.task(), stage.task()
    for task in (first, second, third):
        stage.add(task, "d1")
    stage.start(first)
    stage.advance(7200)
    assert stage.status(first) == "FuotaDone"
    stage.start(second)
    stage.advance(7200)
    assert stage.device_statuses(second) == {"d1": status}
    for task in (first, second):
        stage.wireless.delete_fuota_task(Id=task)
    stage.start(third)
    stage.advance(7200)
    assert stage.device_statuses(third) == {"d1": "Successful"}
