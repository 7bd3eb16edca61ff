"""Draws loss patterns with a seed: which fragments each of many devices misses.

1. The same seed gives the same patterns (PCG64, with one numpy version): a figure can be repeated.
2. A probability is compared with 32 random bits: it is off by at most 2^-33.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from otactl.lorawan.loss_models import Independent, Loss

Bools = npt.NDArray[np.bool_]
_STEPS = 1 << 32


def generator(seed: int) -> np.random.Generator:
    """Create the random source of a seed."""
    return np.random.Generator(np.random.PCG64(seed))


def draw(loss: Loss, rng: np.random.Generator, trials: int, fragments: int) -> Bools:
    """Draw which fragments are lost: shape (trials, fragments), True is lost."""
    if isinstance(loss, Independent):
        return _happens(rng, (trials, fragments), loss.loss)
    entering, leaving = _threshold(loss.entering), _threshold(loss.leaving)
    random = rng.integers(0, _STEPS, size=(fragments, trials), dtype=np.uint32)
    lost = np.empty((fragments, trials), np.bool_)
    bad = random[0] < _threshold(loss.loss)  # a session starts anywhere in the weather
    lost[0] = bad
    for index in range(1, fragments):
        bad = np.where(bad, random[index] >= leaving, random[index] < entering)
        lost[index] = bad
    return np.ascontiguousarray(lost.T)


def silence(lost: Bools, first: int, fragments: int) -> None:
    """Lose `fragments` for every device from the index `first` on; past the end of the session there are none."""
    lost[:, max(first, 0) : max(first + fragments, 0)] = True


def _happens(rng: np.random.Generator, shape: tuple[int, int], probability: float) -> Bools:
    random = rng.integers(0, _STEPS, size=shape, dtype=np.uint32)
    return np.asarray(random < _threshold(probability))


def _threshold(probability: float) -> np.uint32 | np.uint64:
    steps = round(probability * _STEPS)
    return np.uint32(steps) if steps < _STEPS else np.uint64(steps)
