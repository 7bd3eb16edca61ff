"""Defines the owner tags every unit carries, the same for every service that supports tags."""

from __future__ import annotations

from otactl.model import Environment, Unit
from otactl.model.actions import UnitDeclaration
from otactl.model.tags import (
    TAG_ATTEMPT,
    TAG_ENVIRONMENT,
    TAG_GENERATION,
    TAG_JOURNAL,
    TAG_OWNER,
    TAG_ROLLOUT,
    TAG_WAVE,
)


def marks_of(unit: UnitDeclaration) -> dict[str, str]:
    """Return what names a unit as ours, and which one it is; nothing for one that was adopted."""
    if unit.adopted:
        return {}
    named = {TAG_JOURNAL: unit.journal} if unit.journal else {}
    return {
        **named,
        TAG_OWNER: unit.owner,
        TAG_ENVIRONMENT: unit.environment,
        TAG_ROLLOUT: unit.rollout,
        TAG_WAVE: unit.wave,
        TAG_ATTEMPT: str(unit.attempt),
        TAG_GENERATION: unit.generation,
        "otactl:version": unit.firmware.version,
    }


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as AWS takes them, in one order."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def carries_marks(tags: dict[str, str]) -> bool:
    """Return whether otactl created what has these tags, for whichever owner and environment."""
    return TAG_OWNER in tags or TAG_ENVIRONMENT in tags


def tags_of_others(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags that a manifest may declare: without marks of otactl, and without those that AWS keeps."""
    return {key: value for key, value in sorted(tags.items()) if not key.startswith(("otactl:", "aws:"))}


def unit_is_ours(unit: Unit, environment: Environment, *rollouts: str) -> bool:
    """A unit is ours by its marks, never by its name alone: two environments of an owner may share an account.

    `rollouts` are the names that its rollout has, or had.
    """
    shown = tuple(unit.tags.get(mark) for mark in (TAG_OWNER, TAG_ENVIRONMENT))
    return shown == (environment.owner, environment.name) and unit.tags.get(TAG_ROLLOUT) in rollouts
