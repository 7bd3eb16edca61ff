"""How a run came out, rollout by rollout."""

from __future__ import annotations

from controller.actions import Hold
from controller.model import Value


class RolloutReport(Value, frozen=True, kw_only=True):
    """How one rollout came out of a run."""

    name: str
    environment: str
    phase: str
    wave: str = ""
    actions: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    requeue_after_seconds: int | None = None
    error: str = ""


class RunReport(Value, frozen=True, kw_only=True):
    """How a run over one environment came out."""

    passes: int
    lease_held_by: str = ""
    rollouts: tuple[RolloutReport, ...] = ()
