"""What a user does to device tasks: confirms them, cancels them by batch and by device."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import FIRMWARE, PRODUCT, TuyaRequests

CANCEL = "CancelOTATaskByJob"


@pytest.fixture
def tuya_requests(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with nothing in it."""
    return TuyaRequests(stage)


def began(tuya_requests: TuyaRequests, behaviour: str = "", **options: Any) -> str:
    """A batch for one device of 100 seconds."""
    tuya_requests.populate({"behaviour": behaviour, "seconds": 100})
    return tuya_requests.batch("d0", **options)


def test_a_task_waits_for_its_confirmation(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, NeedConfirm=True)
    tuya_requests.stage.advance(3600)
    (task,) = tuya_requests.tasks(job)
    assert task["taskStatus"] == "CONFIRM"
    assert tuya_requests.ask("ConfirmOTATask", {"TaskId": [task["taskId"]]}).code == ""
    assert tuya_requests.statuses(job) == ["QUEUED"]
    tuya_requests.stage.advance(3600)
    assert tuya_requests.statuses(job) == ["SUCCEEDED"]


def test_what_does_not_wait_is_not_confirmed_and_then_nothing_is(tuya_requests: TuyaRequests) -> None:
    tuya_requests.populate()
    waiting, running = tuya_requests.batch("d0", NeedConfirm=True), tuya_requests.batch("d1")
    ids = [tuya_requests.tasks(job)[0]["taskId"] for job in (waiting, running)]
    assert tuya_requests.refused("ConfirmOTATask", {"TaskId": ids}) == "iot.ota.TaskStatusError"
    assert tuya_requests.refused("ConfirmOTATask", {"TaskId": [ids[0], "9"]}) == "iot.ota.TaskNotExist"
    assert (
        tuya_requests.refused("ConfirmOTATask", {"TaskId": [str(n) for n in range(11)]}) == "iot.check.InvalidParameter"
    )
    assert tuya_requests.refused("ConfirmOTATask") == "iot.check.MissingParameter"
    assert tuya_requests.statuses(waiting) == ["CONFIRM"]


def in_every_state(tuya_requests: TuyaRequests) -> dict[str, str]:
    """Batches with one task each, by the status it has."""
    tuya_requests.populate(
        {}, {"behaviour": "offline"}, {"behaviour": "stuckNotified"}, {"behaviour": "neverReports"}, {"seconds": 1}
    )
    jobs = {
        "CONFIRM": tuya_requests.batch("d0", NeedConfirm=True),
        **{
            s: tuya_requests.batch(f"d{n}") for n, s in enumerate(("QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED"), 1)
        },
    }
    tuya_requests.stage.advance(3600)
    assert {status: tuya_requests.statuses(job) for status, job in jobs.items()} == {
        status: [status] for status in jobs
    }
    return jobs


@pytest.mark.parametrize(
    ("flags", "ended"),
    [
        ({"CancelQueuedTask": True}, {"QUEUED", "CONFIRM"}),
        ({"CancelQueuedTask": True, "CancelUnconfirmedTask": False}, {"QUEUED"}),
        ({"CancelNotifiedTask": True}, {"NOTIFIED"}),
        ({"CancelUnconfirmedTask": True}, {"CONFIRM"}),
        (
            {"CancelQueuedTask": True, "CancelNotifiedTask": True, "CancelUnconfirmedTask": True},
            {"QUEUED", "NOTIFIED", "CONFIRM"},
        ),
    ],
)
def test_a_cancel_ends_what_its_flags_name_and_nothing_in_progress(
    tuya_requests: TuyaRequests, flags: dict[str, bool], ended: set[str]
) -> None:
    jobs = in_every_state(tuya_requests)
    for job in jobs.values():
        tuya_requests.ask(CANCEL, {"JobId": job, **flags})
    after = {status: tuya_requests.statuses(job)[0] for status, job in jobs.items()}
    assert after == {status: "CANCELED" if status in ended else status for status in jobs}


def test_a_cancel_of_queued_leaves_unconfirmed_when_the_switch_says_so(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.settings(tuyaCancelQueuedTakesUnconfirmed=False)
    job = began(tuya_requests, NeedConfirm=True)
    tuya_requests.ask(CANCEL, {"JobId": job, "CancelQueuedTask": True})
    assert tuya_requests.statuses(job) == ["CONFIRM"]


@pytest.mark.parametrize("flags", [{}, {"CancelQueuedTask": False}])
def test_a_cancel_without_a_flag_is_refused(tuya_requests: TuyaRequests, flags: dict[str, bool]) -> None:
    job = began(tuya_requests)
    assert tuya_requests.refused(CANCEL, {"JobId": job, **flags}) == "iot.check.MissingParameter"
    assert tuya_requests.refused(CANCEL, {"JobId": "9", "CancelQueuedTask": True}) == "iot.ota.JobNotExist"


def test_a_cancel_by_device_ends_what_has_not_started(tuya_requests: TuyaRequests) -> None:
    jobs = in_every_state(tuya_requests)
    names = [f"d{n}" for n in range(5)]
    asked = {"ProductKey": PRODUCT, "FirmwareId": FIRMWARE, "DeviceName": names}
    assert tuya_requests.ask("CancelOTATaskByDevice", {**asked, "JobId": jobs["QUEUED"]}).code == ""
    assert [tuya_requests.statuses(jobs[s])[0] for s in ("QUEUED", "CONFIRM")] == ["CANCELED", "CONFIRM"]
    assert tuya_requests.ask("CancelOTATaskByDevice", asked).code == ""
    after = [tuya_requests.statuses(job)[0] for job in jobs.values()]
    assert after == ["CANCELED", "CANCELED", "CANCELED", "IN_PROGRESS", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"DeviceName": []}, "iot.check.MissingParameter"),
        ({"DeviceName": [f"x{n}" for n in range(201)]}, "iot.check.InvalidParameter"),
        ({"FirmwareId": ""}, "iot.check.MissingParameter"),
        ({"ProductKey": "x"}, "iot.prod.NotExistedProduct"),
        ({"JobId": "9"}, "iot.ota.JobNotExist"),
    ],
)
def test_a_cancel_by_device_that_cannot_be_is_refused(
    tuya_requests: TuyaRequests, changed: dict[str, Any], code: str
) -> None:
    tuya_requests.populate()
    asked = {"ProductKey": PRODUCT, "FirmwareId": FIRMWARE, "DeviceName": ["d0"], **changed}
    assert tuya_requests.refused("CancelOTATaskByDevice", asked) == code


def test_a_canceled_task_stays_canceled(tuya_requests: TuyaRequests) -> None:
    job = began(tuya_requests, "stuckNotified")
    tuya_requests.stage.advance(5)
    tuya_requests.ask(CANCEL, {"JobId": job, "CancelNotifiedTask": True})
    tuya_requests.behave("")
    tuya_requests.stage.advance(3600)
    assert (tuya_requests.statuses(job), tuya_requests.installs()) == (["CANCELED"], {})
