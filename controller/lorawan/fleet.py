"""What a session does to a fleet: how many devices are updated, and how surely all, or enough, are.

1. Devices share the parity rows and lose fragments independently, so classes of devices are independent binomials.
2. A shared outage makes them dependent: given when it happens they are independent again, so the figures are averaged
   over its moments. Moments are spread evenly over the session, at most `_MOMENTS` of them.
3. A gate passes when at least its percentage succeeded and at most its number of failures happened.
"""

from __future__ import annotations

import math

import numpy as np

from controller.lorawan.answers import Chance, FleetChance
from controller.lorawan.closed_form import binomial
from controller.lorawan.errors import LorawanError
from controller.lorawan.losses import Outage
from controller.lorawan.questions import DeviceClass, Gate
from controller.lorawan.success import Code, Trials, success

_MOMENTS = 32
_TRIALS_A_MOMENT = 4096
_NEGLIGIBLE = 1e-18


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
    weights, cases = [1.0], [calm]
    if outage is not None:
        moments = _under_outage(code, parity, classes, outage, seed)
        weights = [1 - outage.probability, *[outage.probability / len(moments)] * len(moments)]
        cases += moments
    sizes = [each.devices for each in classes]
    allowed = (gate or Gate()).failures_allowed(sum(sizes))
    middle = [[found.probability for found in case] for case in cases]
    low = [[found.low for found in case] for case in cases]

    def averaged(failures: int, chances: list[list[float]]) -> float:
        return sum(w * at_most(failures, sizes, row) for w, row in zip(weights, chances, strict=True))

    return FleetChance(
        devices=sum(sizes),
        expected_updated=sum(w * float(np.dot(sizes, row)) for w, row in zip(weights, middle, strict=True)),
        all_updated=averaged(0, middle),
        all_updated_low=averaged(0, low),
        gate_passes=averaged(allowed, middle),
        gate_passes_low=averaged(allowed, low),
        worst_class=min(
            (_mixed(weights, [case[i] for case in cases]) for i in range(len(classes))),
            key=lambda found: found.probability,
        ),
    )


def at_most(failures: int, sizes: list[int], chances: list[float]) -> float:
    """Tell how probable it is that no more devices fail, over classes of `sizes` that succeed with `chances`."""
    total, least = np.ones(1), 0  # total[i] is the weight of least + i failures
    for size, chance in zip(sizes, chances, strict=True):
        weights = binomial(size, 1 - chance)
        likely = np.nonzero(weights > _NEGLIGIBLE)[0]
        total = np.convolve(total, weights[likely[0] : likely[-1] + 1])
        least += int(likely[0])
    return min(1.0, float(total[: max(0, failures + 1 - least)].sum()))


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
            trials.run(min(_TRIALS_A_MOMENT, trials.affordable()))
            row.append(trials.chance(parity))
        found.append(row)
    return found


def _mixed(weights: list[float], parts: list[Chance]) -> Chance:
    """Weigh chances; the half-widths are of independent runs, so their squares add."""
    if len(parts) == 1:
        return parts[0]
    middle = sum(w * part.probability for w, part in zip(weights, parts, strict=True))
    half = math.sqrt(sum((w * part.half_width) ** 2 for w, part in zip(weights, parts, strict=True)))
    return Chance(
        probability=middle,
        low=max(0.0, middle - half),
        high=min(1.0, middle + half),
        trials=sum(part.trials for part in parts),
    )
