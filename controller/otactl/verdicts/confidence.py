"""Says what failures among the devices of a wave show about the firmware, at a confidence that the gate declares.

1. The claim is about the fleet: the devices of the wave and of all waves after it. It is that no larger share of them
   fails than the gate allows. Where groups hide how many come later, the fleet has no end, which asks for more.
2. The devices of the wave count as drawn from the fleet by chance. All of them are drawn before any has
   answered, so it does not matter in which order they answer, or how often a run counts.
3. A wave passes with `passes_to` failures or fewer: firmware that fails on more than the allowed share of the fleet
   has so few with a chance of 1 - confidence at most. Never does it pass with more than the gate itself allows.
4. A wave fails from `fails_from` failures on: firmware within the allowed share has so many with that chance at most.
5. When the wave is all that is left of the fleet, its answers leave nothing open: the two limits meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile
from math import exp, floor

from otactl.model import Gate, Value, exact
from otactl.verdicts.tails import Term, at_most, binomial, hypergeometric

_SAFE = 1e-9
"""Part of the risk that is kept back for the rounding of sums."""
MOST_DEVICES = 1_000_000


class Limits(Value, frozen=True, kw_only=True):
    """The most failures with which a wave passes, -1 for none; and the least with which it fails."""

    passes_to: int
    fails_from: int


def allowed_share(gate: Gate) -> Decimal:
    """Return the share of devices that may fail, from 0 to 1."""
    return 1 - exact(gate.min_success_percent) / 100


def limits_of(gate: Gate, devices: int, later: int | None) -> Limits:
    """Return the limits of a gate with a confidence, for a wave of so many devices; `later` are those after it."""
    fleet = None if later is None else devices + later
    return _limits(devices, fleet, allowed_share(gate), gate.risk or Decimal(1))


def devices_needed(gate: Gate, fleet: int | None) -> int | None:
    """Return how many devices of a fleet a wave needs to pass if none of them fails; None where no number is enough."""
    most = MOST_DEVICES if fleet is None else fleet
    share, risk = allowed_share(gate), gate.risk or Decimal(1)
    if not _can_pass(most, fleet, share, risk):
        return None
    low, high = 1, max(most, 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _can_pass(middle, fleet, share, risk) else (middle + 1, high)
    return low


def _can_pass(devices: int, fleet: int | None, share: Decimal, risk: Decimal) -> bool:
    return at_most(_too_bad(devices, fleet, share), 0) <= float(risk) * (1 - _SAFE)


@lru_cache(maxsize=4096)
def _limits(devices: int, fleet: int | None, share: Decimal, risk: Decimal) -> Limits:
    most = floor(share * devices)
    passes_to, total = -1, 0.0
    by_failures = dict(_up_to(_too_bad(devices, fleet, share), most))
    for failures in range(most + 1):
        total += exp(by_failures[failures]) if failures in by_failures else 0.0
        if total > float(risk) * (1 - _SAFE):
            break
        passes_to = failures
    allowed = binomial(devices, share) if fleet is None else hypergeometric(devices, fleet, floor(share * fleet))
    fails_from, total = 0, 0.0
    for failures, term in allowed:
        fails_from = failures
        if 1 - total <= float(risk) * (1 - _SAFE):
            break
        total += exp(term)
        fails_from = failures + 1
    return Limits(passes_to=passes_to, fails_from=fails_from)


def _too_bad(devices: int, fleet: int | None, share: Decimal) -> Iterator[Term]:
    """Return the chances of failures if the fleet fails just more than the gate allows; none where that cannot be."""
    if fleet is None:
        return binomial(devices, share) if share < 1 else iter(())
    failing = floor(share * fleet) + 1
    return hypergeometric(devices, fleet, failing) if failing <= fleet else iter(())


def _up_to(terms: Iterator[Term], most: int) -> Iterator[Term]:
    return takewhile(lambda term: term[0] <= most, terms)
