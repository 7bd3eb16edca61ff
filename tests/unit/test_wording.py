"""Numbers and durations for people: a noun that agrees, units that are always named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otactl.wording import about, count, length, span


@pytest.mark.parametrize(
    ("number", "forms", "expected"),
    [
        (0, ("rollout",), "0 rollouts"),
        (1, ("rollout",), "1 rollout"),
        (2, ("rollout",), "2 rollouts"),
        (1, ("pass", "passes"), "1 pass"),
        (3, ("pass", "passes"), "3 passes"),
        (1, ("device has", "devices have"), "1 device has"),
        (0, ("device has", "devices have"), "0 devices have"),
    ],
)
def test_a_number_agrees_with_its_noun(number: int, forms: tuple[str, ...], expected: str) -> None:
    assert count(number, *forms) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0s"), (45, "45s"), (60, "1m"), (11_400, "3h 10m"), (172_801, "2d 1s"), (59.6, "1m")]
)
def test_a_length_is_exact_to_the_second(seconds: float, expected: str) -> None:
    assert length(seconds) == length(timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.6, "0.6s"), (59, "59s"), (864, "14m 24s"), (3599, "59m 59s"), (3629, "1h"), (3631, "1h 1m")],
)
def test_a_rounded_length_is_as_exact_as_it_is_long(seconds: float, expected: str) -> None:
    assert about(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0s"), (59, "59s"), (61, "1m"), (7199, "1h"), (86_399, "23h"), (190_000, "2d")]
)
def test_a_span_is_its_largest_unit_rounded_down(seconds: float, expected: str) -> None:
    assert span(timedelta(seconds=seconds)) == expected
