"""Returns the targets of a wave attempt: those in the manifest until the first unit is created, frozen from then on."""

from __future__ import annotations

from otactl.model import Rollout, Wave, WaveRecord


def members_of(rollout: Rollout, wave: Wave, known: WaveRecord | None) -> tuple[str, ...]:
    """Return the members a started revision was started with; another revision, or a failed creation, freezes none."""
    if known is not None and known.members and known.started(rollout.generation):
        took = {f"device:{device}" for device in known.updated_devices(rollout.generation)}
        return tuple(k for k in known.members if k not in took) or known.members
    return rollout.targets_of(wave).keys
