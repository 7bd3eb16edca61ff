"""Reads how the workers are, and asks for passes, for commands that end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from procrastinate.exceptions import ConnectorException
from psycopg.rows import dict_row

from otactl.errors import UsageError
from otactl.report.workers import EnvironmentState, RunState, SourceState, WorkersStatus, WorkerState
from otactl.workers.database import answered, must_have_tables, no_answer
from otactl.workers.queue import QUEUE, PassQueue, open_app
from otactl.workers.requests import Requests
from otactl.workers.schedule import REQUESTED
from otactl.workers.store import LOST, SILENT_SECONDS, UNDER_WAY, Store

SHOWN_RUNS = 10
_RUNS = f"""
SELECT * FROM (
    SELECT runs.*, row_number() OVER (PARTITION BY environment ORDER BY started_at DESC) AS place,
        {UNDER_WAY} AS under_way
    FROM runs
) AS ranked WHERE place <= %(shown)s ORDER BY environment, place
"""  # noqa: S608 - a constant
_WAITING = """
SELECT args ->> 'environment' AS environment, (args ->> 'since')::float8 AS since, priority
FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = %(queue)s
"""


def status_of(conninfo: str, environment: str | None = None) -> WorkersStatus:
    """Return how the workers are, with one environment or all."""
    with answered(), psycopg.connect(conninfo, row_factory=dict_row) as connection:

        def rows(query: str, **parameters: object) -> list[dict[str, Any]]:
            return connection.execute(cast("Any", query), parameters).fetchall()

        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        now = rows("SELECT clock_timestamp() AS now")[0]["now"]
        workers = rows("SELECT * FROM workers ORDER BY name")
        sources = rows("SELECT * FROM sources ORDER BY name")
        environments = rows("SELECT * FROM environments ORDER BY name")
        waiting = {row["environment"]: row for row in rows(_WAITING, queue=QUEUE)}
        runs: dict[str, list[RunState]] = {}
        for row in rows(_RUNS, lately=SILENT_SECONDS, shown=SHOWN_RUNS):
            runs.setdefault(str(row["environment"]), []).append(_run(row))
    return WorkersStatus(
        at=_utc(now),
        workers=tuple(_worker(row, now) for row in workers),
        sources=tuple(_source(row) for row in sources),
        environments=tuple(
            _environment(row, waiting.get(row["name"]), tuple(runs.get(row["name"], ())))
            for row in environments
            if environment in (None, row["name"])
        ),
    )


def enqueue(conninfo: str, names: Sequence[str]) -> tuple[tuple[str, ...], float]:
    """Ask for a pass of each environment now, of all without names; return them with the database's time."""
    must_have_tables(conninfo)
    known = tuple(each.name for each in status_of(conninfo).environments)
    missing = [name for name in names if name not in known]
    if missing:
        text = f"the workers know no environment {', '.join(missing)}; they know: {', '.join(known) or 'none'}"
        raise UsageError(f"{text}; a worker that has fetched its manifest declares it")
    wanted = tuple(names) or known

    async def ask() -> float:
        async with open_app(conninfo, 1) as app:
            requests, now = Requests(PassQueue(app)), await Store(app).now()
            for name in wanted:
                await requests.ask(name, REQUESTED)
            return now

    try:
        return wanted, asyncio.run(ask())
    except ConnectorException as error:
        raise no_answer(error.__cause__ or error) from error


def wait_for_runs(
    conninfo: str, names: Sequence[str], since: float, seconds: float, *, sleep: Callable[[float], None] = time.sleep
) -> dict[str, RunState | None]:
    """Return how the first run of each environment ended that started after a time; None where none did in time.

    One that was lost is no answer: another follows.
    """
    until = time.monotonic() + seconds
    moment = datetime.fromtimestamp(since, UTC)
    while True:
        known = {each.name: each.runs for each in status_of(conninfo).environments}
        found: dict[str, RunState | None] = {}
        for name in names:
            started = (run for run in known.get(name, ()) if run.started_at >= moment)
            later = [run for run in started if run.ended_at is not None and run.outcome != "lost"]
            found[name] = later[-1] if later else None
        if all(run is not None for run in found.values()) or time.monotonic() > until:
            return found
        sleep(0.25)


def _worker(row: dict[str, Any], now: datetime) -> WorkerState:
    return WorkerState(
        name=row["name"],
        alive=(now - row["seen_at"]).total_seconds() <= SILENT_SECONDS,
        stopping=row["stopping"],
        started_at=_utc(row["started_at"]),
        seen_at=_utc(row["seen_at"]),
        concurrency=row["concurrency"],
        running=row["running"],
        version=row["version"],
        revision=row["revision"] or None,
        problem=row["problem"] or None,
    )


def _source(row: dict[str, Any]) -> SourceState:
    return SourceState(
        name=row["name"],
        revision=row["revision"],
        good_revision=row["good_revision"] or None,
        fetched_at=_utc(row["fetched_at"]),
        problem=row["problem"] or None,
    )


def _environment(row: dict[str, Any], waiting: dict[str, Any] | None, runs: tuple[RunState, ...]) -> EnvironmentState:
    return EnvironmentState(
        name=row["name"],
        every_seconds=row["every_seconds"],
        waiting_since=datetime.fromtimestamp(waiting["since"], UTC) if waiting is not None else None,
        priority=waiting["priority"] if waiting is not None else None,
        runs=runs,
    )


def _run(row: dict[str, Any]) -> RunState:
    ended = row["ended_at"]
    lost = ended is None and not row["under_way"]  # and no worker has closed it yet
    outcome: Any = "lost" if lost else row["outcome"]
    return RunState(
        id=row["id"],
        worker=row["worker"],
        revision=row["revision"],
        waited_seconds=row["waited_seconds"],
        started_at=_utc(row["started_at"]),
        ended_at=_utc(ended) if ended is not None else None,
        outcome=outcome,
        message=LOST if lost else row["message"] or None,
        passes=row["passes"],
        calls=row["calls"],
        writes=row["writes"],
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
