"""Computes the energy a session costs a device, and the time on air it costs a gateway.

1. Class C listens all the time from the start on. Whether a device leaves class C once its image is complete is its
   firmware's choice: both values are reported, until the session's end and until the timeout.
2. Class B wakes for a beacon every 128 s (2.12 s reserved; from the specification as remembered), for 30 ms in each
   ping slot, and for the fragments themselves.
3. Power while receiving: 25 mW, the slope of a public STM32WL55 data set in class C. Decoding, reports and flash
   writing are not in it.
4. Single devices get the image one transmission each: a gateway sends it as often as there are devices behind it.
"""

from __future__ import annotations

import msgspec

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.session_values import BEACON_PERIOD_S, PING_SLOT_MS, SessionPlan, Transmission

RECEIVE_POWER_MW = 25.0
BEACON_RESERVED_S = 2.12


class Energy(msgspec.Struct, frozen=True):
    """Joules a device spends on receiving, if it stops at the session's end and if it listens until the timeout."""

    until_end: float
    until_timeout: float


def receive_energy(plan: SessionPlan, sent: Transmission, power_mw: float = RECEIVE_POWER_MW) -> Energy:
    """Return what receiving a session costs at `power_mw` milliwatts; raises LorawanError when that is no power."""
    if not 0 < power_mw < 10_000:
        raise LorawanError(f"a receiver of {power_mw:g} mW cannot be planned with; choose above 0 and below 10000")
    ends = (plan.session_seconds, float(plan.class_c_timeout_seconds))
    until_end, until_timeout = (power_mw / 1000 * _listening(plan, sent, end) for end in ends)
    return Energy(until_end, until_timeout)


def _listening(plan: SessionPlan, sent: Transmission, seconds: float) -> float:
    if sent.device_class == "C":
        return seconds
    frames = plan.fragments + plan.parity_fragments
    empty_slots = max(0.0, seconds * 1000 / sent.slot_spacing_ms - frames)
    beacons = seconds / BEACON_PERIOD_S * BEACON_RESERVED_S
    return beacons + empty_slots * PING_SLOT_MS / 1000 + frames * plan.time_on_air_ms / 1000


class GatewayTotal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What sending to `devices` single devices costs the gateway they share, in seconds."""

    devices: int
    on_air_seconds: float
    shortest_seconds: float
    """On air at the legal duty cycle, back to back; never shorter than one session."""


def gateway_total(plan: SessionPlan, devices: int) -> GatewayTotal:
    """Return what one gateway sends when `devices` behind it get the image one by one."""
    if devices < 1:
        raise LorawanError(f"{devices} devices behind a gateway cannot be planned for; there must be at least 1")
    on_air = devices * (plan.fragments + plan.parity_fragments) * plan.time_on_air_ms / 1000
    shortest = max(on_air * 100 / plan.duty_cycle_limit_percent, plan.session_seconds)
    return GatewayTotal(devices=devices, on_air_seconds=on_air, shortest_seconds=shortest)
