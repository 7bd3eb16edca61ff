"""Runs the jobs that a worker takes from the queue: a pass each, in a process of its own.

1. A job of an environment that runs already is dropped: what was asked for is kept beside it (`requests`).
2. A job that this worker cannot run is put back for another one, and its place stays empty for a moment, so that the
   other takes it. After `MOST_REFUSALS` it is dropped; the next slot adds another.
3. How a pass ended is kept until the database has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from procrastinate.exceptions import ConnectorException

from otactl.report.metric_samples import Sample
from otactl.workers.figures import Figures
from otactl.workers.manifests import Manifests, NotHereError
from otactl.workers.pass_request import PassAnswer, PassRequest, Settings
from otactl.workers.passes import ASKED_SECONDS, Child, Ended, Processes
from otactl.workers.queue import PassQueue, Taken
from otactl.workers.readings import Slice
from otactl.workers.requests import Requests
from otactl.workers.schedule import REQUESTED, Urgency
from otactl.workers.store import Outcome, Store

MOST_REFUSALS = 100
REFUSED_SECONDS = 2.0
LATE_SECONDS = 2 * ASKED_SECONDS + 20.0
"""So long after its time limit a pass counts as ended: what is left of it is killed within two `ASKED_SECONDS`."""
NO_ANSWER = ("busy", "stopped")
"""Outcomes of passes that answered no request: another process held the lease, or the worker stopped."""
_LOG = logging.getLogger("otactl.workers")


class Untold(NamedTuple):
    """How a pass ended, at a time of this machine, that the database does not have yet."""

    environment: str
    outcome: Outcome
    at: float


class Jobs:
    """The jobs of one worker; those that run outlive a connection to the database."""

    def __init__(
        self,
        settings: Settings,
        processes: Processes,
        figures: Figures,
        stopping: asyncio.Event,
        run: Callable[[PassRequest], PassAnswer],
    ) -> None:
        """Take as `run` what a process does for a pass."""
        self._settings, self._processes, self._figures, self._stopping = settings, processes, figures, stopping
        self._run = run
        self._running: dict[str, Child[PassAnswer]] = {}
        self._untold: dict[str, Untold] = {}

    @property
    def running(self) -> tuple[str, ...]:
        """Return the runs that are under way."""
        return tuple(self._running)

    def kill(self) -> None:
        """End every pass at once."""
        for child in list(self._running.values()):
            child.kill()

    async def tell(self, store: Store) -> None:
        """Record how passes ended that the database did not take at the time."""
        for run, (environment, outcome, at) in list(self._untold.items()):
            await store.end_run(run, environment, outcome, None, time.monotonic() - at)
            self._untold.pop(run, None)
            _LOG.info("the end of a pass is recorded late", extra={"run": run, "environment": environment})

    async def take(self, job: Taken, manifests: Manifests, store: Store, queue: PassQueue, requests: Requests) -> None:
        """Run one job, whatever comes of it."""
        environment = job.environment
        started_at = await store.now()
        try:
            part = await manifests.current(environment)
        except NotHereError as error:
            await self._refuse(job, queue, error)
            return
        if part is None:
            _LOG.info("no manifest declares it any more", extra={"environment": environment})
            self._figures.ended(environment, "undeclared", 0, 0, ())
            return
        revision = part.snapshot.revision
        manifests.using(revision, 1)  # before anything is awaited: a refresh removes the files of others
        try:
            await self._run_part(part, job, started_at, store, requests)
        finally:
            manifests.using(revision, -1)

    async def _run_part(self, part: Slice, job: Taken, started_at: float, store: Store, requests: Requests) -> None:
        environment = job.environment
        if await store.is_running(environment):  # a pass takes longer than its tick; the lease would say the same
            self._figures.ended(environment, "busy", 0, 0, ())
            return
        run, waited = secrets.token_hex(8), started_at - job.since
        limit = self._settings.pass_timeout + LATE_SECONDS
        await store.start_run(run, environment, self._settings.name, part.snapshot.revision, waited, limit)
        try:
            outcome = await self._pass(run, part, waited, store)
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_over(store, requests, environment, run))
            raise
        if outcome not in NO_ANSWER:
            await requests.answered(environment, started_at)

    async def _pass(self, run: str, part: Slice, waited: float, store: Store) -> str:
        """Run a pass and record it; return what it came to."""
        name, revision, started = part.environment.name, part.snapshot.revision, time.monotonic()
        outcome, urgency, samples = _judged(await self._ended(PassRequest(run, part, self._settings)))
        seconds = time.monotonic() - started
        self._figures.ended(name, outcome.outcome, seconds, waited, samples)
        _LOG.log(
            logging.INFO if outcome.outcome in ("ok", "busy") else logging.WARNING,
            "pass ended",
            extra={
                "run": run,
                "environment": name,
                "revision": revision[:12],
                "outcome": outcome.outcome,
                "seconds": round(seconds, 3),
                "waited": round(waited, 3),
                "calls": outcome.calls,
                "writes": outcome.writes,
                "problem": outcome.message,
            },
        )
        await self._end(store, run, name, outcome, urgency)
        return outcome.outcome

    async def _end(self, store: Store, run: str, environment: str, outcome: Outcome, urgency: Urgency | None) -> None:
        """Record how a pass ended; keep it where the database does not answer (rule 3), the first of two."""
        untold = self._untold.get(run, Untold(environment, outcome, time.monotonic()))
        try:
            await store.end_run(run, environment, untold.outcome, urgency)
        except (ConnectorException, asyncio.CancelledError):
            self._untold[run] = untold
            raise
        self._untold.pop(run, None)

    async def _ended(self, request: PassRequest) -> Ended[PassAnswer]:
        """Run a process and wait for it in a thread; a cancelled wait asks it to end first."""
        loop = asyncio.get_running_loop()
        child = await loop.run_in_executor(self._processes.threads, self._processes.start, self._run, request)
        self._running[request.run] = child
        self._figures.running = len(self._running)
        waiting = loop.run_in_executor(self._processes.threads, child.ended, self._settings.pass_timeout)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            child.stop()
            await waiting
            raise
        finally:
            del self._running[request.run]
            self._figures.running = len(self._running)

    async def _refuse(self, job: Taken, queue: PassQueue, error: NotHereError) -> None:
        """Leave a job to another worker (rule 2)."""
        _LOG.warning("%s", error, extra={"environment": job.environment})
        self._figures.ended(job.environment, error.outcome, 0, 0, ())
        if job.refusals < MOST_REFUSALS:
            await queue.put_back(job)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), REFUSED_SECONDS)

    async def _hand_over(self, store: Store, requests: Requests, environment: str, run: str) -> None:
        await self._end(store, run, environment, Outcome(outcome="stopped", message="its worker stopped"), None)
        self._figures.ended(environment, "stopped", 0, 0, ())
        await requests.ask(environment, REQUESTED)
        _LOG.info("handed over", extra={"run": run, "environment": environment, "outcome": "stopped"})


def _judged(ended: Ended[PassAnswer]) -> tuple[Outcome, Urgency | None, tuple[Sample, ...]]:
    """Return what a pass came to. One that hung or crashed makes its environment go after the others."""
    if ended.answer is not None:
        return ended.answer
    urgency = Urgency(troubled=True) if ended.problem in ("hung", "crashed") else None
    return Outcome(outcome=ended.problem, message=ended.text), urgency, ()
