"""The pass: observe, plan, send, record, until no rung is ready; then say when to come back.

Two clocks come in: `now` is the service's, by which it judges a start, `wall` this machine's, for the lease.

1. Nothing is sent for a look that is older than the pass; after sending, only rollouts that sent are looked at again.
2. A quiet run writes nothing at all (`leased_journal`).
3. Intents are committed before the first call of a rung, outcomes after the last, each in one commit for all rollouts.
4. A rollout that fails stays out of the rest of the run; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import msgspec

from controller.actions import Call, Hold, Receipt, name_of
from controller.contention import in_turn, knowing
from controller.environment_ledger import environment_record
from controller.errors import ConflictError, LeaseHeldError, OtactlError, StalledError, defect
from controller.executor import Executor
from controller.jobs import Done, Job
from controller.leased_journal import LeasedJournal
from controller.look import finished, intended, settled
from controller.looking import Lookout
from controller.model import Environment, Listed, Phase, Record, Rollout, Survey
from controller.ports import Backend, Commit, Journal, Stored
from controller.reconciler_values import RolloutReport, RolloutState, RunReport
from controller.renaming import renaming
from controller.sendings import Sendings

MAX_PASSES = 40
RENEW_BEFORE = timedelta(seconds=60)
WORKERS = 16
CALLS_ABREAST = 100


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
    ) -> None:
        """`abreast` looks and calls at most go side by side; `wall` is the journal's clock where it is another one."""
        memory = journal.identity()
        environment = msgspec.structs.replace(environment, journal_id=memory.id, replaces=memory.replaces)
        self._environment = environment
        self._backends = backends
        self._journal = LeasedJournal(environment.name, journal, holder, wall or now)
        self._lookout = Lookout(environment, backends, refused, now)
        self._now = now
        self._covers = covers
        self._abreast = abreast
        self._rollouts = rollouts
        self._records: dict[str, Record] = {}
        self._sendings = Sendings({})

    def run(self) -> RunReport:
        """Run passes until nothing is ready. Another holder of the lease ends it at once, without an error."""
        try:
            self._journal.check_free()
        except LeaseHeldError as error:
            return RunReport(passes=0, lease_held_by=error.holder)
        stored = self._journal.load_all()
        try:
            stored, held = self._renamed(stored)
            self._remember(stored)
            states = [RolloutState(r, stored.get(r.name) or _unknown(r)) for r in self._rollouts]
            for state in states:
                state.refused = held.get(state.rollout.name, ())
            passes = self._passes(states, stored)
        except LeaseHeldError as error:
            return RunReport(passes=0, lease_held_by=error.holder, notes=self._journal.told)
        finally:
            self._journal.release()
        return RunReport(passes=passes, rollouts=tuple(self._report(s) for s in states), notes=self._journal.told)

    def _remember(self, stored: Mapping[str, Stored]) -> None:
        self._records = {name: s.record for name, s in stored.items()}
        self._sendings = Sendings(self._records)

    def _renamed(self, stored: dict[str, Stored]) -> tuple[dict[str, Stored], Mapping[str, tuple[Hold, ...]]]:
        """What is stored, with the records of renamed rollouts under their new names; and what keeps one back."""
        found = renaming(stored, self._rollouts, self._covers, self._now())
        held = {name: (hold,) for name, hold in found.holds.items()}
        if not found.commits:
            return stored, held
        with suppress(ConflictError):  # another process wrote since we loaded: what it left is what counts
            self._journal.commit(found.commits)
        return self._journal.load_all(), held

    def _passes(self, states: list[RolloutState], stored: dict[str, Stored]) -> int:
        passes = 0
        todo: list[RolloutState] = []
        while passes < MAX_PASSES:
            if passes and not todo:
                return passes  # every rollout failed: there is nothing to look over
            passes += 1
            surveys = self._lookout.survey(states if passes == 1 else todo, stored if passes == 1 else {})
            surveys = knowing(surveys, self._records)
            if passes == 1:
                kinds = {s.rollout.name: surveys.get(s.rollout.backend_kind) for s in states}
                todo = [s for s in states if not finished(s.rollout, s.stored.record, kinds[s.rollout.name])]
            try:
                if passes == 1:
                    self._environment_drift(surveys, stored)
                todo = [s for s in todo if not s.error]
                # Side by side they would share a small budget so that none gets its look done.
                workers = max(1, min(self._abreast, self._environment.call_budget // CALLS_ABREAST))
                with ThreadPoolExecutor(max_workers=workers) as pool:
                    list(pool.map(partial(self._lookout.observe, surveys), todo))
                self._lookout.judge(todo, self._records, self._sendings)
                jobs = self._commit_intents(todo)
                todo = [s for s in todo if not s.error]
            except ConflictError:
                self._reload(todo)  # another process wrote between our load and our lease: nothing was sent on it
                continue
            again = [s for s in todo if s.incomplete and not s.again]
            for state in again:
                state.again = True  # this look changed what is next; one more, with the facts of that
            if not jobs and again:
                todo = again
                continue
            if not jobs:
                return passes
            sent = self._send(jobs)
            self._commit_outcomes(todo, sent)
            names = {done.job.rollout for done in sent}
            todo = [s for s in todo if (s.rollout.name in names or s in again) and not s.error]
        return passes

    def _reload(self, todo: list[RolloutState]) -> None:
        stored = self._journal.load_all()
        for state in todo:
            state.stored = stored.get(state.rollout.name, state.stored)
            state.last = ()
        self._remember(stored)

    def _commit_intents(self, todo: list[RolloutState]) -> list[Job]:
        commits: list[Commit] = []
        jobs: list[Job] = []
        taken: dict[tuple[str, str], str] = {}
        for state in todo:
            if state.look is None:
                continue
            look = state.look = in_turn(state.look, taken)
            plan = tuple(f"{name_of(a)} {a.reason}" for a in look.plan.actions)
            backend = self._backends.get(state.rollout.backend_kind)
            if plan and plan == state.last:
                # Sent a moment ago and still needed: reads are behind, or the service refused it as a conflict.
                state.requeue_after, plan = 60.0, ()
                state.error = state.refusal
            state.last = plan
            actions = look.plan.actions if plan and backend is not None else ()
            try:
                lowered = [(a, tuple(c.complete() for c in backend.lower(a, look.seen))) for a in actions if backend]
            except StalledError as error:
                state.fail(error)
                continue
            except Exception as error:  # noqa: BLE001 - the last guard: the others go on
                state.fail(defect(error))
                continue
            record = intended(look, lowered, self._now())
            if record != state.stored.record:
                commits.append(Commit(record=record, expected_revision=state.stored.revision, events=look.events))
            jobs += [Job(rollout=state.rollout.name, action=a, calls=calls) for a, calls in lowered]
        self._commit(commits, todo)
        return jobs

    def _send(self, jobs: list[Job]) -> tuple[Done, ...]:
        done: list[Done] = []
        kinds = {r.name: r.backend_kind for r in self._rollouts}
        for kind, backend in self._backends.items():
            mine = [j for j in jobs if kinds[j.rollout] == kind]
            if mine:
                done += Executor(partial(self._send_one, backend), self._now, self._abreast).run(mine)
        return tuple(done)

    def _send_one(self, backend: Backend, call: Call) -> Receipt:
        """Send under a lease that is renewed while a long rung lasts."""
        self._journal.renew()
        return backend.send(call)

    def _commit_outcomes(self, todo: list[RolloutState], sent: tuple[Done, ...]) -> None:
        commits = []
        by_name: dict[str, list[Done]] = {}
        for done in sent:
            by_name.setdefault(done.job.rollout, []).append(done)
        for state in todo:
            mine = by_name.get(state.rollout.name, [])
            backend = self._backends.get(state.rollout.backend_kind)
            if not mine or backend is None:
                continue
            state.actions += [name_of(d.job.action) for d in mine if any(r.receipt is not None for r in d.results)]
            record, events = settled(state.stored.record, mine, backend, self._now())
            stalled = next((d.stalled for d in mine if d.stalled), "")
            state.refusal = next((d.error for d in mine if d.conflict), "")
            waits = [d.retry_after for d in mine if d.retry_after is not None]
            if stalled or waits:
                state.error = stalled or next(d.error for d in mine if d.error)
                state.requeue_after = max(waits) if waits else 300.0
            commits.append(Commit(record=record, expected_revision=state.stored.revision, events=events))
        self._commit(commits, todo, outcomes=True)

    def _commit(self, commits: list[Commit], todo: list[RolloutState], *, outcomes: bool = False) -> None:
        if not commits:
            return
        revisions = self._journal.commit(tuple(commits), outcomes=outcomes)
        written = {c.record.name: c.record for c in commits}
        for state in todo:
            name = state.rollout.name
            if name in revisions:
                state.stored = Stored(record=written[name], revision=revisions[name])
                self._records[name] = written[name]

    def _environment_drift(self, surveys: dict[str, Survey], stored: dict[str, Stored]) -> None:
        right = {
            kind: (survey, self._backends[kind].capabilities)
            for kind, survey in surveys.items()
            if survey.account == self._environment.account
        }
        names = {r.name: tuple(w.name for w in r.strategy.waves) for r in self._rollouts}
        commits = environment_record(
            self._environment, right, stored, names, self._covers, self._marks, self._now(),
        )  # fmt: skip
        if commits:
            self._journal.commit(commits)

    def _marks(self, kind: str, item: Listed) -> Mapping[str, str] | None:
        """The owner marks of a listed unit; None where they could not be read, which stops no rollout."""
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
        )


def _unknown(rollout: Rollout) -> Stored:
    """What is stored of a rollout that no run saw yet."""
    return Stored(record=Record(environment=rollout.environment, name=rollout.name), revision=0)
