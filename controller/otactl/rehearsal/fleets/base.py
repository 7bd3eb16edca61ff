"""Defines what a rehearsal asks of each backend's simulated fleet, and the parts of the fleet document.

1. A manifest names groups, not their members: each group gets as many devices as is assumed; a device of two rollouts
   is one device.
2. A device's behaviour is drawn from the seed and its name: one seed is one fleet.
3. Devices run an older version than the declared one, as far as a manifest says which.
"""

from __future__ import annotations

import hashlib
import random
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ClassVar, NamedTuple, Protocol

from otactl.backends.aws.client import AwsClient
from otactl.model import (
    BackendAccess,
    BackendConfig,
    Device,
    Environment,
    JsonObject,
    Rollout,
    Targets,
    Value,
    VersionConfirm,
    VersionProof,
)
from otactl.ports import Backend

BEFORE = "0.0.0-rehearsal"
"""The version that a simulated device reports at first, where no manifest says which it runs."""
KEEPS_VERSION = "keepsVersion"
DEFAULT = ""
"""The reason of `--fail PERCENT`: the first that the backend's fleet can fail with."""
VERSION = "version"
"""The reason that is reported only where `strategy.confirm` checks a version."""
_INDEXED = re.compile(r"shadow\.(reported\.[A-Za-z0-9_.-]+):")


class SimulatedTime(Protocol):
    """The time that a rehearsal's clients go by."""

    def now(self) -> datetime:
        """Return the simulated time."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Advance the simulated time."""
        ...


class ClosingBackend(NamedTuple):
    """A backend with what closes its connections."""

    backend: Backend
    close: Callable[[], None]


class FleetModel(ABC):
    """How the simulator plays the devices of one backend.

    `silent` is the simulator's behaviour of a device that never answers. `failures` maps each reason that a simulated
    device can fail with, and that the service then reports, to the simulator's behaviour; the first is the one of
    `--fail PERCENT`.
    """

    silent: ClassVar[str]
    failures: ClassVar[Mapping[str, str]]

    @abstractmethod
    def add(self, parts: FleetParts, rollout: Rollout, assumed: Assumed, seed: int) -> None:
        """Add a rollout's devices, groups and packages to the fleet document."""

    def access(self, url: str) -> BackendAccess | None:  # noqa: ARG002 - for those with an access of their own
        """Return the access to the simulator at `url`; None where AWS's own credentials do."""
        return None

    def backend(self, environment: Environment, aws: AwsClient, time: SimulatedTime) -> ClosingBackend | None:  # noqa: ARG002 - for those with a client of their own
        """Connect the backend, if it needs more than the AWS client; None for one that does not."""
        return None

    def can_report(self, rollout: Rollout, reason: str) -> bool:
        """Return whether the service reports this reason: a version only where it is confirmed."""
        return reason in self.failures and (reason != VERSION or isinstance(rollout.strategy.confirm, VersionConfirm))

    def filled(self, config: BackendConfig, fill: Callable[[str], str], role: Callable[[str], str]) -> BackendConfig:  # noqa: ARG002 - for those with references
        """Return the block with `fill` applied to its text values and `role` to its role."""
        return config

    def assumptions(self, rollout: Rollout) -> tuple[str, ...]:  # noqa: ARG002 - for those that assume more
        """Return one sentence for each assumption that concerns this rollout alone."""
        return ()

    def signing_orders(self, rollout: Rollout) -> tuple[JsonObject, ...]:  # noqa: ARG002 - for those that sign
        """Return the signing jobs that the rollout's units start."""
        return ()


class Assumed(Value, frozen=True, kw_only=True):
    """What is assumed of a fleet: percentages of devices; `fail` by reason, with "" for the backend's usual one.

    `loss` is the share of fragments that are lost, from 0 to 1. `loss_by_label` holds (label, value, loss); the first
    that fits a device's labels wins over `loss`.
    """

    devices_per_group: int = 10
    loss: float = 0.05
    loss_by_label: tuple[tuple[str, str, float], ...] = ()
    silent: float = 0.0
    fail: tuple[tuple[str, float], ...] = ()

    def behaviour(self, model: FleetModel, key: str, seed: int) -> str:
        """Return the simulator's behaviour for a device: "" for a normal one, silent, or one of the failures."""
        draw = 100.0 * random.Random(f"{seed}/{key}").random()  # noqa: S311 - a repeatable fleet, not a secret
        if draw < self.silent:
            return model.silent
        upper = self.silent
        for reason, percent in self.fail:
            upper += percent
            if draw < upper:
                return model.failures.get(reason or next(iter(model.failures)), "")
        return ""

    def loss_of(self, device: Device) -> float:
        """Return the share of fragments that a device misses."""
        fits = (loss for label, value, loss in self.loss_by_label if device.labels.get(label) == value)
        return next(fits, self.loss)


class FleetParts:
    """Collects the entries of the fleet document, each under its key so that none is added twice."""

    def __init__(self) -> None:
        self.devices: dict[str, JsonObject] = {}
        self.groups: dict[str, JsonObject] = {}
        self.things: dict[str, JsonObject] = {}
        self.thing_groups: dict[str, JsonObject] = {}
        self.products: dict[str, JsonObject] = {}
        self.product_devices: dict[str, JsonObject] = {}
        self.packages: dict[str, JsonObject] = {}
        self.keys: dict[str, JsonObject] = {}

    def document(self) -> JsonObject:
        """Build the lists of the fleet document."""
        return {
            "devices": list(self.devices.values()),
            "groups": list(self.groups.values()),
            "things": list(self.things.values()),
            "thingGroups": list(self.thing_groups.values()),
            "tuya": {
                "keys": list(self.keys.values()),
                "products": list(self.products.values()),
                "devices": list(self.product_devices.values()),
                "firmwares": list(self.packages.values()),
            },
        }


def targets_of(rollout: Rollout) -> list[Targets]:
    """Return the targets that a rollout names, in its waves and in the rollout itself."""
    named = [w.targets for w in rollout.strategy.waves if w.targets is not None]
    return [*named, *([rollout.targets] if rollout.targets is not None else [])]


def generated_names(name: str) -> tuple[str, str]:
    """Return an id and a DevEUI for a device that a manifest does not name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"rehearsal/{name}")), hashlib.sha256(name.encode()).hexdigest()[:16]


def thing(name: str, behaviour: str, rollout: Rollout) -> JsonObject:
    """Return the entry of an AWS IoT thing that reports its version where the rollout's confirmation reads it."""
    confirm = rollout.strategy.confirm
    shadow = _shadow_path(confirm.version) if isinstance(confirm, VersionConfirm) else None
    path: JsonObject = {} if shadow is None else {"versionPath": shadow}
    return {"name": name, "behaviour": behaviour, "firmwareVersion": BEFORE, **path}


def _shadow_path(proof: VersionProof) -> str | None:
    if proof.shadow is not None:
        return proof.shadow
    found = _INDEXED.search(proof.index_query or "")
    return found.group(1) if found is not None else None
