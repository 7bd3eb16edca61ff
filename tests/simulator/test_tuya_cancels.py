"""What a user does to device tasks: confirms them, cancels them by batch and by device."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import FIRMWARE, PRODUCT, TuyaRequests

CANCEL = "CancelOTATaskByJob"


@pytest.fixture
def gate(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with nothing in it."""
    return TuyaRequests(stage)


def began(gate: TuyaRequests, behaviour: str = "", **options: Any) -> str:
    """A batch for one device of 100 seconds."""
    gate.populate({"behaviour": behaviour, "seconds": 100})
    return gate.batch("d0", **options)


def test_a_task_waits_for_its_confirmation(gate: TuyaRequests) -> None:
    job = began(gate, NeedConfirm=True)
    gate.stage.advance(3600)
    (task,) = gate.tasks(job)
    assert task["taskStatus"] == "CONFIRM"
    assert gate.ask("ConfirmOTATask", {"TaskId": [task["taskId"]]}).code == ""
    assert gate.statuses(job) == ["QUEUED"]
    gate.stage.advance(3600)
    assert gate.statuses(job) == ["SUCCEEDED"]


def test_what_does_not_wait_is_not_confirmed_and_then_nothing_is(gate: TuyaRequests) -> None:
    gate.populate()
    waiting, running = gate.batch("d0", NeedConfirm=True), gate.batch("d1")
    ids = [gate.tasks(job)[0]["taskId"] for job in (waiting, running)]
    assert gate.refused("ConfirmOTATask", {"TaskId": ids}) == "iot.ota.TaskStatusError"
    assert gate.refused("ConfirmOTATask", {"TaskId": [ids[0], "9"]}) == "iot.ota.TaskNotExist"
    assert gate.refused("ConfirmOTATask", {"TaskId": [str(n) for n in range(11)]}) == "iot.check.InvalidParameter"
    assert gate.refused("ConfirmOTATask") == "iot.check.MissingParameter"
    assert gate.statuses(waiting) == ["CONFIRM"]


def in_every_state(gate: TuyaRequests) -> dict[str, str]:
    """Batches with one task each, by the status it has."""
    gate.populate(
        {}, {"behaviour": "offline"}, {"behaviour": "stuckNotified"}, {"behaviour": "neverReports"}, {"seconds": 1}
    )
    jobs = {
        "CONFIRM": gate.batch("d0", NeedConfirm=True),
        **{s: gate.batch(f"d{n}") for n, s in enumerate(("QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED"), 1)},
    }
    gate.stage.advance(3600)
    assert {status: gate.statuses(job) for status, job in jobs.items()} == {status: [status] for status in jobs}
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
    gate: TuyaRequests, flags: dict[str, bool], ended: set[str]
) -> None:
    jobs = in_every_state(gate)
    for job in jobs.values():
        gate.ask(CANCEL, {"JobId": job, **flags})
    after = {status: gate.statuses(job)[0] for status, job in jobs.items()}
    assert after == {status: "CANCELED" if status in ended else status for status in jobs}


def test_a_cancel_of_queued_leaves_unconfirmed_when_the_switch_says_so(gate: TuyaRequests) -> None:
    gate.stage.settings(tuyaCancelQueuedTakesUnconfirmed=False)
    job = began(gate, NeedConfirm=True)
    gate.ask(CANCEL, {"JobId": job, "CancelQueuedTask": True})
    assert gate.statuses(job) == ["CONFIRM"]


@pytest.mark.parametrize("flags", [{}, {"CancelQueuedTask": False}])
def test_a_cancel_without_a_flag_is_refused(gate: TuyaRequests, flags: dict[str, bool]) -> None:
    job = began(gate)
    assert gate.refused(CANCEL, {"JobId": job, **flags}) == "iot.check.MissingParameter"
    assert gate.refused(CANCEL, {"JobId": "9", "CancelQueuedTask": True}) == "iot.ota.JobNotExist"


def test_a_cancel_by_device_ends_what_has_not_begun(gate: TuyaRequests) -> None:
    jobs = in_every_state(gate)
    names = [f"d{n}" for n in range(5)]
    asked = {"ProductKey": PRODUCT, "FirmwareId": FIRMWARE, "DeviceName": names}
    assert gate.ask("CancelOTATaskByDevice", {**asked, "JobId": jobs["QUEUED"]}).code == ""
    assert [gate.statuses(jobs[s])[0] for s in ("QUEUED", "CONFIRM")] == ["CANCELED", "CONFIRM"]
    assert gate.ask("CancelOTATaskByDevice", asked).code == ""
    after = [gate.statuses(job)[0] for job in jobs.values()]
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
def test_a_cancel_by_device_that_cannot_be_is_refused(gate: TuyaRequests, changed: dict[str, Any], code: str) -> None:
    gate.populate()
    asked = {"ProductKey": PRODUCT, "FirmwareId": FIRMWARE, "DeviceName": ["d0"], **changed}
    assert gate.refused("CancelOTATaskByDevice", asked) == code


def test_a_canceled_task_stays_canceled(gate: TuyaRequests) -> None:
    job = began(gate, "stuckNotified")
    gate.stage.advance(5)
    gate.ask(CANCEL, {"JobId": job, "CancelNotifiedTask": True})
    gate.behave("")
    gate.stage.advance(3600)
    assert (gate.statuses(job), gate.installs()) == (["CANCELED"], {})
