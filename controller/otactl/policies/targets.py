"""Checks the targets: one kind, of the right service, each once, and waves that divide them.

1. A rollout names its targets per wave, or once in `spec.targets` with a percent per wave; never both.
2. Percent needs devices that can be counted: a group cannot be divided.
3. What is compared here are names; its service shows before a start which of them are one device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from otactl.model import Device, Rollout, Targets
from otactl.model.violation import Violation, wave_pointer
from otactl.ports import BackendDefinition

_EUI = re.compile(r"[0-9A-Fa-f]{16}|[0-9A-Fa-f]{2}(?:[-_][0-9A-Fa-f]{2}){7}")
"""A DevEUI, or one as the schema of ids lets it through."""
_ATTRIBUTES = {
    "multicastGroups": "multicast_groups",
    "wirelessDevices": "wireless_devices",
    "things": "things",
    "thingGroups": "thing_groups",
    "devices": "devices",
}


def kinds_of(targets: Targets) -> tuple[str, ...]:
    """Name the kinds of target that are there, as the manifest spells them."""
    return tuple(kind for kind, attribute in _ATTRIBUTES.items() if getattr(targets, attribute))


def targets(rollout: Rollout, backends: Mapping[str, BackendDefinition]) -> Iterator[Violation]:
    """Check who gets the image."""
    groups = [("/spec/targets", rollout.targets)] if rollout.targets is not None else []
    groups += [(wave_pointer(i, "targets"), w.targets) for i, w in enumerate(rollout.strategy.waves) if w.targets]
    first: str | None = None
    one_kind = not backends[rollout.backend_kind].capabilities.mixes_target_kinds
    for pointer, named in groups:
        kinds = kinds_of(named)
        yield from _kinds(rollout, backends, pointer, kinds)
        if first is not None and kinds and kinds[0] != first and one_kind:
            yield _mixed(pointer, f"this wave has {kinds[0]}, an earlier one {first}; one rollout drives one kind")
        first = first or (kinds[0] if kinds else None)
    yield from _division(rollout)
    yield from _overlaps(rollout, groups)
    for pointer, named in groups:
        yield from _euis(f"{pointer}/wirelessDevices", named.wireless_devices)


def _kinds(
    rollout: Rollout, backends: Mapping[str, BackendDefinition], pointer: str, kinds: tuple[str, ...]
) -> Iterator[Violation]:
    known = backends[rollout.backend_kind].target_kinds
    for kind in kinds:
        if kind not in known:
            owner = next(name for name, other in backends.items() if kind in other.target_kinds)
            yield Violation(
                pointer=f"{pointer}/{kind}",
                code="foreign_targets",
                message=f"{kind} are targets of {owner}, this rollout has {rollout.backend_kind}",
                hint=f"use {' or '.join(known)}",
            )
    if len(kinds) > 1:
        yield _mixed(f"{pointer}/{kinds[1]}", f"the targets are {' and '.join(kinds)}; one wave has one kind")


def _mixed(pointer: str, message: str) -> Violation:
    return Violation(pointer=pointer, code="mixed_targets", message=message, hint="write two waves or two rollouts")


def _division(rollout: Rollout) -> Iterator[Violation]:
    waves = rollout.strategy.waves
    by_percent = [w.percent is not None for w in waves]
    if rollout.backend.selection is not None:
        yield from _selected_by_service(rollout)
        return
    for index, wave in enumerate(waves):
        if wave.percent is not None and wave.targets is not None:
            message = f"wave {wave.name} has both targets and percent; keep one"
            yield Violation(pointer=wave_pointer(index, "percent"), code="targets_and_percent", message=message)
        elif wave.percent is None and wave.targets is None:
            hint = "add percent" if rollout.targets is not None else "add targets"
            message = f"wave {wave.name} has neither targets nor percent"
            yield Violation(pointer=wave_pointer(index), code="wave_has_no_targets", message=message, hint=hint)
    if any(by_percent):
        yield from _percents(rollout)
        if not all(by_percent) and any(w.targets is not None for w in waves):
            message = "some waves have targets, others percent; a rollout is divided in one way"
            yield Violation(pointer="/spec/strategy/waves", code="waves_divide_differently", message=message)
    elif rollout.targets is not None:
        message = "no wave says how many percent of spec.targets it reaches"
        yield Violation(
            pointer="/spec/targets",
            code="targets_are_unused",
            message=message,
            hint="give the waves percent, the last one 100",
        )


def _percents(rollout: Rollout) -> Iterator[Violation]:
    waves = rollout.strategy.waves
    first = next(i for i, w in enumerate(waves) if w.percent is not None)
    if rollout.targets is None:
        message = "percent is of spec.targets, and there are none"
        yield Violation(
            pointer=wave_pointer(first, "percent"),
            code="percent_needs_targets",
            message=message,
            hint="add spec.targets with the devices",
        )
    elif rollout.targets.multicast_groups or rollout.targets.thing_groups:
        message = "a group cannot be divided into percent"
        yield Violation(
            pointer=wave_pointer(first, "percent"),
            code="percent_needs_devices",
            message=message,
            hint="name groups per wave, or list single devices",
        )
    numbered = [(i, w.percent) for i, w in enumerate(waves) if w.percent is not None]
    for (_, before), (index, after) in pairwise(numbered):
        if after <= before:
            message = f"percent is cumulative: {after:g} after {before:g} reaches no new device"
            yield Violation(pointer=wave_pointer(index, "percent"), code="percent_not_ascending", message=message)
    index, last = numbered[-1]
    if last != 100:
        message = f"the last wave reaches {last:g} percent, the rest would never be updated"
        yield Violation(
            pointer=wave_pointer(index, "percent"), code="percent_not_complete", message=message, hint="percent: 100"
        )


def _selected_by_service(rollout: Rollout) -> Iterator[Violation]:
    waves = rollout.strategy.waves
    if rollout.targets is not None:
        message = "the service selects the devices itself; spec.targets would not be used"
        yield Violation(
            pointer="/spec/targets",
            code="targets_are_unused",
            message=message,
            hint="remove them, or use targetSelection SPECIFIC",
        )
    for index, wave in enumerate(waves):
        if index or wave.targets is not None or wave.percent is not None:
            message = "the service selects the devices itself: one wave, without targets or percent"
            yield Violation(
                pointer=wave_pointer(index),
                code="service_selects_targets",
                message=message,
                hint="use targetSelection SPECIFIC for waves",
            )


def _overlaps(rollout: Rollout, groups: list[tuple[str, Targets]]) -> Iterator[Violation]:
    owners: dict[str, str] = {}
    for pointer, named in groups:
        kinds = kinds_of(named)
        where = (
            "spec.targets"
            if pointer == "/spec/targets"
            else f"wave {rollout.strategy.waves[int(pointer.split('/')[4])].name}"
        )
        for kind in kinds:
            seen: set[str] = set()
            for index, each in enumerate(getattr(named, _ATTRIBUTES[kind])):
                key = each if isinstance(each, str) else each.key
                place = f"{pointer}/{kind}/{index}"
                if key in seen:
                    yield Violation(
                        pointer=place,
                        code="duplicate_target",
                        message=f"{key} occurs twice in {where}",
                        hint="keep one of them",
                    )
                elif (first := owners.setdefault(key, where)) != where:
                    message = f"{key} is in {first} and in {where}"
                    yield Violation(
                        pointer=place, code="targets_overlap", message=message, hint="a target belongs to one wave"
                    )
                seen.add(key)


def _euis(pointer: str, devices: tuple[Device, ...]) -> Iterator[Violation]:
    """Warn of ids that no service gives but every device's label has: one warning for all of a list."""
    found = [(index, d.id) for index, d in enumerate(devices) if d.id is not None and _EUI.fullmatch(d.id)]
    if found:
        index, name = found[0]
        more = f", and so do {len(found) - 1} more" if len(found) > 1 else ""
        yield Violation(
            pointer=f"{pointer}/{index}",
            code="id_looks_like_dev_eui",
            message=f"{name} is read as the id of a wireless device and looks like a DevEUI{more}",
            hint=f"write {{devEui: {name}}}; in a CSV file name the column devEui",
            severity="warning",
        )
