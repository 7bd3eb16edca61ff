"""Computes the chances of a number of failures among devices: binomial, or hypergeometric for a fleet of known size.

1. Each chance is a sum of positive terms whose logarithms are exact to about 1e-12: no approximation by a normal
   distribution, and no loss of digits for thousands of devices.
2. A fleet of known size is drawn from without putting back. Once all of it is drawn the number of failures is certain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

Term = tuple[int, float]
"""A number of failures, and the logarithm of its chance."""


def binomial(devices: int, share: float | Decimal) -> Iterator[Term]:
    """Yield the chances of each number of failures if each device fails with the same chance."""
    p = float(share)
    if p <= 0 or p >= 1:
        yield (0 if p <= 0 else devices), 0.0
        return
    odds = math.log(p) - math.log1p(-p)
    term = devices * math.log1p(-p)
    for failures in range(devices + 1):
        yield failures, term
        if failures < devices:
            term += math.log((devices - failures) / (failures + 1)) + odds


def hypergeometric(devices: int, fleet: int, failing: int) -> Iterator[Term]:
    """Yield the chances of each number of failures among devices drawn from a fleet of which `failing` fail."""
    good = fleet - failing
    least, most = max(0, devices - good), min(devices, failing)
    term = _first(devices, fleet, failing)
    for failures in range(least, most + 1):
        yield failures, term
        if failures < most:
            more = (failing - failures) * (devices - failures)
            term += math.log(more / ((failures + 1) * (good - devices + failures + 1)))


def _first(devices: int, fleet: int, failing: int) -> float:
    """Return the logarithm of the chance of the least number of failures that is possible."""
    good, rest = fleet - failing, fleet - devices
    if devices <= good:  # none of the failing ones is drawn
        number, among = (devices, good) if devices <= failing else (failing, rest)
    else:  # each of the good ones is drawn, so all the others fail
        number, among = (rest, failing) if rest <= good else (good, devices)
    return math.fsum(math.log((among - n) / (fleet - n)) for n in range(number))


def at_most(terms: Iterator[Term], limit: int) -> float:
    """Return the chance of so many failures or fewer."""
    total = 0.0
    for failures, term in terms:
        if failures > limit:
            break
        total += math.exp(term)
    return min(total, 1.0)
