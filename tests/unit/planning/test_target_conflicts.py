"""Devices are compared by one identity, whatever name a manifest has for them and whichever group holds them."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import (
    Attempt,
    Device,
    DeviceResult,
    Intent,
    Outcome,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    Strategy,
    Survey,
    TargetFacts,
    Targets,
    Wave,
    WaveRecord,
)
from otactl.model.actions import Hold, StartUnit
from otactl.planning.assess import Assessment
from otactl.planning.context import Plan, PlanContext
from otactl.planning.preflight import may_fill, may_start
from otactl.planning.start_context import StartContext
from otactl.planning.supersede import sent_in_groups, wave_holds
from otactl.planning.target_conflicts import busy, holders, in_turn, knowing
from otactl.planning.units import declare
from tests.support.builders import ENVIRONMENT, NOW, empty, of_start, of_wave, rollout, seen

EUI = "70b3d57ed0000001"
BY_ID = TargetFacts(key="device:d1", exists=True, vendor_id="d1", names={"d1": EUI})
BY_EUI = msgspec.structs.replace(BY_ID, key=f"devEui:{EUI}")
GROUP = TargetFacts(
    key="group:g1", exists=True, vendor_id="g1", requested=2, ready=2, members=("d1", "d2"), names={"d1": EUI}
)
OTHER_GROUP = msgspec.structs.replace(GROUP, key="group:g2", vendor_id="g2", members=("d1", "d3"))
THINGS = msgspec.structs.replace(GROUP, key="thingGroup:a", names={})
MORE_THINGS = msgspec.structs.replace(THINGS, key="thingGroup:b")


def unit_for(*facts: TargetFacts, name: str = "probe"):
    declared = rollout(name=name, strategy=Strategy(waves=(Wave(name="all", targets=Targets()),)))
    unit = declare(declared, ENVIRONMENT, declared.strategy.waves[0], 1, None)
    return msgspec.structs.replace(unit, members=tuple(f.key for f in facts if not f.key.startswith("product:")))


def start_for(
    *facts: TargetFacts,
    declared: Rollout | None = None,
    read: tuple[TargetFacts, ...] | None = None,
    taken: dict[str, str] | None = None,
) -> StartContext:
    """The creation of a unit for some targets, of which the pass read `read`."""
    of = declared or rollout(strategy=Strategy(waves=(Wave(name="all", targets=Targets()),)))
    observed = seen(targets=facts if read is None else read)
    at = PlanContext(rollout=of, environment=ENVIRONMENT, record=empty(of), seen=observed, now=NOW, busy=taken or {})
    return of_start(at, members=tuple(f.key for f in facts))


def reasons(holds: tuple[Hold, ...]) -> list[str]:
    return [hold.reason for hold in holds]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ((BY_ID, BY_EUI), ["duplicate_target"]),
        ((GROUP, OTHER_GROUP), ["duplicate_target"]),
        ((BY_ID,), []),
        ((GROUP,), []),
        ((THINGS, MORE_THINGS), []),
    ],
)
def test_one_device_twice_in_a_unit_holds_its_making_and_its_start(
    facts: tuple[TargetFacts, ...], found: list[str]
) -> None:
    start = start_for(*facts)

    holds = may_fill(start)

    assert reasons(holds) == found
    assert reasons(may_start(start)) == found
    assert all(f.key.partition(":")[2] in h.message for h in holds for f in facts)


def test_a_target_that_is_not_there_holds_the_making_with_its_hint() -> None:
    gone = TargetFacts(key="device:70B3D57ED0000001", exists=False, hint="write {devEui: 70B3D57ED0000001}")

    wave = Wave(name="all", targets=Targets(wireless_devices=(Device(id="d1"), Device(id="70B3D57ED0000001"))))
    declared = rollout(strategy=Strategy(waves=(wave,)))

    (hold,) = may_fill(start_for(gone, declared=declared))

    assert hold.reason == "target_is_missing"
    assert "(spec.strategy.waves[0].targets.wirelessDevices[1] of rollouts/a.yaml)" in hold.message
    assert hold.message.endswith("write {devEui: 70B3D57ED0000001}")


def test_a_target_that_was_not_looked_at_holds_the_making() -> None:
    assert reasons(may_fill(start_for(BY_ID, read=()))) == ["checks_are_incomplete"]


def test_a_group_whose_devices_were_not_all_listed_holds_the_start() -> None:
    short = msgspec.structs.replace(GROUP, members_complete=False)

    assert reasons(may_start(start_for(short))) == ["checks_are_incomplete"]


def record(members: tuple[str, ...], **changes: object) -> dict[str, Record]:
    attempt = Attempt(number=1, generation="g", unit_id="other-1", stage=Stage.RUNNING, members=members)
    attempt = msgspec.structs.replace(attempt, **changes)
    wave = WaveRecord(name="all", attempts=(attempt,))
    return {"other": Record(backend="fuota", environment="prod-eu", name="other", waves=(wave,))}


HELD_BY = {
    "its id": record(("device:d1",)),
    "its DevEUI": record((f"devEui:{EUI}",)),
    "its DevEUI, resolved": record(("devEui:ff",), devices=("d1",)),
    "its id, known by DevEUI": record(("group:g9",), devices=("d9",), names={"d9": EUI}),
    "a group": record(("group:g9",), devices=("d0", "d1")),
}


@pytest.mark.parametrize("held", HELD_BY.values(), ids=HELD_BY)
@pytest.mark.parametrize("facts", [BY_ID, BY_EUI, GROUP], ids=lambda f: f.key)
def test_a_device_another_rollout_holds_is_busy_by_every_name(held: dict[str, Record], facts: TargetFacts) -> None:
    assert reasons(may_start(start_for(facts, taken=busy(holders(held), rollout())))) == ["target_is_busy"]


@pytest.mark.parametrize("action", ["createUnit", "startUnit"])
def test_a_unit_whose_start_has_no_answer_holds_its_devices(action: str) -> None:
    call = RecordedCall(service="iotwireless", operation="StartFuotaTask", parameters={})
    start = Intent(action=action, unit_id="other-1", key="k", call=call, at=NOW, start_at=NOW)
    held = {
        name: msgspec.structs.replace(known, intents=(start,))
        for name, known in record(("device:d1",), stage=Stage.OPEN).items()
    }

    assert reasons(may_start(start_for(BY_ID, taken=busy(holders(held), rollout())))) == ["target_is_busy"]


def test_a_name_of_another_service_is_another_device() -> None:
    held = {n: msgspec.structs.replace(r, backend="otaUpdate") for n, r in record(("device:d1",)).items()}

    assert busy(holders(held), rollout()) == {}


def test_what_a_rollout_holds_itself_is_not_busy_and_of_two_others_the_later_is_named() -> None:
    (known,) = record(("group:g1",)).values()
    held = holders({name: msgspec.structs.replace(known, name=name) for name in ("a", rollout().name, "b")})

    (unit_id,) = {holder.unit_id for holder in held["fuota"]["group:g1"]}
    assert dict(busy(held, rollout())) == {"group:g1": unit_id}
    alone = busy(holders({rollout().name: known}), rollout())
    assert (len(alone), list(alone), "group:g1" in alone) == (0, [], False)


def starting(facts: TargetFacts, name: str) -> Assessment:
    unit = unit_for(facts, name=name)
    start = StartUnit(unit=unit, vendor_id="t", start_at=NOW, reason="r")
    plan = Plan(rollout=name, environment="prod-eu", actions=(start,))
    return Assessment(
        record=Record(backend="fuota", environment="prod-eu", name=name), plan=plan, seen=seen(targets=(facts,))
    )


PRODUCT = TargetFacts(key="product:p", exists=True)
PLUG = TargetFacts(key="device:plug-1", exists=True, vendor_id="plug-1", within="product:p")
OTHER_PLUG = msgspec.structs.replace(PLUG, key="device:plug-2", vendor_id="plug-2")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (BY_ID, BY_EUI),
        (BY_ID, GROUP),
        (GROUP, BY_EUI),
        (GROUP, OTHER_GROUP),
        (PRODUCT, PRODUCT),
        (PRODUCT, PLUG),
        (PLUG, PRODUCT),
    ],
)
def test_of_two_that_would_start_on_one_device_in_a_pass_the_second_waits(
    first: TargetFacts, second: TargetFacts
) -> None:
    taken: dict[str, dict[str, str]] = {}

    one, two = in_turn(starting(first, "aaa"), taken), in_turn(starting(second, "bbb"), taken)

    assert one.plan.actions
    assert (two.plan.actions, reasons(two.plan.holds)) == ((), ["target_is_busy"])


@pytest.mark.parametrize(("first", "second"), [(PLUG, OTHER_PLUG), (BY_ID, msgspec.structs.replace(PLUG, within=""))])
def test_two_that_share_no_device_start_in_one_pass(first: TargetFacts, second: TargetFacts) -> None:
    taken: dict[str, dict[str, str]] = {}

    assert all(in_turn(starting(f, f.key[-4:]), taken).plan.actions for f in (first, second))


def test_a_unit_that_began_with_devices_no_one_recorded_is_looked_at_live() -> None:
    attempts = {
        "open": record((), stage=Stage.OPEN, vendor_id="open"),
        "recorded": record(("group:g1",), devices=("d1",), vendor_id="recorded"),
        "found": record(("group:g1",), vendor_id="found"),
        "ended": record((), stage=Stage.DELETED, vendor_id="ended"),
    }
    records = {name: one["other"] for name, one in attempts.items()}

    (survey,) = knowing({"fuota": Survey(account="1")}, records).values()

    assert survey.known == {"open", "recorded"}


SENT = {
    "named, took it": (("devEui:ff",), Outcome.SUCCEEDED, BY_ID, True),
    "named, failed": (("devEui:ff",), Outcome.FAILED, BY_ID, True),
    "named, failed; now in a group": (("devEui:ff",), Outcome.FAILED, GROUP, False),
    "in a group, took it": (("group:g9",), Outcome.SUCCEEDED, GROUP, True),
    "in a group, failed; now named": (("group:g9",), Outcome.FAILED, BY_ID, False),
    "named, its unit was deleted on air; now in a group": (("devEui:ff",), None, GROUP, True),
    "in a group, its unit was deleted on air; now named": (("group:g9",), None, BY_ID, True),
}


@pytest.mark.parametrize(("members", "outcome", "facts", "held"), SENT.values(), ids=SENT)
def test_a_device_another_wave_was_for_is_known_by_its_identity(
    members: tuple[str, ...], outcome: Outcome | None, facts: TargetFacts, held: bool
) -> None:
    kind = {"multicast_groups": ("g1",)} if facts.is_group else {"wireless_devices": (Device(id="d1"),)}
    waves = (Wave(name="canary"), Wave(name="fleet", targets=Targets(**kind)))
    declared = rollout(strategy=Strategy(waves=waves))
    attempt = Attempt(
        number=1,
        generation=declared.generation,
        unit_id="u",
        stage=Stage.DELETED if outcome else Stage.LOST,
        start_at=NOW,
        members=members,
        devices=("d1",),
        results=(DeviceResult(device="d1", outcome=outcome),) if outcome else (),
    )
    known = Record(
        backend="fuota", environment="prod-eu", name="probe", waves=(WaveRecord(name="canary", attempts=(attempt,)),)
    )
    at = PlanContext(rollout=declared, environment=ENVIRONMENT, record=known, seen=seen(targets=(facts,)), now=NOW)

    assert reasons(sent_in_groups(of_wave(at, waves[1]))) == (["targets_were_sent_already"] if held else [])


@pytest.mark.parametrize(("resend", "updated"), [(True, False), (False, True)])
def test_a_wave_starts_on_devices_another_wave_sent_to_when_they_report_it_or_are_to_be_sent_again(
    resend: bool, updated: bool
) -> None:
    first, second = (Wave(name=n, targets=Targets(things=(Device(id="d-1"),))) for n in ("canary", "fleet"))
    since = NOW + timedelta(minutes=1) if resend else None
    declared = rollout(strategy=Strategy(waves=(first, second)), resend_since=since)
    took = DeviceResult(device="d-1", outcome=Outcome.SUCCEEDED)
    attempt = Attempt(
        number=1,
        generation=declared.generation,
        unit_id="u",
        vendor_id="v",
        stage=Stage.DELETED,
        start_at=NOW,
        members=("device:d-1",),
        devices=("d-1",),
        results=(took,),
    )
    record = Record(
        backend="fuota",
        environment="prod-eu",
        name="probe",
        generation=declared.generation,
        waves=(WaveRecord(name="canary", members=("device:d-1",), attempts=(attempt,)),),
    )
    facts = TargetFacts(key="device:d-1", exists=True, vendor_id="d-1", updated=updated)
    at = PlanContext(rollout=declared, environment=ENVIRONMENT, record=record, seen=seen(targets=(facts,)), now=NOW)
    held = msgspec.structs.replace(
        at,
        rollout=msgspec.structs.replace(declared, resend_since=None),
        seen=seen(targets=(msgspec.structs.replace(facts, updated=False),)),
    )

    assert (wave_holds(of_wave(at, second)), sent_in_groups(of_wave(at, second))) == ((), ())
    for hold in (*wave_holds(of_wave(held, second)), *sent_in_groups(of_wave(held, second))):
        assert hold.reason == "targets_were_sent_already"
        assert "d-1" in hold.message
        assert "strategy.resend: true" in hold.message
    assert len(wave_holds(of_wave(held, second))) == 1
