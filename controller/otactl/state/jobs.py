"""Holds the calls of one step, and their results."""

from __future__ import annotations

from otactl.model import Value
from otactl.model.actions import Action, Call
from otactl.state.intents import CallResult


class PlannedCalls(Value, frozen=True, kw_only=True):
    """One action of one rollout with its calls."""

    rollout: str
    action: Action
    calls: tuple[Call, ...]


class ActionResult(Value, frozen=True, kw_only=True):
    """The results of an action's calls; `stalled` and `retry_after` say why they did not all succeed."""

    job: PlannedCalls
    results: tuple[CallResult, ...]
    stalled: str = ""
    retry_after: float | None = None
    conflict: bool = False

    @property
    def error(self) -> str:
        """Return the first error, if any."""
        return next((r.error for r in self.results if r.error), "")
