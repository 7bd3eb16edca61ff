"""Runs one worker: takes jobs from the queue, runs their passes, defers what is due, and tells how it is.

1. Every worker defers: the one that claims a slot of an environment adds its job. There is no leader to lose.
2. A worker that cannot reach its database runs no pass, goes on trying, and is not ready.
3. SIGTERM stops it gracefully: it takes no job, lets its passes end within the grace time, asks the rest to end, and
   puts their environments back into the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from procrastinate import App
from procrastinate.exceptions import ConnectorException

from otactl import __version__
from otactl.report.metric_samples import Sample
from otactl.workers.endpoint import Answers, serving
from otactl.workers.figures import Figures
from otactl.workers.manifests import BehindError, Manifests
from otactl.workers.passes import Child, Ended, Processes
from otactl.workers.queue import QUEUE, TASK, PassQueue, open_app
from otactl.workers.readings import Slice
from otactl.workers.schedule import REQUESTED, Urgency, priority_of, raised, seconds_of, slot_at
from otactl.workers.sources import Source
from otactl.workers.store import Outcome, Store
from otactl.workers.store import Worker as Account

BEAT_SECONDS, PRUNE_SECONDS, HEALTH_SECONDS, AGAIN_SECONDS = 2.0, 60.0, 60.0, 5.0
TICK_SECONDS = 1.0
_LOG = logging.getLogger("otactl.workers")


class PassRequest(NamedTuple):
    """What a process needs to run a pass; `conninfo` is of the shared call rate."""

    run: str
    part: Slice
    settings: Settings


class Settings(NamedTuple):
    """How a worker works; times are seconds. `paths` are below the root of the source, `actor` is named in events."""

    name: str
    conninfo: str
    paths: tuple[str, ...]
    journal: str | None
    actor: str
    concurrency: int
    every: float
    refresh: float
    pass_timeout: float
    grace: float
    listen: tuple[str, int]
    log_level: str


class PassAnswer(NamedTuple):
    """What a pass came to, for the tables and the metrics."""

    outcome: Outcome
    urgency: Urgency
    samples: tuple[Sample, ...]


class Worker:
    """One worker."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        processes: Processes,
        run: Callable[[PassRequest], PassAnswer],
        check: Callable[[Slice], str],
    ) -> None:
        """Take as `run` what a process does for a pass, and as `check` why an environment cannot run here."""
        self._settings, self._source, self._processes = settings, source, processes
        self._run, self._check = run, check
        self.figures = Figures(settings.concurrency)
        self._stopping = asyncio.Event()
        self._beat_at = self._database_at = float("-inf")
        self._running: dict[str, Child[PassAnswer]] = {}
        self._tried: dict[str, float] = {}
        self._manifests: Manifests | None = None
        self._started_at = 0.0

    async def work(self, said: Callable[[str], None]) -> None:
        """Work until SIGTERM or SIGINT; `said` is given the address that health is answered at."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        answers = Answers(self._health, self._readiness, self.figures.text)
        with serving(self._settings.listen, answers) as address:
            said(address)
            while not self._stopping.is_set():
                try:
                    async with open_app(self._settings.conninfo, self._settings.concurrency + 4) as app:
                        await self._serve(app)
                except ConnectorException as error:
                    cause = error.__cause__ or error
                    _LOG.error("the database does not answer (%s); trying again", type(cause).__name__)
                    await self._pause(AGAIN_SECONDS)
        self._processes.close()

    def _stop(self) -> None:
        if self._stopping.is_set():  # asked twice: at once
            for child in list(self._running.values()):
                child.kill()
        _LOG.info("asked to stop; %d passes run", len(self._running))
        self._stopping.set()

    async def _serve(self, app: App) -> None:
        """Work with one set of connections until asked to stop. Raises: ConnectorException when they are lost."""
        store, queue = Store(app), PassQueue(app)
        self._started_at = self._started_at or await store.now()
        known = self._manifests
        self._manifests = Manifests(
            self._source, self._settings.paths, store, self._processes, self._check, self._settings.every
        )
        if known is not None:
            self._manifests.take_over(known)

        @app.task(name=TASK, queue=QUEUE)
        async def run_job(environment: str, since: float) -> None:
            await self._job(store, queue, environment, since)

        duties = (
            self._beating(store),
            self._refreshing(store, queue),
            self._ticking(store, queue),
            self._pruning(store, queue),
        )
        side = [asyncio.create_task(each) for each in duties]
        await self._ready_or_stopped(side)
        jobs = asyncio.create_task(
            app.run_worker_async(
                queues=[QUEUE],
                name=self._settings.name,
                concurrency=self._settings.concurrency,
                fetch_job_polling_interval=2.0,
                shutdown_graceful_timeout=self._settings.grace,
                delete_jobs="always",
                install_signal_handlers=False,
            )
        )
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([jobs, stopping, *side], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*side, stopping):
                task.cancel()
            if not jobs.done():
                jobs.cancel()
            ended = await asyncio.gather(jobs, *side, stopping, return_exceptions=True)
        if self._stopping.is_set():
            with contextlib.suppress(ConnectorException):
                await store.leave(self._settings.name)
            return
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _ready_or_stopped(self, side: list[asyncio.Task[None]]) -> None:
        """Wait for the first manifests: no job is taken that this worker could not run."""
        while not self._stopping.is_set() and not any(task.done() for task in side):
            if self._manifests is not None and self._manifests.state is not None:
                return
            await asyncio.sleep(0.05)

    async def _job(self, store: Store, queue: PassQueue, environment: str, since: float) -> None:
        """Run one pass, whatever comes of it."""
        manifests = self._manifests
        try:
            part = await manifests.current(environment) if manifests is not None else None
        except BehindError as error:
            _LOG.warning("%s", error, extra={"environment": environment})
            self.figures.ended(environment, "behind", 0, 0, ())
            return
        if manifests is None or part is None:
            _LOG.info("no manifest declares it any more", extra={"environment": environment})
            self.figures.ended(environment, "undeclared", 0, 0, ())
            return
        if await store.is_running(environment):  # a pass takes longer than its tick; the lease would say the same
            self.figures.ended(environment, "busy", 0, 0, ())
            return
        run = secrets.token_hex(8)
        waited = await store.now() - since
        started = time.monotonic()
        revision = part.snapshot.revision
        await store.start_run(run, environment, self._settings.name, revision, waited)
        manifests.using(revision, 1)
        try:
            ended = await self._pass(PassRequest(run, part, self._settings))
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_over(store, queue, environment, run))
            raise
        finally:
            manifests.using(revision, -1)
        seconds = time.monotonic() - started
        outcome, urgency, samples = _judged(ended)
        self.figures.ended(environment, outcome.outcome, seconds, waited, samples)
        _LOG.log(
            logging.INFO if outcome.outcome in ("ok", "busy") else logging.WARNING,
            "pass ended",
            extra={
                "run": run,
                "environment": environment,
                "revision": revision[:12],
                "outcome": outcome.outcome,
                "seconds": round(seconds, 3),
                "waited": round(waited, 3),
                "calls": outcome.calls,
                "writes": outcome.writes,
                "problem": outcome.message,
            },
        )
        await store.end_run(run, environment, outcome, urgency)

    async def _pass(self, request: PassRequest) -> Ended[PassAnswer]:
        """Run a process and wait for it in a thread; a cancelled wait asks it to end first."""
        loop = asyncio.get_running_loop()
        child = await loop.run_in_executor(self._processes.threads, self._processes.start, self._run, request)
        self._running[request.run] = child
        self.figures.running = len(self._running)
        waiting = loop.run_in_executor(self._processes.threads, child.ended, self._settings.pass_timeout)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            child.stop()
            await waiting
            raise
        finally:
            del self._running[request.run]
            self.figures.running = len(self._running)

    async def _hand_over(self, store: Store, queue: PassQueue, environment: str, run: str) -> None:
        await store.end_run(run, environment, Outcome(outcome="stopped", message="its worker stopped"), None)
        self.figures.ended(environment, "stopped", 0, 0, ())
        await queue.ask(environment, await store.now(), REQUESTED)
        _LOG.info("handed over", extra={"run": run, "environment": environment, "outcome": "stopped"})

    async def _ticking(self, store: Store, queue: PassQueue) -> None:
        """Defer the environments that are due, each slot once among all workers."""
        offset, measured = await store.now() - time.monotonic(), time.monotonic()
        while True:
            if time.monotonic() - measured > PRUNE_SECONDS:
                offset, measured = await store.now() - time.monotonic(), time.monotonic()
            state = self._manifests.state if self._manifests is not None else None
            shortest = TICK_SECONDS * 4
            for name, part in state.slices.items() if state is not None else ():
                every = seconds_of(part.environment.every, self._settings.every)
                shortest = min(shortest, every)
                slot = slot_at(name, every, offset + time.monotonic())
                if self._tried.get(name, 0.0) < slot:
                    self._tried[name] = slot
                    await self._defer(store, queue, part, slot, every)
            await asyncio.sleep(shortest / 4 * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret

    async def _defer(self, store: Store, queue: PassQueue, part: Slice, slot: float, every: float) -> None:
        name = part.environment.name
        claimed = await store.claim(name, slot)
        if claimed is None:
            return
        priority = priority_of(claimed.urgency, part.aborts)
        if not await queue.defer(name, slot, priority):
            for job in await queue.waiting(name):
                await queue.raise_to(name, raised(priority, slot - job.since, every))

    async def _refreshing(self, store: Store, queue: PassQueue) -> None:
        """Fetch the source again and again; what changed runs at once."""
        while True:
            manifests = self._manifests
            if manifests is not None:
                for name in await manifests.refresh():
                    part = manifests.state.slices.get(name) if manifests.state is not None else None
                    if part is not None:
                        priority = priority_of(await store.urgency(name), part.aborts)
                        await queue.ask(name, await store.now(), priority)
                state = manifests.state
                if state is not None:
                    self.figures.fetched_at, self.figures.revision = state.fetched_at, state.revision
                    self.figures.kept_back = tuple(n for n, each in state.slices.items() if each.kept_back)
                self.figures.broken = bool(manifests.problem)
            ready = manifests is not None and manifests.state is not None
            pause = self._settings.refresh if ready else min(AGAIN_SECONDS, self._settings.refresh)
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, not a secret

    async def _beating(self, store: Store) -> None:
        """Tell how this worker is."""
        while True:
            self._beat_at = time.monotonic()
            manifests = self._manifests
            state = manifests.state if manifests is not None else None
            await store.beat(
                Account(
                    name=self._settings.name,
                    version=__version__,
                    concurrency=self._settings.concurrency,
                    running=len(self._running),
                    revision=state.revision if state is not None else "",
                    problem=manifests.problem if manifests is not None else "",
                    started_at=self._started_at,
                    stopping=self._stopping.is_set(),
                )
            )
            self._database_at = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    async def _pruning(self, store: Store, queue: PassQueue) -> None:
        """Keep the tables small, and the figures of the queue fresh."""
        while True:
            now = await store.now()
            self.figures.waiting = {job.environment: max(0.0, now - job.since) for job in await queue.waiting()}
            own = self.figures.environments
            runners = await store.last_runners(own)
            self.figures.forget([name for name in own if runners.get(name) != self._settings.name])
            await store.prune()
            lost = await queue.forget_lost()
            if lost:
                _LOG.info("%d jobs of workers that are gone were deleted", lost)
            await asyncio.sleep(PRUNE_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret

    async def _pause(self, seconds: float) -> None:
        self._beat_at = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    def _health(self) -> dict[str, object]:
        return {"ok": time.monotonic() - self._beat_at < HEALTH_SECONDS, "worker": self._settings.name}

    def _readiness(self) -> dict[str, object]:
        manifests = self._manifests
        answers = time.monotonic() - self._database_at < BEAT_SECONDS * 5
        knows = manifests is not None and manifests.state is not None
        return {
            "ok": answers and knows and not self._stopping.is_set(),
            "databaseAnswers": answers,
            "manifestsAreKnown": knows,
            "stopping": self._stopping.is_set(),
            "running": len(self._running),
        }


def _judged(ended: Ended[PassAnswer]) -> tuple[Outcome, Urgency | None, tuple[Sample, ...]]:
    """Return what a pass came to. One that hung or crashed makes its environment go after the others."""
    if ended.answer is not None:
        return ended.answer
    urgency = Urgency(troubled=True) if ended.problem in ("hung", "crashed") else None
    return Outcome(outcome=ended.problem, message=ended.text), urgency, ()
