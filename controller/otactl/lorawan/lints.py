"""Warns about unwise sessions before they are on air; each warning has its number and a fix.

1. Version 1 rows of an even M below 150 repeat themselves: M = 102 succeeds 12 points less often than 101 or 103.
2. With too few parity rows some one lost fragment is in none of them, and can never be repaired.
3. The service derives the data rate from the fragment size: presumably the slowest that holds it.
4. Flash is written in units: a fragment that is no multiple of them crosses pages (field reports of faults at 48 and
   112 bytes that went away at 64 and 128).
"""

from __future__ import annotations

from collections.abc import Iterator

from otactl.lorawan.fragmentation import DeviceCaps, fragment_count
from otactl.lorawan.parity import V1, Variant, parity_to_cover_all
from otactl.lorawan.regions import region
from otactl.lorawan.session_values import AirtimeWarning, SessionPlan

_EVEN_MATTERS_BELOW = 150


def lints(plan: SessionPlan, caps: DeviceCaps, variant: Variant = V1) -> Iterator[AirtimeWarning]:
    """Find what is lawful and still unwise in a session."""
    m, r = plan.fragments, plan.parity_fragments
    yield from _redundancy(m, r, variant)
    if variant is V1 and m % 2 == 0 and 1 < m < _EVEN_MATTERS_BELOW:
        size = _odd_neighbour(plan)
        way = "" if size is None else f"; {size} bytes make {fragment_count(plan.image_bytes, size)}"
        message = f"{m} fragments are an even number below {_EVEN_MATTERS_BELOW}: parity rows repeat themselves{way}"
        yield AirtimeWarning("even_fragment_count", message)
    yield from _size(plan, caps)


def changes_data_rate(region_name: str, data_rate: int, fragment_bytes: int) -> int | None:
    """Return the data rate the service presumably chooses for a fragment size; None if it is the planned one."""
    picked = region(region_name).slowest_rate_for(fragment_bytes).dr
    return None if picked == data_rate else picked


def _redundancy(m: int, r: int, variant: Variant) -> Iterator[AirtimeWarning]:
    if r == 0:
        yield AirtimeWarning(
            "redundancy_is_zero", "without parity a device that loses one fragment cannot rebuild the image"
        )
        return
    needed = parity_to_cover_all(m, variant)
    if needed is None:
        yield AirtimeWarning("parity_repairs_nothing", "an image of one fragment has no parity: send it again instead")
    elif r < needed:
        message = f"{r} parity fragments leave some fragment out of every row, never to be repaired; use {needed}"
        yield AirtimeWarning("parity_never_repairs_some_fragment", message)


def _size(plan: SessionPlan, caps: DeviceCaps) -> Iterator[AirtimeWarning]:
    size = plan.fragment_bytes
    picked = changes_data_rate(plan.region, plan.data_rate, size)
    if picked is not None:
        message = (
            f"for {size} bytes the service presumably picks data rate {picked}, not {plan.data_rate}: "
            "read the group's session back after the start"
        )
        yield AirtimeWarning("fragment_size_changes_data_rate", message)
    unit = caps.size_multiple
    if unit is not None and size % unit:
        message = (
            f"{size} bytes are no multiple of the device's flash unit of {unit}; {size // unit * unit or unit} are"
        )
        yield AirtimeWarning("fragment_size_is_no_flash_multiple", message)
    if (refusal := caps.refusal(plan.fragments, size)) is not None:
        yield AirtimeWarning("device_refuses_session", f"the device refuses the session at its set-up: {refusal}")


def _odd_neighbour(plan: SessionPlan) -> int | None:
    """Find the nearest smaller fragment size that makes the number of fragments odd."""
    for size in range(plan.fragment_bytes - 1, max(0, plan.fragment_bytes - 20), -1):
        if fragment_count(plan.image_bytes, size) % 2:
            return size
    return None
