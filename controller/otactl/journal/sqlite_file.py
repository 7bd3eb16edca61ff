"""Opens, locks and versions one SQLite file that processes share, and maps its errors.

1. WAL with synchronous FULL: what was committed survives a power cut, readers never wait for a writer.
2. Every write is one `BEGIN IMMEDIATE` transaction: all of it or nothing, whatever kills us.
3. A file a newer version wrote is refused before anything in it is touched; so is a database that is not a journal.
4. Every failure of the file is one line of ours: what, where, what next. Result codes: sqlite.org/rescode.html.
5. A reading connection never creates the file and refuses to write. It is opened for writing all the same, so that
   closing it leaves no `-wal` and `-shm` behind, which another user could not write.
6. A journal without a chain of events gets its columns when it is opened for writing; until then it is read without.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otactl.errors import JournalMissingError, OtactlError, StalledError, TransientError, UsageError
from otactl.journal.identity import drawn, older

VERSION = 3  # 1 named the fields of its records otherwise, 2 had no chain of events
UNCHAINED = 2
_SCHEMA = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL)",
    """CREATE TABLE records (
        environment TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL CHECK (revision > 0),
        record TEXT NOT NULL,
        chain TEXT,
        PRIMARY KEY (environment, name))""",
    """CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        environment TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        event TEXT NOT NULL,
        link TEXT,
        FOREIGN KEY (environment, name) REFERENCES records (environment, name))""",
    "CREATE INDEX events_of_a_rollout ON events (environment, name, sequence)",
    """CREATE TABLE leases (
        environment TEXT PRIMARY KEY,
        fencing INTEGER NOT NULL CHECK (fencing > 0),
        held TEXT NOT NULL)""",
    "CREATE TABLE identity (id TEXT NOT NULL, replaces TEXT NOT NULL)",
)
_CHAIN = ("ALTER TABLE records ADD COLUMN chain TEXT", "ALTER TABLE events ADD COLUMN link TEXT")
_RETRY_AFTER = 5.0


class SqliteFile:
    """One connection to one journal file, shared by the threads of a process under a lock."""

    def __init__(self, path: Path, *, create: bool, write: bool, busy_seconds: float) -> None:
        self.path = path
        self._create = create
        self._write = write
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._check_place()
        with self._translated():
            self._connection = self._connect("rwc" if create else "rw")
            try:
                self._prepare(self._connection)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for reading."""
        with self._lock, self._translated():
            yield self._connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside one transaction: committed at the end, rolled back on any error."""
        with self._lock, self._translated(), _transaction(self._connection):
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection of its own that sees one moment, so a long read holds no one up."""
        with self._translated():
            connection = self._connect("rw")
            try:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.close()

    def close(self) -> None:
        """Close the connection; a second time is harmless."""
        with self._lock:
            self._connection.close()

    def _check_place(self) -> None:
        try:
            if self.path.is_dir():
                inside = self.path / "journal.db"
                raise UsageError(f"journal {self.path} is a folder; name a file in it, such as {inside}")
            if self._create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            elif not self.path.exists():
                raise JournalMissingError(str(self.path), str(self.path))
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"cannot reach journal {self.path}: {why}; name another with --journal") from error

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        found = self._version(connection)
        if found is None and not self._create:
            raise JournalMissingError(str(self.path), str(self.path), "nothing was ever written to journal")
        if not self._write:
            connection.execute("PRAGMA query_only = ON")
            return
        self._switch_to_wal(connection)
        if found is None:
            with _transaction(connection):
                if self._version(connection) is None:  # another process may have come first
                    for statement in _SCHEMA:
                        connection.execute(statement)
                    connection.execute("INSERT INTO schema_version VALUES (?)", (VERSION,))
                    connection.execute("INSERT INTO identity VALUES (?, '[]')", (drawn().id,))
        elif found == UNCHAINED:
            with _transaction(connection):
                if self._version(connection) == UNCHAINED:  # another process may have come first
                    for statement in _CHAIN:
                        connection.execute(statement)
                    connection.execute("UPDATE schema_version SET version = ?", (VERSION,))

    def _version(self, connection: sqlite3.Connection) -> int | None:
        """Read the schema's version; None for a file without any table (rule 3)."""
        tables = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        row = connection.execute("SELECT max(version) FROM schema_version").fetchone() if _ours(tables) else None
        if row is None or not isinstance(row[0], int):
            raise UsageError(f"{self.path} is an SQLite database but not a journal; name another with --journal")
        if row[0] > VERSION:
            text = f"journal {self.path} has schema {row[0]}, this version knows {VERSION}; run a newer otactl"
            raise StalledError("JournalIsNewer", text)
        if row[0] < UNCHAINED:
            raise older(f"journal {self.path}", row[0], VERSION, _id_in(connection) if "identity" in tables else "")
        return row[0]

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL, again after busy.

        SQLite does not wait when two processes switch a new file at the same moment.
        """
        give_up = time.monotonic() + self._busy_seconds
        while str(connection.execute("PRAGMA journal_mode").fetchone()[0]).lower() != "wal":
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.02)
            else:
                return  # a file system without shared memory stays in its mode: as durable, only slower

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        except UnicodeDecodeError as error:  # Python reads SQLite's own messages, and they quote what is damaged
            text = f"journal {self.path} is damaged (it holds bytes that are no text)"
            raise StalledError(
                "JournalIsDamaged", f"{text}; run `otactl journal check`, then restore a backup"
            ) from error
        except UnicodeEncodeError as error:
            raise UsageError(f"journal {self.path}: {error.object!r} is not valid text; fix the name") from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # SQLite itself rolls back on some errors
            connection.execute("ROLLBACK")


def optional_column(connection: sqlite3.Connection, table: str, column: str) -> str:
    """Return a column that an older journal does not have, or NULL in its place (rule 6)."""
    names = {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}
    return column if column in names else "NULL"


def _id_in(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT id FROM identity").fetchone()
    return str(row[0]) if row is not None else ""


def _ours(tables: set[str]) -> bool:
    return {"schema_version", "records", "events", "leases"} <= tables


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code; 0 for what Python's own module found wrong."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF if isinstance(code, int) else 0


def translate(error: sqlite3.Error, path: Path) -> OtactlError:
    """Return in one line what happened to the journal file and what to do next (rule 4)."""
    code, detail = _code(error), " ".join(str(error).split())
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        text = f"journal {path} is locked by another process ({detail}); nothing was written, run again"
        return TransientError(text, retry_after=_RETRY_AFTER, committed=False)
    if code == sqlite3.SQLITE_NOTADB:
        return UsageError(f"{path} is not a journal ({detail}); name another with --journal, or restore a backup")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return UsageError(
            f"journal {path} cannot be opened or written ({detail}); give this user write permission on the file and "
            "its folder, or name another with --journal"
        )
    if code == sqlite3.SQLITE_FULL:
        text = f"journal {path}: the disk is full ({detail}); nothing was written, free some space and run again"
        return StalledError("JournalDiskIsFull", text)
    if code == sqlite3.SQLITE_IOERR:
        text = f"journal {path}: the disk failed ({detail}); check space, quota and disk, then `otactl journal check`"
        return StalledError("JournalIsUnwritable", text)
    text = f"journal {path} is damaged ({detail}); run `otactl journal check`, then restore a backup"
    return StalledError("JournalIsDamaged", text)
