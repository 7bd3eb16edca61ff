"""The gates of several waves: each over its own devices, by the arithmetic that will judge it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.lorawan.decode_probability import Code, success
from otactl.lorawan.fleet_probability import at_most, device_chance, fleet_chance, gates_of, spread
from otactl.lorawan.loss_models import Independent, Outage
from otactl.lorawan.planner import forecast
from otactl.lorawan.request import AirtimeRequest, DeviceClass, SuccessCriteria, WaveGate
from otactl.model import Gate as DeclaredGate
from otactl.verdicts.confidence import limits_of
from otactl.verdicts.gate import GateState, Tally, judge

CODE = Code(fragments=150)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STRICT = SuccessCriteria(min_success_percent=95)
ALIKE = (DeviceClass(devices=100, loss=Independent(0.05)),)


@given(
    devices=st.integers(1, 60),
    percent=st.one_of(st.integers(0, 100), st.floats(0, 100)),
    most=st.one_of(st.none(), st.integers(0, 60)),
    weight=st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.0, 2.0, 3.5]),
    least=st.one_of(st.none(), st.integers(0, 80)),
)
def test_a_gate_allows_the_failures_that_the_judge_of_waves_lets_pass(
    devices: int, percent: float, most: int | None, weight: float, least: int | None
) -> None:
    declared = DeclaredGate(
        min_success_percent=float(percent), max_failures=most, min_reported=least, weights={"missingFragments": weight}
    )
    allowed = SuccessCriteria(min_success_percent=float(percent), max_failures=most, weight=weight).failures_allowed(
        devices
    )
    for failed in range(devices + 1):
        tally = Tally(succeeded=devices - failed, failed=failed, weighted=failed * weight)
        assert (judge(declared, tally, None, NOW).state is GateState.PASSED) is (failed <= allowed)


@given(
    devices=st.integers(1, 400),
    later=st.one_of(st.none(), st.integers(0, 5000)),
    sureness=st.sampled_from([0.8, 0.95, 0.99]),
    most=st.one_of(st.none(), st.integers(0, 20)),
)
def test_a_gate_with_a_confidence_allows_the_failures_that_the_judge_lets_pass(
    devices: int, later: int | None, sureness: float, most: int | None
) -> None:
    declared = DeclaredGate(min_success_percent=95.0, max_failures=most, confidence=sureness)
    criteria = SuccessCriteria(
        min_success_percent=95.0, max_failures=most, most_without=limits_of(declared, devices, later).passes_to
    )
    allowed = criteria.failures_allowed(devices)

    for failed in range(min(devices, 40) + 1):
        tally = Tally(succeeded=devices - failed, failed=failed, weighted=failed)
        assert (judge(declared, tally, None, NOW, later=later).state is GateState.PASSED) is (failed <= allowed)


def test_every_waves_gate_has_to_pass() -> None:
    chance = device_chance(CODE, 18, Independent(0.05), 100)
    found = fleet_chance(CODE, 18, ALIKE, gates=((10, STRICT), (90, STRICT)))
    both = at_most(0, [10], [chance.probability]) * at_most(4, [90], [chance.probability])
    assert found.gate_passes == pytest.approx(both)
    assert found.gate_passes < fleet_chance(CODE, 18, ALIKE, gates=((100, STRICT),)).gate_passes - 0.02
    assert found.all_updated == pytest.approx(chance.probability**100)


def test_an_outage_strikes_each_waves_session_by_itself() -> None:
    outage = Outage(60, 0.5)
    one = fleet_chance(
        CODE, 18, (DeviceClass(devices=50, loss=Independent(0.0001)),), gates=((50, STRICT),), outage=outage
    )
    two = fleet_chance(
        CODE, 18, (DeviceClass(devices=100, loss=Independent(0.0001)),), gates=((50, STRICT),) * 2, outage=outage
    )
    assert two.gate_passes == pytest.approx(one.gate_passes**2)
    assert 0.4 < one.gate_passes < 0.6  # the devices of a wave fall together


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.data())
def test_classes_are_spread_evenly_and_no_one_is_lost(sizes: list[int], data: st.DataObject) -> None:
    total = sum(sizes)
    first = data.draw(st.integers(0, total))
    shares = np.array(spread(sizes, [first, total - first]))
    assert shares.sum(axis=0).tolist() == sizes
    assert shares.sum(axis=1).tolist() == [first, total - first]
    assert np.abs(shares[0] - np.array(sizes) * first / total).max() <= len(sizes)


TEN, NINETY, ANY = (WaveGate(devices=n, gate=SuccessCriteria(min_success_percent=80)) for n in (10, 90, None))


@pytest.mark.parametrize(
    ("waves", "unknown", "counts", "code"),
    [
        ((), False, [100], None),
        ((TEN, NINETY), False, [10, 90], None),
        ((ANY,), False, [100], None),
        ((TEN, ANY), False, [100], "gate_is_of_all_devices"),
        ((TEN, TEN), False, [100], "gate_is_of_all_devices"),
        ((ANY, ANY), True, [100], "group_sizes_are_unknown"),
    ],
)
def test_devices_that_no_one_can_divide_have_one_gate_and_it_is_said(
    waves: tuple[WaveGate, ...], unknown: bool, counts: list[int], code: str | None
) -> None:
    question = AirtimeRequest(
        region="EU868", image_bytes=8960, devices=100, gate=STRICT, waves=waves, devices_unknown=unknown
    )
    gates, said = gates_of(question, 100)
    assert [devices for devices, _ in gates] == counts
    assert [each.code for each in said] == ([] if code is None else [code])


def test_the_gate_of_a_single_wave_is_its_own() -> None:
    question = AirtimeRequest(region="EU868", image_bytes=8960, gate=STRICT, waves=(ANY,))
    assert gates_of(question, 50)[0] == ((50, ANY.gate),)


def test_a_forecast_tells_how_classes_are_put_into_waves() -> None:
    classes = (DeviceClass(devices=60, loss=Independent(0.02)), DeviceClass(devices=40, loss=Independent(0.05)))
    question = AirtimeRequest(
        region="EU868",
        data_rate=3,
        image_bytes=8960,
        fragment_bytes=87,
        redundancy_percent=20,
        classes=classes,
        waves=(TEN, NINETY),
        advice="whenMissed",
    )
    assert "classes_are_spread_over_waves" in {each.code for each in forecast(question).warnings}


@pytest.mark.thorough
def test_a_device_of_a_large_fleet_that_nearly_all_reach_is_known_more_exactly() -> None:
    code, parity, loss = Code(fragments=200), 40, Independent(0.1)
    alone, many, lost = (
        device_chance(code, parity, loss, 1),
        device_chance(code, parity, loss, 500),
        device_chance(code, 20, loss, 500),
    )
    assert many.half_width < alone.half_width / 2
    assert lost.half_width == success(code, 20, loss).half_width  # most devices fail, however exactly that is known
