"""Computes the effect of a session on a fleet: expected updates, and the chance that all devices or gates succeed.

1. Devices share the parity rows and lose fragments independently, so classes of devices are independent binomials.
2. A shared outage makes them dependent: given when it happens they are independent again, so the figures are averaged
   over its moments. Moments are spread evenly over the session, at most `_MOMENTS` of them, fewer where trials are
   dear.
3. A gate passes when at least its percentage succeeded and at most its number of failures happened.
4. Each wave has a gate and a session of its own. Given the chances of the classes, waves are independent, so the gates
   all pass with the product; an outage strikes each wave's session by itself. Classes spread evenly over waves.
"""

from __future__ import annotations

import math

import numpy as np

from otactl.lorawan.decode_probability import WORK, Code, Trials, success
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.loss_distribution import binomial
from otactl.lorawan.loss_models import Loss, Outage
from otactl.lorawan.report import Chance, FleetChance
from otactl.lorawan.request import AirtimeRequest, DeviceClass, SuccessCriteria
from otactl.lorawan.session_values import AirtimeWarning

_MOMENTS = 32
_LEAST_MOMENTS = 4
_TRIALS_A_MOMENT = 4096
_LEAST_TRIALS = 64
_NEGLIGIBLE = 1e-18
_FLEET_DOUBT, _FINEST = 0.05, 0.0002
_FEW_FAILURES = 10


def fleet_chance(
    code: Code,
    parity: int,
    classes: tuple[DeviceClass, ...],
    *,
    gates: tuple[tuple[int, SuccessCriteria], ...] | None = None,
    outage: Outage | None = None,
    seed: int = 0,
    target: float | None = None,
) -> FleetChance:
    """Predict the chance of a session for all classes; raises LorawanError when there are none.

    `gates` are of waves, each with its number of devices, all devices together; None is one gate that forgives no one.
    """
    if not classes:
        raise LorawanError("a fleet of no devices cannot be planned for; name how many there are")
    sizes = [each.devices for each in classes]
    calm = [device_chance(code, parity, each.loss, sum(sizes), seed, target) for each in classes]
    weights, cases = [1.0], [calm]
    if outage is not None:
        moments = _under_outage(code, parity, classes, outage, seed)
        weights = [1 - outage.probability, *[outage.probability / len(moments)] * len(moments)]
        cases += moments
    gates = gates or ((sum(sizes), SuccessCriteria()),)
    waves = spread(sizes, [devices for devices, _ in gates])
    allowed = [gate.failures_allowed(devices) for devices, gate in gates]
    middle = [[found.probability for found in case] for case in cases]
    low = [[found.low for found in case] for case in cases]

    def averaged(failures: list[int], chances: list[list[float]]) -> float:
        return math.prod(
            sum(w * at_most(most, wave, row) for w, row in zip(weights, chances, strict=True))
            for most, wave in zip(failures, waves, strict=True)
        )

    no_failures = [0] * len(waves)

    return FleetChance(
        devices=sum(sizes),
        expected_updated=sum(w * float(np.dot(sizes, row)) for w, row in zip(weights, middle, strict=True)),
        all_updated=averaged(no_failures, middle),
        all_updated_low=averaged(no_failures, low),
        gate_passes=averaged(allowed, middle),
        gate_passes_low=averaged(allowed, low),
        worst_class=min(
            (_mixed(weights, [case[i] for case in cases]) for i in range(len(classes))),
            key=lambda found: found.probability,
        ),
    )


def device_chance(
    code: Code, parity: int, loss: Loss, devices: int, seed: int = 0, target: float | None = None
) -> Chance:
    """Return the chance of one device as exactly as a fleet of so many needs it.

    A doubt about one device grows with their number. It matters where few of them fail: if many do, all are never
    updated, however exactly that is known.
    """
    found = success(code, parity, loss, seed=seed, target=target)
    fine = max(_FINEST, _FLEET_DOUBT / devices)
    if devices * (1 - found.probability) > _FEW_FAILURES or found.half_width <= fine:
        return found
    return success(code, parity, loss, seed=seed, target=target, precision=fine)


def at_most(failures: int, sizes: list[int], chances: list[float]) -> float:
    """Return how probable it is that no more devices fail, over classes of `sizes` that succeed with `chances`."""
    total, least = np.ones(1), 0  # total[i] is the weight of least + i failures
    for size, chance in zip(sizes, chances, strict=True):
        weights = binomial(size, 1 - chance)
        likely = np.nonzero(weights > _NEGLIGIBLE)[0]
        total = np.convolve(total, weights[likely[0] : likely[-1] + 1])
        least += int(likely[0])
    return min(1.0, float(total[: max(0, failures + 1 - least)].sum()))


def spread(sizes: list[int], waves: list[int]) -> list[list[int]]:
    """Divide classes of `sizes` evenly over `waves` of so many devices: per wave, how many it has of each class."""
    if len(waves) == 1:
        return [sizes]
    places = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes])
    of_class = np.repeat(np.arange(len(sizes)), sizes)[np.argsort(places, kind="stable")]
    ends = np.cumsum(waves)
    return [
        np.bincount(of_class[end - wave : end], minlength=len(sizes)).tolist()
        for wave, end in zip(waves, ends, strict=True)
    ]


def gates_of(
    question: AirtimeRequest, devices: int
) -> tuple[tuple[tuple[int, SuccessCriteria], ...], tuple[AirtimeWarning, ...]]:
    """Return which gates `devices` are judged by, and what is assumed of how they divide over waves."""
    waves = question.waves
    whole = ((devices, question.gate or SuccessCriteria()),)
    if question.devices_unknown:
        text = "the manifest does not say how many devices its groups have; these figures are for one device"
        return whole, (AirtimeWarning("group_sizes_are_unknown", text),)
    if len(waves) == 1 and waves[0].devices in (None, devices):
        return ((devices, waves[0].gate),), ()
    counts = [wave.devices for wave in waves if wave.devices is not None]
    if not waves:
        return whole, ()
    if len(counts) < len(waves) or sum(counts) != devices:
        text = (
            f"how {devices} devices divide over {len(waves)} waves is not known: one gate is counted over all of them"
        )
        return whole, (AirtimeWarning("gate_is_of_all_devices", text),)
    found: tuple[AirtimeWarning, ...] = ()
    if len(question.classes) > 1:
        text = f"the {len(question.classes)} classes of devices are taken to be spread evenly over {len(waves)} waves"
        found = (AirtimeWarning("classes_are_spread_over_waves", text),)
    return tuple((count, wave.gate) for count, wave in zip(counts, waves, strict=True)), found


def _under_outage(
    code: Code, parity: int, classes: tuple[DeviceClass, ...], outage: Outage, seed: int
) -> list[list[Chance]]:
    whole = code.fragments + parity
    cost = max(Trials.work_of_one(code, parity, each.loss) for each in classes) * len(classes)
    number = min(_MOMENTS, whole, max(_LEAST_MOMENTS, int(WORK / cost / _LEAST_TRIALS)))
    found = []
    for moment in range(number):
        first = (2 * moment + 1) * whole // (2 * number)
        row = []
        for each in classes:
            trials = Trials(code, (parity,), each.loss, seed + moment + 1, silent=(first, outage.fragments))
            trials.run(max(_LEAST_TRIALS, min(_TRIALS_A_MOMENT, int(WORK / cost / number))))
            row.append(trials.chance(parity))
        found.append(row)
    return found


def _mixed(weights: list[float], parts: list[Chance]) -> Chance:
    """Average chances by weight; the half-widths are of independent runs, so their squares add."""
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
