"""Observes an environment in one pass, shared by `plan` and `reconcile`: reads only.

1. Services are surveyed first, and only a survey of the environment's own account counts.
2. Rollouts are observed in turns of the call budget (`budget_turns`), then assessed with what all of them showed.
3. An assessment that changes what is next, and so lacks its facts, is repeated once with them, in the same pass.
4. Of two rollouts that would start on one target in a pass, the first starts (`target_conflicts`).
5. An error stops only what it is about, and the record says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import msgspec

from otactl.backends.transport.metering import Meter, metered
from otactl.drift import ownership
from otactl.errors import BudgetSpentError, OtactlError, StalledError, defect, reason_of
from otactl.model import Environment, Observation, Record, Rollout, Survey
from otactl.model.actions import Hold
from otactl.planning import changed_home, removed_rollout
from otactl.planning.assess import Assessment, as_seen, assess, finished, unlooked
from otactl.planning.next_targets import preflight_request
from otactl.planning.sent_content import SentContents
from otactl.planning.target_conflicts import busy, holders, in_turn, knowing
from otactl.ports import Backend, Shape, Stored
from otactl.reconcile.abreast import abreast
from otactl.reconcile.budget_turns import in_order, judged
from otactl.reconcile.run_report import RolloutState

WORKERS = 16
CALLS_ABREAST = 100
NO_ACCESS = ("NoCredentials", "PermissionDenied")


class EnvironmentObserver:
    """Surveys the services of an environment, and observes and assesses its rollouts.

    `failures` are the errors of surveys in this run, by backend; `sendings` is what rollouts sent, as the last
    assessments had it.
    """

    def __init__(
        self,
        environment: Environment,
        backends: Mapping[str, Backend],
        refused: Callable[[Rollout], tuple[Hold, ...]],
        now: Callable[[], datetime],
        *,
        shapes: Mapping[str, Shape] | None = None,
        abreast: int = WORKERS,
        unreadable_is_offline: bool = False,
        count_groups: bool = False,
    ) -> None:
        """Observe at most `abreast` rollouts side by side.

        With `shapes` a rollout without a backend is assessed without a comparison. With `unreadable_is_offline` so is
        one whose service has no credentials that only read, where this process has none of it. With `count_groups` the
        devices of new revisions are counted, wave by wave.
        """
        self._environment = environment
        self._backends = backends
        self._shapes: Mapping[str, Shape] = backends if shapes is None else shapes
        self._refused = refused
        self._now = now
        self._abreast = abreast
        self._unreadable_is_offline = unreadable_is_offline
        self._count_groups = count_groups
        self._strangers: tuple[Hold, ...] = ()
        self._surveyed = 0
        self.failures: dict[str, OtactlError] = {}
        self.sendings = SentContents({})

    def survey(self, states: list[RolloutState], stored: Mapping[str, Stored], *, whole: bool) -> dict[str, Survey]:
        """List what each service of `states` holds, with what `stored` knows of it.

        A `whole` survey also asks the services of records that no state is about.
        """
        surveys: dict[str, Survey] = {}
        kinds: set[str] = {s.rollout.backend_kind for s in states}
        if whole:
            kinds |= {s.record.backend for s in stored.values() if any(not a.stage.is_over for a in s.record.attempts)}
            kinds = kinds or set(self._backends)
        for kind in sorted(kinds & self._backends.keys()):
            try:
                with metered() as meter:
                    surveys[kind] = self._asked(self._backends[kind], meter)
                check_account(self._environment, surveys[kind].account)
            except Exception as error:  # noqa: BLE001 - the last guard: the others go on
                surveys.pop(kind, None)
                failure = error if isinstance(error, OtactlError) else defect(error)
                self.failures[kind] = failure
                for state in states:
                    if state.rollout.backend_kind == kind:
                        self._fail(state, failure)
        return knowing(surveys, {name: held.record for name, held in stored.items()})

    def _asked(self, backend: Backend, meter: Meter) -> Survey:
        try:
            return backend.survey()
        finally:
            self._surveyed += meter.calls

    def turns(
        self, states: list[RolloutState], surveys: Mapping[str, Survey]
    ) -> tuple[list[RolloutState], list[RolloutState]]:
        """Return the rollouts that need a look, in order, and those that come after all others are done."""
        return in_order([s for s in states if self.is_open(s, surveys.get(s.rollout.backend_kind))])

    def is_open(self, state: RolloutState, survey: Survey | None = None) -> bool:
        """Return whether there is anything to look at."""
        record, backend = state.known, self._backends.get(state.rollout.backend_kind)
        if not state.removed:
            return not finished(state.rollout, record, survey)
        return record.under_way if backend is None else removed_rollout.unsettled(record, survey, backend.capabilities)

    def look(
        self,
        todo: Sequence[RolloutState],
        surveys: Mapping[str, Survey],
        records: Mapping[str, Record],
        beside: Callable[[], tuple[Record, ...]],
        taken: MutableMapping[str, dict[str, str]],
    ) -> None:
        """Observe and assess the rollouts of `todo`; what is next for each is in its `look`.

        `records` are those of every rollout of the environment, `beside` reads those of other environments,
        `taken` are the targets that earlier rollouts of this pass start on.
        """
        self._round([s for s in todo if not s.error], surveys, records, beside)
        again = [s for s in todo if s.incomplete and not s.again and s.seen is not None and not s.seen.offline]
        for state in again:
            state.again, state.earlier = True, state.look
        self._round(again, surveys, records, beside)
        for state in todo:
            if state.look is not None:
                state.look = in_turn(_after(state.earlier, state.look), taken)
            state.earlier = None

    def _round(
        self,
        todo: list[RolloutState],
        surveys: Mapping[str, Survey],
        records: Mapping[str, Record],
        beside: Callable[[], tuple[Record, ...]],
    ) -> None:
        if not todo:
            return
        self._abreast_of(todo, partial(self._observe, surveys))
        records = {**records, **{s.rollout.name: s.earlier.record for s in todo if s.earlier is not None}}
        self.assess(todo, records, beside)

    def _abreast_of(self, todo: Sequence[RolloutState], read: Callable[[RolloutState], None]) -> None:
        # Side by side they would share a small budget so that none gets its look done.
        workers = max(1, min(self._abreast, self._environment.call_budget // CALLS_ABREAST))
        abreast(workers if self._backends else 1, read, todo)  # without backends nothing is waited for

    def read_ahead(self, todo: Sequence[RolloutState], surveys: Mapping[str, Survey]) -> None:
        """Read what expected states need to start next and do not have; what cannot be read is named in the state."""
        if todo:
            self._abreast_of(todo, partial(self._read_ahead, surveys))

    def _read_ahead(self, surveys: Mapping[str, Survey], state: RolloutState) -> None:
        kind, seen = state.rollout.backend_kind, state.seen
        backend = self._backends.get(kind)
        if backend is None or kind not in surveys or seen is None or seen.offline:
            return
        rollout, known = as_seen(state.rollout, state.known)
        can = backend.capabilities
        request = preflight_request(rollout, known, seen.units, can, count_groups=self._count_groups)
        starting = request.starting
        there = seen.image is not None and {t.key for t in seen.targets}.issuperset(starting.keys if starting else ())
        if starting is None or starting.unit is not None or there:
            return
        bare = msgspec.structs.replace(seen, targets=(), devices=(), group_sizes={}, succeeded_before=())
        try:
            state.seen = backend.preflight(rollout, request, bare, surveys[kind])
        except OtactlError as error:
            state.not_compared = f"the targets of the wave after this one were not read: {error}"

    def assess(
        self, todo: Sequence[RolloutState], records: Mapping[str, Record], beside: Callable[[], tuple[Record, ...]]
    ) -> None:
        """Assess rollouts that were observed; what is next for each is in its `look`."""
        self._assess(todo, records, SentContents(records))
        about_to = any(s.look is not None and s.look.plan.begins for s in todo)
        if about_to and (others := beside()):  # read only before something starts
            self._assess(todo, records, SentContents(records, others))

    def _observe(self, surveys: Mapping[str, Survey], state: RolloutState) -> None:
        """Read what there is of one rollout."""
        kind = state.rollout.backend_kind
        state.look = state.seen = None  # an older one must not be committed again when this fails
        backend = self._backends.get(kind)
        with self._guarded(state):
            elsewhere = changed_home.moved(state.rollout, state.known, self._environment) is not None
            if backend is None or kind not in surveys or elsewhere:
                state.seen = Observation(offline=backend is None and kind in self._shapes)
            else:
                state.seen = self._seen(backend, surveys[kind], state)

    def _seen(self, backend: Backend, survey: Survey, state: RolloutState) -> Observation:
        with metered() as meter:
            try:
                rollout, known = as_seen(state.rollout, state.known)
                return observe_rollout(backend, rollout, known, survey, count_groups=self._count_groups)
            except BudgetSpentError as error:
                raise judged(error, state, meter.calls, self._surveyed, self._environment) from error
            except StalledError as error:
                optional = self._unreadable_is_offline and not backend.capabilities.read_only_credentials
                if state.removed or not optional or error.reason not in NO_ACCESS:
                    raise
                state.not_compared = f"nothing of {backend.capabilities.service} was compared: {error}"
                return Observation(offline=True)

    def _assess(self, states: Sequence[RolloutState], records: Mapping[str, Record], sendings: SentContents) -> None:
        """Decide what is next for rollouts that were observed.

        A unit of another journal in one of them holds them all, for the rest of the run.
        """
        self.sendings = sendings
        seen = [(s.rollout.name, s.seen) for s in states if s.seen is not None]
        self._strangers = self._strangers or ownership.holds(self._environment, seen)
        held = holders(records)
        for state in states:
            if state.seen is None:
                continue
            with self._guarded(state):
                if state.removed:
                    state.look = self._of_removed(state, state.seen)
                    continue
                state.look = assess(
                    self._environment,
                    state.rollout,
                    state.known,
                    state.seen,
                    self._shapes.get(state.rollout.backend_kind),
                    self.holds_before(state),
                    self._now(),
                    busy(held, state.rollout),
                    sendings,
                )

    def holds_before(self, state: RolloutState) -> tuple[Hold, ...]:
        """Return the holds of a rollout that are known without its own observation."""
        return (*self._strangers, *self._refused(state.rollout), *state.refused)

    def _of_removed(self, state: RolloutState, seen: Observation) -> Assessment:
        """Assess what is left of a rollout removed from Git."""
        backend = self._backends.get(state.rollout.backend_kind)
        if backend is None:
            return removed_rollout.unasked(self._environment, state.rollout, state.known, self._now())
        return removed_rollout.look_at(self._environment, state.rollout, state.known, seen, backend, self._now())

    @contextmanager
    def _guarded(self, state: RolloutState) -> Iterator[None]:
        """Limit an error to this rollout."""
        try:
            yield
        except OtactlError as error:
            self._fail(state, error)
        except Exception as error:  # noqa: BLE001 - the last guard: the others go on
            self._fail(state, defect(error))

    def _fail(self, state: RolloutState, error: OtactlError) -> None:
        """Remove a rollout from the run; its record says why."""
        state.fail(error)
        state.look = state.seen = None
        if self.is_open(state):
            state.look = unlooked(state.rollout, state.known, reason_of(error), str(error), self._now())


def check_account(environment: Environment, account: str) -> None:
    """Raise StalledError `AccountDiffers` where the account of the credentials is not the environment's."""
    if account != environment.account:
        text = f"these credentials are of account {account}, environment {environment.name} is {environment.account}"
        raise StalledError("AccountDiffers", f"{text}; use the right role")


def observe_rollout(
    backend: Backend, rollout: Rollout, known: Record, survey: Survey, *, count_groups: bool = False
) -> Observation:
    """Read the units of a rollout with its targets by name, then the facts that a decision about them needs."""
    seen = backend.observe(rollout, known, survey)
    request = preflight_request(rollout, known, seen.units, backend.capabilities, count_groups=count_groups)
    return backend.preflight(rollout, request, seen, survey)


def _after(earlier: Assessment | None, look: Assessment) -> Assessment:
    """Return the second assessment of a pass with what the first one had to tell."""
    if earlier is None:
        return look
    return msgspec.structs.replace(
        look, events=(*earlier.events, *look.events), overdue=(*earlier.overdue, *look.overdue)
    )
