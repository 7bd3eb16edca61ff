"""Reads all records, events and leases of a journal on PostgreSQL as rows for its maintenance, at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from otactl.journal.contents import Unread
from otactl.journal.postgres import rows
from otactl.journal.postgres.connection import Connection
from otactl.journal.sqlite_events import Row
from otactl.state.event_chain import Link


class PostgresRows:
    """One reading of a whole journal; a few hundred rows at a time are in memory."""

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection, self._key = connection, key
        self.unread: tuple[Unread, ...] = ()
        self.leftovers: Mapping[str, int] = {}

    def examine(self) -> Iterator[Unread]:
        """Name nothing: PostgreSQL checks its pages itself (`data_checksums`, `amcheck`)."""
        return iter(())

    @property
    def records(self) -> Iterator[tuple[str, str, int, str]]:
        """Environment, name, revision and JSON."""
        with self._connection.cursor("all_records") as cursor:
            cursor.itersize = 500
            cursor.execute(
                "SELECT environment, name, revision, record FROM otactl.records WHERE journal = %s "
                'ORDER BY environment COLLATE "C", name COLLATE "C"',
                (self._key,),
            )
            for environment, name, revision, text in cursor:
                yield str(environment), str(name), int(revision), str(text)

    @property
    def events(self) -> Iterator[Row]:
        """Environment, name, sequence, revision, JSON and link in the chain, oldest first."""
        with self._connection.cursor("all_events") as cursor:
            cursor.itersize = 500
            yield from rows.events(cursor, self._key)

    @property
    def chains(self) -> Mapping[tuple[str, str], Link | None]:
        """The heads of the chains, by environment and name."""
        with self._connection.cursor() as cursor:
            return rows.heads(cursor, self._key)

    @property
    def leases(self) -> Iterator[tuple[str, int, str]]:
        """Environment, fencing number and JSON."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT environment, fencing, held FROM otactl.environments WHERE journal = %s AND held IS NOT NULL "
                'ORDER BY environment COLLATE "C"',
                (self._key,),
            )
            for environment, fencing, text in cursor.fetchall():
                yield str(environment), int(fencing), str(text)
