"""Upgrade batches: whom they reach, what they refuse, how they end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import FIRMWARE, PRODUCT, TuyaRequests

CREATE = "CreateOTAStaticUpgradeJob"


@pytest.fixture
def tuya_requests(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with nothing in it."""
    return TuyaRequests(stage)


def reached(tuya_requests: TuyaRequests, job: str) -> list[str]:
    """The devices a batch has tasks for."""
    return [task["deviceName"] for task in tuya_requests.tasks(job)]


def test_a_batch_is_shown_as_it_was_made(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate()
    options = {
        "SrcVersion": ["1.0"],
        "RetryInterval": 10,
        "RetryCount": 2,
        "TimeoutInMinutes": 60,
        "NeedPush": False,
        "NeedConfirm": True,
        "DownloadProtocol": "HTTPS",
    }
    job = tuya_requests.batch("d0", **options)
    shown = tuya_requests.ask("QueryOTAJob", {"JobId": job}).data
    assert shown["utcCreate"].endswith("Z")
    assert {name: shown[name] for name in shown if not name.startswith("utc") and name != "name"} == {
        "jobId": job,
        "jobStatus": "IN_PROGRESS",
        "jobType": "UPGRADE_FIRMWARE",
        "jobDesc": "",
        "firmwareId": FIRMWARE,
        "productKey": PRODUCT,
        "targetSelection": "SPECIFIC",
        "destVersion": "2.0",
        "srcVersions": {"srcVersion": ["1.0"]},
        "retryInterval": 10,
        "retryCount": 2,
        "timeoutInMinutes": 60,
        "needPush": False,
        "needConfirm": True,
        "downloadProtocol": "HTTPS",
    }


@pytest.mark.parametrize("status", [-1, 1])
def test_a_package_that_is_verified_or_needs_it_not_is_sent(tuya_requests: TuyaRequests, status: int) -> None:
    tuya_requests.populate(status=status)
    assert reached(tuya_requests, tuya_requests.batch("d0")) == ["d0"]


@pytest.mark.parametrize("status", [0, 2, 3])
def test_a_package_that_is_not_verified_is_not_sent(tuya_requests: TuyaRequests, status: int) -> None:
    tuya_requests.populate(status=status)
    assert tuya_requests.refused(CREATE, tuya_requests.specific("d0")) == "iot.ota.FirmwareNotVerified"


def test_the_same_request_twice_makes_two_batches(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate()
    assert tuya_requests.batch("d0") != tuya_requests.batch("d0")
    listed = tuya_requests.ask("ListOTAJobByFirmware", {"FirmwareId": FIRMWARE, "CurrentPage": 1, "PageSize": 200})
    assert (listed.body["total"], listed.body["pageCount"], len(listed.data["simpleOTAJobInfo"])) == (2, 1, 2)


def test_a_device_that_never_reported_the_module_is_no_target(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate({}, {"versions": {}}, {"versions": {"ble": "1.0"}})
    assert reached(tuya_requests, tuya_requests.batch("d0", "d1", "d2", "unknown")) == ["d0"]
    assert tuya_requests.refused(CREATE, tuya_requests.specific("d1", "unknown")) == "iot.ota.NoTargetDevice"


def test_a_device_at_the_version_is_skipped(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate({}, {"versions": {"default": "2.0"}})
    assert reached(tuya_requests, tuya_requests.batch("d0", "d1")) == ["d0"]


def test_a_batch_of_devices_at_the_version_is_refused_or_empty(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate({"versions": {"default": "2.0"}})
    assert tuya_requests.refused(CREATE, tuya_requests.specific("d0")) == "iot.ota.NoTargetDevice"
    tuya_requests.stage.settings(tuyaNoDeviceLeft="emptyBatch")
    job = tuya_requests.batch("d0")
    assert (tuya_requests.tasks(job), tuya_requests.job_status(job)) == ([], "COMPLETED")


def test_source_versions_filter(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate({}, {"versions": {"default": "1.1"}}, {"versions": {"default": "1.2"}})
    assert reached(tuya_requests, tuya_requests.batch("d0", "d1", "d2", SrcVersion=["1.0", "1.2"])) == ["d0", "d2"]


def test_all_gray_and_group_choose_for_themselves(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate(*({"versions": {"default": "1.0"}} for _ in range(5)), {"versions": {}})
    tuya_requests.fleet(
        groups=[{"groupId": "g1", "productKey": PRODUCT, "name": "canary", "devices": ["d1", "d3", "d5"]}]
    )
    base = {"FirmwareId": FIRMWARE, "ProductKey": PRODUCT}
    chosen: dict[str, list[str]] = {}
    for selection, more in (("ALL", {}), ("GRAY", {"GrayPercent": "30"}), ("GROUP", {"GroupId": "g1"})):
        asked: dict[str, Any] = {**base, "TargetSelection": selection, **more}
        chosen[selection] = reached(tuya_requests, str(tuya_requests.ask(CREATE, asked).data["jobId"]))
    assert chosen["ALL"] == ["d0", "d1", "d2", "d3", "d4"]
    assert len(chosen["GRAY"]) == 2
    assert chosen["GROUP"] == ["d1", "d3"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"TargetSelection": ""}, "iot.check.MissingParameter"),
        ({"TargetSelection": "SOME"}, "iot.check.InvalidParameter"),
        ({"TargetSelection": "GRAY"}, "iot.check.MissingParameter"),
        ({"TargetSelection": "GRAY", "GrayPercent": 0}, "iot.check.InvalidParameter"),
        ({"TargetSelection": "GROUP"}, "iot.check.MissingParameter"),
        ({"TargetSelection": "GROUP", "GroupId": "x"}, "iot.group.GroupNotExist"),
        ({"FirmwareId": "9"}, "iot.ota.FirmwareNotExist"),
        ({"FirmwareId": ""}, "iot.check.MissingParameter"),
        ({"ProductKey": "x"}, "iot.prod.NotExistedProduct"),
        ({"TargetDeviceName": []}, "iot.check.MissingParameter"),
        ({"TargetDeviceName": [f"x{n}" for n in range(201)]}, "iot.check.InvalidParameter"),
        ({"TimeoutInMinutes": 0}, "iot.check.InvalidParameter"),
        ({"TimeoutInMinutes": 1441}, "iot.check.InvalidParameter"),
        ({"NeedPush": "perhaps"}, "iot.check.InvalidParameter"),
        ({"DownloadProtocol": "MQTT"}, "iot.check.InvalidParameter"),
        ({"SrcVersion": [str(n) for n in range(11)]}, "iot.check.InvalidParameter"),
        ({"RetryInterval": 10, "SrcVersion": ["1.0"]}, "iot.check.MissingParameter"),
        ({"RetryCount": 1, "SrcVersion": ["1.0"]}, "iot.check.MissingParameter"),
        ({"RetryInterval": 10, "RetryCount": 1}, "iot.check.MissingParameter"),
        ({"RetryInterval": 11, "RetryCount": 1, "SrcVersion": ["1.0"]}, "iot.check.InvalidParameter"),
        ({"RetryInterval": 10, "RetryCount": 3, "SrcVersion": ["1.0"]}, "iot.check.InvalidParameter"),
        (
            {"RetryInterval": 60, "RetryCount": 1, "SrcVersion": ["1.0"], "TimeoutInMinutes": 60},
            "iot.check.InvalidParameter",
        ),
    ],
)
def test_what_a_batch_cannot_be_is_refused_and_makes_nothing(
    tuya_requests: TuyaRequests, options: dict[str, Any], code: str
) -> None:
    tuya_requests.populate()
    assert tuya_requests.refused(CREATE, {**tuya_requests.specific("d0"), **options}) == code
    assert tuya_requests.state()["jobs"] == []


def test_two_hundred_devices_fit_into_a_batch(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate(*({} for _ in range(200)))
    names = [f"d{n}" for n in range(200)]
    answer = tuya_requests.ask(CREATE, tuya_requests.specific(*names), method="POST")
    job = str(answer.data["jobId"])
    assert len(tuya_requests.tasks(job)) == 100
    second = tuya_requests.ask("ListOTATaskByJob", {"JobId": job, "CurrentPage": 2, "PageSize": 100})
    assert (second.body["total"], second.body["pageCount"], second.body["currentPage"]) == (200, 2, 2)


def test_a_second_batch_fails_the_later_task_at_once_and_leaves_the_first(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate({"behaviour": "offline"}, {})
    first = tuya_requests.batch("d0")
    second = tuya_requests.batch("d0", "d1")
    later, other = tuya_requests.tasks(second)
    assert (later["taskStatus"], other["taskStatus"]) == ("FAILED", "QUEUED")
    assert later["taskDesc"]
    assert tuya_requests.statuses(first) == ["QUEUED"]
    tuya_requests.stage.advance(3600)
    assert (tuya_requests.job_status(first), tuya_requests.job_status(second)) == ("IN_PROGRESS", "COMPLETED")


def test_a_second_batch_is_refused_when_the_switch_says_so(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.settings(tuyaSecondBatch="refused")
    tuya_requests.populate({"behaviour": "offline"}, {})
    tuya_requests.batch("d0")
    assert tuya_requests.refused(CREATE, tuya_requests.specific("d0", "d1")) == "iot.ota.TaskUnfinished"


def test_a_batch_of_a_device_is_listed_by_it(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate()
    job, _ = tuya_requests.batch("d0"), tuya_requests.batch("d1")
    asked = {"ProductKey": PRODUCT, "DeviceName": "d0", "FirmwareId": FIRMWARE, "CurrentPage": 1, "PageSize": 100}
    (row,) = tuya_requests.ask("ListOTAJobByDevice", asked).data["simpleOTAJobInfo"]
    assert (row["jobId"], row["targetSelection"]) == (job, "SPECIFIC")
    assert tuya_requests.refused("ListOTAJobByDevice", {**asked, "DeviceName": "x"}) == "iot.device.NotExistedDevice"


def test_completed_does_not_mean_that_all_succeeded(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate({}, {"behaviour": "failsFlash"})
    job = tuya_requests.batch("d0", "d1")
    assert tuya_requests.job_status(job) == "IN_PROGRESS"
    tuya_requests.stage.advance(3600)
    assert (tuya_requests.statuses(job), tuya_requests.job_status(job)) == (["SUCCEEDED", "FAILED"], "COMPLETED")


@pytest.mark.parametrize("last", ["CANCELED", "COMPLETED"])
def test_a_batch_that_was_canceled_ends_as_the_switch_says(tuya_requests: TuyaRequests, last: str) -> None:
    tuya_requests.stage.settings(tuyaCanceledBatch=last)
    tuya_requests.populate({"behaviour": "offline"})
    job = tuya_requests.batch("d0")
    tuya_requests.ask("CancelOTATaskByJob", {"JobId": job, "CancelQueuedTask": True})
    assert (tuya_requests.statuses(job), tuya_requests.job_status(job)) == (["CANCELED"], last)


@pytest.mark.parametrize(("behaviour", "status"), [("", 1), ("failsVerify", 3)])
def test_a_verification_decides_whether_a_package_may_be_sent(
    tuya_requests: TuyaRequests, behaviour: str, status: int
) -> None:
    tuya_requests.populate({"behaviour": behaviour}, {}, status=0)
    asked = {"FirmwareId": FIRMWARE, "ProductKey": PRODUCT, "TargetDeviceName": ["d0"]}
    job = str(tuya_requests.ask("CreateOTAVerifyJob", asked).data["jobId"])
    package = tuya_requests.ask("QueryOTAFirmware", {"FirmwareId": FIRMWARE}).body["firmwareInfo"]
    assert (package["status"], tuya_requests.ask("QueryOTAJob", {"JobId": job}).data["jobType"]) == (
        2,
        "VERIFY_FIRMWARE",
    )
    tuya_requests.stage.advance(3600)
    package = tuya_requests.ask("QueryOTAFirmware", {"FirmwareId": FIRMWARE}).body["firmwareInfo"]
    assert (package["status"], package["verifyProgress"]) == (status, 100)
    assert (tuya_requests.ask(CREATE, tuya_requests.specific("d1")).code == "") is (status == 1)


def test_a_verification_is_of_few_devices_and_of_a_package_that_needs_it(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate(status=0)
    asked = {"FirmwareId": FIRMWARE, "ProductKey": PRODUCT}
    many = {**asked, "TargetDeviceName": [f"d{n}" for n in range(11)]}
    assert tuya_requests.refused("CreateOTAVerifyJob", asked) == "iot.check.MissingParameter"
    assert tuya_requests.refused("CreateOTAVerifyJob", many) == "iot.check.InvalidParameter"
    tuya_requests.populate(status=1)
    assert (
        tuya_requests.refused("CreateOTAVerifyJob", {**asked, "TargetDeviceName": ["d0"]})
        == "iot.ota.FirmwareStatusError"
    )
