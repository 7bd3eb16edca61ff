"""Estimates the chance that one device rebuilds the image, on the standard's real rows, with its interval.

1. Loss patterns are drawn by a seed and decided by rank (`elimination`); nothing is assumed of the rows.
2. The average is taken of the difference from the textbook, whose own average is known exactly (`counts`): a control
   variate, unbiased whatever the rows are, and five to fifty times fewer trials. Under a shared outage the share of
   successes is taken as it is, with Wilson's interval.
3. Sampling stops when the half-width is at most the precision asked for, 0.002, and the target, if any, lies outside
   the interval, or is nearer than 0.002 and than an eighth of the failures it allows. A bound on work ends it before,
   and `half_width` then says how coarse it stayed.
4. Repeated tests see the target outside by chance at some test: a 95 % interval missed the true value in 25 % of
   runs. So the k-th test uses an interval of 1 - 0.05 / (k (k + 1)): all tests together miss in 5 % at most.
5. The interval counts two failures more than were seen, so that no run without failures is certain.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

from otactl.lorawan.closed_form import full_rank, textbook
from otactl.lorawan.elimination import completions, covering
from otactl.lorawan.loss_models import Loss
from otactl.lorawan.loss_sampling import draw, generator, silence
from otactl.lorawan.parity import V1, Variant
from otactl.lorawan.report import Chance

Z95 = 1.959964
HALF_WIDTH = 0.002
_FIRST_TRIALS, _LEAST_TRIALS = 2048, 64
_BATCH_FRAGMENTS = 4_000_000  # 16 MB of random numbers at a time
WORK = 4_000_000_000
"""Word operations of elimination, some 4 to 8 s of a core."""


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """What a device decodes: M uncoded fragments, how parity is drawn, how many lost ones it can hold."""

    fragments: int
    variant: Variant = V1
    max_lost: int | None = None


class Trials:
    """Runs trials of one session and reports the chance for several amounts of parity at once.

    `parities` are those amounts; `silent` is (first index, count) of fragments no one hears.
    """

    def __init__(
        self, code: Code, parities: tuple[int, ...], loss: Loss, seed: int, silent: tuple[int, int] | None = None
    ) -> None:
        self._code, self._loss, self._silent = code, loss, silent
        self._parities = tuple(sorted(set(parities)))
        self._most = self._parities[-1]
        self._columns = covering(code.fragments, self._most, code.variant)
        self._rng = generator(seed)
        self.count = 0
        self._successes = np.zeros(len(self._parities))
        self._difference = np.zeros(len(self._parities))
        self._squares = np.zeros(len(self._parities))
        self._textbook = self._expected()

    def _expected(self) -> npt.NDArray[np.float64] | None:
        if self._silent is not None:
            return None
        m, cap = self._code.fragments, self._code.max_lost
        return np.array([textbook(m, parity, self._loss, cap) for parity in self._parities])

    @property
    def largest_batch(self) -> int:
        """Return how many trials fit memory at once."""
        return int(np.clip(_BATCH_FRAGMENTS // (self._code.fragments + self._most), 64, 16_384))

    @staticmethod
    def work_of_one(code: Code, parity: int, loss: Loss) -> float:
        """Return what one trial takes, in word operations."""
        lost = max(1.0, code.fragments * loss.loss)
        words = min(1 + parity / 64, 1 + (lost + 24) / (1 - loss.loss) / 64)
        return lost * lost * words / 2 + 12 * (code.fragments + parity)  # a drawn fragment is as much as 12

    def affordable(self, work: float = WORK) -> int:
        """Return how many trials a bound on work allows, a few at least."""
        return max(_LEAST_TRIALS, int(work / self.work_of_one(self._code, self._most, self._loss)))

    def run(self, trials: int) -> None:
        """Add that many trials, in batches that fit memory."""
        while trials > 0:
            batch = min(trials, self.largest_batch)
            self._run(batch)
            trials -= batch

    def _run(self, trials: int) -> None:
        m, cap = self._code.fragments, self._code.max_lost
        gone = draw(self._loss, self._rng, trials, m + self._most)
        if self._silent is not None:
            silence(gone, *self._silent)
        lost, received = gone[:, :m], ~gone[:, m:]
        done = completions(self._columns, lost, received, cap)
        lost_count = np.count_nonzero(lost, axis=1)
        heard = np.cumsum(received, axis=1, dtype=np.int64)
        self.count += trials
        for index, parity in enumerate(self._parities):
            success = done <= parity
            self._successes[index] += np.count_nonzero(success)
            if self._textbook is not None:
                foretold = full_rank(lost_count, heard[:, parity - 1] if parity else np.zeros(trials, np.int64))
                if cap is not None:
                    foretold = np.where(lost_count <= cap, foretold, 0.0)
                difference = success - foretold
                self._difference[index] += difference.sum()
                self._squares[index] += (difference * difference).sum()

    def chance(self, parity: int, z: float = Z95) -> Chance:
        """Return the chance with one of the amounts of parity, and an interval of `z` standard errors."""
        index, n = self._parities.index(parity), self.count
        if self._textbook is None:
            return wilson(int(self._successes[index]), n, z)
        mean = self._difference[index] / n
        variance = (self._squares[index] + 2) / n - mean * mean
        middle, half = float(self._textbook[index] + mean), z * math.sqrt(variance / n)
        return Chance(probability=_clip(middle), low=_clip(middle - half), high=_clip(middle + half), trials=n)


@lru_cache(maxsize=4096)  # a fleet of manifests shares few sessions
def success(
    code: Code,
    parity: int,
    loss: Loss,
    *,
    seed: int = 0,
    target: float | None = None,
    precision: float = HALF_WIDTH,
    work: float = WORK,
) -> Chance:
    """Return the chance that a device rebuilds the image from `parity` coded fragments (rules 1 to 5)."""
    if loss.loss == 0:
        return Chance(probability=1.0, low=1.0, high=1.0, trials=0)
    if parity == 0:  # nothing may be lost: known exactly
        alone = textbook(code.fragments, 0, loss, code.max_lost)
        return Chance(probability=alone, low=alone, high=alone, trials=0)
    return sample(Trials(code, (parity,), loss, seed), parity, target, precision, work)


def sample(
    trials: Trials, parity: int, target: float | None, precision: float = HALF_WIDTH, work: float = WORK
) -> Chance:
    """Run trials until rule 3 ends it."""
    limit, look = trials.affordable(work), 0
    near = 0.0 if target is None else nearness(target)
    while True:
        look += 1
        trials.run(min(max(_FIRST_TRIALS, trials.count), limit - trials.count))
        found = trials.chance(parity, z_of_look(look))
        decided = target is None or not found.low < target <= found.high or found.half_width <= near
        if trials.count >= limit or (found.half_width <= precision and decided):
            return found


def nearness(target: float) -> float:
    """Return the half-width at which a target that is still inside is left undecided (rule 3)."""
    return min(HALF_WIDTH, (1 - target) / 8)


def z_of_look(look: int) -> float:
    """Return standard errors to either side at a check, counted from 1 (rule 4)."""
    return NormalDist().inv_cdf(1 - 0.025 / (look * (look + 1)))


def wilson(successes: int, trials: int, z: float = Z95) -> Chance:
    """Return a proportion with Wilson's interval of `z` standard errors, 95 % by default."""
    share, z2 = successes / trials, z * z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials)
    low, high = _clip(min(middle - half, share)), _clip(max(middle + half, share))  # a last bit must not cross over
    return Chance(probability=share, low=low, high=high, trials=trials)


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))
