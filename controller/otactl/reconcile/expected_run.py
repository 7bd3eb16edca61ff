"""Predicts the passes of a run after its first: what it sends when the service carries each call out and shows it.

1. A pass assesses the rollouts that sent something in the pass before, with the records that these left, as a run does.
2. The clock stands still: what a run only waits for is not part of it (`outlook`).
3. What a later pass starts on is read as that pass would read it.
4. What is not the run's own to know is taken as it is: devices do not answer, and no one else changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime

import msgspec

from otactl.errors import OtactlError, defect
from otactl.model import Record, Survey
from otactl.model.actions import name_of
from otactl.planning.assess import Assessment
from otactl.planning.expected_state import Step, carried_out, steps
from otactl.planning.target_conflicts import in_turn
from otactl.ports import PureHalf
from otactl.reconcile.observe import EnvironmentObserver
from otactl.reconcile.run_report import RolloutState

PASSES = 40
"""As many as a run makes."""


class ExpectedRun:
    """What a run sends for one rollout: the steps of each of its passes, and the assessment that it ends with."""

    def __init__(self, state: RolloutState, shape: PureHalf, first: Assessment) -> None:
        self.state = state
        self.shape = shape
        self.end = first
        self.sent: list[tuple[Step, ...]] = []
        self.after = state
        """The state that the next pass starts from."""
        self._last: tuple[str, ...] = ()

    def goes_on(self) -> bool:
        """Return whether its last assessment has something to send that was not sent in the pass before."""
        plan = tuple(f"{name_of(a)} {a.reason}" for a in self.end.plan.actions)
        again, self._last = plan == self._last, plan
        return bool(plan) and not again

    def send(self, now: datetime) -> bool:
        """Carry out the next steps; return False where they have no exact calls, which is an error of the rollout."""
        try:
            ready = steps(self.end, self.shape, self.shape.lower)
            record, seen = carried_out(self.end, ready, self.shape, now)
        except Exception as error:  # noqa: BLE001 - the last guard: the others go on
            self.state.fail(error if isinstance(error, OtactlError) else defect(error))
            return False
        self.sent.append(ready)
        stored = msgspec.structs.replace(self.state.stored, record=record)
        self.after = RolloutState(
            self.state.rollout, stored, seen=seen, refused=self.state.refused, removed=self.state.removed
        )
        return True

    def settle(self, taken: MutableMapping[str, dict[str, str]]) -> None:
        """Accept the assessment of the state after the steps."""
        self.state.not_compared = self.state.not_compared or self.after.not_compared
        if self.after.look is None or self.after.error:
            self.state.error = self.after.error
        else:
            self.end = in_turn(self.after.look, taken)


def expected_runs(
    observer: EnvironmentObserver,
    turn: Sequence[RolloutState],
    shapes: Mapping[str, PureHalf],
    surveys: Mapping[str, Survey],
    records: dict[str, Record],
    beside: Callable[[], tuple[Record, ...]],
    now: Callable[[], datetime],
) -> dict[str, ExpectedRun]:
    """Predict the run of rollouts whose first assessments were made; `records` become those that it leaves."""
    runs = {
        s.rollout.name: ExpectedRun(s, shapes[s.rollout.backend_kind], s.look)
        for s in turn
        if s.look is not None and not s.error and s.rollout.backend_kind in shapes
    }
    records |= {s.rollout.name: s.look.record for s in turn if s.look is not None}
    todo = list(runs.values())
    for _ in range(PASSES):
        todo = [run for run in todo if run.goes_on() and run.send(now())]
        if not todo:
            break
        records |= {run.state.rollout.name: run.after.known for run in todo}
        states = [run.after for run in todo]
        observer.read_ahead(states, surveys)
        observer.assess(states, records, beside)
        taken: dict[str, dict[str, str]] = {}
        for run in todo:
            run.settle(taken)
            records[run.state.rollout.name] = run.end.record
        todo = [run for run in todo if not run.state.error]
    return runs
