"""The gate as arithmetic: exact at its limits, whatever devices answered and how much their failures weigh."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.model import DeviceResult, Gate, Outcome, Reason, Verdict
from otactl.verdicts.gate import GateState, Tally, hopeless, judge, reasons_matter, tally_of, tally_of_counts
from otactl.verdicts.wave_verdict import arithmetic
from tests.support.builders import NOW

S, F, W = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.WAITING


def failed(number: int, reason: Reason, *, silent: bool = False) -> list[DeviceResult]:
    return [DeviceResult(device=f"{reason}-{n}", outcome=F, reason=reason, silent=silent) for n in range(number)]


def well(number: int) -> list[DeviceResult]:
    return [DeviceResult(device=f"d-{n}", outcome=S) for n in range(number)]


@given(tenths=st.integers(1, 1000), total=st.integers(1, 30000), short=st.booleans())
def test_a_percentage_is_met_exactly_where_the_decimal_is(tenths: int, total: int, short: bool) -> None:
    needed = -(-Fraction(tenths, 10) * total // 100)
    well = int(needed) - short
    tally = Tally(succeeded=well, failed=total - well, weighted=Decimal(total - well))

    state = judge(Gate(min_success_percent=tenths / 10), tally, NOW, NOW).state

    assert (state is GateState.PASSED) is (not short and well > 0)


@given(hundredths=st.integers(1, 99), number=st.integers(1, 500), over=st.booleans())
def test_weights_add_up_to_what_they_say(hundredths: int, number: int, over: bool) -> None:
    weight = Fraction(hundredths, 100)
    most = int(weight * number) - (1 if over and (weight * number).denominator == 1 else 0)
    gate = Gate(min_success_percent=0, max_failures=most, weights={"offline": hundredths / 100})

    tally = tally_of([*well(1), *failed(number, Reason.OFFLINE)], gate)

    assert (judge(gate, tally, NOW, NOW).reason == "failures_exceed_limit") is (weight * number > most)


HALF = Gate(min_success_percent=50, max_failures=1, weights={Reason.REJECTED: 0.5})
NO_ONE = Gate(min_success_percent=95, max_failures=0, weights={"timeout": 0.0, "rejected": 0.0})


@pytest.mark.parametrize(
    ("results", "gate", "state"),
    [
        (failed(5, Reason.TIMEOUT, silent=True), NO_ONE, "inconclusive"),
        (failed(5, Reason.TIMEOUT), NO_ONE, "failed"),
        (failed(5, Reason.REJECTED), NO_ONE, "failed"),
        ([*well(1), *failed(4, Reason.REJECTED)], NO_ONE, "passed"),
        (failed(5, Reason.TIMEOUT, silent=True), Gate(min_success_percent=0), "inconclusive"),
        (failed(5, Reason.REJECTED), Gate(min_success_percent=0), "passed"),
        (failed(5, Reason.TIMEOUT, silent=True), Gate(), "failed"),
        ([], NO_ONE, "failed"),
    ],
)
def test_a_wave_passes_only_where_someone_answered_and_succeeded(
    results: list[DeviceResult], gate: Gate, state: str
) -> None:
    assert judge(gate, tally_of(results, gate), NOW, NOW).state == state


@pytest.mark.parametrize(
    ("counts", "failures", "reason"),
    [
        ({S: 1, F: 2, W: 7}, {Reason.REJECTED: 2}, "waiting_for_devices"),
        ({S: 1, F: 3, W: 6}, {Reason.REJECTED: 3}, "failures_exceed_limit"),
        ({S: 1, F: 2, W: 7}, {Reason.REJECTED: 1}, "failures_exceed_limit"),
        ({S: 1, F: 2, W: 7}, {}, "failures_exceed_limit"),
    ],
)
def test_failures_of_a_unit_that_runs_weigh_by_their_reason(
    counts: dict[Outcome, int], failures: dict[Reason, int], reason: str
) -> None:
    assert judge(HALF, tally_of_counts(counts, failures, HALF), None, NOW).reason == reason


def test_a_gate_is_hopeless_by_weighted_failures_alone() -> None:
    gate = Gate(min_success_percent=70, weights={Reason.REJECTED: 0.5})
    counts = {S: 0, F: 6, W: 4}

    assert not hopeless(gate, tally_of_counts(counts, {Reason.REJECTED: 6}, gate))
    assert hopeless(gate, tally_of_counts(counts, {Reason.REJECTED: 5}, gate))


@pytest.mark.parametrize(
    ("gate", "failures", "due", "matters"),
    [
        (HALF, {Reason.UNKNOWN: 1}, False, False),  # 1 at the most, which is allowed
        (HALF, {Reason.UNKNOWN: 2}, False, True),
        (HALF, {Reason.UNKNOWN: 3}, False, False),  # 1.5 at the least, which is too many
        (HALF, {Reason.UNKNOWN: 1}, True, True),
        (HALF, {Reason.REJECTED: 2}, True, False),
        (HALF, {Reason.REJECTED: 1, Reason.UNKNOWN: 1}, False, True),
        (Gate(max_failures=1), {Reason.UNKNOWN: 2}, True, False),
    ],
)
def test_own_words_of_failed_devices_are_read_where_they_decide_the_gate(
    gate: Gate, failures: dict[Reason, int], due: bool, matters: bool
) -> None:
    assert reasons_matter(gate, {F: sum(failures.values()), W: 5}, failures, due) is matters


@pytest.mark.parametrize(
    ("gate", "weighted", "words"),
    [
        (Gate(min_success_percent=50, max_failures=3), 2.0, "2 failed of 3 allowed"),
        (Gate(min_success_percent=50, max_failures=0), 2.0, "2 failed of 0 allowed"),
        (
            Gate(min_success_percent=50, max_failures=1, weights={Reason.REJECTED: 0.5}),
            1.0,
            "2 failed, weighing 1 of 1 allowed",
        ),
        (Gate(min_success_percent=50, weights={Reason.REJECTED: 0.5}), 1.0, "2 failed, weighing 1"),
    ],
)
def test_the_limit_of_failures_is_compared_with_what_they_weigh(gate: Gate, weighted: float, words: str) -> None:
    found = Verdict(passed=True, succeeded=8, failed=2, total=10, needed_percent=50, at=NOW, weighted=weighted)

    assert arithmetic(found, gate) == f"80.0 % of 10 devices, 50 % needed, {words}"
