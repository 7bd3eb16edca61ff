"""Which devices are tried again, and which results count: a device has several names, and results come twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from controller.model import (
    Attempt,
    Device,
    DeviceResult,
    Outcome,
    Reason,
    Retry,
    Rollout,
    Stage,
    Strategy,
    Targets,
    Wave,
    WaveRecord,
)
from controller.report.waves import wave_line
from controller.results import results_of
from controller.retrying import retrial
from tests.unit.build import NOW, rollout

EUIS = ("70B3D57ED0000001", "70B3D57ED0000002")
MISSED = Reason.MISSING_FRAGMENTS


def declared(*devices: Device) -> Rollout:
    wave = Wave(name="all", targets=Targets(wireless_devices=devices))
    return rollout(strategy=Strategy(waves=(wave,), retry=Retry(attempts=2, on=(MISSED.value,))))


def attempt(at: Rollout, *results: DeviceResult, number: int = 1, canceled: bool = False) -> Attempt:
    return Attempt(
        unit_id=f"u{number}", number=number, stage=Stage.JUDGED, generation=at.generation, canceled=canceled,
        ended_at=NOW - timedelta(hours=1), results=results,
    )  # fmt: skip


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
    due = retrial(at, began_with(at, failed(0), failed(1)))

    assert due is not None
    assert due.only == again


def test_nobody_is_tried_again_when_all_that_failed_have_left() -> None:
    at = declared(Device(dev_eui=EUIS[1]))

    assert retrial(at, began_with(at, failed(0))) is None


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
    due = retrial(at, began_with(at, replace(failed(0), reason=Reason.INDEX_UNSUPPORTED, via=via)))

    assert (due.only if due is not None else None) == again
