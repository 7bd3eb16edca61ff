"""Device tasks by the clock: how devices behave, and what ends a task."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import PRODUCT, TuyaRequests


@pytest.fixture
def tuya_requests(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with nothing in it."""
    return TuyaRequests(stage)


def shown(tuya_requests: TuyaRequests, job: str) -> tuple[str, str]:
    """Status and progress of the only task of a batch."""
    (task,) = tuya_requests.tasks(job)
    return task["taskStatus"], task["progress"]


def began(tuya_requests: TuyaRequests, behaviour: str = "", **options: Any) -> str:
    """A batch for one device of 100 seconds."""
    tuya_requests.populate({"behaviour": behaviour, "seconds": 100})
    return tuya_requests.batch("d0", **options)


def test_a_task_goes_from_queued_to_succeeded_by_the_clock(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests)
    seen = [shown(tuya_requests, job)]
    for seconds in (1, 20, 30, 30, 10, 10):
        tuya_requests.stage.advance(seconds)
        seen.append(shown(tuya_requests, job))
    assert seen == [
        ("QUEUED", ""),
        ("NOTIFIED", ""),
        ("IN_PROGRESS", "20"),
        ("IN_PROGRESS", "50"),
        ("IN_PROGRESS", "80"),
        ("IN_PROGRESS", "100"),
        ("SUCCEEDED", "100"),
    ]
    assert (tuya_requests.version(), tuya_requests.installs()) == ("2.0", {"d0": {"f00d": 1}})


def test_one_jump_of_the_clock_does_what_many_steps_do(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests)
    start = tuya_requests.stage.now()
    tuya_requests.stage.advance(86400)
    (task,) = tuya_requests.state()["jobs"][0]["tasks"]
    assert shown(tuya_requests, job) == ("SUCCEEDED", "100")
    assert datetime.fromisoformat(task["since"]) - start == timedelta(seconds=101)


def test_a_task_is_shown_with_and_without_its_progress(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, TimeoutInMinutes=60)
    tuya_requests.stage.advance(30)
    (by_job,), (by_device,) = tuya_requests.tasks(job), tuya_requests.unfinished()
    assert by_device["moduleName"] == "default"
    assert (by_job["progress"], by_job["timeout"], by_job["taskDesc"]) == ("20", "60", "")
    common = by_job.keys() & by_device.keys()
    assert by_job.keys() - common == {"progress", "taskDesc", "timeout"}
    assert by_device.keys() - common == {"moduleName"}
    assert all(by_job[name] == by_device[name] for name in common)
    assert (by_job["srcVersion"], by_job["destVersion"], by_job["productName"]) == ("1.0", "2.0", "probe")


def test_an_ended_task_is_gone_from_the_unfinished_ones(tuya_requests: TuyaRequests) -> None:
    began(tuya_requests)
    assert len(tuya_requests.unfinished()) == 1
    tuya_requests.stage.advance(200)
    assert tuya_requests.unfinished() == []


def test_unfinished_tasks_are_found_by_device_id_status_and_module(tuya_requests: TuyaRequests) -> None:
    began(tuya_requests)
    iot_id = tuya_requests.state()["devices"][0]["iotId"]
    asked: list[dict[str, Any]] = [
        {"IotId": iot_id},
        {"IoTID": iot_id},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatus": "QUEUED"},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatusList": ["CONFIRM", "QUEUED"]},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "ModuleName": "default"},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "TaskStatus": "NOTIFIED"},
        {"ProductKey": PRODUCT, "DeviceName": "d0", "ModuleName": "ble"},
    ]
    found = [len(tuya_requests.ask("ListOTAUnfinishedTaskByDevice", a).data["simpleOTATaskInfo"]) for a in asked]
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
def test_unfinished_tasks_of_no_one_are_refused(tuya_requests: TuyaRequests, asked: dict[str, Any], code: str) -> None:
    tuya_requests.populate()
    assert tuya_requests.refused("ListOTAUnfinishedTaskByDevice", asked) == code


def test_tasks_of_a_batch_are_found_by_status_and_names(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate({}, {"behaviour": "offline"}, {"behaviour": "offline"})
    job = tuya_requests.batch("d0", "d1", "d2")
    tuya_requests.stage.advance(3600)
    assert [t["deviceName"] for t in tuya_requests.tasks(job, TaskStatus="QUEUED")] == ["d1", "d2"]
    assert [t["deviceName"] for t in tuya_requests.tasks(job, DeviceNames=["d2", "d0"], PageSize=1)] == ["d0", "d2"]
    many = {"JobId": job, "DeviceNames": [f"x{n}" for n in range(51)]}
    assert tuya_requests.refused("ListOTATaskByJob", many) == "iot.check.InvalidParameter"


@pytest.mark.parametrize(
    ("behaviour", "progress"),
    [("failsGeneral", "-1"), ("failsDownload", "-2"), ("failsVerify", "-3"), ("failsFlash", "-4")],
)
def test_a_failure_is_reported_by_its_progress_and_words(
    tuya_requests: TuyaRequests, behaviour: str, progress: str
) -> None:
    job = began(tuya_requests, behaviour)
    tuya_requests.stage.advance(300)
    assert shown(tuya_requests, job) == ("FAILED", progress)
    assert tuya_requests.tasks(job)[0]["taskDesc"]
    assert (tuya_requests.version(), tuya_requests.installs()) == ("1.0", {})


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
def test_a_device_behaves_as_it_was_configured(
    tuya_requests: TuyaRequests, behaviour: str, seen: tuple[str, str]
) -> None:
    job = began(tuya_requests, behaviour)
    tuya_requests.stage.advance(300)
    assert shown(tuya_requests, job) == seen


def test_a_device_that_runs_another_version_fails_and_says_which(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "wrongVersion")
    tuya_requests.stage.advance(300)
    assert "0.0.0" in tuya_requests.tasks(job)[0]["taskDesc"]
    assert tuya_requests.version() == "0.0.0"


@pytest.mark.parametrize("behaviour", ["offline", "stuckNotified", "neverReports", "slow", "manual"])
def test_a_device_that_behaves_again_goes_on(tuya_requests: TuyaRequests, behaviour: str) -> None:
    job = began(tuya_requests, behaviour)
    tuya_requests.stage.advance(300)
    tuya_requests.behave("")
    tuya_requests.stage.advance(300)
    assert shown(tuya_requests, job) == ("SUCCEEDED", "100")
    assert tuya_requests.installs() == {"d0": {"f00d": 1}}


def test_all_that_was_written_without_a_version_fails_at_the_timeout(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "neverReports", TimeoutInMinutes=10)
    tuya_requests.stage.advance(21 + 599)
    assert shown(tuya_requests, job) == ("IN_PROGRESS", "100")
    tuya_requests.stage.advance(2)
    assert shown(tuya_requests, job) == ("FAILED", "100")
    assert "timed out" in tuya_requests.tasks(job)[0]["taskDesc"]


def test_the_timeout_runs_from_the_first_report_and_is_not_started_again(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "manual", TimeoutInMinutes=1)
    tuya_requests.stage.advance(7200)
    tuya_requests.report(progress=10)
    tuya_requests.stage.advance(50)
    tuya_requests.report(progress=90)
    assert shown(tuya_requests, job) == ("IN_PROGRESS", "90")
    tuya_requests.stage.advance(11)
    assert shown(tuya_requests, job)[0] == "FAILED"


def test_a_batch_without_a_timeout_waits_unless_a_switch_gives_it_one(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "neverReports")
    tuya_requests.stage.advance(10**6)
    assert shown(tuya_requests, job)[0] == "IN_PROGRESS"
    tuya_requests.stage.reset()
    tuya_requests.stage.settings(tuyaDefaultTimeoutMinutes=5)
    job = began(tuya_requests, "neverReports")
    tuya_requests.stage.advance(10**6)
    assert shown(tuya_requests, job)[0] == "FAILED"


def test_a_test_can_drive_a_device_itself(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "manual")
    tuya_requests.stage.advance(5)
    tuya_requests.report(progress=40)
    assert shown(tuya_requests, job) == ("IN_PROGRESS", "40")
    tuya_requests.report(version="1.0")
    assert shown(tuya_requests, job) == ("IN_PROGRESS", "40")
    tuya_requests.report(version="2.0")
    assert (shown(tuya_requests, job), tuya_requests.version()) == (("SUCCEEDED", "100"), "2.0")


def test_a_version_of_another_module_ends_nothing(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "manual")
    tuya_requests.stage.advance(5)
    tuya_requests.report(module="ble", version="2.0")
    assert shown(tuya_requests, job) == ("NOTIFIED", "")
    assert (tuya_requests.version(), tuya_requests.version(module="ble")) == ("1.0", "2.0")


def test_a_device_that_is_not_pushed_asks_in_its_own_time(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, NeedPush=False)
    tuya_requests.stage.advance(99)
    assert shown(tuya_requests, job) == ("QUEUED", "")
    tuya_requests.stage.advance(2)
    assert shown(tuya_requests, job) == ("NOTIFIED", "")


def test_the_retry_hides_in_the_same_status(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "failsDownload", RetryInterval=10, RetryCount=1, SrcVersion=["1.0"], TimeoutInMinutes=60)
    tuya_requests.stage.advance(120)
    assert shown(tuya_requests, job)[0] == "IN_PROGRESS"
    tuya_requests.stage.advance(720)
    assert shown(tuya_requests, job) == ("FAILED", "-2")


def test_a_retry_that_works_succeeds(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "failsDownload", RetryInterval=0, RetryCount=5, SrcVersion=["1.0"])
    tuya_requests.stage.advance(120)
    tuya_requests.behave("")
    tuya_requests.stage.advance(120)
    assert shown(tuya_requests, job) == ("SUCCEEDED", "100")
