"""Targets before a start: one identity a device, groups with everybody in them."""

from __future__ import annotations

from typing import cast

import pytest

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.fuota.reads import TaskReader
from otactl.backends.fuota.targets import TargetReader
from otactl.backends.fuota.things import ThingReader
from otactl.model import JsonObject, TargetFacts, Unit, UnitPhase

DEVICES = {f"id-{n}": f"70b3d57ed00000{n:02x}" for n in range(5)}


class Wire:
    """Devices by either name, and a group that is listed two devices a page."""

    def __init__(self, ready: int = 5) -> None:
        self.asked: list[str] = []
        self.ready = ready

    def call(self, service: str, operation: str, parameters: JsonObject, *, repeatable: bool) -> JsonObject:
        self.asked.append(operation)
        if operation == "GetWirelessDevice":
            wanted, by = str(parameters["Identifier"]), parameters["IdentifierType"]
            column = 0 if by == "WirelessDeviceId" else 1
            found = next((pair for pair in DEVICES.items() if pair[column] == wanted), None)
            if found is None:
                raise NotFoundError(wanted)
            return item(*found)
        if operation == "GetMulticastGroup":
            if parameters["Id"] != "g1":
                raise NotFoundError("no such group")
            numbers = {"NumberOfDevicesRequested": 5, "NumberOfDevicesInGroup": self.ready}
            return {"LoRaWAN": {"RfRegion": "EU868", **numbers}}
        start = int(str(parameters.get("NextToken") or 0))
        listed = [item(*pair) for pair in list(DEVICES.items())[start : start + 2]]
        more = start + 2 < len(DEVICES)
        return {"WirelessDeviceList": listed, **({"NextToken": str(start + 2)} if more else {})}


def item(device: str, eui: str) -> JsonObject:
    return {"Id": device, "LoRaWAN": {"DevEui": eui.upper()}}


def read(wire: Wire, *keys: str, unit: Unit | None = None) -> tuple[TargetFacts, ...]:
    transport = cast("AwsClient", wire)
    return TargetReader(TaskReader(transport), ThingReader(transport)).of(keys, unit, ImageAndRoleReader(transport))


def test_a_device_has_one_identity_by_whichever_name_it_is_asked_for() -> None:
    by_id, by_eui = read(Wire(), "device:id-1", "devEui:70b3d57ed0000001")

    assert by_id.vendor_id == by_eui.vendor_id == "id-1"
    assert by_id.keys == by_eui.keys == {"device:id-1", "devEui:70b3d57ed0000001"}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("devEui:70b3d57ed00000ff", ""),
        ("device:unknown", ""),
        ("device:70B3D57ED0000001", "it looks like a DevEUI: write {devEui: 70B3D57ED0000001}"),
        ("group:g2", ""),
    ],
)
def test_a_target_that_is_not_there_is_reported_as_that(key: str, hint: str) -> None:
    (facts,) = read(Wire(), key)

    assert (facts.exists, facts.vendor_id, facts.hint) == (False, "", hint)


def test_a_group_is_read_with_all_its_devices_page_after_page() -> None:
    wire = Wire()

    (facts,) = read(wire, "group:g1")

    assert facts.members == tuple(DEVICES)
    assert facts.members_complete
    assert facts.names == DEVICES
    assert facts.keys >= {"group:g1", "device:id-4", "devEui:70b3d57ed0000004"}
    assert wire.asked == ["GetMulticastGroup", *["ListWirelessDevices"] * 3]


def test_a_list_shorter_than_the_groups_own_count_is_not_whole() -> None:
    (facts,) = read(Wire(ready=6), "group:g1")

    assert not facts.members_complete


def test_what_is_in_the_task_already_is_known_without_a_call() -> None:
    ids = {"device:id-1": "id-1", "devEui:70b3d57ed0000001": "id-1"}
    unit = Unit(unit_id="u", phase=UnitPhase.OPEN, vendor_id="t", ids=ids)
    wire = Wire()

    (facts,) = read(wire, "devEui:70b3d57ed0000001", unit=unit)

    assert (facts.vendor_id, facts.names) == ("id-1", {"id-1": "70b3d57ed0000001"})
    assert wire.asked == []


def test_a_device_that_was_found_is_not_asked_for_again_by_the_same_process() -> None:
    wire = Wire()
    transport = cast("AwsClient", wire)
    reader = TargetReader(TaskReader(transport), ThingReader(transport))

    for _ in range(3):
        reader.of(("device:id-1", "device:unknown"), None, ImageAndRoleReader(transport))

    assert wire.asked.count("GetWirelessDevice") == 1 + 3
