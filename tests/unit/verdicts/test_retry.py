"""Which devices are tried again, and which results count: a device has several names, and results come twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from otactl.model import (
    Attempt,
    Device,
    DeviceResult,
    Outcome,
    Reason,
    Record,
    Retry,
    Rollout,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    Wave,
    WaveRecord,
)
from otactl.model.actions import CreateUnit
from otactl.planning.assess import assess, intended
from otactl.planning.units import declare
from otactl.report.wave_summary import wave_line
from otactl.verdicts.device_results import results_of
from otactl.verdicts.retry import is_to_follow, remainder, retry_plan
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, rollout, seen

EUIS = ("70B3D57ED0000001", "70B3D57ED0000002")
MISSED = Reason.MISSING_FRAGMENTS
CANCELED = DeviceResult(device="id-0", outcome=Outcome.FAILED, reason=Reason.CANCELED)


def declared(*devices: Device) -> Rollout:
    wave = Wave(name="all", targets=Targets(wireless_devices=devices))
    return rollout(strategy=Strategy(waves=(wave,), retry=Retry(attempts=2, on=(MISSED.value,))))


def attempt(at: Rollout, *results: DeviceResult, number: int = 1, canceled: bool = False) -> Attempt:
    return Attempt(
        unit_id=f"u{number}",
        number=number,
        stage=Stage.ENDED,
        generation=at.generation,
        canceled_by_us=canceled,
        ended_at=NOW - timedelta(hours=1),
        results=results,
    )


def began_with(at: Rollout, *results: DeviceResult) -> WaveRecord:
    members = tuple(f"devEui:{eui}" for eui in EUIS)
    return WaveRecord(name="all", members=members, attempts=(attempt(at, *results),))


def failed(number: int) -> DeviceResult:
    """As the service tells it: its id, and the DevEUI in its own spelling."""
    eui = EUIS[number].lower()
    return DeviceResult(device=f"id-{number}", name=eui, outcome=Outcome.FAILED, reason=MISSED)


@pytest.mark.parametrize(
    ("devices", "again"),
    [
        ((Device(dev_eui=EUIS[0]), Device(dev_eui=EUIS[1])), ("device:id-0", "device:id-1")),
        ((Device(dev_eui=EUIS[1]),), ("device:id-1",)),
        ((Device(id="id-0"), Device(dev_eui=EUIS[1])), ("device:id-0", "device:id-1")),
    ],
    ids=["both are declared", "one left", "one is declared by its id now"],
)
def test_a_device_is_tried_again_while_the_manifest_declares_it_under_any_of_its_names(
    devices: tuple[Device, ...], again: tuple[str, ...]
) -> None:
    at = declared(*devices)
    due = retry_plan(at, began_with(at, failed(0), failed(1)))

    assert due is not None
    assert due.only == again


def test_no_one_is_tried_again_when_all_that_failed_have_left() -> None:
    at = declared(Device(dev_eui=EUIS[1]))

    assert retry_plan(at, began_with(at, failed(0))) is None


def test_who_took_it_before_we_stopped_and_refuses_it_then_counts_the_same_for_the_gate_and_for_people() -> None:
    at = declared(Device(id="id-0"))
    took = DeviceResult(device="id-0", outcome=Outcome.SUCCEEDED)
    refuses = DeviceResult(device="id-0", outcome=Outcome.FAILED, reason=Reason.REJECTED)
    attempts = (attempt(at, took, canceled=True), attempt(at, refuses, number=2))
    known = WaveRecord(name="all", members=("device:id-0",), attempts=attempts)

    assert results_of(known, at.generation) == (took,)
    line = wave_line(known, at.generation)
    assert (line.devices.succeeded, line.devices.failed, line.failures) == (1, 0, ())


@pytest.mark.parametrize(("via", "again"), [("group-1", ("device:id-0",)), (None, None)])
def test_who_knows_no_index_of_groups_is_tried_again_alone_and_only_once(
    via: str | None, again: tuple[str, ...] | None
) -> None:
    at = declared(Device(dev_eui=EUIS[0]))
    at = replace(at, strategy=replace(at.strategy, retry=Retry(attempts=3, on=("indexUnsupported",))))
    due = retry_plan(at, began_with(at, replace(failed(0), reason=Reason.INDEX_UNSUPPORTED, via=via)))

    assert (due.only if due is not None else None) == again


def test_a_device_of_a_group_is_tried_as_often_as_declared_although_a_retry_names_it_alone() -> None:
    wave = Wave(name="all", targets=Targets(multicast_groups=("group-1",)))
    at = rollout(strategy=Strategy(waves=(wave,), retry=Retry(attempts=3, on=(MISSED.value,))))
    second = replace(
        attempt(at, failed(0), number=2), members=("device:id-0",), retry_targets=("device:id-0",), try_number=2
    )
    known = WaveRecord(name="all", members=("group:group-1",), attempts=(attempt(at, failed(0)), second))

    due = retry_plan(at, known)

    assert due is not None
    assert (due.only, due.tries) == (("device:id-0",), 3)


RENAMED = msgspec.structs.replace(ENVIRONMENT, owner="acme-eu")


def due(at: Rollout) -> Record:
    """A record with a retry due for one of two devices, started while the environment's owner was another."""
    unit = declare(at, ENVIRONMENT, at.strategy.waves[0], 1, None)
    took = DeviceResult(device="id-1", name=EUIS[1], outcome=Outcome.SUCCEEDED)
    started = msgspec.structs.replace(
        attempt(at, failed(0), took), unit_id=unit.unit_id, members=unit.members, vendor_id="t-1", start_at=NOW
    )
    wave = WaveRecord(name="all", members=unit.members, attempts=(started,))
    return Record(backend="fuota", environment=at.environment, name=at.name, generation=at.generation, waves=(wave,))


FACTS = seen(targets=tuple(TargetFacts(key=f"device:id-{n}", exists=True, vendor_id=f"id-{n}") for n in (0, 1)))


def test_a_retry_stays_one_of_the_devices_that_failed_when_the_owner_is_renamed_before_it() -> None:
    at = declared(Device(dev_eui=EUIS[0]), Device(dev_eui=EUIS[1]))

    (action,) = assess(RENAMED, at, due(at), FACTS, SHAPE, (), NOW).plan.actions

    assert isinstance(action, CreateUnit)
    assert (action.unit.members, action.unit.attempt, action.unit.tries) == (("device:id-0",), 2, 2)


def test_a_retry_that_was_declared_and_not_made_stays_one_when_the_owner_is_renamed() -> None:
    at = declared(Device(dev_eui=EUIS[0]), Device(dev_eui=EUIS[1]))
    first = assess(ENVIRONMENT, at, due(at), FACTS, SHAPE, (), NOW)
    refused = intended(first, [(a, ()) for a in first.plan.actions], SHAPE, NOW)

    then = assess(RENAMED, at, refused, FACTS, SHAPE, (), NOW)
    (action,) = then.plan.actions
    assert isinstance(action, CreateUnit)
    assert (action.unit.members, action.unit.tries) == (("device:id-0",), 2)

    again = intended(then, [(action, ())], SHAPE, NOW)
    assert [a.unit_id for a in again.attempts][1:] == [action.unit.unit_id]


def test_a_wave_that_was_never_sent_has_nothing_to_try_again() -> None:
    at = declared(Device(dev_eui=EUIS[0]))

    assert retry_plan(at, WaveRecord(name="all")) is None
    assert retry_plan(at, None) is None


@pytest.mark.parametrize(
    ("changes", "due"),
    [({}, True), ({"generation": "another"}, False), ({"try_number": 2}, False), ({"ended_at": None}, False)],
    ids=["the first try", "of other content", "the last try", "not ended"],
)
def test_only_an_ended_attempt_at_the_declared_content_with_a_try_left_is_tried_again(
    changes: dict[str, Any], due: bool
) -> None:
    at = declared(Device(dev_eui=EUIS[0]), Device(dev_eui=EUIS[1]))
    known = WaveRecord(name="all", attempts=(replace(attempt(at, failed(0)), **changes),))

    assert (retry_plan(at, known) is not None) is due


@pytest.mark.parametrize(
    "changes",
    [
        {"retry_targets": ("device:id-0",), "try_number": 2, "canceled_by_us": True},
        {"withdrawn": True, "canceled_by_us": True, "results": (CANCELED,)},
    ],
    ids=["a retry whose turn did not come", "a device that a suspension withdrew"],
)
def test_what_did_not_have_its_turn_is_due_when_its_attempt_has_ended(changes: dict[str, Any]) -> None:
    at = declared(Device(dev_eui=EUIS[0]), Device(dev_eui=EUIS[1]))
    stopped = replace(attempt(at), devices=("id-0", "id-1"), **changes)

    follows = remainder(WaveRecord(name="all", attempts=(stopped,)), at)

    assert follows is not None
    assert (follows.only, follows.tries) == (("device:id-0",), stopped.try_number)
    assert follows.ready_at == stopped.ended_at


@pytest.mark.parametrize(
    ("changes", "follows"),
    [
        ({"canceled_by_us": True, "stage": Stage.RUNNING}, True),
        ({"canceled_by_us": True, "results": (CANCELED,)}, True),
        ({"canceled_by_us": True, "results": (CANCELED,), "generation": "another"}, False),
        ({"stage": Stage.RUNNING}, False),
    ],
    ids=["still stopping", "stopped before its turn", "of other content", "not stopped"],
)
def test_what_was_stopped_before_its_turn_is_to_follow(changes: dict[str, Any], follows: bool) -> None:
    at = declared(Device(dev_eui=EUIS[0]), Device(dev_eui=EUIS[1]))
    stopped = replace(attempt(at), devices=("id-0", "id-1"), **changes)

    assert is_to_follow(WaveRecord(name="all", attempts=(stopped,)), at) is follows
    assert is_to_follow(WaveRecord(name="all"), at) is False
