"""What the failures of a wave show about its fleet: error rates as promised, limits that grow and meet as they must."""

from __future__ import annotations

from math import comb, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.model import Gate, exact
from otactl.verdicts.confidence import devices_needed, limits_of
from otactl.verdicts.gate import GateState, Tally, hopeless, judge
from tests.support.builders import NOW

PERCENTS = st.sampled_from([50.0, 80.0, 90.0, 95.0, 98.0, 99.5, 100.0])
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
GATES = st.builds(Gate, min_success_percent=PERCENTS, confidence=CONFIDENCES)
LATER = st.one_of(st.none(), st.integers(0, 300))


def chance(devices: int, fleet: int, failing: int, numbers: range) -> float:
    ways = sum(comb(failing, k) * comb(fleet - failing, devices - k) for k in numbers if k <= devices)
    return ways / comb(fleet, devices)


@given(GATES, st.integers(1, 120), st.integers(0, 200), st.data())
def test_no_firmware_of_any_fleet_gets_a_wrong_verdict_more_often_than_its_confidence_allows(
    gate: Gate, devices: int, later: int, data: st.DataObject
) -> None:
    fleet = devices + later
    failing = data.draw(st.integers(0, fleet))
    limits = limits_of(gate, devices, later)
    is_bad = failing > (100 - exact(gate.min_success_percent)) * fleet / 100

    wrong = range(limits.passes_to + 1) if is_bad else range(limits.fails_from, devices + 1)

    assert gate.risk is not None
    assert chance(devices, fleet, failing, wrong) <= float(gate.risk)


@given(GATES, st.integers(1, 300), LATER)
def test_a_gate_with_a_confidence_never_passes_what_it_would_not_pass_without(
    gate: Gate, devices: int, later: int | None
) -> None:
    limits = limits_of(gate, devices, later)

    assert limits.passes_to <= floor((100 - exact(gate.min_success_percent)) * devices / 100)
    assert limits.passes_to < limits.fails_from


@given(PERCENTS, st.integers(1, 300), LATER)
def test_more_confidence_asks_for_more_of_both_verdicts(percent: float, devices: int, later: int | None) -> None:
    found = [
        limits_of(Gate(min_success_percent=percent, confidence=c), devices, later) for c in (0.5, 0.8, 0.9, 0.99, 0.999)
    ]

    assert found == sorted(found, key=lambda each: (-each.passes_to, each.fails_from))
    assert [each.fails_from for each in found] == sorted(each.fails_from for each in found)


@given(GATES, st.integers(1, 400))
def test_a_fleet_that_has_answered_whole_is_known_exactly(gate: Gate, devices: int) -> None:
    limits = limits_of(gate, devices, 0)

    assert limits.passes_to == floor((100 - exact(gate.min_success_percent)) * devices / 100)
    assert limits.fails_from == limits.passes_to + 1


@given(GATES, st.integers(1, 200), st.integers(0, 200))
def test_a_fleet_of_known_size_asks_for_no_more_than_one_without_end(gate: Gate, devices: int, later: int) -> None:
    assert limits_of(gate, devices, later).passes_to >= limits_of(gate, devices, None).passes_to


@given(GATES, st.one_of(st.none(), st.integers(1, 400)))
def test_the_number_of_devices_that_is_needed_is_the_least_that_can_pass(gate: Gate, fleet: int | None) -> None:
    needed = devices_needed(gate, fleet)
    if needed is None:
        assert fleet is None
        assert gate.min_success_percent == 100
        return
    can = [
        limits_of(gate, n, None if fleet is None else fleet - n).passes_to >= 0 for n in (needed - 1, needed) if n >= 1
    ]

    assert can[-1] is True
    assert can[:-1] in ([], [False])


@pytest.mark.parametrize(
    ("devices", "later", "passes_to", "fails_from"),
    [
        (3, 10_000, -1, 2),
        (148, None, -1, 7),
        (149, None, 0, 7),
        (300, None, 1, 11),
        (10_000, None, 176, 224),
        (113, 287, 0, 5),
        (3, 0, 0, 1),
    ],
)
def test_limits_of_a_gate_that_allows_two_percent(
    devices: int, later: int | None, passes_to: int, fails_from: int
) -> None:
    limits = limits_of(Gate(min_success_percent=98, confidence=0.95), devices, later)

    assert (limits.passes_to, limits.fails_from) == (passes_to, fails_from)


@given(GATES, st.integers(1, 60), LATER, st.data())
def test_no_later_answer_takes_an_early_verdict_back(
    gate: Gate, devices: int, later: int | None, data: st.DataObject
) -> None:
    good = data.draw(st.integers(0, devices))
    answered_well, answered_badly = data.draw(st.integers(0, good)), data.draw(st.integers(0, devices - good))
    waiting = devices - answered_well - answered_badly
    early = Tally(succeeded=answered_well, failed=answered_badly, weighted=answered_badly, waiting=waiting)
    last = Tally(succeeded=good, failed=devices - good, weighted=devices - good)

    before = judge(gate, early, None, NOW, later=later).state
    after = judge(gate, last, None, NOW, later=later).state

    assert before is GateState.WAITING or before is after


@given(GATES, st.integers(1, 80), LATER, st.data())
def test_a_gate_without_hope_passes_whoever_answers_later_on_no_account(
    gate: Gate, devices: int, later: int | None, data: st.DataObject
) -> None:
    failed = data.draw(st.integers(0, devices))
    now = Tally(failed=failed, weighted=failed, waiting=devices - failed)
    best = Tally(succeeded=devices - failed, failed=failed, weighted=failed)

    passes = judge(gate, best, None, NOW, later=later).state is GateState.PASSED

    assert passes is (not hopeless(gate, now, later) and failed < devices)


TWO_PERCENT = Gate(min_success_percent=98, confidence=0.95, silence_after="2h")


@pytest.mark.parametrize(
    ("tally", "due", "early", "state", "reason"),
    [
        (Tally(succeeded=299, waiting=1), False, True, "passed", ""),
        (Tally(succeeded=299, waiting=1), False, False, "waiting", "waiting_for_devices"),
        (Tally(succeeded=298, waiting=2), False, True, "waiting", "waiting_for_devices"),
        (Tally(succeeded=298, silent=2), True, True, "inconclusive", "evidence_is_too_weak"),
        (Tally(succeeded=298, failed=2), True, True, "inconclusive", "evidence_is_too_weak"),
        (Tally(failed=11, weighted=11, waiting=289), False, True, "failed", "success_rate_is_too_low"),
        (Tally(failed=10, weighted=10, waiting=290), False, True, "waiting", "waiting_for_devices"),
        (Tally(succeeded=100, failed=10, silent=190), True, True, "inconclusive", "evidence_is_too_weak"),
        (Tally(silent=300), True, True, "inconclusive", "evidence_is_too_weak"),
        (Tally(), True, True, "failed", "success_rate_is_too_low"),
    ],
)
def test_silence_counts_as_failing_before_a_pass_and_as_working_before_a_failure(
    tally: Tally, due: bool, early: bool, state: str, reason: str
) -> None:
    found = judge(TWO_PERCENT, tally, NOW if due else None, NOW, later=None, early=early)

    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("gate", "tally", "reason"),
    [
        (Gate(min_success_percent=50, confidence=0.9, max_failures=1), Tally(succeeded=98, failed=2, weighted=2), "f"),
        (Gate(min_success_percent=50, confidence=0.9, min_reported=99), Tally(succeeded=98, silent=2), "too_few"),
    ],
)
def test_the_other_limits_of_a_gate_hold_beside_its_confidence(gate: Gate, tally: Tally, reason: str) -> None:
    assert judge(gate, tally, NOW, NOW, later=None).reason.startswith(reason)


@pytest.mark.parametrize("fleet", [None, 1, 300])
def test_a_gate_without_a_confidence_asks_for_no_number_of_devices(fleet: int | None) -> None:
    assert devices_needed(Gate(min_success_percent=98), fleet) == 1
