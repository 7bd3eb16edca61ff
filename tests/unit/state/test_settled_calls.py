"""What a record keeps of calls that were answered, and how it shows calls."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from otactl.model import Stage
from otactl.model.actions import Call, CancelUnit, Placeholder, Receipt
from otactl.state.intents import CallResult, recorded, settle
from tests.support.builders import NOW, record_of, rollout, unit_of

DECLARED = rollout()
UNIT = unit_of(DECLARED)
RECORD = record_of(DECLARED, UNIT, Stage.RUNNING, start_at=NOW)


def cancel(why: str) -> CancelUnit:
    return CancelUnit(unit_id=UNIT.unit_id, vendor_id="t-1", backend="fuota", why=why, reason="a reason")


@pytest.mark.parametrize(("why", "withdrawn"), [("suspended", True), ("superseded", False), ("aborted", False)])
def test_a_cancel_that_came_through_withdraws_the_devices_of_a_suspension_alone(why: str, withdrawn: bool) -> None:
    results = (CallResult(key="k", receipt=Receipt(key="k")),)

    moved, (event,) = settle(RECORD, cancel(why), results, {}, NOW)

    (attempt,) = moved.attempts
    assert (attempt.canceled_by_us, attempt.withdrawn, attempt.last_write_at) == (True, withdrawn, NOW)
    assert (event.kind, event.message, event.data) == ("sent", "cancelUnit: a reason", {"calls": 1})


@pytest.mark.parametrize("unknown", [True, False])
def test_a_call_that_failed_is_reported_with_its_action_its_reason_and_its_error(unknown: bool) -> None:
    results = (CallResult(key="k", error="iot:CancelJob: no answer", unknown=unknown),)

    moved, (event,) = settle(RECORD, cancel("superseded"), results, {}, NOW)

    assert moved.attempts == RECORD.attempts
    assert event.kind == "failed"
    assert event.message.startswith("cancelUnit: a reason; ")
    assert event.message.endswith(": iot:CancelJob: no answer")
    assert event.data == {"calls": 1, "unknown": unknown}


def test_a_call_is_shown_in_values_of_json() -> None:
    given = {
        "bytes": b"ab",
        "at": datetime(2026, 3, 1, tzinfo=UTC),
        "nested": {"inside": [b"c", {"deep": datetime(2026, 3, 2, tzinfo=UTC)}]},
        "later": Placeholder(of="id"),
        "pair": (1, "x"),
    }
    call = Call(key="k", service="iot", operation="CreateJob", parameters=given, permission="iot:CreateJob")

    assert recorded(call).parameters == {
        "bytes": {"base64": "YWI="},
        "at": "2026-03-01T00:00:00Z",
        "nested": {"inside": [{"base64": "Yw=="}, {"deep": "2026-03-02T00:00:00Z"}]},
        "later": "<id>",
        "pair": [1, "x"],
    }
