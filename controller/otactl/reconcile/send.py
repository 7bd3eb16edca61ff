"""Sends one step of all rollouts of a run: commits intents, sends calls, commits outcomes.

1. Intents are committed before the first call of a step, outcomes after the last, each in one commit for all rollouts.
2. What was sent is reported, whether its outcome could be committed or not.
3. An error that stops an assessment or a call is written to the rollout's record, in the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from threading import Lock

import msgspec

from otactl.errors import OtactlError, defect, reason_of
from otactl.model.actions import Call, Receipt, name_of
from otactl.planning.assess import failed, intended, settled, unlooked
from otactl.ports import Backend, Commit
from otactl.reconcile.executor import Executor
from otactl.reconcile.leased_journal import LeasedJournal
from otactl.reconcile.run_report import RolloutState
from otactl.state.jobs import ActionResult, PlannedCalls

Counted = Callable[[int, int], None]


def no_one(_sent: int, _total: int) -> None:
    """Tell no one how many calls were sent."""


class Sender:
    """Sends what looks have planned, and commits what becomes of it."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        journal: LeasedJournal,
        now: Callable[[], datetime],
        abreast: int,
        counted: Counted = no_one,
    ) -> None:
        """`counted` learns after each call how many of a step's calls were sent, and how many there are."""
        self._counted, self._counting = counted, Lock()
        self._sent = self._total = 0
        self._backends = backends
        self._journal = journal
        self._now = now
        self._abreast = abreast

    def intend(self, todo: list[RolloutState]) -> list[PlannedCalls]:
        """Commit what the looks say and what is to be sent; gives the calls to send."""
        commits: list[Commit] = []
        jobs: list[PlannedCalls] = []
        for state in todo:
            if state.look is None:
                continue
            look = state.look
            plan = tuple(f"{name_of(a)} {a.reason}" for a in look.plan.actions)
            backend = self._backends.get(state.rollout.backend_kind)
            refused = False
            if plan and plan == state.last:
                # Sent a moment ago and still needed: reads are behind, or the service refused it as a conflict.
                state.requeue_after, plan = 60.0, ()
                state.error = state.refusal
                refused = bool(state.refusal)
            state.last = plan
            actions = look.plan.actions if plan and backend is not None else ()
            try:
                lowered = [(a, tuple(c.complete() for c in backend.lower(a, look.seen))) for a in actions if backend]
            except Exception as error:  # noqa: BLE001 - the last guard: the others go on
                failure = error if isinstance(error, OtactlError) else defect(error)
                state.fail(failure)
                lowered = []
                look = unlooked(state.rollout, state.stored.record, reason_of(failure), str(failure), self._now())
            record, events = look.record, look.events
            if backend is not None:
                record = intended(look, lowered, backend, self._now())
            if refused:
                state.reason = "Conflict"
                record, more = failed(record, state.reason, state.refusal, self._now(), sending=True)
                events = (*events, *more)
            if record != state.stored.record:
                commits.append(Commit(record=record, expected_revision=state.stored.revision, events=events))
            jobs += [PlannedCalls(rollout=state.rollout.name, action=a, calls=calls) for a, calls in lowered]
        self._commit(commits, todo)
        if jobs and not commits:
            self._journal.hold()  # the intents are recorded since a run that died
        for state in todo:
            state.overdue += [h.reason for h in state.look.overdue] if state.look is not None else []
        return jobs

    def send(self, jobs: list[PlannedCalls], kinds: Mapping[str, str]) -> tuple[ActionResult, ...]:
        """Send the calls; `kinds` are the backends of the rollouts."""
        done: list[ActionResult] = []
        self._sent, self._total = 0, sum(len(job.calls) for job in jobs)
        for kind, backend in self._backends.items():
            mine = [j for j in jobs if kinds[j.rollout] == kind]
            if mine:
                done += Executor(partial(self._send_one, backend), self._now, self._abreast).run(mine)
        return tuple(done)

    def _send_one(self, backend: Backend, call: Call) -> Receipt:
        """Send under a lease that is renewed while a long step lasts."""
        self._journal.renew()
        receipt = backend.send(call)
        with self._counting:
            self._sent += 1
            self._counted(self._sent, self._total)
        return receipt

    def settle(self, todo: list[RolloutState], sent: tuple[ActionResult, ...]) -> None:
        """Commit what became of the calls."""
        commits = []
        by_name: dict[str, list[ActionResult]] = {}
        for done in sent:
            by_name.setdefault(done.job.rollout, []).append(done)
        for state in todo:
            mine = by_name.get(state.rollout.name, [])
            backend = self._backends.get(state.rollout.backend_kind)
            if not mine or backend is None:
                continue
            state.actions += [name_of(d.job.action) for d in mine if any(r.receipt is not None for r in d.results)]
            record, events = settled(state.stored.record, mine, backend, self._now())
            wrong = next((d for d in mine if d.stalled), None) or next(
                (d for d in mine if d.retry_after is not None), None
            )
            state.refusal = next((d.error for d in mine if d.conflict), "")
            if wrong is not None:
                waits = [d.retry_after for d in mine if d.retry_after is not None]
                state.error = wrong.stalled or wrong.error
                state.requeue_after = max(waits) if waits else 300.0
                reason, _, text = wrong.stalled.partition(": ") if wrong.stalled else ("Unavailable", "", wrong.error)
                state.reason = reason
                record, more = failed(record, reason, text, self._now(), sending=True)
                events = (*events, *more)
            elif record.failure is not None and not state.refusal:
                record = msgspec.structs.replace(record, failure=None)
            commits.append(Commit(record=record, expected_revision=state.stored.revision, events=events))
        self._commit(commits, todo, outcomes=True)

    def _commit(self, commits: list[Commit], todo: list[RolloutState], *, outcomes: bool = False) -> None:
        if not commits:
            return
        self._journal.commit(tuple(commits), outcomes=outcomes)
        names = {c.record.name for c in commits}
        for state in todo:
            if state.rollout.name in names:
                state.stored = self._journal.stored[state.rollout.name]
