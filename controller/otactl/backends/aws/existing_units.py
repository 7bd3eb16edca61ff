"""Reads the units of other actors one by one: an unreadable one costs no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from otactl.errors import StalledError
from otactl.model import Doubt, ExistingUnit, ExistingUnits, UnitPhase


def existing_units(
    ids: Iterable[str], known: Collection[str], read: Callable[[str], ExistingUnit | None]
) -> ExistingUnits:
    """Read the units that are not `known`; `read` returns None for one that was deleted meanwhile."""
    found = (_read(vendor_id, read) for vendor_id in ids if vendor_id not in known)
    return ExistingUnits(units=tuple(unit for unit in found if unit is not None))


def _read(vendor_id: str, read: Callable[[str], ExistingUnit | None]) -> ExistingUnit | None:
    """Read one unit, with a doubt where the service refuses it."""
    try:
        return read(vendor_id)
    except StalledError as error:
        text = f"it cannot be read: {error}"
        doubt = Doubt(code="unit_is_unreadable", message=text, fix="grant what the message names, and adopt again")
        return ExistingUnit(vendor_id=vendor_id, phase=UnitPhase.UNKNOWN, doubts=(doubt,))
