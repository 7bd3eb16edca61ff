"""Loads the 13 radio regions of AWS IoT Wireless: payloads, duty cycles and dwell times of downlinks.

1. Values come from data/lorawan_regions.json (RP002-1.0.4, cross-checked; the file names its sources).
2. Disagreements of sources are in `Region.uncertain`, in words. Of a duty cycle the least any source has is the
   limit. Of a payload the least is planned with when no fragment size is declared; a declared fragment may have the
   most RP002-1.0.4 gives, and a warning names who has less. The other doubts name no second value for a figure, except
   CN470's default rate: 1, since newer revisions have no rate 0.
3. The service sends FUOTA fragments at the default downlink (RX2) frequency unless a multicast session chose another,
   so that frequency's sub-band gives the duty cycle.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import msgspec

from otactl.lorawan.errors import LorawanError

REGION_NAMES = (
    "EU868",
    "US915",
    "AU915",
    "AS923-1",
    "AS923-2",
    "AS923-3",
    "AS923-4",
    "EU433",
    "CN470",
    "CN779",
    "RU864",
    "KR920",
    "IN865",
)
"""RfRegion values of the service; kept here so that importing this module reads no file (a test holds them equal)."""

FRAGMENT_HEADER_BYTES = 3
"""Command byte and fragment counter in front of each fragment (TS004, DataFragment)."""


class DataRate(msgspec.Struct, frozen=True, kw_only=True):
    """One downlink data rate of a region.

    `max_payload_bytes` is the application payload without repeater and dwell limits; a fragment has 3 bytes less.
    `spreading_factor` and `bandwidth_khz` are None for FSK, `bit_rate_bps` is None for LoRa.
    """

    dr: int
    modulation: Literal["lora", "fsk"]
    max_payload_bytes: int = msgspec.field(name="max_frm_payload_bytes")
    max_fragment_size_bytes: int
    spreading_factor: int | None = msgspec.field(name="sf", default=None)
    bandwidth_khz: int | None = msgspec.field(name="bw_khz", default=None)
    bit_rate_bps: int | None = None
    older_max_payload_bytes: int | None = msgspec.field(name="max_frm_payload_repeater_older_rp_bytes", default=None)
    payload_elsewhere: tuple[tuple[str, int], ...] = msgspec.field(name="max_frm_payload_elsewhere", default=())
    dwell_400ms_max_payload_bytes: int | None = msgspec.field(name="max_frm_payload_dwell400ms_bytes", default=None)

    @property
    def undisputed_fragment_size_bytes(self) -> int:
        """Return the fragment size that every source allows (US915 DR8: AWS has 33 payload bytes, newer tables 53)."""
        return min([self.max_payload_bytes, *(payload for _, payload in self.other_payloads)]) - FRAGMENT_HEADER_BYTES

    @property
    def other_payloads(self) -> tuple[tuple[str, int], ...]:
        """Return who has another payload than `max_payload_bytes`, and which."""
        older = () if self.older_max_payload_bytes is None else (("AWS", self.older_max_payload_bytes),)
        return (*older, *self.payload_elsewhere)


class SubBand(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of spectrum with one duty cycle (fraction of time per transmitting gateway; 1.0 is no limit).

    `duty_cycle` is the least any source has; `stated_duty_cycle` the regional parameters', the others with their names.
    """

    min_hz: int
    max_hz: int
    stated_duty_cycle: float = msgspec.field(name="duty_cycle_max_fraction")
    duty_cycle_elsewhere: tuple[tuple[str, float], ...] = ()
    max_eirp_dbm: float | None

    @property
    def duty_cycle(self) -> float:
        """Return the duty cycle that is lawful by every source."""
        return min([self.stated_duty_cycle, *(duty for _, duty in self.duty_cycle_elsewhere)])


class Downlink(msgspec.Struct, frozen=True, kw_only=True):
    """The default downlink; `frequency_hz` is None where it depends on a channel plan the service does not name."""

    dr: int
    frequency_hz: int | None = msgspec.field(name="freq_hz")


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """What one region allows on the downlink."""

    name: str = ""
    data_rates: tuple[DataRate, ...]
    default_downlink: Downlink = msgspec.field(name="rx2_default")
    sub_bands: tuple[SubBand, ...]
    downlink_dwell_time_ms: int | None
    default_max_eirp_dbm: float
    notes: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()

    def data_rate(self, dr: int) -> DataRate:
        """Find a data rate by its number; raises LorawanError naming those that exist."""
        for rate in self.data_rates:
            if rate.dr == dr:
                return rate
        known = ", ".join(str(rate.dr) for rate in self.data_rates)
        raise LorawanError(f"{self.name} has no downlink data rate {dr}; choose one of {known}")

    def slowest_rate_for(self, fragment_size: int) -> DataRate:
        """Find the slowest rate that holds a fragment: the presumed rule by which the service picks one.

        AWS only says that the fragment size decides the data rate; read the group's session back after start.
        """
        for rate in self.data_rates:
            if rate.max_fragment_size_bytes >= fragment_size:
                return rate
        largest = max(rate.max_fragment_size_bytes for rate in self.data_rates)
        raise LorawanError(f"no {self.name} data rate holds a fragment of {fragment_size} bytes; at most {largest} fit")

    def duty_cycle_at(self, frequency_hz: int) -> float:
        """Return the duty cycle of a frequency's sub-band; raises LorawanError where the region has none."""
        here = [band.duty_cycle for band in self.sub_bands if band.min_hz <= frequency_hz <= band.max_hz]
        if not here:
            bands = ", ".join(f"{band.min_hz / 1e6:g} to {band.max_hz / 1e6:g}" for band in self.sub_bands)
            raise LorawanError(f"{self.name} has no sub-band at {frequency_hz / 1e6:g} MHz; they are {bands} MHz")
        return min(here)

    @property
    def duty_cycle(self) -> float:
        """Return the duty cycle at the default downlink frequency, as a fraction; the lowest of all if it is open."""
        frequency = self.default_downlink.frequency_hz
        return min(band.duty_cycle for band in self.sub_bands) if frequency is None else self.duty_cycle_at(frequency)


class _File(msgspec.Struct, frozen=True):
    regions: dict[str, Region]


@cache
def _regions() -> dict[str, Region]:
    from importlib import resources  # costs 8 ms of import that most commands never need

    text = (resources.files("otactl.lorawan") / "data" / "lorawan_regions.json").read_bytes()
    table = msgspec.json.decode(text, type=_File).regions
    return {name: msgspec.structs.replace(found, name=name) for name, found in table.items()}


def region(name: str) -> Region:
    """Find a region by the service's RfRegion name; raises LorawanError naming those that exist."""
    if name not in REGION_NAMES:
        raise LorawanError(f"no region {name!r}; choose one of {', '.join(REGION_NAMES)}")
    return _regions()[name]


def data_rate(region_name: str, dr: int) -> DataRate:
    """Return one data rate of a region; raises LorawanError when either does not exist."""
    return region(region_name).data_rate(dr)


def max_fragment_size(region_name: str, dr: int) -> int:
    """Return the largest fragment in bytes a data rate carries: its payload less 3 bytes of header."""
    return data_rate(region_name, dr).max_fragment_size_bytes


def slowest_rate_for(region_name: str, fragment_size: int) -> DataRate:
    """Return which data rate the service presumably picks for a fragment size (see `Region.slowest_rate_for`)."""
    return region(region_name).slowest_rate_for(fragment_size)
