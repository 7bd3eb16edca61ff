"""Orders rollouts where the call budget is smaller than what all assessments of a run need.

1. What is to be aborted goes first.
2. A rollout that an earlier run had no calls left for goes before the others, the longest waiting one first.
3. A rollout whose assessment alone takes more than a run may read goes last, after all passes of the others, and stalls
   with the figures: only a larger budget helps it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from otactl.errors import BudgetSpentError, OtactlError, StalledError
from otactl.model import Environment
from otactl.reconcile.run_report import RolloutState

STARVED, TOO_LARGE = "CallBudgetSpent", "CallBudgetTooSmall"
_EVER = datetime.max.replace(tzinfo=UTC)


def in_order(states: list[RolloutState]) -> tuple[list[RolloutState], list[RolloutState]]:
    """Return the rollouts in the order they are looked at, and those that come after all others are done (rule 3)."""
    ordered = sorted(states, key=lambda s: (s.rollout.abort is None, _waiting_since(s)))
    return [s for s in ordered if not _too_large(s)], [s for s in ordered if _too_large(s)]


def _waiting_since(state: RolloutState) -> datetime:
    failure = state.stored.record.failure
    return failure.since if failure is not None and failure.reason == STARVED else _EVER


def _too_large(state: RolloutState) -> bool:
    failure = state.stored.record.failure
    return failure is not None and failure.reason == TOO_LARGE


def judged(
    error: BudgetSpentError, state: RolloutState, own: int, surveyed: int, environment: Environment
) -> OtactlError:
    """Return what a spent budget means for the rollout that met it after `own` calls: not its turn, or never enough."""
    failure = state.stored.record.failure
    if failure is not None and failure.reason == TOO_LARGE:
        return StalledError(TOO_LARGE, failure.message)
    others = error.calls - own - surveyed
    first = failure is not None and failure.reason == STARVED
    if own * 2 > error.limit and (first or others * 10 <= error.limit):
        text = (
            f"a look at {state.rollout.name} takes more calls than a run may make: it had made {own} when the "
            f"{error.limit} for reading were spent; callBudget of environment {environment.name} is {error.budget}, of "
            f"which a fifth is kept for what is sent; raise spec.callBudget, to twice that at first"
        )
        return StalledError(TOO_LARGE, text)
    return error
