"""A revision goes on in the account and the Region where its first wave ran."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import DeviceResult, Environment, Home, Outcome, Record, Rollout, Stage, Verdict
from otactl.planning.assess import Assessment, assess
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, NOW, SHAPE, record_of, rollout, seen, unit_of
from tests.support.plans import actions, holds

DECLARED = rollout()
HOME = Home(account=ENVIRONMENT.account, region=ENVIRONMENT.region, owner=ENVIRONMENT.owner)
BEGAN = NOW - timedelta(hours=2)
PASSED = Verdict(passed=True, succeeded=2, failed=0, total=2, needed_percent=90, at=NOW - timedelta(hours=1))
RESULTS = tuple(DeviceResult(device=d, outcome=Outcome.SUCCEEDED) for d in ("a", "b"))


def after_the_canary() -> Record:
    """The record of a rollout whose first wave has passed, and whose second was not created."""
    sent = {"start_at": BEGAN, "ended_at": PASSED.at, "results": RESULTS}
    record = record_of(DECLARED, unit_of(DECLARED), Stage.DELETED, **sent)
    canary = msgspec.structs.replace(
        record.waves[0],
        members=("group:g1",),
        verdict=PASSED,
        verdict_generation=DECLARED.generation,
        released=True,
    )
    return msgspec.structs.replace(record.with_wave(canary), home=HOME)


def looked(environment: Environment, declared: Rollout = DECLARED, record: Record | None = None) -> Assessment:
    image = msgspec.structs.replace(FACTS_IMAGE, region=environment.region)
    return assess(environment, declared, record or after_the_canary(), seen(image=image), SHAPE, (), NOW)


@pytest.mark.parametrize(("field", "value"), [("account", "999999999999"), ("region", "us-east-1")])
def test_a_wave_is_not_created_in_another_place_than_the_one_before(field: str, value: str) -> None:
    result = looked(msgspec.structs.replace(ENVIRONMENT, **{field: value}))

    assert (actions(result), holds(result), result.record.home) == ([], ["environment_changed"], HOME)
    assert f"{field} {value} (it was {getattr(ENVIRONMENT, field)})" in result.plan.holds[0].message
    assert "put it back, or declare the rollout under another name" in result.plan.holds[0].message


def test_a_wave_is_created_where_the_one_before_was() -> None:
    assert actions(looked(ENVIRONMENT)) == ["createUnit"]


def test_another_owner_in_the_same_place_goes_on() -> None:
    result = looked(msgspec.structs.replace(ENVIRONMENT, owner="someone"))

    assert (actions(result), holds(result)) == (["createUnit"], [])
    assert result.record.home == msgspec.structs.replace(HOME, owner="someone")


def test_another_revision_begins_in_the_new_place() -> None:
    other = rollout(firmware=msgspec.structs.replace(DECLARED.firmware, version="2.5.0"))
    result = looked(msgspec.structs.replace(ENVIRONMENT, region="us-east-1"), other)

    assert "environment_changed" not in holds(result)
    assert result.record.home == msgspec.structs.replace(HOME, region="us-east-1")


def test_a_rollout_with_no_wave_left_holds_nothing_and_keeps_where_it_ran() -> None:
    done = rollout(strategy=msgspec.structs.replace(DECLARED.strategy, waves=DECLARED.strategy.waves[:1]))
    result = looked(msgspec.structs.replace(ENVIRONMENT, region="us-east-1"), done)

    assert (actions(result), holds(result), result.record.home) == ([], [], HOME)
