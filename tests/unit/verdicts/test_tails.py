"""The chances of numbers of failures, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.verdicts.tails import at_most, binomial, hypergeometric


@st.composite
def draws(draw: st.DrawFn) -> tuple[int, int, int]:
    fleet = draw(st.integers(1, 120))
    return draw(st.integers(0, fleet)), fleet, draw(st.integers(0, fleet))


@given(draws(), st.integers(-1, 120))
def test_drawing_without_putting_back_is_exact(drawn: tuple[int, int, int], limit: int) -> None:
    devices, fleet, failing = drawn
    ways = sum(
        math.comb(failing, k) * math.comb(fleet - failing, devices - k)
        for k in range(min(limit, devices) + 1)
        if devices - k <= fleet - failing
    )

    found = at_most(hypergeometric(devices, fleet, failing), limit)

    assert found == pytest.approx(float(Fraction(ways, math.comb(fleet, devices))), rel=1e-11, abs=1e-300)


@given(st.integers(0, 120), st.integers(0, 1000), st.integers(-1, 120))
def test_devices_that_fail_each_by_itself_are_exact(devices: int, thousandths: int, limit: int) -> None:
    p = Fraction(thousandths, 1000)
    exact = sum(math.comb(devices, k) * p**k * (1 - p) ** (devices - k) for k in range(min(limit, devices) + 1))

    assert at_most(binomial(devices, thousandths / 1000), limit) == pytest.approx(float(exact), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize(("devices", "percent"), [(3, 73), (30, 4)])
def test_a_canary_without_a_failure_shows_what_its_size_allows(devices: int, percent: int) -> None:
    assert round(100 * at_most(binomial(devices, 0.1), 0)) == percent


def test_thousands_of_devices_keep_their_digits() -> None:
    total = math.fsum(math.exp(term) for _, term in hypergeometric(10_000, 100_000, 2_001))

    assert total == pytest.approx(1, abs=1e-12)
    comb_share = float(Fraction(math.comb(10_000, 5_000), 2**10_001))
    assert at_most(binomial(10_000, 0.5), 0) == 0.0
    assert at_most(binomial(10_000, 0.5), 5_000) == pytest.approx(0.5 + comb_share, abs=1e-12)
