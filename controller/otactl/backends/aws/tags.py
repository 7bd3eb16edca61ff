"""The owner marks every unit carries, the same for every service that can hold tags."""

from __future__ import annotations

from otactl.drift.ownership import MARK_JOURNAL
from otactl.model import Environment, Unit
from otactl.model.actions import UnitDeclaration
from otactl.state.lifecycle import MARK_ATTEMPT, MARK_ENVIRONMENT, MARK_GENERATION, MARK_OWNER, MARK_ROLLOUT, MARK_WAVE


def marks_of(unit: UnitDeclaration) -> dict[str, str]:
    """What names a unit as ours, and which one it is."""
    named = {MARK_JOURNAL: unit.journal} if unit.journal else {}
    return {
        **named,
        MARK_OWNER: unit.owner,
        MARK_ENVIRONMENT: unit.environment,
        MARK_ROLLOUT: unit.rollout,
        MARK_WAVE: unit.wave,
        MARK_ATTEMPT: str(unit.attempt),
        MARK_GENERATION: unit.generation,
        "otactl:version": unit.firmware.version,
    }


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them, in one order."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def unit_is_ours(unit: Unit, rollout: str, environment: Environment) -> bool:
    """A unit is ours by its marks, never by its name alone: two environments of an owner may share an account."""
    shown = tuple(unit.tags.get(mark) for mark in (MARK_OWNER, MARK_ENVIRONMENT, MARK_ROLLOUT))
    return shown == (environment.owner, environment.name, rollout)
