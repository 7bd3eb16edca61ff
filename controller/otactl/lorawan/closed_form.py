"""Computes by formula the chance that a device rebuilds an image: the closed form, and an estimate for short sessions.

1. How many of M uncoded fragments are lost, L, and how many of R parity fragments arrive, r, is known exactly for both
   kinds of loss (`counts`).
2. Ideal: r >= L is enough. No code does better, so this bounds how much parity is needed from below.
3. Textbook: rows drawn uniformly. L vectors of r bits are independent with the product over i = r - L + 1 .. r of
   (1 - 2^-i); averaged over L and r this is `textbook`. TS004 version 1 rows hold 39 % of the fragments, not half, and
   repeat themselves when M is even: below M = 150 the textbook promises up to 25 points too much.
4. Estimate: the textbook times exp(-(S_d - S_half)) for L up to 25, S_q being the expected number of combinations of w
   lost fragments that rows of density q cannot distinguish from none. It fixes a fifth to two thirds of the error where
   some in a hundred fail; for rarer failures it can be worse than the textbook.
5. From 64 rows on a chance depends on r - L alone, to a part in 10^19: the average is then one over the number of all
   fragments lost, and not over a table of L and r, which for 16,000 fragments no memory holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from otactl.lorawan.loss_distribution import counts
from otactl.lorawan.loss_models import Independent, Loss
from otactl.lorawan.parity import V1, Variant

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Chance = Callable[[Ints, Ints], Floats]
Settled = Callable[[Ints], Floats]

_SETTLED = 64
"""From this excess on a uniform matrix has full rank up to a part in 10^19."""
_CORRECTED_LOST = 25

_PRODUCTS = np.cumprod(np.concatenate(([1.0], 1 - 0.5 ** np.arange(1, _SETTLED + 1))))


def full_rank(lost: Ints, received: Ints) -> Floats:
    """Return the probability that `lost` uniform vectors of `received` bits are independent; arrays broadcast."""
    excess = received - lost
    chance = _PRODUCTS[np.clip(received, 0, _SETTLED)] / _PRODUCTS[np.clip(excess, 0, _SETTLED)]
    return np.where(excess < 0, 0.0, chance)


def ideal(m: int, parity: int, loss: Loss | float, max_lost: int | None = None) -> float:
    """Bound the success from above: as many parity fragments as lost ones are enough."""
    return _averaged(m, parity, loss, max_lost, _certain)


def textbook(m: int, parity: int, loss: Loss | float, max_lost: int | None = None) -> float:
    """Average the uniform code over what is lost; `max_lost` is how many lost fragments the device can hold."""
    return _averaged(m, parity, loss, max_lost, _settled, full_rank)


def estimate(m: int, parity: int, loss: Loss | float, variant: Variant = V1, max_lost: int | None = None) -> float:
    """Correct the textbook for the density of the standard's rows: an estimate, not a bound (rule 4)."""
    density = 1 - (1 - 1 / m) ** (m // 2) if variant is V1 else (m // 2) / m

    def chance(lost: Ints, received: Ints) -> Floats:
        return full_rank(lost, received) * np.exp(-_undetected(lost, received, density))

    return _averaged(m, parity, loss, max_lost, _settled, chance, few_lost=_CORRECTED_LOST)


def _certain(excess: Ints) -> Floats:
    return np.ones(excess.shape)


def _settled(excess: Ints) -> Floats:
    """Return `full_rank` of many rows, by how many more they are than lost fragments."""
    return np.asarray(_PRODUCTS[_SETTLED] / _PRODUCTS[np.clip(excess, 0, _SETTLED)])


def _undetected(lost: Ints, received: Ints, density: float) -> Floats:
    """Return S_d - S_half of rule 4, never below zero, for columns `lost` and rows `received`."""
    deepest = min(int(lost.max()), _CORRECTED_LOST)
    w = np.arange(1, deepest + 1)
    ways = np.array([[math.comb(n, k) for k in w] for n in range(deepest + 1)], np.float64)
    per_row = (1 + (1 - 2 * density) ** w) / 2
    power = per_row[None, :] ** received.reshape(-1, 1)  # (received, w)
    excess = ways @ power.T - ways @ np.broadcast_to(0.5 ** received.reshape(-1, 1), power.shape).T
    rows = np.clip(lost.reshape(-1), 0, deepest)
    return np.where(lost <= _CORRECTED_LOST, np.maximum(excess[rows], 0.0), 0.0)


def _averaged(
    m: int,
    parity: int,
    loss: Loss | float,
    max_lost: int | None,
    settled: Settled,
    chance: Chance | None = None,
    few_lost: int = 0,
) -> float:
    """Average over what is lost: `settled`, and `chance` where so few are lost or received that it differs (rule 5)."""
    cases = counts(Independent(loss) if isinstance(loss, float | int) else loss, m, parity)
    total = 0.0
    for case in cases:
        lost = case.lost if max_lost is None else case.lost[: max_lost + 1]
        by_missed = settled(parity - np.arange(parity + 1))
        total += float(_sum_of(lost, case.missed)[: parity + 1] @ by_missed[: len(lost) + parity])
        total += float(lost[0]) * float(case.missed @ (1 - by_missed))  # nothing lost: nothing to rebuild
        if chance is not None:
            for rows, heard in (((1, few_lost), parity), ((few_lost + 1, _SETTLED), _SETTLED)):
                total += _difference(lost, case.missed, settled, chance, rows, min(heard, parity))
    return min(1.0, total)


def _sum_of(one: Floats, other: Floats) -> Floats:
    """Return the distribution of a sum, convolved over the spans where the two have weight."""
    total = np.zeros(len(one) + len(other) - 1)
    spans = [np.nonzero(weights)[0] for weights in (one, other)]
    if all(len(span) for span in spans):
        (a, b), (c, d) = ((int(span[0]), int(span[-1]) + 1) for span in spans)
        total[a + c : b + d - 1] = np.convolve(one[a:b], other[c:d])
    return total


def _difference(
    lost: Floats, missed: Floats, settled: Settled, chance: Chance, rows: tuple[int, int], heard: int
) -> float:
    """Return what `chance` is more than `settled`, for so many lost (first, last) and at most `heard` received."""
    few = np.arange(rows[0], min(rows[1], len(lost) - 1) + 1)
    received = np.arange(heard + 1)
    if not few.size:
        return 0.0
    excess = received[None, :] - few[:, None]
    table = chance(few[:, None], received[None, :]) - np.where(excess < 0, 0.0, settled(excess))
    return float(lost[few] @ table @ missed[len(missed) - 1 - received])
