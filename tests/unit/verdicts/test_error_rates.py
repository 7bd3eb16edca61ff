"""How often gates pass firmware that fails on a share of devices: exact, and by the verdicts of real waves."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.model import Gate
from otactl.verdicts.error_rates import chances, devices_for, devices_to_pass
from otactl.verdicts.gate import GateState, Tally, judge
from tests.support.builders import NOW

TWO = Gate(min_success_percent=98)
SURE = Gate(min_success_percent=98, confidence=0.95)
GATES = st.sampled_from(
    [
        TWO,
        SURE,
        Gate(),
        Gate(min_success_percent=50),
        Gate(min_success_percent=80, max_failures=2),
        Gate(min_success_percent=80, min_reported=10),
        Gate(min_success_percent=80, confidence=0.8, min_reported=10),
        Gate(min_success_percent=80, weights={"timeout": 0.5, "unknown": 0.25}),
        Gate(min_success_percent=0, max_failures=1),
    ]
)


def weight(gate: Gate) -> float:
    return gate.weights.get("unknown", 1.0)


@given(GATES, st.integers(1, 14), st.integers(0, 10), st.integers(0, 5))
def test_chances_are_the_sum_over_every_outcome_that_a_wave_can_have(
    gate: Gate, devices: int, failing: int, silent: int
) -> None:
    p, q = failing / 20, silent / 20
    expected = dict.fromkeys(GateState, 0.0)
    for f in range(devices + 1):
        for s in range(devices + 1 - f):
            tally = Tally(succeeded=devices - f - s, failed=f, weighted=f * weight(gate), silent=s)
            ways = comb(devices, f) * comb(devices - f, s)
            chance = ways * p**f * q**s * (1 - p - q) ** (devices - f - s)
            expected[judge(gate, tally, NOW, NOW, later=20).state] += chance

    found = chances(gate, devices, 20, p, q)

    assert found.passes == pytest.approx(expected[GateState.PASSED], abs=1e-12)
    assert found.fails == pytest.approx(expected[GateState.FAILED], abs=1e-12)
    assert found.undecided == pytest.approx(expected[GateState.INCONCLUSIVE], abs=1e-12)


@given(GATES, st.integers(1, 200), st.integers(0, 48), st.integers(0, 10))
def test_worse_firmware_passes_no_gate_more_often(gate: Gate, devices: int, failing: int, silent: int) -> None:
    found = [chances(gate, devices, None, share / 50, silent / 100).passes for share in (failing, failing + 1)]

    assert found[1] <= found[0] + 1e-12


@pytest.mark.parametrize(
    ("gate", "devices", "failing", "passes"),
    [(TWO, 3, 0.1, 0.729), (TWO, 30, 0.1, 0.0424), (TWO, 300, 0.1, 0.0), (SURE, 3, 0.0, 0.0), (SURE, 149, 0.0, 1.0)],
)
def test_a_small_wave_passes_what_a_large_one_does_not(gate: Gate, devices: int, failing: float, passes: float) -> None:
    assert chances(gate, devices, None, failing).passes == pytest.approx(passes, abs=5e-5)


@pytest.mark.parametrize(
    "gate", [TWO, Gate(), Gate(min_success_percent=80), Gate(min_success_percent=98, max_failures=2)]
)
@pytest.mark.parametrize("failing", [0.4, 0.1])
def test_from_the_number_of_devices_that_is_needed_on_bad_firmware_passes_within_the_risk(
    gate: Gate, failing: float
) -> None:
    over = [n for n in range(1, 150) if chances(gate, n, None, failing).passes > 0.05]

    needed = devices_for(gate, lambda _: None, failing, 0.0, 0.05)

    assert needed == (max(over, default=0) + 1 if len(over) < 149 else None)


@pytest.mark.parametrize("gate", [Gate(min_success_percent=80), Gate(min_success_percent=80, confidence=0.8)])
def test_from_the_number_of_devices_that_is_needed_on_good_firmware_is_held_within_the_risk(gate: Gate) -> None:
    over = [n for n in range(1, 200) if chances(gate, n, None, 0.05).holds > 0.1]

    assert devices_to_pass(gate, lambda _: None, 0.05, 0.0, 0.1) == max(over) + 1


@pytest.mark.parametrize("failing", [0.02, 0.01])
def test_no_number_of_devices_keeps_out_firmware_that_the_gate_allows(failing: float) -> None:
    assert devices_for(TWO, lambda _: None, failing, 0.0, 0.05) is None
    assert devices_to_pass(TWO, lambda _: None, 0.02, 0.0, 0.05) is None


@pytest.mark.parametrize("fleet", [20, 60])
@pytest.mark.parametrize(("failing", "risk"), [(0.55, 0.2), (0.6, 0.05), (0.7, 0.3)])
@pytest.mark.parametrize("confidence", [0.5, 0.8])
def test_in_a_fleet_of_known_size_no_larger_wave_passes_bad_firmware_beyond_the_risk(
    fleet: int, failing: float, risk: float, confidence: float
) -> None:
    gate = Gate(min_success_percent=50, confidence=confidence)

    def later(devices: int) -> int:
        return fleet - devices

    over = [n for n in range(1, fleet + 1) if chances(gate, n, later(n), failing).passes > risk]
    needed = max(over, default=0) + 1

    found = devices_for(gate, later, failing, 0.0, risk, fleet=fleet)

    assert found == (needed if needed <= fleet else None)


@pytest.mark.parametrize("fleet", [None, 30, 60])
def test_a_wave_of_a_small_fleet_is_held_less_often_than_one_of_an_endless_fleet(fleet: int | None) -> None:
    gate = Gate(min_success_percent=80, confidence=0.8)

    def later(devices: int) -> int | None:
        return None if fleet is None else fleet - devices

    over = [n for n in range(1, (fleet or 199) + 1) if chances(gate, n, later(n), 0.05).holds > 0.1]
    needed = max(over) + 1

    found = devices_to_pass(gate, later, 0.05, 0.0, 0.1, fleet=fleet)

    assert found == (needed if fleet is None or needed <= fleet else None)


@pytest.mark.parametrize("devices", [9, 14, 19])
def test_a_risk_that_is_just_met_is_within_the_risk(devices: int) -> None:
    gate = Gate(min_success_percent=80)
    risk = chances(gate, devices, None, 0.05).holds
    over = [n for n in range(1, 200) if chances(gate, n, None, 0.05).holds > risk]

    assert devices_to_pass(gate, lambda _: None, 0.05, 0.0, risk) == max(over) + 1
