"""A rung on its way out: actions with their calls, and what became of them."""

from __future__ import annotations

from controller.actions import Action, Call
from controller.model import Value
from controller.outcomes import Result


class Job(Value, frozen=True, kw_only=True):
    """One action of one rollout with the calls it lowered to."""

    rollout: str
    action: Action
    calls: tuple[Call, ...]


class Done(Value, frozen=True, kw_only=True):
    """What became of a job; `stalled` and `retry_after` sum up why it did not come through."""

    job: Job
    results: tuple[Result, ...]
    stalled: str = ""
    retry_after: float | None = None
    conflict: bool = False

    @property
    def error(self) -> str:
        """The first error, if any."""
        return next((r.error for r in self.results if r.error), "")
