"""The targets an attempt at a wave is for: declared, until its content was begun; from then on as it was begun with."""

from __future__ import annotations

from otactl.model import Rollout, Wave, WaveRecord


def members_of(rollout: Rollout, wave: Wave, known: WaveRecord | None) -> tuple[str, ...]:
    """Frozen is what this content was begun with; other content, or a making that failed, freezes nothing."""
    if known is not None and known.members and known.started(rollout.generation):
        took = {f"device:{device}" for device in known.updated_devices(rollout.generation)}
        return tuple(k for k in known.members if k not in took) or known.members
    return rollout.targets_of(wave).keys
