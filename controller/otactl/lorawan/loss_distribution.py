"""Computes exact distributions of the number of lost fragments, for both loss models.

1. Independent loss: binomial.
2. Bursts: a chain of two states whose first fragment is met in the state its weather has on average. How many of n
   fragments are lost has the generating function start * T(z)^(n - 1), with z for each fragment lost; it is evaluated
   at the roots of unity and turned back by a Fourier transform. Off by some 1e-16, in time n log n.
3. What is lost of the parity depends on what was lost before it, through the state at the end of the uncoded fragments
   alone: given that state the two are independent.
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt

from otactl.lorawan.loss_models import Bursts, Independent, Loss

Floats = npt.NDArray[np.float64]
_NEGLIGIBLE = 1e-18


class Counts(msgspec.Struct, frozen=True):
    """One case of the weather between uncoded fragments and parity (rule 3).

    `lost[i]` is the probability of this case with i uncoded fragments lost, `missed[k]` that of k parity fragments
    missed, given the case.
    """

    lost: Floats
    missed: Floats


@lru_cache(maxsize=512)
def counts(loss: Loss, fragments: int, parity: int) -> tuple[Counts, ...]:
    """Return the cases, whose `lost` add up to one; shapes (fragments + 1) and (parity + 1)."""
    if isinstance(loss, Independent):
        return (Counts(binomial(fragments, loss.loss), binomial(parity, loss.loss)),)
    start = np.array([1 - loss.loss, 0.0]), np.array([0.0, loss.loss])
    whole = _chain(loss, start, fragments - 1)
    after = [_chain(loss, _in(state), parity) for state in (0, 1)]
    return tuple(
        Counts(_trimmed(lost), _trimmed(np.sum(missed, axis=0)[: parity + 1]))
        for lost, missed in zip(whole, after, strict=True)
    )


def binomial(trials: int, probability: float) -> Floats:
    """List the probabilities of 0 to `trials` successes."""
    if probability <= 0 or probability >= 1:
        certain = np.zeros(trials + 1)
        certain[trials if probability >= 1 else 0] = 1.0
        return certain
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, trials + 1)))))
    k = np.arange(trials + 1)
    log_ways = logs[trials] - logs - logs[::-1]
    weights = np.exp(log_ways + k * math.log(probability) + (trials - k) * math.log1p(-probability))
    return np.where(weights > _NEGLIGIBLE, weights, 0.0)


def _in(state: int) -> tuple[Floats, Floats]:
    """Return the distribution of one state with certainty and nothing lost yet: 0 is the good state, 1 the bad one."""
    good, bad = np.zeros(2), np.zeros(2)
    (good, bad)[state][0] = 1.0
    return good, bad


def _chain(loss: Bursts, start: tuple[Floats, Floats], steps: int) -> tuple[Floats, Floats]:
    """Return how many are lost after more fragments, by the state then; `start` lists 0 and 1 lost, by state."""
    size = steps + 2
    at = np.exp(-2j * np.pi * np.arange(size) / size)
    step = np.empty((size, 2, 2), np.complex128)
    step[:, 0, 0], step[:, 0, 1] = 1 - loss.entering, loss.entering * at
    step[:, 1, 0], step[:, 1, 1] = loss.leaving, (1 - loss.leaving) * at
    first = np.stack([row[0] + row[1] * at for row in start], axis=1)[:, None, :]
    ends = (first @ np.linalg.matrix_power(step, steps))[:, 0, :]
    good, bad = (np.fft.ifft(ends[:, state]).real for state in (0, 1))
    return good, bad


def _trimmed(weights: Floats) -> Floats:
    """Remove the noise of the transform."""
    return np.where(weights > 1e-15, weights, 0.0)
