"""Keeps that a pass was asked for until one has answered it, whatever becomes of its job.

1. A request is a mark on its environment beside a job: it outlives a job that met a running pass, and one whose worker
   died. A pass that started after it answers it, however the pass ended; one that never ran does not.
2. What was asked while a pass ran is asked again when that ends, once; what nothing answers, after `OVERDUE_SECONDS`.
"""

from __future__ import annotations

from typing import Any, LiteralString

from otactl.workers.queue import PassQueue
from otactl.workers.store import LATELY_SECONDS, UNDER_WAY

OVERDUE_SECONDS = 60.0
"""How long an environment has no pass before a request that was not answered gets another job."""


class Requests:
    """The requests of all environments."""

    def __init__(self, queue: PassQueue) -> None:
        self._queue = queue

    async def ask(self, environment: str, priority: int) -> None:
        """Ask for a pass of an environment, as soon as its priority allows; of one that is not known, nothing."""
        found = await self._rows(
            """
            UPDATE environments SET asked_at = clock_timestamp(),
                asked_priority = CASE WHEN asked_at IS NULL THEN %(priority)s
                    ELSE greatest(asked_priority, %(priority)s) END
            WHERE name = %(name)s
            RETURNING name, extract(epoch FROM asked_at)::float8 AS since, asked_priority AS priority
            """,
            name=environment,
            priority=priority,
        )
        await self._add_jobs(found)

    async def answered(self, environment: str, started_at: float) -> None:
        """Note that a pass has ended that started at a time; ask again for what was asked since."""
        await self._rows(
            """
            UPDATE environments SET asked_at = NULL
            WHERE name = %(name)s AND asked_at <= to_timestamp(%(started_at)s) RETURNING name
            """,
            name=environment,
            started_at=started_at,
        )
        found = await self._rows(
            """
            SELECT name, extract(epoch FROM asked_at)::float8 AS since, asked_priority AS priority
            FROM environments WHERE name = %(name)s AND asked_at IS NOT NULL
            """,
            name=environment,
        )
        await self._add_jobs(found)

    async def ask_overdue(self) -> int:
        """Ask again for what no pass has answered and none is about to; return how many environments that is."""
        found = await self._rows(
            """
            SELECT name, extract(epoch FROM asked_at)::float8 AS since, asked_priority AS priority
            FROM environments AS asked
            WHERE asked_at < clock_timestamp() - make_interval(secs => %(overdue)s)
                AND NOT EXISTS (
                    SELECT FROM runs
                    WHERE runs.environment = asked.name AND (
                        runs.started_at > clock_timestamp() - make_interval(secs => %(overdue)s)
                        OR
            """  # noqa: S608 - a constant
            + UNDER_WAY
            + ")) ORDER BY name",
            overdue=OVERDUE_SECONDS,
            lately=LATELY_SECONDS,
        )
        await self._add_jobs(found)
        return len(found)

    async def _add_jobs(self, found: list[dict[str, Any]]) -> None:
        for row in found:
            await self._queue.ask(str(row["name"]), float(row["since"]), int(row["priority"]))

    async def _rows(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        return await self._queue.app.connector.execute_query_all_async(query, **arguments)
