"""Reads all records, events and leases of a journal in SQLite as rows for its maintenance, at one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from otactl.journal import sqlite_events
from otactl.journal.contents import Unread
from otactl.state.event_chain import Link


class SqlRows:
    """One moment of an SQLite journal in rows."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path, self._db = path, db
        self.unread: tuple[Unread, ...] = ()
        self.leftovers: dict[str, int] = {}

    def examine(self) -> Iterator[Unread]:
        """Check the pages of the database, by SQLite's own check."""
        for (line,) in self._db.execute("PRAGMA integrity_check"):
            if line != "ok":
                yield Unread(str(self._path), "database_is_damaged", f"SQLite says: {line}")

    @property
    def records(self) -> sqlite3.Cursor:
        """Environment, name, revision and JSON."""
        query = "SELECT environment, name, revision, record FROM records ORDER BY environment, name"
        return self._db.execute(query)

    @property
    def events(self) -> Iterator[sqlite_events.Row]:
        """Environment, name, sequence, revision, JSON and link in the chain."""
        return sqlite_events.rows(self._db)

    @property
    def chains(self) -> dict[tuple[str, str], Link | None]:
        """The heads of the chains, by environment and name."""
        return sqlite_events.heads(self._db)

    @property
    def leases(self) -> sqlite3.Cursor:
        """Environment, fencing number and JSON."""
        return self._db.execute("SELECT environment, fencing, held FROM leases ORDER BY environment")
