"""Looks at an environment and its rollouts for one pass: reads only, and an error stops just what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

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

    def observe(
        self, surveys: Mapping[str, Survey], records: Mapping[str, Record], sendings: Sendings, state: RolloutState
    ) -> None:
        """Look at one rollout and decide what is next.

        `records` are those of every rollout of the environment, `sendings` what they sent.
        """
        rollout = state.rollout
        state.look = None  # an older one must not be committed again when this fails
        backend = self._backends.get(rollout.backend_kind)
        refused = (*self._refused(rollout), *state.refused)
        try:
            if backend is None or rollout.backend_kind not in surveys:
                seen = Observation()
            else:
                seen = backend.observe(*as_seen(rollout, state.stored.record), surveys[rollout.backend_kind])
            held = busy(records, rollout)
            state.look = decide(
                self._environment,
                rollout,
                state.stored.record,
                seen,
                backend,
                refused,
                self._now(),
                held,
                sendings,
            )
        except StalledError as error:
            state.fail(error)
            state.look = unlooked(state.stored.record, error.reason, str(error))
        except OtactlError as error:
            state.fail(error)
        except Exception as error:  # noqa: BLE001 - the last guard: the others go on
            failure = defect(error)
            state.fail(failure)
            state.look = unlooked(state.stored.record, failure.reason, str(failure))
