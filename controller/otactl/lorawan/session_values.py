"""Defines the values of a radio session: transmission, cost, errors, warnings."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from otactl.lorawan.errors import LorawanError

HEADROOM = 0.8
"""The share of the legal duty cycle a session should leave the rest to others with."""

CLASS_C_TIMEOUT_MAX_S = 32768
"""2^15 s: the class C session timeout is a 4-bit exponent (TS005), although AWS text says up to 18 h."""

CLASS_B_TIMEOUT_MAX_S = 172_800
"""Two days: the longest timeout the service takes (AWS IoT Wireless API, SessionTimeout); being a power of two, one of
131072 s is the longest there is."""

PING_SLOT_MS = 30
BEACON_PERIOD_S = 128
_SLOTS_A_BEACON = 4096
_PING_SLOTS = (32, 4096)
_MOST_GATEWAYS = 20
_LONGEST_TRANSMISSION_INTERVAL_MS = 60_000


class AirtimeWarning(msgspec.Struct, frozen=True):
    """One thing to know about a session; `code` names the fact, `message` gives numbers, limit and what to change."""

    code: str
    message: str


class Transmission(msgspec.Struct, frozen=True, kw_only=True):
    """How fragments are sent, beside region, rate and interval. The defaults are those of the service.

    `frequency_hz` None is the region's default downlink. Gateways named for a group send one after another,
    `transmission_interval_ms` apart. `ping_slot_period` counts slots of 30 ms (class B). `dwell_limited` says that
    the country limits downlinks to 400 ms. `payload_crc` counts a CRC no downlink has, as many calculators do.
    """

    device_class: Literal["B", "C"] = "C"
    frequency_hz: int | None = None
    gateways: int = 1
    transmission_interval_ms: int = 0
    ping_slot_period: int = 32
    dwell_limited: bool = False
    payload_crc: bool = False

    def __post_init__(self) -> None:
        """Refuse what the service's API refuses."""
        low, high = _PING_SLOTS
        if not low <= self.ping_slot_period <= high or self.ping_slot_period & (self.ping_slot_period - 1):
            raise LorawanError(
                f"a ping slot period of {self.ping_slot_period} cannot be; it is a power of two from {low} to {high}"
            )
        if not 1 <= self.gateways <= _MOST_GATEWAYS:
            raise LorawanError(f"{self.gateways} gateways cannot be named for a group; choose 1 to {_MOST_GATEWAYS}")
        if not 0 <= self.transmission_interval_ms <= _LONGEST_TRANSMISSION_INTERVAL_MS:
            raise LorawanError(
                f"a transmission interval of {self.transmission_interval_ms} ms cannot be; "
                f"choose 0 to {_LONGEST_TRANSMISSION_INTERVAL_MS}"
            )

    @property
    def slot_spacing_ms(self) -> int:
        """Return how far ping slots are apart on average, 0 in class C.

        A beacon period lasts 128 s; its 4096 slots of 30 ms fill the 122.88 s between beacon and guard time. A period
        of 2^(5 + k) slots gives 2^(7 - k) of them per beacon, so no more fragments than that in 128 s, whatever their
        distance within it (LoRaWAN 1.0.4, class B, ping slots).
        """
        return self.ping_slot_period * BEACON_PERIOD_S * 1000 // _SLOTS_A_BEACON if self.device_class == "B" else 0


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The figures of one session. Times in ms or s as named, percentages of 100, sizes in bytes."""

    region: str
    data_rate: int
    image_bytes: int
    fragment_bytes: int
    padding_bytes: int
    fragments: int
    parity_fragments: int
    parity_fragments_rounded_up: int
    phy_bytes: int
    time_on_air_ms: float
    spacing_ms: int
    shortest_lawful_spacing_ms: int
    shortest_comfortable_spacing_ms: int
    duty_cycle_percent: float
    duty_cycle_limit_percent: float
    session_seconds: float
    session_seconds_rounded_up: float
    device_class: Literal["B", "C"]
    class_c_timeout_seconds: int
    violations: tuple[AirtimeWarning, ...]
    warnings: tuple[AirtimeWarning, ...]

    @property
    def occupied_seconds(self) -> int:
        """Return how long the session occupies a window: redundancy and seconds rounded up. What fits so, fits."""
        return math.ceil(self.session_seconds_rounded_up)
