"""A revision goes on in the account and the Region where its first wave ran."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.tuya.config import TuyaAccess, TuyaConfig
from otactl.backends.tuya.definition import TuyaShape
from otactl.drift.unit_home import beside
from otactl.model import (
    Attempt,
    BackendAccess,
    DeviceResult,
    Environment,
    Home,
    Intent,
    Outcome,
    Phase,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    Targets,
    UnitPhase,
    Value,
    Verdict,
    Wave,
    WaveRecord,
)
from otactl.planning import changed_home
from otactl.planning.assess import Assessment, assess
from otactl.reconcile.reconciler import Reconciler
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, NOW, SHAPE, empty, record_of, rollout, seen, unit_of
from tests.support.in_memory_cloud import Cloud, Memory
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


def test_a_unit_that_was_refused_in_the_old_place_and_is_created_in_the_new_one_is_at_home_there() -> None:
    """Its attempt was recorded before the change; each place asked to put the other one back."""
    refused = record_of(DECLARED, unit_of(DECLARED, vendor_id=""), Stage.DECLARED, vendor_id=None)
    elsewhere = msgspec.structs.replace(ENVIRONMENT, region="us-east-1")

    moved = looked(elsewhere, record=msgspec.structs.replace(refused, home=HOME)).record
    started = moved.with_attempts(
        lambda _wave, a: msgspec.structs.replace(a, stage=Stage.RUNNING, vendor_id="t-1", start_at=BEGAN)
    )

    assert changed_home.moved(DECLARED, started, elsewhere) is None
    (back,) = [changed_home.moved(DECLARED, started, ENVIRONMENT)]
    assert back is not None
    assert "it was us-east-1" in back.message


def test_a_rollout_with_no_wave_left_holds_nothing_and_keeps_where_it_ran() -> None:
    done = rollout(strategy=msgspec.structs.replace(DECLARED.strategy, waves=DECLARED.strategy.waves[:1]))
    result = looked(msgspec.structs.replace(ENVIRONMENT, region="us-east-1"), done)

    assert (actions(result), holds(result), result.record.home) == ([], [], HOME)


def over(endpoint: str, **changes: object) -> Environment:
    """The environment, with a gateway."""
    access = {"tuya": TuyaAccess(endpoint=endpoint)} if endpoint else {}
    return msgspec.structs.replace(ENVIRONMENT, access=access, **changes)


EAST, WEST = over("https://si-1.tuyaeu.com/"), over("https://si-1.tuyaus.com/")
BATCHES = TuyaConfig(document={"productKey": "k"})
HERE = msgspec.structs.replace(HOME, endpoint="si-1.tuyaeu.com:443")


def of_tuya(stage: Stage = Stage.RUNNING, home: Home | None = HERE) -> Record:
    """The record of a rollout of batches, with one attempt."""
    attempt = Attempt(number=1, generation="1", unit_id="u-1", stage=stage, vendor_id="j-1", start_at=BEGAN)
    waves = (WaveRecord(name="canary", attempts=(attempt,)),)
    return Record(environment="prod-eu", name="probe", backend="tuya", generation="1", waves=waves, home=home)


def batches() -> Rollout:
    return rollout(backend=BATCHES)


def test_another_gateway_under_a_live_unit_holds_and_the_unit_is_not_missing() -> None:
    record = of_tuya()

    result = assess(WEST, batches(), record, seen(), TuyaShape(), (), NOW)

    assert holds(result) == ["environment_changed"]
    assert "endpoint si-1.tuyaus.com:443 (it was si-1.tuyaeu.com:443)" in result.plan.holds[0].message
    assert result.record.attempts == record.attempts


def test_another_gateway_under_a_create_without_an_answer_holds() -> None:
    call = RecordedCall(service="tuya", operation="CreateOTAStaticUpgradeJob", parameters={})
    intent = Intent(action="createUnit", unit_id="u-1", key="k", call=call, at=NOW)
    record = Record(environment="prod-eu", name="probe", backend="tuya", intents=(intent,), home=HERE)

    assert holds(assess(WEST, batches(), record, seen(), TuyaShape(), (), NOW)) == ["environment_changed"]


@pytest.mark.parametrize(
    ("written", "elsewhere"),
    [
        ("https://SI-1.tuyaeu.com", False),
        ("https://si-1.tuyaeu.com:443/", False),
        ("https://si-1.tuyaeu.com:8686/", True),
        ("https://si-1.tuyaeu.com/us", True),
        ("https://si-2.tuyaeu.com/", True),
    ],
)
def test_a_gateway_is_its_host_port_and_path_however_written(written: str, elsewhere: bool) -> None:
    assert (changed_home.moved(batches(), of_tuya(), over(written)) is not None) == elsewhere


def test_a_record_from_before_gateways_were_kept_goes_on_and_keeps_the_one_it_has_now() -> None:
    record = of_tuya(home=HOME)

    first = assess(EAST, batches(), record, seen(), TuyaShape(), (), NOW)

    assert ("environment_changed" in holds(first), first.record.home) == (False, HERE)
    assert holds(assess(WEST, batches(), first.record, seen(), TuyaShape(), (), NOW)) == ["environment_changed"]


def test_an_environment_without_a_gateway_forgets_none() -> None:
    result = assess(over(""), batches(), of_tuya(), seen(), TuyaShape(), (), NOW)

    assert ("environment_changed" in holds(result), result.record.home) == (False, HERE)


def test_the_gateway_of_a_unit_of_another_service_is_none() -> None:
    record = record_of(DECLARED, unit_of(DECLARED, phase=UnitPhase.RUNNING), Stage.RUNNING)
    record = msgspec.structs.replace(record, home=HOME)

    assert [changed_home.moved(DECLARED, record, e) for e in (EAST, WEST)] == [None, None]


def test_environments_share_devices_by_their_gateway_whatever_their_region() -> None:
    theirs = msgspec.structs.replace(of_tuya(), environment="staging")
    abroad = over("https://si-1.tuyaeu.com/", region="us-east-1")

    assert [beside([theirs], e) for e in (EAST, abroad, WEST)] == [(theirs,), (theirs,), ()]


def test_a_unit_that_is_found_in_the_new_place_is_at_home_there() -> None:
    """A record with nothing under way moves first: else the unit would count as missing where it never was."""
    other = rollout(firmware=msgspec.structs.replace(DECLARED.firmware, version="2.5.0"))
    region = msgspec.structs.replace(ENVIRONMENT, region="us-east-1")
    image = msgspec.structs.replace(FACTS_IMAGE, region="us-east-1")

    result = assess(
        region, other, after_the_canary(), seen(unit_of(other, vendor_id="t-9"), image=image), SHAPE, (), NOW
    )

    assert [e.kind for e in result.events if e.kind == "adopted"] == ["adopted"]
    assert result.record.home == msgspec.structs.replace(HOME, region="us-east-1")
    assert changed_home.moved(other, result.record, region) is None
    back = changed_home.moved(other, result.record, ENVIRONMENT)
    assert back is not None
    assert back.reason == "environment_changed"


def test_a_revision_that_is_declared_again_goes_on_only_where_it_began() -> None:
    """Its first wave passed in one place; the record moved on with another revision, of which nothing was sent."""
    abroad = msgspec.structs.replace(ENVIRONMENT, region="us-east-1")
    other = rollout(firmware=msgspec.structs.replace(DECLARED.firmware, version="2.5.0"))
    moved = looked(abroad, other).record

    again = looked(abroad, DECLARED, moved)

    assert (actions(again), holds(again)) == ([], ["environment_changed"])
    assert actions(looked(ENVIRONMENT, DECLARED, moved)) == ["createUnit"]


def test_devices_of_a_thing_group_of_another_place_joined_nothing() -> None:
    waves = (Wave(name="canary", targets=Targets(thing_groups=("fleet",))),)
    declared = rollout(strategy=msgspec.structs.replace(DECLARED.strategy, waves=waves))
    record = after_the_canary()
    canary = msgspec.structs.replace(
        record.waves[0],
        members=("thingGroup:fleet",),
        verdict_generation=declared.generation,
        attempts=tuple(
            msgspec.structs.replace(
                a, generation=declared.generation, devices=("a", "b"), members=("thingGroup:fleet",)
            )
            for a in record.waves[0].attempts
        ),
    )
    record = record.with_wave(canary)

    assert changed_home.moved(declared, record, ENVIRONMENT) is None
    abroad = changed_home.moved(declared, record, msgspec.structs.replace(ENVIRONMENT, region="us-east-1"))
    assert abroad is not None
    assert abroad.reason == "environment_changed"


def test_an_empty_record_takes_the_place_it_is_first_observed_in() -> None:
    result = assess(EAST, DECLARED, empty(DECLARED), seen(), SHAPE, (), NOW)

    assert result.record.home == HOME


class Gateway(Value, BackendAccess, frozen=True):
    """The access of a service whose address names where its units live."""

    address: str

    @property
    def place(self) -> str:
        """Return the address."""
        return self.address


def at_gateway(address: str) -> Environment:
    return msgspec.structs.replace(ENVIRONMENT, access={"fuota": Gateway(address)})


@pytest.mark.parametrize("before", range(7), ids=lambda n: f"after {n} runs")
def test_an_environment_that_is_changed_and_changed_back_sends_nothing_twice(before: int) -> None:
    here, abroad, journal = Cloud(NOW), Cloud(NOW), Memory()
    declared = rollout()

    def go(cloud: Cloud, address: str, runs: int) -> list[str]:
        found: list[str] = []
        for _ in range(runs):
            environment = at_gateway(address)
            reconciler = Reconciler(
                environment,
                (declared,),
                {"fuota": cloud},
                journal,
                lambda: cloud.now,
                "me",
                lambda _r: (),
                lambda _r: True,
            )
            found += [h.reason for r in reconciler.run().rollouts for h in r.holds]
            for each in (here, abroad):
                each.advance(timedelta(minutes=40))
        return found

    go(here, "east", before)
    held = go(abroad, "west", 3)
    back = go(here, "east", 9)

    first, other = (here, abroad) if before else (abroad, here)
    if not before:  # it began abroad, and is to go on there
        assert "environment_changed" in back
        go(abroad, "west", 9)
    elif before < 6:
        assert set(held) == {"environment_changed"}
    assert (other.created, other.sent) == ([], [])
    assert (len(first.created), first.sent.count("StartFuotaTask")) == (2, 2)
    record = journal.load("prod-eu", "probe").record
    assert record.phase is Phase.SUCCEEDED
    assert Stage.LOST not in [a.stage for a in record.attempts]
