"""Actions lower to calls that botocore's own validator accepts, the same ones every time."""

from __future__ import annotations

from datetime import timedelta

import botocore.loaders
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from otactl.backends.fuota.calls import lower, token
from otactl.errors import StalledError
from otactl.model import Observation, TargetFacts, Unit, UnitPhase
from otactl.model.actions import (
    Action,
    AddMembers,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UpdateUnit,
)
from otactl.planning.units import declare
from otactl.state.intents import recorded
from tests.support.builders import ENVIRONMENT, NOW, rollout

MODEL = ServiceModel(botocore.loaders.Loader().load_service_model("iotwireless", "service-2"))
ROLLOUT = rollout()
UNIT = declare(ROLLOUT, ENVIRONMENT, ROLLOUT.strategy.waves[0], 1, None)
SEEN = Observation()
CREATE = lower(CreateUnit(unit=UNIT, reason="r"), SEEN)[0]
MEMBERS = ("group:g1", "device:d-1")
ACTIONS: list[Action] = [
    CreateUnit(unit=UNIT, reason="r"),
    ResendCreate(unit=UNIT, call=recorded(CREATE), reason="r"),
    UpdateUnit(unit=UNIT, vendor_id="t", fields=("name", "redundancyPercent", "rfRegion"), reason="r"),
    MarkUnit(unit=UNIT, arn="arn:t", remove=("otactl:x",), reason="r"),
    AddMembers(unit=UNIT, vendor_id="t", members=MEMBERS, reason="r"),
    RemoveMembers(unit=UNIT, vendor_id="t", members=MEMBERS, reason="r"),
    StartUnit(unit=UNIT, vendor_id="t", start_at=NOW, reason="r"),
    DeleteUnit(unit_id=UNIT.unit_id, vendor_id="t", backend="fuota", why="cleanup", reason="r"),
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: type(a).__name__)
def test_every_call_passes_the_sdks_own_validator(action: Action) -> None:
    for call in lower(action, SEEN):
        shape = MODEL.operation_model(call.operation).input_shape
        assert ParamValidator().validate(call.parameters, shape).generate_report() == ""
        assert ParamValidator().validate(recorded(call).parameters, shape).generate_report() == ""


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: type(a).__name__)
def test_lowering_twice_gives_the_same_calls_with_keys_of_their_own(action: Action) -> None:
    calls = lower(action, SEEN)

    assert lower(action, SEEN) == calls
    assert len({c.key for c in calls}) == len(calls)


def test_create_sends_name_token_and_owner_mark_in_one_call() -> None:
    tags = {t["Key"]: t["Value"] for t in CREATE.parameters["Tags"]}

    assert CREATE.parameters["Name"] == f"acme-{UNIT.unit_id}"
    assert tags["otactl:owner"] == "acme"
    assert tags["otactl:rollout"] == "probe"
    assert tags["otactl:generation"] == ROLLOUT.generation
    assert len(str(CREATE.parameters["ClientRequestToken"])) == 64


def test_another_attempt_has_another_token() -> None:
    assert token(UNIT) != token(declare(ROLLOUT, ENVIRONMENT, ROLLOUT.strategy.waves[0], 2, None))


def test_a_resent_create_is_byte_for_byte_the_recorded_one() -> None:
    (again,) = lower(ACTIONS[1], SEEN)

    assert (again.key, again.operation, again.parameters) == (CREATE.key, CREATE.operation, CREATE.parameters)


def test_a_start_goes_stale_thirty_minutes_before_its_time_and_is_never_repeated_blindly() -> None:
    (call,) = lower(ACTIONS[6], SEEN)

    assert call.not_after == NOW - timedelta(minutes=30)
    assert not call.repeatable


def test_a_device_named_by_its_deveui_is_sent_by_the_services_id() -> None:
    facts = TargetFacts(key="devEui:aa", exists=True, vendor_id="d-9")
    action = AddMembers(unit=UNIT, vendor_id="t", members=("devEui:aa",), reason="r")

    (call,) = lower(action, Observation(targets=(facts,)))

    assert call.parameters == {"Id": "t", "WirelessDeviceId": "d-9"}


def test_a_device_named_by_its_deveui_is_taken_out_by_the_services_id() -> None:
    unit = Unit(unit_id="u", phase=UnitPhase.OPEN, vendor_id="t", ids={"devEui:aa": "d-9"})
    action = RemoveMembers(unit=UNIT, vendor_id="t", members=("devEui:aa",), reason="r")

    (call,) = lower(action, Observation(units=(unit,)))

    assert call.complete().parameters == {"Id": "t", "WirelessDeviceId": "d-9"}


def test_a_deveui_that_was_not_looked_up_is_shown_and_cannot_be_sent() -> None:
    action = AddMembers(unit=UNIT, vendor_id="t", members=("devEui:aa",), reason="r")

    (call,) = lower(action, SEEN)

    assert recorded(call).parameters == {"Id": "t", "WirelessDeviceId": "<id of DevEUI aa>"}
    with pytest.raises(StalledError, match="<id of DevEUI aa> is not known"):
        call.complete()
