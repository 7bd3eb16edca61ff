"""Device tasks by the clock: how devices behave, and what ends a task."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import PRODUCT, TuyaRequests


@pytest.fixture
def gate(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with nothing in it."""
    return TuyaRequests(stage)


def shown(gate: TuyaRequests, job: str) -> tuple[str, str]:
    """Status and progress of the only task of a batch."""
    (task,) = gate.tasks(job)
    return task["taskStatus"], task["progress"]


def began(gate: TuyaRequests, behaviour: str = "", **options: Any) -> str:
    """A batch for one device of 100 seconds."""
    gate.populate({"behaviour": behaviour, "seconds": 100})
    return gate.batch("d0", **options)


def test_a_task_goes_from_queued_to_succeeded_by_the_clock(gate: TuyaRequests) -> None:
    job = began(gate)
    seen = [shown(gate, job)]
    for seconds in (1, 20, 30, 30, 10, 10):
        gate.stage.advance(seconds)
        seen.append(shown(gate, job))
    assert seen == [
        ("QUEUED", ""),
        ("NOTIFIED", ""),
        ("IN_PROGRESS", "20"),
        ("IN_PROGRESS", "50"),
        ("IN_PROGRESS", "80"),
        ("IN_PROGRESS", "100"),
        ("SUCCEEDED", "100"),
    ]
    assert (gate.version(), gate.installs()) == ("2.0", {"d0": {"f00d": 1}})


def test_one_jump_of_the_clock_does_what_many_steps_do(gate: TuyaRequests) -> None:
    job = began(gate)
    start = gate.stage.now()
    gate.stage.advance(86400)
    (task,) = gate.state()["jobs"][0]["tasks"]
    assert shown(gate, job) == ("SUCCEEDED", "100")
    assert datetime.fromisoformat(task["since"]) - start == timedelta(seconds=101)


def test_a_task_is_shown_with_and_without_its_progress(gate: TuyaRequests) -> None:
    job = began(gate, TimeoutInMinutes=60)
    gate.stage.advance(30)
    (by_job,), (by_device,) = gate.tasks(job), gate.unfinished()
    assert by_device["moduleName"] == "default"
    assert (by_job["progress"], by_job["timeout"], by_job["taskDesc"]) == ("20", "60", "")
    common = by_job.keys() & by_device.keys()
    assert by_job.keys() - common == {"progress", "taskDesc", "timeout"}
    assert by_device.keys() - common == {"moduleName"}
    assert all(by_job[name] == by_device[name] for name in common)
    assert (by_job["srcVersion"], by_job["destVersion"], by_job["productName"]) == ("1.0", "2.0", "probe")


def test_an_ended_task_is_gone_from_the_unfinished_ones(gate: TuyaRequests) -> None:
    began(gate)
    assert len(gate.unfinished()) == 1
    gate.stage.advance(200)
    assert gate.unfinished() == []


def test_unfinished_tasks_are_found_by_device_id_status_and_module(gate: TuyaRequests) -> None:
    began(gate)
    iot_id = gate.state()["devices"][0]["iotId"]
    asked: list[dict[str, Any]] = [
        {"IotId": iot_id},
        {"IoTID": iot_id},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatus": "QUEUED"},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatusList": ["CONFIRM", "QUEUED"]},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "ModuleName": "default"},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatus": "NOTIFIED"},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "ModuleName": "ble"},
    ]
    found = [len(gate.ask("ListOTAUnfinishedTaskByDevice", a).data["simpleOTATaskInfo"]) for a in asked]
    assert found == [1, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "iot.check.MissingParameter"),
        ({"ProductKey": PRODUCT}, "iot.check.MissingParameter"),
        ({"ProductKey": PRODUCT, "DeviceName": "x"}, "iot.device.NotExistedDevice"),
        ({"ProductKey": "x", "DeviceName": "d0"}, "iot.prod.NotExistedProduct"),
        ({"IotId": "x"}, "iot.device.NotExistedDevice"),
        ({"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatus": "SUCCEEDED"}, "iot.check.InvalidParameter"),
        ({"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatusList": ["FAILED"]}, "iot.check.InvalidParameter"),
    ],
)
def test_unfinished_tasks_of_nobody_are_refused(gate: TuyaRequests, asked: dict[str, Any], code: str) -> None:
    gate.populate()
    assert gate.refused("ListOTAUnfinishedTaskByDevice", asked) == code


def test_tasks_of_a_batch_are_found_by_status_and_names(gate: TuyaRequests) -> None:
    gate.populate({}, {"behaviour": "offline"}, {"behaviour": "offline"})
    job = gate.batch("d0", "d1", "d2")
    gate.stage.advance(3600)
    assert [t["deviceName"] for t in gate.tasks(job, TaskStatus="QUEUED")] == ["d1", "d2"]
    assert [t["deviceName"] for t in gate.tasks(job, DeviceNames=["d2", "d0"], PageSize=1)] == ["d0", "d2"]
    many = {"JobId": job, "DeviceNames": [f"x{n}" for n in range(51)]}
    assert gate.refused("ListOTATaskByJob", many) == "iot.check.InvalidParameter"


@pytest.mark.parametrize(
    ("behaviour", "progress"),
    [("failsGeneral", "-1"), ("failsDownload", "-2"), ("failsVerify", "-3"), ("failsFlash", "-4")],
)
def test_a_failure_is_told_by_its_progress_and_words(gate: TuyaRequests, behaviour: str, progress: str) -> None:
    job = began(gate, behaviour)
    gate.stage.advance(300)
    assert shown(gate, job) == ("FAILED", progress)
    assert gate.tasks(job)[0]["taskDesc"]
    assert (gate.version(), gate.installs()) == ("1.0", {})


@pytest.mark.parametrize(
    ("behaviour", "seen"),
    [
        ("offline", ("QUEUED", "")),
        ("stuckNotified", ("NOTIFIED", "")),
        ("manual", ("NOTIFIED", "")),
        ("neverReports", ("IN_PROGRESS", "100")),
        ("wrongVersion", ("FAILED", "100")),
        ("slow", ("IN_PROGRESS", "20")),
    ],
)
def test_a_device_behaves_as_it_was_told(gate: TuyaRequests, behaviour: str, seen: tuple[str, str]) -> None:
    job = began(gate, behaviour)
    gate.stage.advance(300)
    assert shown(gate, job) == seen


def test_a_device_that_runs_another_version_fails_and_says_which(gate: TuyaRequests) -> None:
    job = began(gate, "wrongVersion")
    gate.stage.advance(300)
    assert "0.0.0" in gate.tasks(job)[0]["taskDesc"]
    assert gate.version() == "0.0.0"


@pytest.mark.parametrize("behaviour", ["offline", "stuckNotified", "neverReports", "slow", "manual"])
def test_a_device_that_behaves_again_goes_on(gate: TuyaRequests, behaviour: str) -> None:
    job = began(gate, behaviour)
    gate.stage.advance(300)
    gate.behave("")
    gate.stage.advance(300)
    assert shown(gate, job) == ("SUCCEEDED", "100")
    assert gate.installs() == {"d0": {"f00d": 1}}


def test_all_that_was_written_without_a_version_fails_at_the_timeout(gate: TuyaRequests) -> None:
    job = began(gate, "neverReports", TimeoutInMinutes=10)
    gate.stage.advance(21 + 599)
    assert shown(gate, job) == ("IN_PROGRESS", "100")
    gate.stage.advance(2)
    assert shown(gate, job) == ("FAILED", "100")
    assert "timed out" in gate.tasks(job)[0]["taskDesc"]


def test_the_timeout_runs_from_the_first_report_and_is_not_begun_again(gate: TuyaRequests) -> None:
    job = began(gate, "manual", TimeoutInMinutes=1)
    gate.stage.advance(7200)
    gate.report(progress=10)
    gate.stage.advance(50)
    gate.report(progress=90)
    assert shown(gate, job) == ("IN_PROGRESS", "90")
    gate.stage.advance(11)
    assert shown(gate, job)[0] == "FAILED"


def test_a_batch_without_a_timeout_waits_unless_a_switch_gives_it_one(gate: TuyaRequests) -> None:
    job = began(gate, "neverReports")
    gate.stage.advance(10**6)
    assert shown(gate, job)[0] == "IN_PROGRESS"
    gate.stage.reset()
    gate.stage.settings(tuyaDefaultTimeoutMinutes=5)
    job = began(gate, "neverReports")
    gate.stage.advance(10**6)
    assert shown(gate, job)[0] == "FAILED"


def test_a_test_can_drive_a_device_itself(gate: TuyaRequests) -> None:
    job = began(gate, "manual")
    gate.stage.advance(5)
    gate.report(progress=40)
    assert shown(gate, job) == ("IN_PROGRESS", "40")
    gate.report(version="1.0")
    assert shown(gate, job) == ("IN_PROGRESS", "40")
    gate.report(version="2.0")
    assert (shown(gate, job), gate.version()) == (("SUCCEEDED", "100"), "2.0")


def test_a_version_of_another_module_ends_nothing(gate: TuyaRequests) -> None:
    job = began(gate, "manual")
    gate.stage.advance(5)
    gate.report(module="ble", version="2.0")
    assert shown(gate, job) == ("NOTIFIED", "")
    assert (gate.version(), gate.version(module="ble")) == ("1.0", "2.0")


def test_a_device_that_is_not_pushed_asks_in_its_own_time(gate: TuyaRequests) -> None:
    job = began(gate, NeedPush=False)
    gate.stage.advance(99)
    assert shown(gate, job) == ("QUEUED", "")
    gate.stage.advance(2)
    assert shown(gate, job) == ("NOTIFIED", "")


def test_the_retry_hides_in_the_same_status(gate: TuyaRequests) -> None:
    job = began(gate, "failsDownload", RetryInterval=10, RetryCount=1, SrcVersion=["1.0"], TimeoutInMinutes=60)
    gate.stage.advance(120)
    assert shown(gate, job)[0] == "IN_PROGRESS"
    gate.stage.advance(720)
    assert shown(gate, job) == ("FAILED", "-2")


def test_a_retry_that_works_succeeds(gate: TuyaRequests) -> None:
    job = began(gate, "failsDownload", RetryInterval=0, RetryCount=5, SrcVersion=["1.0"])
    gate.stage.advance(120)
    gate.behave("")
    gate.stage.advance(120)
    assert shown(gate, job) == ("SUCCEEDED", "100")
