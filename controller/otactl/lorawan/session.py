"""Computes one multicast FUOTA session: frames, time on air, spacing, duty cycle, length, timeout.

1. S, the spacing, is the interval rounded to whole seconds, but never below time on air / legal duty cycle, the time
   all gateways need one after another, or the spacing of class B's ping slots (one fragment a slot at most).
2. A session lasts (M + R - 1) * S + time on air.
3. `violations` are what the law, the radio or the protocol forbids; `warnings` are what a careful person would want to
   know: over 80 % of the duty cycle (beacons, joins and unicast share it), values sources disagree on, assumptions.
4. R counts redundancy rounded down, since AWS does not publish its rounding; the values rounded up are shown beside it.
"""

from __future__ import annotations

import msgspec

from otactl.lorawan.airtime import phy_length, time_on_air_us
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fragmentation import Rounding, fragment_count, parity_count
from otactl.lorawan.regions import DataRate, Region, region
from otactl.lorawan.session_rules import dwell_limit_ms, largest_lawful_fragment, violations, warnings
from otactl.lorawan.session_values import (
    CLASS_B_TIMEOUT_MAX_S,
    CLASS_C_TIMEOUT_MAX_S,
    HEADROOM,
    AirtimeWarning,
    SessionPlan,
    Transmission,
)

__all__ = [
    "CLASS_B_TIMEOUT_MAX_S",
    "CLASS_C_TIMEOUT_MAX_S",
    "HEADROOM",
    "AirtimeWarning",
    "SessionPlan",
    "Transmission",
    "class_c_timeout",
    "plan_session",
]

_DEFAULT = Transmission()
_TIMEOUT_MIN_S = 64  # AWS accepts 60 s and more, rounded up to a power of two


def plan_session(
    region_name: str,
    data_rate: int | None,
    image_bytes: int,
    fragment_bytes: int | None,
    redundancy_percent: int,
    interval_ms: int | None,
    sent: Transmission = _DEFAULT,
) -> SessionPlan:
    """Compute a session's figures from what a manifest declares; what is None is assumed, and a warning says so.

    Without a data rate the slowest that holds the fragment is taken (the service's presumed rule), without a fragment
    size the largest lawful one all sources allow, without an interval the shortest lawful one. Raises LorawanError for
    a region, data rate or size that cannot exist.
    """
    where = region(region_name)
    rate, size, assumed = _radio(where, data_rate, fragment_bytes, sent)
    m = fragment_count(image_bytes, size)
    r = parity_count(m, redundancy_percent)
    r_up = parity_count(m, redundancy_percent, Rounding.CEIL)
    air_us = time_on_air_us(rate, phy_length(size), payload_crc=sent.payload_crc)
    duty = where.duty_cycle if sent.frequency_hz is None else where.duty_cycle_at(sent.frequency_hz)
    # Each gateway has a duty budget of its own; one after another they take longer, not more of it.
    apart_us = 1000 * max(sent.slot_spacing_ms, (sent.gateways - 1) * sent.transmission_interval_ms + air_us / 1000)
    apart = -(-round(apart_us) // 1_000_000)
    lawful = max(_whole_seconds(air_us, duty), apart)
    comfortable = max(_whole_seconds(air_us, duty * HEADROOM if duty < 1 else duty), apart)
    declared = lawful if interval_ms is None else _rounded(interval_ms)
    spacing = max(declared, lawful)
    seconds = (m + r - 1) * spacing + air_us / 1e6
    longest = (m + r_up - 1) * spacing + air_us / 1e6
    plan = SessionPlan(
        region=where.name,
        data_rate=rate.dr,
        image_bytes=image_bytes,
        fragment_bytes=size,
        padding_bytes=m * size - image_bytes,
        fragments=m,
        parity_fragments=r,
        parity_fragments_rounded_up=r_up,
        phy_bytes=phy_length(size),
        time_on_air_ms=air_us / 1000,
        spacing_ms=spacing * 1000,
        shortest_lawful_spacing_ms=lawful * 1000,
        shortest_comfortable_spacing_ms=comfortable * 1000,
        # Frames cannot overlap: an interval below the time on air keeps the channel busy all the time, not longer.
        duty_cycle_percent=100 * air_us / max(declared * 1_000_000, air_us),
        duty_cycle_limit_percent=100 * duty,
        session_seconds=seconds,
        session_seconds_rounded_up=longest,
        device_class=sent.device_class,
        class_c_timeout_seconds=class_c_timeout(longest),
        violations=(),
        warnings=(),
    )
    if interval_ms is None:
        assumed.append(_assumed("interval", f"{spacing} s, the shortest lawful"))
    return msgspec.structs.replace(
        plan,
        violations=tuple(violations(plan, where, rate, sent)),
        warnings=(*assumed, *warnings(plan, where, rate, interval_ms, sent)),
    )


def class_c_timeout(session_seconds: float) -> int:
    """Return the timeout the service is expected to set: the next power of two seconds at or above the session."""
    timeout = _TIMEOUT_MIN_S
    while timeout < session_seconds:
        timeout *= 2
    return timeout


def _radio(
    where: Region, dr: int | None, size: int | None, sent: Transmission
) -> tuple[DataRate, int, list[AirtimeWarning]]:
    assumed = []
    if size is None:
        rate = where.data_rate(where.default_downlink.dr if dr is None else dr)
        size = largest_lawful_fragment(where, rate, sent)
        if not size:
            limit = dwell_limit_ms(where, sent)
            raise LorawanError(
                f"{where.name} data rate {rate.dr} carries no fragment within {limit} ms; choose a faster data rate"
            )
        assumed.append(_assumed("fragment size", f"{size} bytes, the most all sources allow at data rate {rate.dr}"))
    elif dr is None:
        rate = where.slowest_rate_for(size)
    else:
        rate = where.data_rate(dr)
    if dr is None:
        assumed.append(_assumed("data rate", f"{rate.dr}; the service chooses and does not publish its rule"))
    return rate, size, assumed


def _assumed(what: str, value: str) -> AirtimeWarning:
    return AirtimeWarning(f"{what.replace(' ', '_')}_is_assumed", f"no {what} is declared; the figures assume {value}")


def _rounded(interval_ms: int) -> int:
    """Round to the nearest whole second, as the service does (AWS IoT Wireless API, FragmentIntervalMS)."""
    if interval_ms < 1:
        raise LorawanError(f"an interval of {interval_ms} ms cannot be; the service takes 1 ms and more")
    return (interval_ms + 500) // 1000


def _whole_seconds(air_us: int, duty: float) -> int:
    # 394_496 / 0.1 must not become 4 s by a float's last bit: duty is a multiple of 0.0001
    return -(-air_us * 10_000 // (round(duty * 10_000) * 1_000_000))
