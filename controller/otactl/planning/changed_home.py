"""Holds a rollout whose environment was changed while a unit is live, or between two of its waves."""

from __future__ import annotations

from otactl.drift import unit_home
from otactl.model import Environment, Record, Rollout
from otactl.model.actions import Hold
from otactl.planning import joined_devices, membership
from otactl.verdicts import wave_verdict


def moved(rollout: Rollout, record: Record, environment: Environment) -> Hold | None:
    """Return the hold of a rollout of which nothing can be read or created where its environment is now."""
    hold = unit_home.moved(record, environment)
    if hold is not None or rollout.removed:
        return hold
    hold = unit_home.parted(record, environment, rollout.backend_kind, rollout.generation)
    if hold is None:
        return None
    left = wave_verdict.undone(record, membership.resolved(rollout, record)) is not None
    left = left or bool(joined_devices.groups(rollout, record))  # those of the new place joined nothing
    return hold if left else None
