"""What a session does to a fleet: how many devices are updated, and how surely all, or enough, are.

1. Devices share the parity rows and lose fragments independently, so classes of devices are independent binomials.
2. A shared outage makes them dependent: given when it happens they are independent again, so the figures are averaged
   over its moments. Moments are spread evenly over the session, at most `_MOMENTS` of them.
3. A gate passes when at least its percentage succeeded and at most its number of failures happened.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from controller.lorawan.closed_form import binomial
from controller.lorawan.errors import LorawanError
from controller.lorawan.losses import Loss, Outage
from controller.lorawan.success import Chance, Code, Trials, success

_MOMENTS = 32
_TRIALS_A_MOMENT = 4096


class DeviceClass(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that lose fragments alike, for example those of one distance from the gateway."""

    devices: int
    loss: Loss

    def __post_init__(self) -> None:
        """Refuse a class of nobody."""
        if self.devices < 1:
            raise LorawanError(f"{self.devices} devices cannot be planned for; there must be at least 1")


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """When a wave counts as good enough: least success in percent, most failures (None is any number)."""

    min_success_percent: float = 100.0
    max_failures: int | None = None

    def failures_allowed(self, devices: int) -> int:
        """Tell how many of `devices` may fail."""
        by_percent = math.floor(devices * (100 - self.min_success_percent) / 100 + 1e-9)
        return by_percent if self.max_failures is None else min(by_percent, self.max_failures)


class FleetChance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What becomes of a fleet. Probabilities are of the whole fleet, `expected_updated` counts devices."""

    devices: int
    expected_updated: float
    all_updated: float
    gate_passes: float
    worst_class: Chance
    """The success of one device of the class that does worst."""


def fleet_chance(
    code: Code,
    parity: int,
    classes: tuple[DeviceClass, ...],
    *,
    gate: Gate | None = None,
    outage: Outage | None = None,
    seed: int = 0,
    target: float | None = None,
) -> FleetChance:
    """Foretell a session to all classes; raises LorawanError when there are none."""
    if not classes:
        raise LorawanError("a fleet of no devices cannot be planned for; name how many there are")
    calm = [success(code, parity, each.loss, seed=seed, target=target) for each in classes]
    weights, chances = [1.0], [[found.probability for found in calm]]
    worst = min(calm, key=lambda found: found.probability)
    if outage is not None:
        moments = _under_outage(code, parity, classes, outage, seed)
        weights = [1 - outage.probability, *[outage.probability / len(moments)] * len(moments)]
        chances += [[found.probability for found in moment] for moment in moments]
        worst = min(
            (_mixed(weights, [found, *(moment[i] for moment in moments)]) for i, found in enumerate(calm)),
            key=lambda found: found.probability,
        )
    devices = sum(each.devices for each in classes)
    allowed = (gate or Gate()).failures_allowed(devices)
    sizes = [each.devices for each in classes]
    return FleetChance(
        devices=devices,
        expected_updated=sum(w * float(np.dot(sizes, row)) for w, row in zip(weights, chances, strict=True)),
        all_updated=sum(w * at_most(0, sizes, row) for w, row in zip(weights, chances, strict=True)),
        gate_passes=sum(w * at_most(allowed, sizes, row) for w, row in zip(weights, chances, strict=True)),
        worst_class=worst,
    )


def at_most(failures: int, sizes: list[int], chances: list[float]) -> float:
    """Tell how probable it is that no more devices fail, over classes of `sizes` that succeed with `chances`."""
    total = np.ones(1)
    for size, chance in zip(sizes, chances, strict=True):
        total = np.convolve(total, binomial(size, 1 - chance)[: failures + 1])[: failures + 1]
    return min(1.0, float(total.sum()))


def _under_outage(
    code: Code, parity: int, classes: tuple[DeviceClass, ...], outage: Outage, seed: int
) -> list[list[Chance]]:
    whole = code.fragments + parity
    number = min(_MOMENTS, whole)
    found = []
    for moment in range(number):
        first = (2 * moment + 1) * whole // (2 * number)
        row = []
        for each in classes:
            trials = Trials(code, (parity,), each.loss, seed + moment + 1, silent=(first, outage.fragments))
            trials.run(min(_TRIALS_A_MOMENT, trials.affordable))
            row.append(trials.chance(parity))
        found.append(row)
    return found


def _mixed(weights: list[float], parts: list[Chance]) -> Chance:
    """Weigh chances; the half-widths are of independent runs, so their squares add."""
    middle = sum(w * part.probability for w, part in zip(weights, parts, strict=True))
    half = math.sqrt(sum((w * part.half_width) ** 2 for w, part in zip(weights, parts, strict=True)))
    return Chance(
        probability=middle,
        low=max(0.0, middle - half),
        high=min(1.0, middle + half),
        trials=sum(part.trials for part in parts),
    )
