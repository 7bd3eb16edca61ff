"""A create whose answer was lost: sent again with its identity, or adopted."""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.model import (
    Intent,
    RecordedCall,
    Stage,
)
from otactl.model.actions import (
    CreateUnit,
    ResendCreate,
)
from tests.support.builders import NOW, look, record_of, rollout, seen, unit_of
from tests.support.plans import actions


def pending(unit_id: str, at: datetime = NOW) -> Intent:
    call = RecordedCall(service="iotwireless", operation="CreateFuotaTask", parameters={"Name": "n"})
    return Intent(action="createUnit", unit_id=unit_id, key=f"createUnit/{unit_id}", call=call, at=at)


def test_a_create_whose_answer_was_lost_is_sent_again_identical_before_any_new_plan() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = msgspec.structs.replace(
        record_of(declared, unit, Stage.DECLARED, vendor_id=None, arn=None), intents=(pending(unit.unit_id),)
    )

    result = look(declared, record, seen())

    (action,) = result.plan.actions
    assert isinstance(action, ResendCreate)
    assert action.call == pending(unit.unit_id).call


def test_a_create_that_came_through_unheard_is_adopted_not_repeated() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = msgspec.structs.replace(
        record_of(declared, unit, Stage.DECLARED, vendor_id=None, arn=None), intents=(pending(unit.unit_id),)
    )

    result = look(declared, record, seen(unit))

    assert actions(result) == ["startUnit"]
    assert result.record.attempts[0].vendor_id == unit.vendor_id
    assert result.record.intents == ()


def test_an_attempt_that_was_recorded_and_never_sent_is_created_under_its_number() -> None:
    declared = rollout()
    unit = unit_of(declared)

    (action,) = look(declared, record_of(declared, unit, Stage.DECLARED, vendor_id=None), seen()).plan.actions

    assert isinstance(action, CreateUnit)
    assert (action.unit.attempt, action.unit.unit_id) == (1, unit.unit_id)
