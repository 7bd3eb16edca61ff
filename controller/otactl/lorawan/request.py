"""Defines a request to the radio planner: session, fleet, target. Cheap to import."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from otactl.lorawan.energy import RECEIVE_POWER_MW
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fragmentation import UNLIMITED, DeviceCaps
from otactl.lorawan.loss_models import Loss, Outage
from otactl.lorawan.parity import V1, Variant
from otactl.lorawan.session_values import Transmission

LARGEST_IMAGE_BYTES = 1_000_000
"""AWS documents 1 megabyte for FUOTA; the cautious reading."""
ASSUMED_LOSS = 0.05
ASSUMED_TARGET = 0.99
ASSUMED_REDUNDANCY = 20


MOST_DEVICES = 1_000_000


def check_devices(devices: int) -> None:
    """Raise LorawanError for a number of devices that cannot be planned for."""
    if not 1 <= devices <= MOST_DEVICES:
        raise LorawanError(f"{devices} devices cannot be planned for; there must be 1 to {MOST_DEVICES}")


def check_target(target: float) -> None:
    """Raise LorawanError for a chance no session can be sure to have."""
    if not 0 < target < 1:  # also refuses nan
        raise LorawanError(f"a target of {target} cannot be; it is a probability above 0 and below 1")


class DeviceClass(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that lose fragments alike, for example those of one distance from the gateway."""

    devices: int
    loss: Loss

    def __post_init__(self) -> None:
        """Refuse a class of no one, and more devices than the figures are meant for."""
        check_devices(self.devices)


class SuccessCriteria(msgspec.Struct, frozen=True, kw_only=True):
    """When a wave counts as good enough: least success in percent, most failures (None is any number).

    `weight` is what one device without the image counts as a failure. `most_without` is how many devices may be without
    the image where a confidence limits that. Every device answers, those that lack fragments too, so a least number of
    answers never decides.
    """

    min_success_percent: float = 100.0
    max_failures: int | None = None
    weight: float = 1.0
    most_without: int | None = None

    def failures_allowed(self, devices: int) -> int:
        """Return how many of `devices` may fail (`otactl.verdicts.gate.judge`: the same comparisons).

        -1 where not even a wave without a failure passes.
        """
        if self.most_without is not None and self.most_without < 0:
            return -1
        low, high = 0, devices if self.most_without is None else min(devices, self.most_without)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._passes(devices, middle) else (low, middle - 1)
        return low

    def _passes(self, devices: int, failed: int) -> bool:
        weighted, percent = failed * Decimal(str(self.weight)), Decimal(str(self.min_success_percent))
        few = self.max_failures is None or weighted <= self.max_failures
        anybody = failed < devices or not percent  # weights alone pass no wave in which no one succeeded
        return few and anybody and 100 * (devices - weighted) >= percent * devices


class WaveGate(msgspec.Struct, frozen=True, kw_only=True):
    """A wave's gate and how many devices it is over; None where no one declared it (groups)."""

    devices: int | None
    gate: SuccessCriteria


class AirtimeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the planner. None is assumed (rule 2); `target` is a probability, `window_seconds` a length.

    Without `classes` there are `devices` of one, at an assumed loss. `devices_per_gateway` is given for single devices,
    which get one transmission each; None is a multicast group. `waves` have gates of their own; `gate` is for devices
    of which no one knows how they divide. `devices_unknown`: one device stands for all of a group. `advice` tells
    whether a recommendation is sought for a session that reaches its target, too.
    """

    region: str
    image_bytes: int
    data_rate: int | None = None
    fragment_bytes: int | None = None
    redundancy_percent: int | None = None
    interval_ms: int | None = None
    classes: tuple[DeviceClass, ...] = ()
    devices: int = 1
    outage: Outage | None = None
    gate: SuccessCriteria | None = None
    waves: tuple[WaveGate, ...] = ()
    devices_unknown: bool = False
    target: float = ASSUMED_TARGET
    window_seconds: float | None = None
    variant: Variant = V1
    caps: DeviceCaps = UNLIMITED
    sent: Transmission = Transmission()
    power_mw: float = RECEIVE_POWER_MW
    lead_seconds: float | None = None
    devices_per_gateway: int | None = None
    seed: int = 0
    advice: Literal["always", "whenMissed"] = "always"

    def __post_init__(self) -> None:
        """Refuse an impossible target, image or number of devices."""
        check_target(self.target)
        check_devices(self.devices)
        if not 0 < self.image_bytes <= LARGEST_IMAGE_BYTES:
            raise LorawanError(
                f"an image of {self.image_bytes} bytes cannot be sent; the service takes 1 to {LARGEST_IMAGE_BYTES}"
            )
