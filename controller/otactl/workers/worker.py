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
import signal
import time
from collections.abc import Callable

from procrastinate import App, JobContext
from procrastinate.exceptions import ConnectorException

from otactl import __version__
from otactl.workers.endpoint import Answers, serving
from otactl.workers.figures import Figures
from otactl.workers.jobs import Jobs
from otactl.workers.manifests import Manifests
from otactl.workers.pass_request import PassAnswer, PassRequest, Settings
from otactl.workers.passes import Processes
from otactl.workers.queue import QUEUE, TASK, PassQueue, open_app, taken
from otactl.workers.readings import Slice
from otactl.workers.requests import Requests
from otactl.workers.schedule import priority_of, raised, seconds_of, slot_at
from otactl.workers.sources import Source
from otactl.workers.store import Store
from otactl.workers.store import Worker as Account

BEAT_SECONDS, PRUNE_SECONDS, HEALTH_SECONDS, AGAIN_SECONDS = 2.0, 60.0, 60.0, 5.0
TICK_SECONDS = 1.0
_LOG = logging.getLogger("otactl.workers")


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
        self._settings, self._source, self._processes, self._check = settings, source, processes, check
        self.figures = Figures(settings.concurrency)
        self._stopping = asyncio.Event()
        self._jobs = Jobs(settings, processes, self.figures, self._stopping, run)
        self._beat_at = self._database_at = float("-inf")
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
            self._jobs.kill()
        _LOG.info("asked to stop; %d passes run", len(self._jobs.running))
        self._stopping.set()

    async def _serve(self, app: App) -> None:
        """Work with one set of connections until asked to stop. Raises: ConnectorException when they are lost."""
        store, queue = Store(app), PassQueue(app)
        requests = Requests(queue)
        self._started_at = self._started_at or await store.now()
        known = self._manifests
        manifests = self._manifests = Manifests(
            self._source, self._settings.paths, store, requests, self._processes, self._check, self._settings.every
        )
        if known is not None:
            manifests.take_over(known)

        @app.task(name=TASK, queue=QUEUE, pass_context=True)
        async def run_job(context: JobContext, /, **_: object) -> None:
            await self._jobs.take(taken(context.job), manifests, store, queue, requests)

        duties = (
            self._beating(store),
            self._refreshing(manifests),
            self._ticking(store, queue),
            self._pruning(store, queue, requests),
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

    async def _refreshing(self, manifests: Manifests) -> None:
        """Fetch the source again and again; what changed runs at once."""
        while True:
            await manifests.refresh()
            state = manifests.state
            if state is not None:
                self.figures.fetched_at, self.figures.revision = state.fetched_at, state.revision
                self.figures.kept_back = tuple(n for n, each in state.slices.items() if each.kept_back)
            self.figures.broken = bool(manifests.problem)
            pause = self._settings.refresh if state is not None else min(AGAIN_SECONDS, self._settings.refresh)
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
                    running=len(self._jobs.running),
                    revision=state.revision if state is not None else "",
                    problem=manifests.problem if manifests is not None else "",
                    started_at=self._started_at,
                    stopping=self._stopping.is_set(),
                ),
                self._jobs.running,
            )
            await self._jobs.tell(store)
            self._database_at = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    async def _pruning(self, store: Store, queue: PassQueue, requests: Requests) -> None:
        """Keep the tables small, the figures of the queue fresh, and what was asked for in the queue."""
        while True:
            now = await store.now()
            self.figures.waiting = {job.environment: max(0.0, now - job.since) for job in await queue.waiting()}
            own = self.figures.environments
            runners = await store.last_runners(own)
            self.figures.forget([name for name in own if runners.get(name) != self._settings.name])
            unended = await store.close_lost()
            if unended:
                _LOG.warning("%d runs were lost with their workers", unended)
            await store.prune()
            lost = await queue.forget_lost()
            if lost:
                _LOG.info("%d jobs of workers that are gone were deleted", lost)
            again = await requests.ask_overdue()
            if again:
                _LOG.info("%d environments are asked for again: no pass has answered", again)
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
            "running": len(self._jobs.running),
        }
