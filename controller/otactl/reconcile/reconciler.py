"""Runs passes (observe, plan, send, record) until no step is ready; then reports when to run again.

Two clocks come in: `now` is the service's, by which it judges a start, `wall` this machine's, for the lease.

1. Nothing is sent for an assessment older than the pass; after sending, only rollouts that sent are assessed again.
2. A quiet run writes nothing at all (`leased_journal`).
3. A rollout that fails stays out of the rest of the run; the others go on.
4. Every run leaves its mark (`run_marks`), and reports what was sent even when the commit after it failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from otactl.backends.registry import read_config
from otactl.errors import ConflictError, LeaseHeldError, OtactlError, reason_of
from otactl.model import Author, Environment, Listed, Phase, Record, Rollout, Survey
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import NOTHING_UNREAD, UnreadableManifests
from otactl.planning.environment import NAME, environment_record
from otactl.ports import Backend, Journal
from otactl.reconcile.deliver import Delivery, Send
from otactl.reconcile.leased_journal import LeasedJournal
from otactl.reconcile.observe import WORKERS, EnvironmentObserver
from otactl.reconcile.rollout_states import declared_states, removed_states
from otactl.reconcile.run_marks import error_of, left_alone, mark, unread_marks
from otactl.reconcile.run_report import RolloutReport, RolloutState, RunError, RunReport
from otactl.reconcile.send import Counted, Sender, no_one
from otactl.state.rename import renaming

MAX_PASSES = 40
RENEW_BEFORE = timedelta(seconds=60)


class Reconciler:
    """Drives the rollouts of one environment; everything outside comes in through the constructor."""

    def __init__(
        self,
        environment: Environment,
        rollouts: tuple[Rollout, ...],
        backends: Mapping[str, Backend],
        journal: Journal,
        now: Callable[[], datetime],
        holder: str,
        refused: Callable[[Rollout], tuple[Hold, ...]],
        covers: Callable[[Record], bool],
        wall: Callable[[], datetime] | None = None,
        abreast: int = WORKERS,
        unread: UnreadableManifests = NOTHING_UNREAD,
        author: Author = Author(),  # noqa: B008 - a frozen value
        send: Send | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        counted: Counted = no_one,
    ) -> None:
        """Take as `abreast` how many assessments and calls run at a time; as `wall` the journal's clock, if it differs.

        `unread` are manifests with an error that may be about this environment; `author` is named in every event.
        `send` sends notices; without it none are kept. `monotonic` limits how long they may take. `counted` learns how
        many calls of a step were sent.
        """
        memory = journal.identity()
        environment = msgspec.structs.replace(environment, journal_id=memory.id, replaces=memory.replaces)
        self._environment = environment
        self._backends = backends
        receivers = environment.notices if send is not None else ()
        self._journal = LeasedJournal(environment.name, journal, holder, wall or now, author, receivers)
        self._observer = EnvironmentObserver(environment, backends, refused, now, abreast=abreast)
        self._sender = Sender(backends, self._journal, now, abreast, counted)
        self._now = now
        self._wall = wall or now
        self._send, self._monotonic = send, monotonic
        self._holder = holder
        self._unread = unread
        self._covers = covers
        self._rollouts = rollouts
        self._passed = 0
        self._errors: list[RunError] = []

    def run(self) -> RunReport:
        """Run passes until nothing is ready. Another holder of the lease ends it at once, without an error."""
        try:
            self._journal.check_free()
        except LeaseHeldError as error:
            return RunReport(passes=0, lease_held_by=error.holder)
        self._journal.load()
        states = declared_states(self._rollouts, self._journal.stored)
        notes: tuple[str, ...] = ()
        try:
            lost = self._guarded_passes(states)
            if not lost:
                self._leave_marks(states)
                notes = self._deliver()
        finally:
            unreleased = self._journal.release()
        if unreleased is not None:
            self._errors.append(_run_error(unreleased))
        if lost and not any(s.actions for s in states):
            return RunReport(passes=0, lease_held_by=lost, notes=self._journal.notes)
        shown = (s for s in states if not s.removed or s.look is not None or s.error)
        rollouts = (*(self._report(s) for s in shown), *self._left_alone())
        return RunReport(
            passes=self._passed,
            lease_held_by=lost,
            rollouts=rollouts,
            errors=tuple(self._errors),
            notes=(*self._journal.notes, *notes),
        )

    def _deliver(self) -> tuple[str, ...]:
        """Send notices; return what a person is to know of it."""
        if self._send is None:
            return ()
        return Delivery(
            self._journal, self._environment.name, self._environment.notices, self._send, self._wall, self._monotonic
        ).run()

    def _guarded_passes(self, states: list[RolloutState]) -> str:
        """Run passes; gives the holder that the lease was lost to, if it was.

        An error of the journal ends the run: what was sent until then is reported, and its intents are committed.
        """
        try:
            self._rename(states)
            states += removed_states(self._rollouts, self._journal.stored, self._covers, self._unread)
            self._passes(states)
        except LeaseHeldError as error:
            if any(s.actions for s in states):
                lost = f"the lease was lost to {error.holder} while calls were sent"
                text = f"{lost}; the next run reads what became of them"
                self._errors.append(RunError(reason="LeaseLost", message=text))
            return error.holder
        except OtactlError as error:
            self._errors.append(_run_error(error))
            for state in states:
                if not state.error and self._observer.is_open(state):
                    state.fail(error)
        surveys = dict.fromkeys(_run_error(error) for error in self._observer.failures.values())
        self._errors += [error for error in surveys if error not in self._errors]
        return ""

    def _rename(self, states: list[RolloutState]) -> None:
        """Bring the records of renamed rollouts under their new names; note what keeps one back."""
        found = renaming(self._journal.stored, self._rollouts, self._covers, self._now(), self._unread)
        if found.commits:
            with suppress(ConflictError):  # another process wrote since we loaded: what it left is what counts
                self._journal.commit(found.commits)
            self._journal.load()
        states[:] = declared_states(self._rollouts, self._journal.stored, found.holds)

    def _leave_marks(self, states: list[RolloutState]) -> None:
        """Record the run in the environment's record, and in others what kept it from them (`run_marks`).

        Who holds the lease meanwhile leaves marks of its own.
        """
        invalid = [RunError(reason="ManifestInvalid", message=self._unread.text)] if self._unread.text else []
        error = error_of([*self._errors, *invalid], states)
        for last in (False, True):
            stored, now = self._journal.stored, self._now()
            commit = mark(self._environment.name, stored.get(NAME), self._holder, error, now)
            commits = (
                *((commit,) if commit is not None else ()),
                *unread_marks(self._unread, self._names, stored, now),
            )
            try:
                if commits:
                    self._journal.commit(commits)
            except LeaseHeldError:
                return
            except ConflictError:
                if not last:
                    self._journal.load()
                    continue
            except OtactlError as unwritable:
                text = _run_error(unwritable)
                if text not in self._errors:
                    self._errors.append(text)
            return

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(r.name for r in self._rollouts)

    def _left_alone(self) -> list[RolloutReport]:
        """Return the rollouts that a manifest with an error is about."""
        return [
            RolloutReport(
                name=name,
                environment=self._environment.name,
                phase=Phase.STALLED.value,
                error=f"ManifestInvalid: {text}",
            )
            for name, text in left_alone(self._unread, self._names, self._journal.stored).items()
        ]

    def _passes(self, states: list[RolloutState]) -> None:
        todo: list[RolloutState] = []
        late: list[RolloutState] = []
        kinds = {s.rollout.name: s.rollout.backend_kind for s in states}
        surveys: dict[str, Survey] = {}
        while self._passed < MAX_PASSES:
            first, belated = not self._passed, False
            if not first and not todo:
                if not late:
                    return  # every rollout failed, or is done: there is nothing to look over
                todo, late, belated = late, [], True  # by the lists read before: their calls are not spent twice
            self._passed += 1
            if not belated:
                surveys = self._observer.survey(states if first else todo, self._journal.stored, whole=first)
            if first:
                todo, late = self._observer.turns(states, surveys)
            try:
                if first:
                    self._environment_drift(surveys, states)
                self._observer.look(todo, surveys, self._journal.records, self._beside, {})
                jobs = self._sender.intend(todo)
            except ConflictError:
                self._reload(todo)  # another process wrote between our load and our lease: nothing was sent on it
                continue
            sent = self._sender.send(jobs, kinds)
            self._sender.settle(todo, sent)
            names = {done.job.rollout for done in sent}
            todo = [s for s in todo if s.rollout.name in names and not s.error]
            if self._journal.outdated:
                self._reload(todo)  # the lease was lost while calls were sent: assess again by what the other one left

    def _beside(self) -> tuple[Record, ...]:
        return self._journal.beside(self._environment)

    def _reload(self, todo: list[RolloutState]) -> None:
        self._journal.load()
        for state in todo:
            state.stored = self._journal.stored.get(state.rollout.name, state.stored)
            state.last, state.again = (), False
            if state.error:
                state.look = None  # it was assessed with the record that was replaced meanwhile

    def _environment_drift(self, surveys: dict[str, Survey], states: list[RolloutState]) -> None:
        right = {
            kind: (survey, self._backends[kind].capabilities)
            for kind, survey in surveys.items()
            if survey.account == self._environment.account
        }
        declared = [s.rollout for s in states if not s.removed]
        names = {name: tuple(w.name for w in r.strategy.waves) for r in declared for name in r.names}
        stored = self._journal.stored
        commits = environment_record(
            self._environment, right, stored, names, self._covers, self._marks, self._now(), read_config, self._unread
        )
        if commits:
            self._journal.commit(commits)

    def _marks(self, kind: str, item: Listed) -> Mapping[str, str] | None:
        """Return the owner marks of a listed unit; None where they could not be read, which stops no rollout."""
        try:
            return self._backends[kind].marks(item)
        except OtactlError:
            return None

    def _report(self, state: RolloutState) -> RolloutReport:
        look, record = state.look, state.stored.record
        phase = record.phase
        if state.error and phase not in (Phase.FAILED, Phase.SUCCEEDED):
            phase = Phase.STALLED
        requeue = state.requeue_after
        if requeue is None and look is not None and look.plan.requeue_at is not None:
            requeue = (look.plan.requeue_at - self._now()) / timedelta(seconds=1)
        return RolloutReport(
            name=state.rollout.name,
            environment=self._environment.name,
            phase=phase.value,
            wave=look.plan.wave if look is not None else "",
            actions=tuple(state.actions),
            holds=look.plan.holds if look is not None else (),
            requeue_after_seconds=max(1, round(requeue)) if requeue is not None else None,
            error=state.error,
            overdue=tuple(dict.fromkeys(state.overdue)),
            acknowledged=state.acknowledged,
        )


def _run_error(error: OtactlError) -> RunError:
    return RunError(reason=reason_of(error), message=str(error))
