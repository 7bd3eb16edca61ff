"""The chance of success against code that shares nothing with ours: rows, rank and randomness are written again here.

1. Rows are written from the standard's text (TS004-1.0.0, fragmentation matrix; TS004-2.0.0 for distinct columns).
2. Rank is Gauss and Jordan, column by column, on Python integers.
3. The smallest sessions are not sampled: all their losses are gone through, so the truth is exact.
"""

from __future__ import annotations

import itertools
import math
import random
from functools import cache

import pytest

from otactl.lorawan.decode_probability import Code, success
from otactl.lorawan.loss_models import Bursts, Independent, Loss
from otactl.lorawan.parity import V1, V2_RELATIVE, Variant

TRIALS = 4000


def register(x: int) -> int:
    """One step of the 23-bit register: bits 0 and 5, added without carry, come in at the top."""
    return x // 2 + (x % 2 + x // 32 % 2) % 2 * 2**22


@cache
def matrix_line(n: int, m: int, *, distinct: bool) -> int:
    """Line n of the matrix for m fragments, as a sum of powers of two."""
    extra = 1 if 2 ** (m.bit_length() - 1) == m else 0
    x = 1 + 1001 * n
    drawn: list[int] = []
    while len(drawn) < m // 2:
        x = register(x)
        while x % (m + extra) >= m:
            x = register(x)
        column = x % (m + extra)
        if not distinct or column not in drawn:
            drawn.append(column)
    return sum(2**column for column in set(drawn))


def solvable(lines: list[int], unknown: list[int]) -> bool:
    """Whether the lines determine every unknown column: Gauss and Jordan with a pivot line per column."""
    rest = list(lines)
    for column in unknown:
        pivot = next((line for line in rest if line >> column & 1), None)
        if pivot is None:
            return False
        rest.remove(pivot)
        rest = [line ^ pivot if line >> column & 1 else line for line in rest]
    return True


def rebuilt(m: int, gone: list[bool], cap: int, *, distinct: bool) -> bool:
    """Whether a device that missed these of m + R fragments has the image."""
    lost = [i for i in range(m) if gone[i]]
    heard = [matrix_line(n, m, distinct=distinct) for n in range(1, len(gone) - m + 1) if not gone[m + n - 1]]
    return len(lost) <= cap and solvable(heard, lost)


def alone(loss: float, many: int, draws: random.Random) -> list[bool]:
    return [draws.random() < loss for _ in range(many)]


def in_stretches(loss: float, length: float, many: int, draws: random.Random) -> list[bool]:
    """A radio that is good or bad; how long it stays bad is geometric, of that mean."""
    found = [draws.random() < loss]
    while len(found) < many:
        turns = 1 / length if found[-1] else loss / (1 - loss) / length
        found.append(found[-1] != (draws.random() < turns))
    return found


CASES: list[tuple[int, int, Loss, Variant, int]] = [
    (1, 3, Independent(0.2), V1, 1),
    (16, 9, Independent(0.15), V1, 16),
    (21, 8, Independent(0.1), V1, 21),
    (32, 12, Independent(0.1), V2_RELATIVE, 32),
    (50, 10, Independent(0.05), V1, 50),
    (50, 10, Independent(0.05), V2_RELATIVE, 50),
    (60, 14, Independent(0.2), V1, 60),
    (60, 30, Independent(0.2), V1, 12),
    (90, 70, Independent(0.4), V1, 90),
    (48, 20, Bursts(0.1, 4), V1, 48),
    (60, 30, Bursts(0.15, 2), V2_RELATIVE, 60),
]


@cache
def apart(case: int) -> float:
    """How far the two counts of a case are apart, in half-widths of their joint 95 % interval."""
    m, parity, loss, variant, cap = CASES[case]
    found = success(Code(fragments=m, variant=variant, max_lost=cap), parity, loss, seed=11)
    assert found.half_width <= 0.002
    draws = random.Random(case)  # noqa: S311 - a repeatable radio, not a secret
    good = 0
    for _ in range(TRIALS):
        if isinstance(loss, Bursts):
            gone = in_stretches(loss.loss, loss.mean_length, m + parity, draws)
        else:
            gone = alone(loss.loss, m + parity, draws)
        good += rebuilt(m, gone, cap, distinct=variant is V2_RELATIVE)
    share = good / TRIALS
    return abs(found.probability - share) / math.hypot(found.half_width, 1.96 * math.sqrt(share * (1 - share) / TRIALS))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_chance_is_nowhere_beyond_the_interval_of_999_in_1000(case: int) -> None:
    assert apart(case) <= 3.29 / 1.96


def test_the_chance_is_outside_the_95_percent_interval_no_more_often_than_that_says() -> None:
    outside = [case for case in range(len(CASES)) if apart(case) > 1]
    assert len(outside) <= 2, outside  # of 11, three or more would be outside once in 60


@pytest.mark.parametrize("variant", [V1, V2_RELATIVE])
@pytest.mark.parametrize(
    ("m", "parity", "loss", "cap"), [(1, 3, 0.2, 1), (5, 6, 0.2, 5), (8, 4, 0.1, 8), (7, 6, 0.3, 2), (9, 3, 0.05, 9)]
)
def test_the_chance_of_a_small_session_holds_the_truth_of_all_its_losses(
    m: int, parity: int, loss: float, cap: int, variant: Variant
) -> None:
    truth = sum(
        math.prod(loss if each else 1 - loss for each in gone)
        for gone in itertools.product((False, True), repeat=m + parity)
        if rebuilt(m, list(gone), cap, distinct=variant is V2_RELATIVE)
    )
    found = success(Code(fragments=m, variant=variant, max_lost=cap), parity, Independent(loss), seed=5)
    assert found.low <= truth <= found.high
