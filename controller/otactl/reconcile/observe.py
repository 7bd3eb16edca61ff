"""Looks at an environment and its rollouts for one pass: reads only, and an error stops just what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from otactl.backends.transport.metering import Meter, metered
from otactl.drift import ownership, unit_home
from otactl.errors import BudgetSpentError, OtactlError, StalledError, defect, reason_of
from otactl.model import Environment, Observation, Record, Rollout, Survey
from otactl.model.actions import Hold
from otactl.planning import removed_rollout
from otactl.planning.assess import Assessment, as_seen, assess, finished, unlooked
from otactl.planning.sent_content import SentContents
from otactl.planning.target_conflicts import busy
from otactl.ports import Backend, Stored
from otactl.reconcile.budget_turns import judged
from otactl.reconcile.run_report import RolloutState


class EnvironmentObserver:
    """Surveys the services of an environment and observes its rollouts.

    `failures` are the errors of surveys in this run, by backend.
    """

    def __init__(
        self,
        environment: Environment,
        backends: Mapping[str, Backend],
        refused: Callable[[Rollout], tuple[Hold, ...]],
        now: Callable[[], datetime],
    ) -> None:
        self._environment = environment
        self._backends = backends
        self._refused = refused
        self._now = now
        self._strangers: tuple[Hold, ...] = ()
        self.failures: dict[str, OtactlError] = {}
        self._surveyed = 0

    def survey(self, states: list[RolloutState], stored: Mapping[str, Stored]) -> dict[str, Survey]:
        """Look over what each service lists; with `stored` also for what is left of rollouts taken out of Git."""
        surveys: dict[str, Survey] = {}
        declared: set[str] = {s.rollout.backend_kind for s in states}
        live = {s.record.backend for s in stored.values() if any(not a.stage.is_over for a in s.record.attempts)}
        for kind in sorted((declared | live) or set(self._backends)):
            backend = self._backends.get(kind)
            if backend is None:
                continue
            try:
                with metered() as meter:
                    surveys[kind] = self._asked(backend, meter)
                self._check_account(surveys[kind].account)
            except Exception as error:  # noqa: BLE001 - the last guard: the others go on
                surveys.pop(kind, None)
                failure = error if isinstance(error, OtactlError) else defect(error)
                self.failures[kind] = failure
                for state in states:
                    if state.rollout.backend_kind == kind:
                        self._fail(state, failure)
        return surveys

    def _asked(self, backend: Backend, meter: Meter) -> Survey:
        try:
            return backend.survey()
        finally:
            self._surveyed += meter.calls

    def is_open(self, state: RolloutState, survey: Survey | None = None) -> bool:
        """Whether there is anything to look at."""
        record, backend = state.stored.record, self._backends.get(state.rollout.backend_kind)
        if not state.removed:
            return not finished(state.rollout, record, survey)
        return record.under_way if backend is None else removed_rollout.unsettled(record, survey, backend.capabilities)

    def _of_removed(self, state: RolloutState, seen: Observation) -> Assessment:
        """The look at what is left of a rollout taken out of Git."""
        record, backend = state.stored.record, self._backends.get(state.rollout.backend_kind)
        if backend is None:
            return removed_rollout.unasked(self._environment, state.rollout, record, self._now())
        return removed_rollout.look_at(self._environment, state.rollout, record, seen, backend, self._now())

    def _check_account(self, account: str) -> None:
        if account != self._environment.account:
            text = f"these credentials are of account {account}, environment {self._environment.name} is "
            raise StalledError("AccountDiffers", f"{text}{self._environment.account}; use the right role")

    def observe(self, surveys: Mapping[str, Survey], state: RolloutState) -> None:
        """Read what there is of one rollout."""
        kind = state.rollout.backend_kind
        state.look = state.seen = None  # an older one must not be committed again when this fails
        backend = self._backends.get(kind)
        with self._guarded(state):
            elsewhere = unit_home.moved(state.stored.record, self._environment) is not None
            if backend is None or kind not in surveys or elsewhere:
                state.seen = Observation()
            else:
                state.seen = self._seen(backend, surveys[kind], state)

    def _seen(self, backend: Backend, survey: Survey, state: RolloutState) -> Observation:
        with metered() as meter:
            try:
                return backend.observe(*as_seen(state.rollout, state.stored.record), survey)
            except BudgetSpentError as error:
                raise judged(error, state, meter.calls, self._surveyed, self._environment) from error

    def judge(self, states: list[RolloutState], records: Mapping[str, Record], sendings: SentContents) -> None:
        """Decide what is next for rollouts that were observed; `records` are those of every rollout there is,
        `sendings` what they sent.

        A unit of another journal in one of them holds them all, for the rest of the run.
        """
        looks = [(s.rollout.name, s.seen) for s in states if s.seen is not None]
        self._strangers = self._strangers or ownership.holds(self._environment, looks)
        for state in states:
            if state.seen is None:
                continue
            rollout, known = state.rollout, state.stored.record
            if state.removed:
                with self._guarded(state):
                    state.look = self._of_removed(state, state.seen)
                continue
            with self._guarded(state):
                state.look = assess(
                    self._environment,
                    rollout,
                    known,
                    state.seen,
                    self._backends.get(rollout.backend_kind),
                    (*self._strangers, *self._refused(rollout), *state.refused),
                    self._now(),
                    busy(records, rollout),
                    sendings,
                )

    @contextmanager
    def _guarded(self, state: RolloutState) -> Iterator[None]:
        """Let an error stop this rollout alone."""
        try:
            yield
        except OtactlError as error:
            self._fail(state, error)
        except Exception as error:  # noqa: BLE001 - the last guard: the others go on
            self._fail(state, defect(error))

    def _fail(self, state: RolloutState, error: OtactlError) -> None:
        """Take a rollout out of the run; its record tells why."""
        state.fail(error)
        state.look = state.seen = None
        if self.is_open(state):
            state.look = unlooked(state.rollout, state.stored.record, reason_of(error), str(error), self._now())
