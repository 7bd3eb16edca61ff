"""Judges whether a rollout has come to the phase that is waited for, or does not without a person. Pure."""

from __future__ import annotations

from typing import Literal

from otactl.model import Phase, Value
from otactl.report.status_summary import RolloutLine
from otactl.state.notices import APPROVALS, SUSPENDED

_OVER = (Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.ORPHANED, Phase.REMOVED)
_PERSON = APPROVALS | {SUSPENDED}
"""Holds that stop nothing else and last until a person changes the manifest."""
_PASSING = frozenset({"Unavailable", "Conflict", "CallBudgetSpent"})
"""Errors of a pass that the next one may not have."""


class Answer(Value, frozen=True, kw_only=True):
    """What became of waiting: `reached`, `never` without a person, or `waiting`; and why, in a sentence."""

    state: Literal["reached", "never", "waiting"]
    text: str


def judge(rollout: RolloutLine | None, name: str, wanted: Phase) -> Answer:
    """Judge one rollout; None stands for one that no run has recorded yet."""
    if rollout is None:
        return Answer(state="waiting", text=f"{name} is not recorded yet")
    here = f"{rollout.environment}/{rollout.name} is {rollout.phase}"
    if rollout.phase == wanted.value:
        return Answer(state="reached", text=here)
    if rollout.phase in _OVER:
        return Answer(state="never", text=f"{here}, and does not become {wanted.value} by itself")
    failure = rollout.failure
    if failure is not None and failure.reason not in _PASSING:
        return Answer(state="never", text=f"{here}: {failure.reason}: {failure.message}")
    for hold in rollout.holds:
        if hold.stalled or hold.reason in _PERSON:
            return Answer(state="never", text=f"{here}, held until a person acts: {hold.reason}: {hold.message}")
    return Answer(state="waiting", text=here)
