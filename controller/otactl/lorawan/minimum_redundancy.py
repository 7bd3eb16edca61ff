"""Finds the least redundancy whose chance of success is confirmed on the real rows, within a bound on work.

1. More parity is never worse, because each parity fragment is one more row. So from what the closed form estimates it
   is searched for in growing steps, and then by halves between the last that failed and the first that is confirmed.
2. Confirmed is what reaches the target with the lower end of its interval.
3. What the bound on work leaves undecided counts as enough if the closed form says so, and is reported as unconfirmed.
   It is near the truth from 150 fragments on, but for two fragments that all rows have alike: who loses both is never
   complete, so what that costs is taken off (160 fragments, 24 parity, 1 %: 3 failures in 10,000, and not 1 in
   100,000). Below 150, trials are cheap, and more parity is tried instead.
"""

from __future__ import annotations

import msgspec

from otactl.lorawan.closed_form import estimate
from otactl.lorawan.decode_probability import HALF_WIDTH, WORK, Code, Trials, nearness, success
from otactl.lorawan.elimination import pairs_alike
from otactl.lorawan.loss_models import Loss
from otactl.lorawan.report import Chance

WHOLE_WORK = 10_000_000_000
"""Word operations for all that is confirmed for one question, some 20 s of a core at most."""
_AT_ONCE = 4
"""Of what is left of them one chance may take this part."""


_RIGHT = 150
"""From so many fragments on the closed form is near the truth (`closed_form`, rule 3)."""


class Enough(msgspec.Struct, frozen=True):
    """A redundancy that is enough, and its chance; `confirmed` is whether the trials say so (rule 3)."""

    percent: int
    chance: Chance
    confirmed: bool


class Confirming:
    """Confirms redundancies for one target, and counts what that takes."""

    def __init__(self, loss: Loss, target: float, seed: int, work: float) -> None:
        self._loss, self._target, self._seed = loss, target, seed
        self._whole = self._left = work
        self._near = nearness(target)

    @property
    def spent(self) -> bool:
        """Return whether the bound on work is reached."""
        return self._left <= 0

    def least(self, code: Code, least: int, most: int) -> Enough | None:
        """Return the least redundancy in percent, from `least` to `most`, that is enough."""
        known: dict[int, Chance] = {}

        def enough(percent: int) -> bool:
            known[percent] = found = self._chance(code, percent, precision=1.0)
            if found.low >= self._target or found.high < self._target or found.half_width <= self._near:
                return found.low >= self._target
            alike = pairs_alike(code.fragments, code.fragments * percent // 100, code.variant)
            by_formula = self._by_formula(code, percent) - self._loss.loss**2 * alike
            return code.fragments >= _RIGHT and by_formula >= self._target

        if least > most:
            return None
        low, high, step = least - 1, most + 1, 1  # not enough at low, confirmed at high
        next_one = self._estimated(code, least, most)
        while low < next_one < high:
            if enough(next_one):
                high, down = next_one, True
            else:
                low, down = next_one, False
            met = high <= most and low >= least
            if high - low > 1:
                next_one = (low + high) // 2 if met else max(least, high - step) if down else min(most, low + step)
                step *= 2
            else:
                break
        if high > most:
            return None
        found = known[high]
        if found.low >= self._target:
            found = self._chance(code, high)  # shown to people: as exactly as any figure
        return Enough(high, found, found.low >= self._target)

    def _estimated(self, code: Code, least: int, most: int) -> int:
        """Return the least redundancy that reaches the target by the closed form, or the most."""
        low, high = least, most
        while low < high:
            middle = (low + high) // 2
            if self._by_formula(code, middle) >= self._target:
                high = middle
            else:
                low = middle + 1
        return low

    def _by_formula(self, code: Code, percent: int) -> float:
        parity = code.fragments * percent // 100
        return estimate(code.fragments, parity, self._loss, code.variant, code.max_lost)

    def _chance(self, code: Code, percent: int, precision: float = HALF_WIDTH) -> Chance:
        work, parity = min(WORK, max(self._left, self._whole / 100) / _AT_ONCE), code.fragments * percent // 100
        found = success(code, parity, self._loss, seed=self._seed, target=self._target, precision=precision, work=work)
        self._left -= found.trials * Trials.work_of_one(code, parity, self._loss)
        return found
