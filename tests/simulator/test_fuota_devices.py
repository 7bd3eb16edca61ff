"""What devices make of a FUOTA session, by unmodified boto3: every status, lost fragments, limits, a deleted task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from otactl_simulator.iotwireless.reception import BEHAVIOURS
from otactl_simulator.wire.models import service_model
from tests.support.simulator.device_sessions import DEVICE, DIGEST, FRAGMENTS, SECONDS, SIZE, single, started
from tests.support.simulator.stage import IMAGE, SimulatorStage

STATUSES = set(service_model("iotwireless").shape_for("FuotaDeviceStatus").enum)

# Behaviour of the device -> what it shows in the session, and after it.
SHOWN: dict[str, tuple[str, str]] = {
    "": ("Initial", "Successful"),
    "silent": ("Initial", "Initial"),
    "noPackage": ("Package_Not_Supported", "Package_Not_Supported"),
    "fragAlgoUnsupported": ("FragAlgo_unsupported", "FragAlgo_unsupported"),
    "notEnoughMemory": ("Not_enough_memory", "Not_enough_memory"),
    "fragIndexUnsupported": ("FragIndex_unsupported", "FragIndex_unsupported"),
    "wrongDescriptor": ("Wrong_descriptor", "Wrong_descriptor"),
    "sessionReplay": ("SessionCnt_replay", "SessionCnt_replay"),
    "falseMissingFrag": ("Initial", "MissingFrag"),
    "memoryError": ("Initial", "MemoryError"),
    "micError": ("Initial", "MICError"),
}


def grouped(stage: SimulatorStage, image: bytes = IMAGE, *devices: dict[str, Any], **task: Any) -> str:
    """A task with a group of devices, d1 by default, whose start has come."""
    stage.provision(image)
    chosen = devices or (DEVICE,)
    group = {"name": "g", "id": "g1", "rfRegion": "EU868", "devices": [d["devEui"] for d in chosen]}
    stage.fleet(*chosen, groups=(group,))
    made = stage.task(**task)
    stage.add_groups(made, "g1")
    return started(stage, made)


def log(stage: SimulatorStage, task: str) -> str:
    """The task's log, as GET /_simulator/state shows it."""
    return "\n".join(next(t for t in stage.state()["tasks"] if t["id"] == task)["log"])


def held_image(stage: SimulatorStage) -> str:
    """The digest of the image that the first device holds."""
    return str(stage.state()["devices"][0]["image_sha256"])


@pytest.mark.parametrize(("behaviour", "during", "after"), [(k, *v) for k, v in SHOWN.items()])
def test_a_device_shows_what_became_of_it(stage: SimulatorStage, behaviour: str, during: str, after: str) -> None:
    stage.settings(unicastFragIndex=1)
    task = single(stage, device={"behaviour": behaviour})
    assert stage.device_statuses(task) == {"d1": during}
    stage.advance(SECONDS - 1)
    assert stage.device_statuses(task) == {"d1": during}
    stage.advance(1)
    assert stage.status(task) == "FuotaDone"
    assert stage.device_statuses(task) == {"d1": after}
    assert (held_image(stage) == DIGEST) == (after == "Successful" or behaviour == "falseMissingFrag")


def test_who_knows_index_0_only_takes_the_image_alone_and_not_in_a_group(stage: SimulatorStage) -> None:
    alone = single(stage, device={"behaviour": "fragIndexUnsupported"})
    stage.advance(SECONDS)
    assert stage.device_statuses(alone) == {"d1": "Successful"}
    stage.reset()
    group = grouped(stage, IMAGE, {**DEVICE, "behaviour": "fragIndexUnsupported"}, FragmentSizeBytes=SIZE)
    stage.advance(SECONDS)
    assert stage.device_statuses(group) == {"d1": "FragIndex_unsupported"}


@pytest.mark.parametrize(("holds", "more"), [(False, 0), (True, 128 - SECONDS)])
def test_whether_silent_devices_hold_a_groups_session_until_it_times_out_is_a_switch(
    stage: SimulatorStage, holds: bool, more: int
) -> None:
    stage.settings(silentHoldSession=holds)
    task = grouped(stage, IMAGE, {**DEVICE, "behaviour": "silent"}, FragmentSizeBytes=SIZE)
    stage.advance(SECONDS + more - 1)
    assert stage.status(task) == "In_FuotaSession"
    stage.advance(1)
    assert stage.status(task) == "FuotaDone"


def test_every_behaviour_and_every_status_of_the_model_is_in_the_table() -> None:
    assert set(SHOWN) - {""} == BEHAVIOURS
    reached = {status for shown in SHOWN.values() for status in shown}
    assert reached | {"Device_exist_in_conflict_fuota_task"} == STATUSES  # test_fuota_members.py has the last one
    assert len(STATUSES) == 12


def test_a_task_is_done_however_its_devices_fare(stage: SimulatorStage) -> None:
    devices = [{"devEui": f"{n:016x}", "id": f"d{n}", "behaviour": b} for n, b in enumerate(SHOWN)]
    task = grouped(stage, IMAGE, *devices, FragmentSizeBytes=SIZE)
    stage.advance(SECONDS)
    assert stage.status(task) == "FuotaDone"
    expected = {d["id"]: SHOWN[d["behaviour"]][1] for d in devices}
    assert stage.device_statuses(task) == expected


def test_a_task_whose_devices_all_keep_silent_is_done_too(stage: SimulatorStage) -> None:
    task = single(stage, device={"behaviour": "silent"})
    stage.advance(SECONDS)
    assert stage.status(task) == "FuotaDone"
    assert stage.device_statuses(task) == {"d1": "Initial"}


def test_a_deleted_device_leaves_the_list_and_the_task_goes_on(stage: SimulatorStage) -> None:
    task = single(stage)
    stage.wireless.delete_wireless_device(Id="d1")
    stage.advance(SECONDS)
    assert stage.status(task) == "FuotaDone"
    assert stage.device_statuses(task) == {}


def test_a_new_task_gets_a_failed_device_through(stage: SimulatorStage) -> None:
    first = single(stage, device={"behaviour": "sessionReplay"})
    stage.advance(SECONDS)
    assert stage.device_statuses(first) == {"d1": "SessionCnt_replay"}
    stage.fleet(DEVICE)
    second = stage.task()
    stage.add(second, "d1")
    started(stage, second)
    stage.advance(SECONDS)
    assert stage.device_statuses(second) == {"d1": "Successful"}
    assert stage.device_statuses(first) == {"d1": "SessionCnt_replay"}


@pytest.mark.parametrize(
    ("caps", "status"),
    [
        ({"maxFragments": FRAGMENTS}, "Successful"),
        ({"maxFragments": FRAGMENTS - 1}, "Not_enough_memory"),
        ({"maxFragmentSize": SIZE}, "Successful"),
        ({"maxFragmentSize": SIZE - 1}, "Not_enough_memory"),
        ({"memoryBytes": FRAGMENTS * SIZE}, "Successful"),
        ({"memoryBytes": FRAGMENTS * SIZE - 1}, "Not_enough_memory"),
    ],
)
def test_a_device_refuses_what_it_cannot_hold(stage: SimulatorStage, caps: dict[str, int], status: str) -> None:
    task = single(stage, device={"caps": caps})
    assert stage.device_statuses(task) == {"d1": "Initial" if status == "Successful" else status}
    stage.advance(SECONDS)
    assert stage.device_statuses(task) == {"d1": status}


@pytest.mark.parametrize(
    ("device", "percent", "status"),
    [
        ({"loss": 0.0}, 0, "Successful"),
        ({"loss": 0.2}, 0, "MissingFrag"),
        ({"loss": 0.2}, 100, "Successful"),
        ({"loss": 0.2, "caps": {"maxLost": FRAGMENTS}}, 100, "Successful"),
        ({"loss": 0.2, "caps": {"maxLost": 0}}, 100, "MissingFrag"),
        ({"loss": 1.0}, 100, "MissingFrag"),
        ({"loss": 1.0, "behaviour": "micError"}, 100, "MissingFrag"),
    ],
)
def test_redundancy_covers_lost_fragments_within_the_device_memory(
    stage: SimulatorStage, device: dict[str, Any], percent: int, status: str
) -> None:
    task = single(stage, device=device, RedundancyPercent=percent)
    stage.advance(7200)
    assert stage.device_statuses(task) == {"d1": status}


def test_devices_lose_independently_and_a_run_can_be_repeated(stage: SimulatorStage) -> None:
    devices = [{"devEui": f"{n:016x}", "id": f"d{n}", "loss": 0.2} for n in range(30)]
    runs = []
    for _ in range(2):
        stage.reset()
        task = grouped(stage, IMAGE, *devices, FragmentSizeBytes=SIZE, RedundancyPercent=30)
        stage.advance(7200)
        runs.append(stage.device_statuses(task))
    assert runs[0] == runs[1]
    assert set(runs[0].values()) == {"Successful", "MissingFrag"}


@pytest.mark.parametrize(
    ("image", "task", "fits"),
    [
        (16383, {"FragmentSizeBytes": 1}, True),
        (16384, {"FragmentSizeBytes": 1}, False),
        (8192, {"FragmentSizeBytes": 1, "RedundancyPercent": 99}, True),
        (8192, {"FragmentSizeBytes": 1, "RedundancyPercent": 100}, False),
        (1_000_000, {"FragmentSizeBytes": 62}, True),
        (1_000_000, {"FragmentSizeBytes": 61}, False),
    ],
)
def test_a_session_sends_at_most_16383_fragments(
    stage: SimulatorStage, image: int, task: dict[str, int], fits: bool
) -> None:
    made = grouped(stage, bytes(image), **task)
    assert stage.status(made) == ("In_FuotaSession" if fits else "FuotaDone")
    assert ("do not fit the 14-bit counter" in log(stage, made)) != fits


@pytest.mark.parametrize("region", [{"RfRegion": "EU868"}, {}])
@pytest.mark.parametrize(("size", "fits"), [(239, True), (240, False)])
def test_a_fragment_must_fit_the_radio_region_of_the_group(
    stage: SimulatorStage, size: int, fits: bool, region: dict[str, str]
) -> None:
    task = grouped(stage, FragmentSizeBytes=size, LoRaWAN=region)
    assert stage.status(task) == ("In_FuotaSession" if fits else "FuotaDone")
    assert ("no EU868 data rate holds a fragment of 240 bytes" in log(stage, task)) != fits


def deleted_in_session(stage: SimulatorStage, *, stops: bool) -> str:
    """A second task waiting for the device of a first one that was deleted in session, three hours before its end."""
    stage.settings(deleteStopsSession=stops)
    first = grouped(stage, FragmentSizeBytes=128, FragmentIntervalMS=1_800_000)
    second = stage.task()
    stage.add(second, "d1")
    stage.start(second)
    stage.wireless.delete_fuota_task(Id=first)
    return second


@pytest.mark.parametrize(
    ("stops", "group", "status"),
    [(True, "Pending", "Successful"), (False, "In_Session", "Device_exist_in_conflict_fuota_task")],
)
def test_a_task_deleted_in_session_is_off_the_air_as_the_switch_says(
    stage: SimulatorStage, stops: bool, group: str, status: str
) -> None:
    second = deleted_in_session(stage, stops=stops)
    assert stage.wireless.get_multicast_group(Id="g1")["Status"] == group
    stage.advance(7200)
    assert stage.wireless.get_multicast_group(Id="g1")["Status"] == group
    assert len(stage.wireless.list_fuota_tasks()["FuotaTaskList"]) == 1
    assert stage.device_statuses(second) == {"d1": status}


@pytest.mark.parametrize(("stops", "image"), [(True, ""), (False, DIGEST)])
def test_a_device_gets_the_image_of_a_deleted_task_if_that_goes_on(
    stage: SimulatorStage, stops: bool, image: str
) -> None:
    stage.wireless.delete_fuota_task(Id=deleted_in_session(stage, stops=stops))
    stage.advance(60 + 8 * 1800 - 1)
    assert held_image(stage) == ""
    stage.advance(1)
    assert held_image(stage) == image
    assert stage.wireless.get_multicast_group(Id="g1")["Status"] == "Pending"


def test_a_task_deleted_in_session_stays_deleted_when_its_transmission_ends(stage: SimulatorStage) -> None:
    stage.settings(deleteStopsSession=False)
    task = single(stage)
    stage.advance(SECONDS - 10)
    stage.wireless.delete_fuota_task(Id=task)
    stage.advance(10)
    assert stage.status(task) == "Delete_Waiting"
    assert stage.device_statuses(task) == {"d1": "Successful"}
    stage.advance(50)
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []


def test_a_task_that_a_device_takes_no_part_in_does_not_hold_it(stage: SimulatorStage) -> None:
    stage.provision()
    stage.fleet(DEVICE)
    tasks = [stage.task(FragmentIntervalMS=ms) for ms in (10_000, 60_000, 2000)]
    for minutes, task in zip((30, 31, 45), tasks, strict=True):
        stage.add(task, "d1")
        stage.start(task, timedelta(minutes=minutes))
    stage.advance(45 * 60)
    assert [stage.status(task) for task in tasks] == ["FuotaDone", "In_FuotaSession", "In_FuotaSession"]
    stage.advance(7200)
    found = [stage.device_statuses(task)["d1"] for task in tasks]
    assert found == ["Successful", "Device_exist_in_conflict_fuota_task", "Successful"]
