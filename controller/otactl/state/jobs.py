"""A rung on its way out: actions with their calls, and what became of them."""

from __future__ import annotations

from otactl.model import Value
from otactl.model.actions import Action, Call
from otactl.state.intents import CallResult


class PlannedCalls(Value, frozen=True, kw_only=True):
    """One action of one rollout with the calls it lowered to."""

    rollout: str
    action: Action
    calls: tuple[Call, ...]


class ActionResult(Value, frozen=True, kw_only=True):
    """What became of a job; `stalled` and `retry_after` sum up why it did not come through."""

    job: PlannedCalls
    results: tuple[CallResult, ...]
    stalled: str = ""
    retry_after: float | None = None
    conflict: bool = False

    @property
    def error(self) -> str:
        """The first error, if any."""
        return next((r.error for r in self.results if r.error), "")
