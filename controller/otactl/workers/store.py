"""Keeps what the workers share beside the queue: environments, runs, workers and sources.

Every time is by the database's clock.

A run is open until its end is recorded. It is under way while its worker names it in its beats, up to its own limit;
an open run that is not under way is lost: any worker closes it, and its end, if it is recorded later, replaces that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, LiteralString

from procrastinate import App

from otactl.model import Value
from otactl.workers.schedule import Urgency

KEPT_RUNS = 50
"""Runs kept of an environment."""
LATELY_SECONDS = 6.0
"""After so long without a sign of its worker a pass counts as ended."""
SILENT_SECONDS = 15.0
"""After so long without a sign a worker counts as gone, and a run of it as lost."""
GONE_SECONDS = 3600.0
"""After so long without a sign a worker is left out."""
LOST = "its worker gave no more sign of it: it was killed, lost its database, or hangs; a later pass continues it"
UNDER_WAY: LiteralString = """
    runs.ended_at IS NULL AND runs.seen_at > clock_timestamp() - make_interval(secs => %(lately)s)
        AND (runs.ends_by IS NULL OR runs.ends_by > clock_timestamp())
"""
"""Whether a row of `runs` is of a pass that is under way."""
_NOW: LiteralString = "extract(epoch FROM clock_timestamp())::float8"


class Claimed(Value, frozen=True, kw_only=True):
    """A slot that this worker alone defers."""

    environment: str
    urgency: Urgency


class Declared(Value, frozen=True, kw_only=True):
    """An environment as its manifests declare it; a new one runs at once, so its present `slot` counts as claimed."""

    digest: str
    every: float
    slot: float


class Fetched(Value, frozen=True, kw_only=True):
    """What was fetched last from a source, by whichever worker."""

    revision: str
    good_revision: str
    fetched_at: float


class Worker(Value, frozen=True, kw_only=True):
    """How a worker is, by its own account; times are by the database's clock."""

    name: str
    version: str
    concurrency: int
    running: int
    revision: str
    problem: str
    started_at: float
    stopping: bool


class Outcome(Value, frozen=True, kw_only=True):
    """What a pass came to."""

    outcome: str
    message: str = ""
    passes: int = 0
    calls: int = 0
    writes: int = 0


class Store:
    """The tables of the workers, over an app that is open."""

    def __init__(self, app: App) -> None:
        self._connector = app.connector

    async def _all(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        return await self._connector.execute_query_all_async(query, **arguments)

    async def _do(self, query: LiteralString, **arguments: Any) -> None:
        await self._connector.execute_query_async(query, **arguments)

    async def now(self) -> float:
        """Return the database's time, in seconds since 1970."""
        return float((await self._all("SELECT " + _NOW + " AS now"))[0]["now"])

    async def declare(self, source: str, declared: Mapping[str, Declared], known: Collection[str]) -> tuple[str, ...]:
        """Record the environments that can run here, by name; those that are new or changed count as asked for.

        Of the source's environments those that are not `known` any more are dropped; a known one that cannot run here
        may run elsewhere. Returns the new and changed ones, to this worker alone, so that it adds their jobs.
        """
        names = sorted(declared)
        found = [declared[name] for name in names]
        changed = await self._all(
            """
            INSERT INTO environments AS known (name, source, digest, every_seconds, slot, asked_at)
            SELECT name, %(source)s, digest, every, slot, clock_timestamp()
            FROM unnest(%(names)s::text[], %(digests)s::text[], %(every)s::float8[], %(slots)s::float8[])
                AS new (name, digest, every, slot)
            ORDER BY name
            ON CONFLICT (name) DO UPDATE
            SET source = excluded.source, digest = excluded.digest, every_seconds = excluded.every_seconds,
                declared_at = clock_timestamp(), asked_at = excluded.asked_at,
                asked_priority = CASE WHEN known.asked_at IS NULL THEN 0 ELSE known.asked_priority END
            WHERE (known.digest, known.every_seconds) IS DISTINCT FROM (excluded.digest, excluded.every_seconds)
            RETURNING name
            """,
            source=source,
            names=names,
            digests=[each.digest for each in found],
            every=[each.every for each in found],
            slots=[each.slot for each in found],
        )
        await self._do(
            "UPDATE environments SET source = %(source)s WHERE name = ANY(%(names)s::text[]) AND source <> %(source)s",
            source=source,
            names=names,
        )
        await self._do(
            "DELETE FROM environments WHERE source = %(source)s AND NOT name = ANY(%(known)s::text[])",
            source=source,
            known=sorted(known),
        )
        return tuple(str(row["name"]) for row in changed)

    async def record_good(self, revision: str, environments: Collection[str]) -> None:
        """Record the newest revision without an error about environments."""
        await self._do(
            """
            UPDATE environments SET good_revision = %(revision)s
            WHERE name = ANY(%(names)s::text[]) AND good_revision <> %(revision)s
            """,
            revision=revision,
            names=sorted(environments),
        )

    async def good_revisions(self, source: str) -> dict[str, str]:
        """Return the newest revision without an error about each environment of a source, where one is known."""
        rows = await self._all(
            "SELECT name, good_revision FROM environments WHERE source = %(source)s AND good_revision <> ''",
            source=source,
        )
        return {str(row["name"]): str(row["good_revision"]) for row in rows}

    async def claim(self, environment: str, slot: float) -> Claimed | None:
        """Claim a slot of an environment; None where another worker had it, or the environment is not known."""
        rows = await self._all(
            """
            UPDATE environments SET slot = %(slot)s
            WHERE name = %(name)s AND slot < %(slot)s - 0.001
            RETURNING live, aborted, troubled
            """,
            name=environment,
            slot=slot,
        )
        return Claimed(environment=environment, urgency=_urgency(rows[0])) if rows else None

    async def urgency(self, environment: str) -> Urgency:
        """Return what the last pass of an environment left."""
        rows = await self._all(
            "SELECT live, aborted, troubled FROM environments WHERE name = %(name)s", name=environment
        )
        return _urgency(rows[0]) if rows else Urgency()

    async def is_running(self, environment: str) -> bool:
        """Return whether a pass of an environment is under way, as its worker said lately."""
        rows = await self._all(
            "SELECT FROM runs WHERE environment = %(name)s AND " + UNDER_WAY,
            name=environment,
            lately=LATELY_SECONDS,
        )
        return bool(rows)

    async def start_run(
        self, run: str, environment: str, worker: str, revision: str, waited: float, limit: float
    ) -> None:
        """Record that a pass starts, which has ended after so many seconds whatever becomes of it."""
        await self._do(
            """
            INSERT INTO runs (id, environment, worker, revision, waited_seconds, ends_by)
            VALUES (%(run)s, %(environment)s, %(worker)s, %(revision)s, %(waited)s,
                clock_timestamp() + make_interval(secs => %(limit)s))
            """,
            run=run,
            environment=environment,
            worker=worker,
            revision=revision,
            waited=max(0.0, waited),
            limit=limit,
        )

    async def end_run(
        self, run: str, environment: str, ended: Outcome, urgency: Urgency | None, ago: float = 0.0
    ) -> None:
        """Record what a pass came to so many seconds ago; what the next job goes by stays as it was if it is None."""
        await self._do(
            """
            UPDATE runs SET ended_at = greatest(started_at, clock_timestamp() - make_interval(secs => %(ago)s)),
                outcome = %(outcome)s, message = %(message)s,
                passes = %(passes)s, calls = %(calls)s, writes = %(writes)s
            WHERE id = %(run)s
            """,
            run=run,
            ago=ago,
            outcome=ended.outcome,
            message=ended.message[:2000],
            passes=ended.passes,
            calls=ended.calls,
            writes=ended.writes,
        )
        if urgency is not None:
            await self._do(
                """
                UPDATE environments SET live = %(live)s, aborted = %(aborted)s::text[], troubled = %(troubled)s
                WHERE name = %(name)s
                """,
                name=environment,
                live=urgency.live,
                aborted=list(urgency.aborted),
                troubled=urgency.troubled,
            )

    async def close_lost(self) -> int:
        """Close the runs that are open and not under way, of whichever worker; return how many those are."""
        rows = await self._all(
            """
            UPDATE runs SET ended_at = least(seen_at, coalesce(ends_by, seen_at)), outcome = 'lost', message = %(lost)s
            WHERE ended_at IS NULL AND NOT (
            """  # noqa: S608 - a constant
            + UNDER_WAY
            + ") RETURNING id",
            lost=LOST,
            lately=SILENT_SECONDS,
        )
        return len(rows)

    async def beat(self, worker: Worker, runs: Collection[str]) -> None:
        """Record that a worker lives, how it is, and which runs are under way on it."""
        await self._do(
            """
            INSERT INTO workers (name, version, concurrency, running, revision, problem, started_at, stopping)
            VALUES (%(name)s, %(version)s, %(concurrency)s, %(running)s, %(revision)s, %(problem)s,
                to_timestamp(%(started_at)s), %(stopping)s)
            ON CONFLICT (name) DO UPDATE
            SET version = excluded.version, concurrency = excluded.concurrency, running = excluded.running,
                revision = excluded.revision, problem = excluded.problem, started_at = excluded.started_at,
                stopping = excluded.stopping, seen_at = clock_timestamp()
            """,
            name=worker.name,
            version=worker.version,
            concurrency=worker.concurrency,
            running=worker.running,
            revision=worker.revision,
            problem=worker.problem[:2000],
            started_at=worker.started_at,
            stopping=worker.stopping,
        )
        await self._do("UPDATE runs SET seen_at = clock_timestamp() WHERE id = ANY(%(ids)s::text[])", ids=sorted(runs))

    async def leave(self, worker: str) -> None:
        """Record that a worker has stopped."""
        await self._do("DELETE FROM workers WHERE name = %(name)s", name=worker)

    async def fetched(self, source: str) -> Fetched | None:
        """Return what was fetched last from a source."""
        rows = await self._all(
            """
            SELECT revision, good_revision, extract(epoch FROM fetched_at)::float8 AS fetched_at
            FROM sources WHERE name = %(name)s
            """,
            name=source,
        )
        return Fetched(**rows[0]) if rows else None

    async def record_fetch(self, source: str, revision: str, good: str, problem: str, at: float) -> bool:
        """Record what a fetch that started at a time found; return False where a later fetch is recorded."""
        rows = await self._all(
            """
            INSERT INTO sources AS known (name, revision, good_revision, problem, fetched_at)
            VALUES (%(name)s, %(revision)s, %(good)s, %(problem)s, to_timestamp(%(at)s))
            ON CONFLICT (name) DO UPDATE
            SET revision = excluded.revision, good_revision = excluded.good_revision, problem = excluded.problem,
                fetched_at = excluded.fetched_at
            WHERE known.fetched_at <= excluded.fetched_at
            RETURNING name
            """,
            name=source,
            revision=revision,
            good=good,
            problem=problem[:2000],
            at=at,
        )
        return bool(rows)

    async def last_runners(self, environments: Collection[str]) -> dict[str, str]:
        """Return which worker ran each environment last."""
        rows = await self._all(
            """
            SELECT DISTINCT ON (environment) environment, worker FROM runs
            WHERE environment = ANY(%(names)s::text[]) ORDER BY environment, started_at DESC
            """,
            names=sorted(environments),
        )
        return {str(row["environment"]): str(row["worker"]) for row in rows}

    async def prune(self) -> None:
        """Delete runs beyond the newest of each environment, and workers that gave no sign for long."""
        await self._do(
            """
            DELETE FROM runs USING (
                SELECT id, row_number() OVER (PARTITION BY environment ORDER BY started_at DESC) AS place FROM runs
            ) AS ranked
            WHERE runs.id = ranked.id AND ranked.place > %(kept)s
            """,
            kept=KEPT_RUNS,
        )
        await self._do(
            "DELETE FROM workers WHERE seen_at < clock_timestamp() - make_interval(secs => %(gone)s)",
            gone=GONE_SECONDS,
        )


def _urgency(row: Mapping[str, Any]) -> Urgency:
    return Urgency(live=bool(row["live"]), aborted=tuple(row["aborted"]), troubled=bool(row["troubled"]))
