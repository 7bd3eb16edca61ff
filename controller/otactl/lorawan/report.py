"""Defines the results of the radio planner. Cheap to import, unlike the code that computes them."""

from __future__ import annotations

import msgspec

from otactl.lorawan.energy import Energy, GatewayTotal
from otactl.lorawan.loss_models import Outage
from otactl.lorawan.parity import Variant
from otactl.lorawan.request import DeviceClass
from otactl.lorawan.session_values import AirtimeWarning, SessionPlan


class Chance(msgspec.Struct, frozen=True, kw_only=True):
    """A probability and its 95 % interval; `trials` 0 means that it is exact."""

    probability: float
    low: float
    high: float
    trials: int

    @property
    def half_width(self) -> float:
        """Return how far the true value may be from the reported probability."""
        return max(self.high - self.probability, self.probability - self.low)


class FleetChance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What becomes of a fleet. `expected_updated` counts devices, the others are probabilities of the whole fleet.

    The `_low` ones take each class at the lower end of its interval: for many devices a small doubt about one is large.
    """

    devices: int
    expected_updated: float
    all_updated: float
    all_updated_low: float
    gate_passes: float
    gate_passes_low: float
    worst_class: Chance
    """The success of one device of the class that does worst."""


class Setting(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One session that reaches the target. `success_interval` are the ends of the 95 % interval."""

    fragment_bytes: int
    redundancy_percent: int
    interval_ms: int
    fragments: int
    parity_fragments: int
    session_seconds: float
    success_probability: float
    success_interval: tuple[float, float]
    rx_energy_joules: float
    why: str = ""


class Recommendation(Setting, frozen=True, kw_only=True, rename="camel"):
    """The cheapest setting; `fits_window` is None where no window was asked for."""

    data_rate: int
    fits_window: bool | None
    runners_up: tuple[Setting, ...]


class AirtimeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; `closed_form` is the textbook's chance of the class that loses most."""

    session: SessionPlan
    fleet: FleetChance
    classes: tuple[DeviceClass, ...]
    outage: Outage | None
    closed_form: float
    energy: Energy
    target: float
    reaches_target: bool
    fits_window: bool
    window_seconds: float | None
    lead_seconds: float | None
    gateway: GatewayTotal | None
    variant: Variant
    seed: int
    warnings: tuple[AirtimeWarning, ...]
    recommendation: Recommendation | None

    @property
    def chance(self) -> Chance:
        """Return the success of one device of the class that does worst."""
        return self.fleet.worst_class

    @property
    def meets(self) -> bool:
        """Return whether target and window are both met."""
        return self.reaches_target and self.fits_window


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One redundancy in percent: chance on the real rows, textbook's chance, session length in seconds."""

    percent: int
    chance: Chance
    textbook: float
    session_seconds: float
