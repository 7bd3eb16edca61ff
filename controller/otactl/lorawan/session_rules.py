"""Checks a session against law, radio and protocol, and warns about uncertain values."""

from __future__ import annotations

from otactl.lorawan.airtime import phy_length, time_on_air_us
from otactl.lorawan.parity import MAX_COUNTER
from otactl.lorawan.regions import FRAGMENT_HEADER_BYTES, DataRate, Region
from otactl.lorawan.session_values import (
    CLASS_B_TIMEOUT_MAX_S,
    CLASS_C_TIMEOUT_MAX_S,
    HEADROOM,
    AirtimeWarning,
    SessionPlan,
    Transmission,
)

_DWELL_400_MS = 400


def violations(plan: SessionPlan, where: Region, rate: DataRate, sent: Transmission) -> list[AirtimeWarning]:
    """List what cannot be sent as planned."""
    found = []
    total = plan.fragments + plan.parity_fragments_rounded_up
    if plan.fragment_bytes > rate.max_fragment_size_bytes:
        found.append(
            AirtimeWarning(
                "fragment_exceeds_payload",
                f"a fragment of {plan.fragment_bytes} bytes does not fit {plan.region} data rate {rate.dr}, which "
                f"carries {rate.max_fragment_size_bytes}; use smaller fragments or a faster data rate",
            )
        )
    if total > MAX_COUNTER:
        found.append(
            AirtimeWarning(
                "fragment_counter_overflows",
                f"{plan.fragments} fragments and {plan.parity_fragments_rounded_up} parity fragments are {total}, the "
                f"fragment counter allows {MAX_COUNTER}; use larger fragments",
            )
        )
    if plan.duty_cycle_percent > plan.duty_cycle_limit_percent:
        found.append(
            AirtimeWarning(
                "duty_cycle_exceeds_limit",
                f"{plan.time_on_air_ms:.1f} ms on air at the declared interval uses {plan.duty_cycle_percent:.2f} % of "
                f"the time, the limit in {plan.region} is {plan.duty_cycle_limit_percent:g} %; use an interval of "
                f"{plan.shortest_lawful_spacing_ms} ms or more",
            )
        )
    if plan.class_c_timeout_seconds > CLASS_B_TIMEOUT_MAX_S:
        found.append(
            AirtimeWarning(
                "session_exceeds_service_limit",
                f"a session of {plan.session_seconds:.0f} s needs a timeout of {plan.class_c_timeout_seconds} s, the "
                f"service takes {CLASS_B_TIMEOUT_MAX_S}; use larger fragments, a faster data rate or a "
                "shorter interval",
            )
        )
    dwell, carried = dwell_limit_ms(where, sent), _dwell_payload(rate, sent)
    if dwell is not None and plan.time_on_air_ms > dwell:
        found.append(
            AirtimeWarning(
                "dwell_time_exceeds_limit",
                f"a frame lasts {plan.time_on_air_ms:.1f} ms, {plan.region} allows {dwell}; {_less(where, rate, sent)}",
            )
        )
    elif carried is not None and plan.fragment_bytes + FRAGMENT_HEADER_BYTES > carried:
        found.append(
            AirtimeWarning(
                "dwell_time_exceeds_limit",
                f"a fragment of {plan.fragment_bytes} bytes is {plan.fragment_bytes + FRAGMENT_HEADER_BYTES} of "
                f"payload; {plan.region} data rate {rate.dr} carries {carried} within {dwell} ms; "
                f"{_less(where, rate, sent)}",
            )
        )
    return found


def dwell_limit_ms(where: Region, sent: Transmission) -> int | None:
    """Return how long one frame may be on air; None is no limit."""
    return _DWELL_400_MS if sent.dwell_limited else where.downlink_dwell_time_ms


def largest_lawful_fragment(where: Region, rate: DataRate, sent: Transmission) -> int:
    """Return the largest fragment every source allows within the dwell time; 0 when the rate carries none.

    The payload table of the regional parameters binds where it has a column for the limit (AS923 with 400 ms: 11 bytes
    at data rate 2 although a frame with 12 would be short enough): devices and networks go by the table.
    """
    size, limit = rate.undisputed_fragment_size_bytes, dwell_limit_ms(where, sent)
    carried = _dwell_payload(rate, sent)
    if carried is not None:
        size = min(size, carried - FRAGMENT_HEADER_BYTES)
    if limit is not None:
        while size > 0 and time_on_air_us(rate, phy_length(size), payload_crc=sent.payload_crc) > 1000 * limit:
            size -= 1
    return max(size, 0)


def _dwell_payload(rate: DataRate, sent: Transmission) -> int | None:
    return rate.dwell_400ms_max_payload_bytes if sent.dwell_limited else None


def _less(where: Region, rate: DataRate, sent: Transmission) -> str:
    largest = largest_lawful_fragment(where, rate, sent)
    return f"at most {largest} bytes fit" if largest else "choose a faster data rate, no fragment fits this one"


def warnings(
    plan: SessionPlan, where: Region, rate: DataRate, interval_ms: int | None, sent: Transmission
) -> list[AirtimeWarning]:
    """List what is lawful but unwise or uncertain."""
    found = []
    limit, used = plan.duty_cycle_limit_percent, plan.duty_cycle_percent
    if limit < 100 and HEADROOM * limit < used <= limit:
        found.append(
            AirtimeWarning(
                "duty_cycle_exceeds_headroom",
                f"the session uses {used:.2f} % of the {limit:g} % duty cycle, over {HEADROOM:.0%} of it; beacons, "
                f"joins and other downlinks share it, {plan.shortest_comfortable_spacing_ms} ms would leave room",
            )
        )
    if interval_ms is not None and plan.spacing_ms != interval_ms:
        found.append(
            AirtimeWarning(
                "interval_is_changed",
                f"an interval of {interval_ms} ms becomes {plan.spacing_ms} ms: whole seconds, and not below "
                f"{plan.shortest_lawful_spacing_ms} ms",
            )
        )
    if rate.undisputed_fragment_size_bytes < plan.fragment_bytes <= rate.max_fragment_size_bytes:
        found.append(
            AirtimeWarning(
                "payload_is_disputed",
                f"{_who(rate)} at {plan.region} data rate {rate.dr}, others {rate.max_payload_bytes}; "
                f"{rate.undisputed_fragment_size_bytes} bytes per fragment fit by every source",
            )
        )
    dwell_payload = rate.dwell_400ms_max_payload_bytes
    if (
        dwell_payload is not None
        and not sent.dwell_limited
        and plan.fragment_bytes + FRAGMENT_HEADER_BYTES > dwell_payload
    ):
        found.append(
            AirtimeWarning(
                "dwell_time_may_apply",
                f"where a country limits downlinks to 400 ms, data rate {rate.dr} carries {dwell_payload} payload "
                f"bytes, this session needs {plan.fragment_bytes + FRAGMENT_HEADER_BYTES}",
            )
        )
    if sent.gateways > 1 and sent.transmission_interval_ms:
        found.append(
            AirtimeWarning(
                "gateway_spacing_is_inferred",
                f"{sent.gateways} gateways {sent.transmission_interval_ms} ms apart are taken to need that long for "
                "each fragment; the service's guide reads the other way round, so try it before relying on it",
            )
        )
    if sent.device_class == "C" and plan.class_c_timeout_seconds > CLASS_C_TIMEOUT_MAX_S:
        found.append(
            AirtimeWarning(
                "class_c_timeout_exceeds_field",
                f"a session of {plan.session_seconds:.0f} s needs a class C timeout of {plan.class_c_timeout_seconds} "
                f"s, the maximum of the protocol field is {CLASS_C_TIMEOUT_MAX_S}; shorten it or use class B",
            )
        )
    found.extend(AirtimeWarning("region_value_is_uncertain", f"{plan.region}: {text}") for text in where.uncertain)
    return found


def _who(rate: DataRate) -> str:
    return " and ".join(f"{name} has a payload of {payload} bytes" for name, payload in rate.other_payloads)
