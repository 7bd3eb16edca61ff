"""Checks gates with a confidence: what they cannot be combined with, and waves that are too small to pass."""

from __future__ import annotations

import math
from collections.abc import Iterator

from otactl.model import Gate, Rollout, exact
from otactl.model.violation import Violation, wave_pointer
from otactl.verdicts.confidence import devices_needed, limits_of
from otactl.wording import count

_GROUPS = ("group:", "thingGroup:")


def confidence(rollout: Rollout) -> Iterator[Violation]:
    """Check each gate that declares a confidence, and the waves that it is of."""
    waves = rollout.strategy.waves
    declared = [(w.gate, wave_pointer(n, "gate")) for n, w in enumerate(waves) if w.gate is not None]
    if any(w.gate is None for w in waves):
        declared.append((rollout.strategy.gate, "/spec/strategy/gate"))
    for gate, pointer in declared:
        if gate.risk is not None:
            yield from _combined(rollout, gate, pointer)
    sizes = wave_sizes(rollout)
    for index, wave in enumerate(waves):
        gate = rollout.gate_of(wave)
        if gate.risk is not None:
            pointer = wave_pointer(index, "gate") if wave.gate is not None else "/spec/strategy/gate"
            yield from _size(gate, wave.name, sizes[index:], f"{pointer}/confidence")


def _combined(rollout: Rollout, gate: Gate, pointer: str) -> Iterator[Violation]:
    if gate.weights:
        yield Violation(
            pointer=f"{pointer}/weights",
            code="confidence_excludes_weights",
            message="a confidence counts each failure as one, and weights count some as less",
            hint="remove weights, or confidence",
        )
    if rollout.backend.endless:
        yield Violation(
            pointer=f"{pointer}/confidence",
            code="confidence_needs_a_fixed_wave",
            message="a confidence needs a fixed number of devices, and this update goes on to devices that join",
            hint="remove confidence, or let the update end",
        )


def _size(gate: Gate, wave: str, sizes: list[int | None], pointer: str) -> Iterator[Violation]:
    devices, *after = sizes
    known = [n for n in after if n is not None]
    later = sum(known) if len(known) == len(after) else None
    if devices is None or limits_of(gate, devices, later).passes_to >= 0:
        return
    yield Violation(
        pointer=pointer,
        code="wave_is_too_small",
        message=f"wave {wave}, {too_small(gate, devices, later)}",
        hint="put more devices into the wave, lower minSuccessPercent, or give the wave a gate without confidence",
    )


def too_small(gate: Gate, devices: int, later: int | None) -> str:
    """Return why a wave of so many devices cannot pass its gate, and how many it needs."""
    fleet = None if later is None else devices + later
    needed = devices_needed(gate, fleet)
    allowed = f"{float(100 - exact(gate.min_success_percent)):g} %"
    text = f"{count(devices, 'device')}, cannot show with {gate.sureness} that at most "
    text += f"{allowed} fail"
    if needed is None:
        return f"{text}: no number of devices shows it of a fleet whose size is not known"
    of_fleet = "" if fleet is None else f" of the {fleet} in it and in the waves after it"
    return f"{text}: it needs at least {count(needed, 'device')}{of_fleet}"


def wave_sizes(rollout: Rollout) -> list[int | None]:
    """Return the devices of each wave before anything was sent; None where groups or labels hide their number."""
    waves = rollout.strategy.waves
    by_label = any(w.include or w.exclude for w in waves)
    total = len(rollout.targets.keys) if rollout.targets is not None else 0
    found: list[int | None] = []
    reached = 0
    for index, wave in enumerate(waves):
        if wave.percent is None or rollout.targets is None:
            keys = rollout.targets_of(wave).keys
            found.append(None if not keys or any(k.startswith(_GROUPS) for k in keys) else len(keys))
            continue
        last = index == len(waves) - 1
        room = max(math.ceil(exact(wave.percent) * total / 100) - reached, 1)
        size = total - reached if last else min(room, total - reached)
        reached += size
        found.append(None if by_label else size)
    return found
