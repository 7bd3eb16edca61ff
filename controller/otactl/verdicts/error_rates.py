"""Computes how often a gate passes firmware that fails on a share of devices: exactly, by the gate's own verdicts.

1. Each device fails, or never answers, by itself and with the same chance. What a wave shows when the time for answers
   is over is judged by `gate.judge`, the function that judges real waves; nothing of a gate is repeated here.
2. A failure has a reason that no one knows, which weighs what `weights.unknown` says, 1 if left out.
3. A wave of one device more may allow one failure more, so the chance to pass jumps up there. The number of devices
   that is needed is the one from which on the chance stays below the risk, whatever number is added.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from otactl.model import Gate, Outcome, Value, exact
from otactl.verdicts.confidence import allowed_share
from otactl.verdicts.gate import GateState, judge, tally_of_counts
from otactl.verdicts.tails import at_most, binomial

MOST = 10_000
"""Devices up to which a number that is needed is looked for."""
_NONE = 1e-15
_OVER = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN = 1e-3


class Chances(Value, frozen=True, kw_only=True):
    """The chances of each verdict when the time for answers is over: they add up to 1."""

    passes: float
    fails: float

    @property
    def holds(self) -> float:
        """Return the chance that a wave does not pass: its gate fails, or is not decided."""
        return 1 - self.passes

    @property
    def undecided(self) -> float:
        """Return the chance that the gate is not decided."""
        return max(1 - self.passes - self.fails, 0.0)


def chances(gate: Gate, devices: int, later: int | None, failing: float, silent: float = 0.0) -> Chances:
    """Return the chances of each verdict of a wave; `failing` and `silent` are shares of its devices, from 0 to 1.

    `later` are the devices of the waves after it, None where no one knows how many.
    """
    share = min(failing / (1 - silent), 1.0) if silent < 1 else 0.0
    passes = fails = 0.0
    for number, term in binomial(devices, silent):
        chance = math.exp(term)
        if chance < _NONE:
            continue
        passes_to, fails_from = counts_of(gate, devices, later, number)
        passes += chance * at_most(binomial(devices - number, share), passes_to)
        fails += chance * (1 - at_most(binomial(devices - number, share), fails_from - 1))
    return Chances(passes=min(passes, 1.0), fails=min(fails, 1.0))


def counts_of(gate: Gate, devices: int, later: int | None, silent: int = 0) -> tuple[int, int]:
    """Return the most failures with which a wave passes, -1 for none, and the least with which it fails."""
    answered = devices - silent

    def state(failed: int) -> GateState:
        counts = {Outcome.SUCCEEDED: answered - failed, Outcome.FAILED: failed}
        tally = msgspec.structs.replace(tally_of_counts(counts, {}, gate), silent=silent)
        return judge(gate, tally, _OVER, _OVER, later=later).state

    numbers = range(answered + 1)
    first = bisect_left(numbers, True, key=lambda failed: state(failed) is not GateState.PASSED)
    return first - 1, bisect_left(numbers, True, key=lambda failed: state(failed) is GateState.FAILED)


def devices_for(
    gate: Gate,
    later: Callable[[int], int | None],
    failing: float,
    silent: float,
    risk: float,
    *,
    fleet: int | None = None,
) -> int | None:
    """Return how many devices a wave needs so that firmware failing on a share of them passes with `risk` at most.

    `later` gives the devices of the waves after it by those in it, `fleet` is how many there are of both, None where no
    one knows. None where no number up to MOST, or up to the fleet, is enough.
    """
    if exact(failing) + exact(silent) <= allowed_share(gate) and gate.max_failures is None:
        return None

    def passes(devices: int) -> float:
        return chances(gate, devices, later(devices), failing, silent).passes

    needed, most = 1, MOST if fleet is None else min(fleet, MOST)
    for number, start, end in _steps(gate, later, most):
        if (first := passes(start)) > risk:
            needed = bisect_left(range(end + 1), True, lo=start, key=lambda devices: passes(devices) <= risk)
        elif fleet is None and number >= 0 and first <= risk * _MARGIN:
            return needed
    return None if needed > most else needed


def devices_to_pass(
    gate: Gate,
    later: Callable[[int], int | None],
    failing: float,
    silent: float,
    risk: float,
    *,
    fleet: int | None = None,
) -> int | None:
    """Return how many devices a wave needs so that firmware failing on a share of them is held with `risk` at most."""
    if exact(failing) + exact(silent) >= allowed_share(gate):
        return None
    needed, most = 1, MOST if fleet is None else min(fleet, MOST)
    for _, _, end in _steps(gate, later, most):
        if (last := chances(gate, end, later(end), failing, silent).holds) > risk:
            needed = end + 1
        elif last <= risk * _MARGIN:
            return needed
    return None if needed > most else needed


def _steps(gate: Gate, later: Callable[[int], int | None], most: int) -> Iterator[tuple[int, int, int]]:
    """Yield each number of failures that waves of up to `most` devices pass with, and the least and the largest wave
    that pass with it; -1 for waves that never pass."""

    def allows(devices: int) -> int:
        return counts_of(gate, devices, later(devices))[0]

    start = 1
    while start <= most:
        number, step = allows(start), 1
        while start + step <= most and allows(start + step) == number:
            step *= 2
        beyond = bisect_right(range(min(start + step, most + 1)), number, lo=start + 1, key=allows)
        yield number, start, beyond - 1
        start = beyond
