"""Hands out the slots of calls to all processes of the workers, from one row an operation in PostgreSQL.

1. A slot is reserved in one statement by the server's clock: the next free one, 1/rate after the one before. Processes
   are served in the order they ask, and each asks once for each call it has ready, so none takes the rate of another.
2. What is not reserved in time is lost, not saved up: a service's own bucket allows no burst that we could count on.
3. Without the database a process keeps to its share: the rate divided by the environments of the place, each of which
   has one pass at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

import psycopg

from otactl.backends.transport.rate_limit import Pacer

_RESERVE = """
INSERT INTO pace AS held (place, key, next_at)
VALUES (%(place)s, %(key)s, clock_timestamp() + make_interval(secs => %(spacing)s))
ON CONFLICT (place, key) DO UPDATE
SET next_at = greatest(held.next_at, clock_timestamp()) + make_interval(secs => %(spacing)s)
RETURNING extract(epoch FROM next_at - clock_timestamp())::float8 - %(spacing)s
"""
_LOG = logging.getLogger("otactl.workers")


class DatabasePace:
    """A `SharedPace` over one connection, which the threads of a pass share."""

    def __init__(
        self,
        conninfo: str,
        sharers: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take as `sharers` how many environments have the place of this one."""
        self._conninfo, self._sharers = conninfo, max(1, sharers)
        self._sleep, self._monotonic = sleep, monotonic
        self._lock = Lock()
        self._connection: psycopg.Connection[tuple[float]] | None = None
        self._alone: dict[tuple[str, str], Pacer] = {}
        self._warned = False

    def wait(self, place: str, key: str, rate: float) -> None:
        """Wait for the next slot of `service:operation` at a place (rule 1)."""
        seconds = self._reserve(place, key, 1.0 / rate)
        if seconds is None:
            self._share(place, key, rate).wait()
        elif seconds > 0:
            self._sleep(seconds)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _reserve(self, place: str, key: str, spacing: float) -> float | None:
        """Reserve a slot; return the seconds until it, None where the database does not answer twice."""
        parameters = {"place": place, "key": key, "spacing": spacing}
        with self._lock:
            for _ in range(2):
                try:
                    row = self._connected().execute(_RESERVE, parameters).fetchone()
                except psycopg.Error as error:
                    self._drop()
                    problem = type(error).__name__
                    continue
                return float(row[0]) if row is not None else None
        if not self._warned:
            self._warned = True
            _LOG.warning("the shared call rate is not reachable (%s); this pass keeps to its own share", problem)
        return None

    def _connected(self) -> psycopg.Connection[tuple[float]]:
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(self._conninfo, autocommit=True)
            # A slot that is lost with the server's power was used long ago.
            connection.execute("SET synchronous_commit = off")
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _share(self, place: str, key: str, rate: float) -> Pacer:
        with self._lock:
            found = self._alone.get((place, key))
            if found is None:
                found = self._alone[place, key] = Pacer(rate / self._sharers, self._monotonic, self._sleep)
        return found
