"""Looks at an environment and its rollouts for one pass: reads only, and an error stops just what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from controller import ownership
from controller.actions import Hold
from controller.contention import busy
from controller.errors import OtactlError, StalledError, defect
from controller.look import as_seen, decide, unlooked
from controller.model import Environment, Observation, Record, Rollout, Survey
from controller.ports import Backend, Stored
from controller.reconciler_values import RolloutState
from controller.sendings import Sendings


class Lookout:
    """Surveys the services of an environment and observes its rollouts."""

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
                surveys[kind] = backend.survey()
                self._check_account(surveys[kind].account)
            except Exception as error:  # noqa: BLE001 - the last guard: the others go on
                surveys.pop(kind, None)
                failure = error if isinstance(error, OtactlError) else defect(error)
                for state in states:
                    if state.rollout.backend_kind == kind:
                        state.fail(failure)
        return surveys

    def _check_account(self, account: str) -> None:
        if account != self._environment.account:
            text = f"these credentials are of account {account}, environment {self._environment.name} is "
            raise StalledError("AccountDiffers", f"{text}{self._environment.account}; use the right role")

    def observe(self, surveys: Mapping[str, Survey], state: RolloutState) -> None:
        """Read what there is of one rollout."""
        rollout = state.rollout
        state.look = state.seen = None  # an older one must not be committed again when this fails
        backend = self._backends.get(rollout.backend_kind)
        with _guarded(state):
            if backend is None or rollout.backend_kind not in surveys:
                state.seen = Observation()
            else:
                state.seen = backend.observe(*as_seen(rollout, state.stored.record), surveys[rollout.backend_kind])

    def judge(self, states: list[RolloutState], records: Mapping[str, Record], sendings: Sendings) -> None:
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
            with _guarded(state):
                state.look = decide(
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
def _guarded(state: RolloutState) -> Iterator[None]:
    """Let an error stop this rollout alone, and be remembered where only a person can mend what it names."""
    try:
        yield
    except StalledError as error:
        state.fail(error)
        state.look = unlooked(state.stored.record, error.reason, str(error))
    except OtactlError as error:
        state.fail(error)
    except Exception as error:  # noqa: BLE001 - the last guard: the others go on
        failure = defect(error)
        state.fail(failure)
        state.look = unlooked(state.stored.record, failure.reason, str(failure))
