"""Devices of a fleet document, by unmodified boto3: what the API changes of them, and what memory they take."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime

from otactl_simulator.clock import Clock
from otactl_simulator.iotwireless.fleet import load
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.iotwireless.state import Stores
from tests.support.simulator.stage import SimulatorStage, refusal

EUI = "70b3d57ed0000001"
DEVICE = {"devEui": EUI, "id": "d1"}
MOST_BYTES = 550
"""Of one device in a fleet of many, its id and DevEUI included."""


def test_a_device_shows_what_the_api_changed_and_what_a_later_document_names(stage: SimulatorStage) -> None:
    stage.fleet(DEVICE)
    stage.wireless.update_wireless_device(Id="d1", Name="pump", Description="by the gate")

    changed = stage.wireless.get_wireless_device(Identifier="d1", IdentifierType="WirelessDeviceId")
    stage.fleet({**DEVICE, "name": "well"})
    named = stage.wireless.get_wireless_device(Identifier=EUI, IdentifierType="DevEui")

    assert (changed["Name"], changed["Description"], changed["LoRaWAN"]["DevEui"]) == ("pump", "by the gate", EUI)
    assert (named["Name"], named["Description"], named["Arn"]) == ("well", "by the gate", changed["Arn"])


def test_a_device_without_tags_has_an_empty_list_and_takes_some(stage: SimulatorStage) -> None:
    stage.fleet(DEVICE)
    (listed,) = stage.wireless.list_wireless_devices()["WirelessDeviceList"]

    assert stage.wireless.list_tags_for_resource(ResourceArn=listed["Arn"])["Tags"] == []
    stage.wireless.tag_resource(ResourceArn=listed["Arn"], Tags=[{"Key": "site", "Value": "yard"}])
    assert stage.wireless.list_tags_for_resource(ResourceArn=listed["Arn"])["Tags"] == [
        {"Key": "site", "Value": "yard"}
    ]
    stage.fleet(DEVICE)
    assert stage.wireless.list_tags_for_resource(ResourceArn=listed["Arn"])["Tags"] == []

    strange = refusal(stage.wireless.list_tags_for_resource, ResourceArn=listed["Arn"].replace("d1", "d2"))
    assert strange.code == "ResourceNotFoundException"


def test_the_state_shows_a_device_with_its_members(stage: SimulatorStage) -> None:
    stage.fleet(DEVICE)

    (shown,) = stage.state()["devices"]

    assert shown["arn"].endswith(":WirelessDevice/d1")
    assert shown["parameters"] == {"Type": "LoRaWAN", "Name": EUI, "LoRaWAN": {"DevEui": EUI}}


def test_a_device_takes_little_memory() -> None:
    stores = Stores(1, Clock(freeze=True), Settings())
    devices = 2000

    tracemalloc.start()
    try:
        named = [{"id": f"{n:036}", "devEui": f"{n:016x}", "rfRegion": "EU868"} for n in range(devices)]
        load(stores, {"devices": named}, datetime(2026, 11, 21, tzinfo=UTC))
        del named
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken / devices <= MOST_BYTES
