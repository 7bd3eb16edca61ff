"""The owner marks every unit carries, the same for every service that can hold tags."""

from __future__ import annotations

from controller.actions import UnitDeclaration
from controller.lifecycle import MARK_ATTEMPT, MARK_GENERATION, MARK_OWNER, MARK_ROLLOUT, MARK_WAVE
from controller.model import Unit


def marks_of(unit: UnitDeclaration) -> dict[str, str]:
    """What names a unit as ours, and which one it is."""
    return {
        MARK_OWNER: unit.owner,
        "otactl:environment": unit.environment,
        MARK_ROLLOUT: unit.rollout,
        MARK_WAVE: unit.wave,
        MARK_ATTEMPT: str(unit.attempt),
        MARK_GENERATION: unit.generation,
        "otactl:version": unit.firmware.version,
    }


def unit_is_ours(unit: Unit, rollout: str, owner: str) -> bool:
    """A unit is ours by its marks, never by its name alone."""
    return (unit.marks.get(MARK_OWNER), unit.marks.get(MARK_ROLLOUT)) == (owner, rollout)
