"""Finds where manifests say a device belongs; `status --device` asks this without a client."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.statuses import COUNTS, UNFINISHED
from otactl.model import Rollout
from otactl.model.device_tasks import Home

STATUSES = {COUNTS[word]: word for word in UNFINISHED}  # ours -> the gateway's, in the order of a task's life


class TuyaDevices:
    """The tasks of one device at Tuya's gateway (`otactl.ports.DeviceService`)."""

    statuses: Mapping[str, str] = MappingProxyType(STATUSES)

    def status_of(self, word: str) -> str | None:
        """Return our word for a status."""
        return status_of(word)

    def homes(self, rollouts: Iterable[Rollout], device: str, remembered: frozenset[tuple[str, str]]) -> list[Home]:
        """Return where the manifests say a device belongs."""
        return homes(rollouts, device, remembered)


def status_of(word: str) -> str | None:
    """Return our word for a status of an unfinished task, given in ours or in the gateway's, whatever its case."""
    plain = re.sub(r"[\s_-]", "", word.lower())
    both = {spelled.replace("_", "").lower(): ours for ours, theirs in STATUSES.items() for spelled in (ours, theirs)}
    return both.get(plain)


def homes(rollouts: Iterable[Rollout], device: str, remembered: frozenset[tuple[str, str]] = frozenset()) -> list[Home]:
    """Return where the manifests say a device belongs.

    The product of each Tuya rollout that names it, or that is remembered, as (environment, rollout), to hold it: a
    batch to a whole product names no device.

    A name in another case counts only where no device has it as written: the gateway distinguishes the two.
    """
    exact: set[Home] = set()
    folded: set[Home] = set()
    for rollout in rollouts:
        if not isinstance(rollout.backend, TuyaConfig):
            continue
        names = {name for name in _named(rollout) if name.lower() == device.lower()}
        if not names and (rollout.environment, rollout.name) in remembered:
            names = {device}
        found = {Home(rollout.environment, rollout.backend.product, name) for name in names}
        folded |= found
        exact |= {home for home in found if home.device == device}
    return sorted(exact or folded)


def _named(rollout: Rollout) -> set[str]:
    """Return every device a rollout names, in a wave or for all of them."""
    named = [rollout.targets, *(wave.targets for wave in rollout.strategy.waves)]
    return {device.id for targets in named if targets is not None for device in targets.devices if device.id}
