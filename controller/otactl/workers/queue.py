"""Keeps the queue of passes: one waiting job an environment at most, the most urgent first.

Procrastinate holds the jobs. No job has an execution lock, and none is retried: the next slot defers the next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status

from otactl.model import Value

QUEUE, TASK = "passes", "pass"
LOST_SECONDS = 600.0
"""After so long without a sign of its worker a running job is forgotten; nothing waits for that."""


class Waiting(Value, frozen=True, kw_only=True):
    """A job that waits: since when, by the database's clock, and how urgent it is."""

    environment: str
    since: float
    priority: int


class Taken(Waiting, frozen=True, kw_only=True):
    """A job that a worker has taken, and how many workers have put it back before."""

    refusals: int


class _Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What a job carries; what another version adds is not read."""

    environment: str = ""
    since: float = 0.0
    refusals: int = 0


class PassQueue:
    """The queue, over an app that is open."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def defer(self, environment: str, since: float, priority: int, refusals: int = 0) -> bool:
        """Add a job for an environment; return False where one waits already."""
        deferrer = self.app.configure_task(
            TASK, queue=QUEUE, queueing_lock=f"otactl/{environment}", priority=priority, allow_unknown=True
        )
        try:
            more = {"refusals": refusals} if refusals else {}
            await deferrer.defer_async(environment=environment, since=since, **more)
        except AlreadyEnqueued:
            return False
        return True

    async def waiting(self, environment: str | None = None) -> tuple[Waiting, ...]:
        """Return the jobs that wait, of one environment or of all."""
        return tuple(_waiting(job) for job in await self._jobs(environment))

    async def raise_to(self, environment: str, priority: int) -> None:
        """Raise the waiting job of an environment to a priority, if it is lower.

        Procrastinate changes no job that waits, so it is cancelled and added again; a worker that takes it meanwhile
        has it run.
        """
        for job in await self._jobs(environment):
            if job.priority >= priority or job.id is None:
                continue
            if await self.app.job_manager.cancel_job_by_id_async(job.id, delete_job=True):
                await self.defer(environment, _waiting(job).since, priority)

    async def ask(self, environment: str, since: float, priority: int) -> None:
        """Let an environment run as soon as its priority allows: add a job, or raise the one that waits."""
        if not await self.defer(environment, since, priority):
            await self.raise_to(environment, priority)

    async def put_back(self, job: Taken) -> None:
        """Let another worker have a job that was taken."""
        if not await self.defer(job.environment, job.since, job.priority, job.refusals + 1):
            await self.raise_to(job.environment, job.priority)

    async def forget_lost(self) -> int:
        """Delete the running jobs of workers that are gone; return how many there were."""
        lost = list(await self.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=LOST_SECONDS))
        for job in lost:
            if job.id is not None:
                await self.app.job_manager.finish_job_by_id_async(job.id, Status.ABORTED, delete_job=True)
        return len(lost)

    async def _jobs(self, environment: str | None) -> list[Job]:
        lock = f"otactl/{environment}" if environment is not None else None
        found = await self.app.job_manager.list_jobs_async(queue=QUEUE, status=Status.TODO.value, queueing_lock=lock)
        return list(found)


def taken(job: Job) -> Taken:
    """Return a job that was taken, as the queue gives it."""
    known = msgspec.convert(job.task_kwargs, _Arguments)
    return Taken(environment=known.environment, since=known.since, priority=job.priority, refusals=known.refusals)


def _waiting(job: Job) -> Waiting:
    known = msgspec.convert(job.task_kwargs, _Arguments)
    return Waiting(environment=known.environment, since=known.since, priority=job.priority)


@asynccontextmanager
async def open_app(conninfo: str, connections: int = 4) -> AsyncIterator[App]:
    """Open the app of the queue on a database. Raises: ConnectorException where it does not answer."""
    connector = PsycopgConnector(conninfo=conninfo, min_size=1, max_size=connections, timeout=10, reconnect_timeout=10)
    async with App(connector=connector).open_async() as app:
        yield app


__all__ = ["QUEUE", "TASK", "ConnectorException", "PassQueue", "Taken", "Waiting", "open_app", "taken"]
