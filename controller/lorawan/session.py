"""What one multicast FUOTA session costs: frames, time on air, spacing, duty cycle, length, timeout.

1. S, the spacing, is the interval rounded to whole seconds, but never below time on air / legal duty cycle.
2. A session lasts (M + R - 1) * S + time on air.
3. `violations` are what the law, the radio or the protocol forbids; `warnings` are what a careful person would want to
   know: over 80 % of the duty cycle (beacons, joins and unicast share it), values sources disagree on, assumptions.
4. R counts redundancy rounded down, since AWS does not publish its rounding; the figures rounded up stand beside it.
"""

from __future__ import annotations

import msgspec

from controller.lorawan.airtime import phy_length, time_on_air_us
from controller.lorawan.errors import LorawanError
from controller.lorawan.fragmentation import MAX_COUNTER, Rounding, fragment_count, parity_count
from controller.lorawan.regions import DataRate, Region, region

HEADROOM = 0.8
"""The share of the legal duty cycle a session should leave the rest to others with."""

CLASS_C_TIMEOUT_MAX_S = 32768
"""2^15 s: the class C session timeout is a 4-bit exponent (TS005), although AWS text says up to 18 h."""

_TIMEOUT_MIN_S = 64  # AWS accepts 60 s and more, rounded up to a power of two


class Finding(msgspec.Struct, frozen=True):
    """One thing to know about a session; `code` names the fact, `message` gives numbers, limit and what to change."""

    code: str
    message: str


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
    class_c_timeout_seconds: int
    violations: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def plan_session(
    region_name: str,
    data_rate: int | None,
    image_bytes: int,
    fragment_bytes: int | None,
    redundancy_percent: int,
    interval_ms: int | None,
) -> SessionPlan:
    """Compute a session's figures from what a manifest declares; what is None is assumed, and a warning says so.

    Without a data rate the slowest that holds the fragment is taken (the service's presumed rule), without a fragment
    size the largest undisputed one, without an interval the shortest lawful one. Raises LorawanError for a region,
    data rate or size that cannot exist.
    """
    where = region(region_name)
    rate, size, assumed = _radio(where, data_rate, fragment_bytes)
    m = fragment_count(image_bytes, size)
    r = parity_count(m, redundancy_percent)
    r_up = parity_count(m, redundancy_percent, Rounding.CEIL)
    air_us = time_on_air_us(rate, phy_length(size))
    duty = where.duty_cycle
    lawful = _whole_seconds(air_us, duty)
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
        shortest_comfortable_spacing_ms=_whole_seconds(air_us, duty * HEADROOM if duty < 1 else duty) * 1000,
        # Frames cannot overlap: an interval below the time on air keeps the channel busy all the time, not longer.
        duty_cycle_percent=100 * air_us / max(declared * 1_000_000, air_us),
        duty_cycle_limit_percent=100 * duty,
        session_seconds=seconds,
        session_seconds_rounded_up=longest,
        class_c_timeout_seconds=class_c_timeout(longest),
        violations=(),
        warnings=(),
    )
    if interval_ms is None:
        assumed.append(_assumed("interval", f"{spacing} s, the shortest lawful"))
    violations = tuple(_violations(plan, where, rate))
    return msgspec.structs.replace(
        plan, violations=violations, warnings=(*assumed, *_warnings(plan, where, rate, interval_ms))
    )


def class_c_timeout(session_seconds: float) -> int:
    """Tell the timeout the service is expected to set: the next power of two seconds at or above the session."""
    timeout = _TIMEOUT_MIN_S
    while timeout < session_seconds:
        timeout *= 2
    return timeout


def _radio(where: Region, dr: int | None, size: int | None) -> tuple[DataRate, int, list[Finding]]:
    assumed = []
    if size is None:
        rate = where.data_rate(where.default_downlink.dr if dr is None else dr)
        size = rate.undisputed_fragment_size_bytes
        assumed.append(_assumed("fragment size", f"{size} bytes, the most all sources allow at data rate {rate.dr}"))
    elif dr is None:
        rate = where.slowest_rate_for(size)
    else:
        rate = where.data_rate(dr)
    if dr is None:
        assumed.append(_assumed("data rate", f"{rate.dr}; the service chooses and does not publish its rule"))
    return rate, size, assumed


def _assumed(what: str, value: str) -> Finding:
    return Finding(f"{what.replace(' ', '_')}_is_assumed", f"no {what} is declared; the figures assume {value}")


def _rounded(interval_ms: int) -> int:
    """Round to the nearest whole second, as the service does (AWS IoT Wireless API, FragmentIntervalMS)."""
    if interval_ms < 1:
        raise LorawanError(f"an interval of {interval_ms} ms cannot be; the service takes 1 ms and more")
    return (interval_ms + 500) // 1000


def _whole_seconds(air_us: int, duty: float) -> int:
    # 394_496 / 0.1 must not become 4 s by a float's last bit: duty is a multiple of 0.0001
    return -(-air_us * 10_000 // (round(duty * 10_000) * 1_000_000))


def _violations(plan: SessionPlan, where: Region, rate: DataRate) -> list[Finding]:
    found = []
    total = plan.fragments + plan.parity_fragments_rounded_up
    if plan.fragment_bytes > rate.max_fragment_size_bytes:
        found.append(Finding(
            "fragment_exceeds_payload",
            f"a fragment of {plan.fragment_bytes} bytes does not fit {plan.region} data rate {rate.dr}, which carries "
            f"{rate.max_fragment_size_bytes}; make fragments smaller or choose a faster data rate",
        ))  # fmt: skip
    if total > MAX_COUNTER:
        found.append(Finding(
            "fragment_counter_overflows",
            f"{plan.fragments} fragments and {plan.parity_fragments_rounded_up} parity fragments are {total}, the "
            f"fragment counter ends at {MAX_COUNTER}; make fragments larger",
        ))  # fmt: skip
    if plan.duty_cycle_percent > plan.duty_cycle_limit_percent:
        found.append(Finding(
            "duty_cycle_exceeds_limit",
            f"{plan.time_on_air_ms:.1f} ms on air at the declared interval uses {plan.duty_cycle_percent:.2f} % of the "
            f"time, the limit in {plan.region} is {plan.duty_cycle_limit_percent:g} %; use an interval of "
            f"{plan.shortest_lawful_spacing_ms} ms or more",
        ))  # fmt: skip
    dwell = where.downlink_dwell_time_ms
    if dwell is not None and plan.time_on_air_ms > dwell:
        found.append(Finding(
            "dwell_time_exceeds_limit",
            f"a frame lasts {plan.time_on_air_ms:.1f} ms, {plan.region} allows {dwell}; make fragments smaller",
        ))  # fmt: skip
    return found


def _warnings(plan: SessionPlan, where: Region, rate: DataRate, interval_ms: int | None) -> list[Finding]:
    found = []
    limit, used = plan.duty_cycle_limit_percent, plan.duty_cycle_percent
    if limit < 100 and HEADROOM * limit < used <= limit:
        found.append(Finding(
            "duty_cycle_exceeds_headroom",
            f"the session uses {used:.2f} % of the {limit:g} % duty cycle, over {HEADROOM:.0%} of it; beacons, joins "
            f"and other downlinks share it, {plan.shortest_comfortable_spacing_ms} ms would leave room",
        ))  # fmt: skip
    if interval_ms is not None and plan.spacing_ms != interval_ms:
        found.append(Finding(
            "interval_is_changed",
            f"an interval of {interval_ms} ms becomes {plan.spacing_ms} ms: whole seconds, and not below "
            f"{plan.shortest_lawful_spacing_ms} ms",
        ))  # fmt: skip
    if rate.undisputed_fragment_size_bytes < plan.fragment_bytes <= rate.max_fragment_size_bytes:
        found.append(Finding(
            "payload_is_disputed",
            f"AWS documents a smaller payload at {plan.region} data rate {rate.dr}; "
            f"{rate.undisputed_fragment_size_bytes} bytes per fragment fit by every source",
        ))  # fmt: skip
    dwell_payload = rate.dwell_400ms_max_payload_bytes
    if dwell_payload is not None and plan.fragment_bytes + 3 > dwell_payload:
        found.append(Finding(
            "dwell_time_may_apply",
            f"where a country limits downlinks to 400 ms, data rate {rate.dr} carries {dwell_payload} payload bytes, "
            f"this session needs {plan.fragment_bytes + 3}",
        ))  # fmt: skip
    if plan.class_c_timeout_seconds > CLASS_C_TIMEOUT_MAX_S:
        found.append(Finding(
            "class_c_timeout_exceeds_field",
            f"a session of {plan.session_seconds:.0f} s needs a class C timeout of {plan.class_c_timeout_seconds} s, "
            f"the protocol field ends at {CLASS_C_TIMEOUT_MAX_S}; shorten it or use class B",
        ))  # fmt: skip
    found.extend(Finding("region_value_is_uncertain", f"{plan.region}: {text}") for text in where.uncertain)
    return found
