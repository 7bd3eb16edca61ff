"""Stores the journal in SQLite: the default, one file beside the manifests, for all cron jobs of one machine.

1. A record and the events that explain it are one transaction; so are all records of one `commit`.
2. A commit whose expected revision or fencing number is not the newest changes nothing.
3. Records, events and leases are JSON in TEXT columns, so any SQLite tool can read them; `environment`, `name`,
   `revision` and `fencing` are columns because the compare-and-set uses them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import Self

import msgspec

from otactl.errors import ConflictError
from otactl.journal.chain_reading import ChainedEvent, ChainReading
from otactl.journal.contents import Contents
from otactl.journal.identity import replacing
from otactl.journal.leases import Held, ended_by_hand, given_back, grant
from otactl.journal.process_liveness import current
from otactl.journal.row_format import RowFormat
from otactl.journal.sqlite_copy import become, fill
from otactl.journal.sqlite_dump import SqlRows
from otactl.journal.sqlite_events import append, chained, head_of, rows
from otactl.journal.sqlite_file import SqliteFile
from otactl.model import Event, Record
from otactl.ports import Commit, Identity, Lease, Stored


class SqlJournal:
    """A `Journal` in one SQLite file; threads may share it, processes each open their own.

    `create=False`: the file must exist, and is never written unless `write`. `busy_seconds` is how long a writer waits
    for another before `TransientError`.
    """

    def __init__(
        self, path: str | Path, *, create: bool = True, write: bool | None = None, busy_seconds: float = 10.0
    ) -> None:
        writes = create if write is None else write
        self.database = SqliteFile(Path(path), create=create, write=writes, busy_seconds=busy_seconds)
        self._rows = RowFormat(str(path))

    @property
    def path(self) -> Path:
        """Return the file, for messages."""
        return self.database.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def size_bytes(self) -> int:
        """Return the bytes of the file, and of the log beside it."""
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(each.stat().st_size for each in files if each.exists())

    def identity(self) -> Identity:
        """Return which journal this is, wherever it lies."""
        with self.database.read() as db:
            return self._identity(db)

    def take_over(self, lost: str) -> Identity:
        """Take over from the journal `lost`; return the identity of this journal."""
        with self.database.write() as db:
            now = replacing(self._identity(db), lost)
            become(db, now)
        return now

    def _identity(self, db: Connection) -> Identity:
        row = db.execute("SELECT id, replaces FROM identity").fetchone()
        try:
            return msgspec.convert({"id": row[0], "replaces": json.loads(row[1])}, Identity)
        except (TypeError, ValueError, RecursionError, msgspec.ValidationError) as error:
            raise self._rows.damaged("its identity", str(error)) from error

    def load(self, environment: str, name: str) -> Stored:
        """Load one rollout's record; an unknown one is empty at revision 0."""
        with self.database.read() as db:
            row = db.execute(
                "SELECT record, revision FROM records WHERE environment = ? AND name = ?", (environment, name)
            ).fetchone()
        if row is None:
            return Stored(record=Record(environment=environment, name=name), revision=0)
        return self._rows.stored(environment, name, row[0], row[1])

    def load_all(self, environment: str) -> dict[str, Stored]:
        """Load every record of an environment, by rollout name, in one query."""
        query = "SELECT name, record, revision FROM records WHERE environment = ? ORDER BY name"
        # One by one: the text of ten thousand is 60 MiB. A query that a damaged record ends would hold the file.
        with self.database.read() as db, closing(db.execute(query, (environment,))) as rows:
            return {str(name): self._rows.stored(environment, str(name), text, rev) for name, text, rev in rows}

    def environments(self) -> tuple[str, ...]:
        """Name every environment with a record."""
        with self.database.read() as db:
            rows = db.execute("SELECT DISTINCT environment FROM records ORDER BY environment").fetchall()
        return tuple(str(name) for (name,) in rows)

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        """Write records and their events, all or none; gives the new revision by rollout name.

        All commits are of one environment, the one `fencing` was given for. Raises `ConflictError` (rule 2).
        """
        environments = {c.record.environment for c in commits}
        if len(environments) > 1:
            raise ValueError(f"one commit is of one environment, this one is of {sorted(environments)}")
        encoded = [(c, self._rows.encode(c.record, c)) for c in commits]
        revisions: dict[str, int] = {}
        if not encoded:
            return revisions
        with self.database.write() as db:
            _check_fencing(db, commits[0].record.environment, fencing)
            for commit, record in encoded:
                environment, name = commit.record.environment, commit.record.name
                revision = commit.expected_revision + 1
                encode = partial(self._rows.encode, commit=commit)
                events, chain = chained(db, environment, name, revision, commit.events, encode)
                _swap(db, commit, record, chain)
                append(db, events)
                revisions[name] = revision
        return revisions

    def history(self, environment: str, name: str) -> tuple[Event, ...]:
        """Read a rollout's events, oldest first."""
        with self.database.read() as db:
            rows = db.execute(
                "SELECT event, revision FROM events WHERE environment = ? AND name = ? ORDER BY sequence",
                (environment, name),
            ).fetchall()
        return tuple(
            self._rows.decode(text, Event, f"an event of {environment}/{name} at revision {revision}")
            for text, revision in rows
        )

    def chained(self, environment: str, name: str) -> ChainReading:
        """Read a rollout's events as they are chained, with the head of the chain."""
        with self.database.read() as db:
            events = tuple(ChainedEvent(*row[2:]) for row in rows(db, environment, name))
            return ChainReading(environment, name, events, head_of(db, environment, name))

    def lease(self, environment: str) -> Lease | None:
        """Return who holds the environment, if anyone ever did; one released or in the past holds no one."""
        with self.database.read() as db:
            held = self._held(db, environment)
        return None if held is None else held.lease

    def acquire(self, environment: str, holder: str, now: datetime) -> Lease:
        """Take the lease for this process, or renew it; raises `LeaseHeldError` while another one lives (leases.py)."""
        with self.database.write() as db:
            granted = grant(self._held(db, environment), environment, holder, current(), now)
            _store(db, granted)
        return granted.lease

    def release(self, lease: Lease, now: datetime) -> None:
        """Release the lease if it is still ours; its fencing number stays on record."""
        with self.database.write() as db:
            held = self._held(db, lease.environment)
            if held is not None and (held.lease.fencing, held.lease.holder) == (lease.fencing, lease.holder):
                _store(db, given_back(held, now))

    def end_lease(self, environment: str, now: datetime) -> Lease | None:
        """Release anyone's lease by hand, so that its holder commits no more.

        Returns it as it was, None if none is held.
        """
        with self.database.write() as db:
            held = self._held(db, environment)
            ended = ended_by_hand(held, now)
            if held is None or ended is None:
                return None
            _store(db, ended)
        return held.lease

    @contextmanager
    def reading(self) -> Iterator[SqlRows]:
        """Yield one moment of the journal in rows, for its maintenance."""
        with self.database.snapshot() as db:
            yield SqlRows(self.path, db)

    def fill(self, contents: Contents) -> None:
        """Write everything into this journal, which must be empty. Raises: UsageError when it is not."""
        fill(self.database, contents)

    def _held(self, db: Connection, environment: str) -> Held | None:
        row = db.execute("SELECT held FROM leases WHERE environment = ?", (environment,)).fetchone()
        return None if row is None else self._rows.decode(row[0], Held, f"the lease of environment {environment}")


def _check_fencing(db: Connection, environment: str, fencing: int) -> None:
    row = db.execute("SELECT fencing FROM leases WHERE environment = ?", (environment,)).fetchone()
    if row is not None and int(row[0]) > fencing:
        raise ConflictError(
            f"environment {environment}: another process took over (fencing number {fencing} was given, {row[0]} is "
            "the newest); nothing was written, run again"
        )


def _swap(db: Connection, commit: Commit, record: str, chain: str | None) -> None:
    """Compare and set one record, in one statement: SQLite writes a whole row for each, and one may be 20 MiB."""
    environment, name, expected = commit.record.environment, commit.record.name, commit.expected_revision
    if expected == 0:
        statement = (
            "INSERT INTO records (record, revision, chain, environment, name) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (environment, name) DO NOTHING"
        )
        done = db.execute(statement, (record, 1, chain, environment, name))
    else:
        statement = (
            "UPDATE records SET record = ?, revision = ?, chain = ? WHERE environment = ? AND name = ? AND revision = ?"
        )
        done = db.execute(statement, (record, expected + 1, chain, environment, name, expected))
    if done.rowcount != 1:
        row = db.execute(
            "SELECT revision FROM records WHERE environment = ? AND name = ?", (environment, name)
        ).fetchone()
        raise ConflictError(
            f"{commit.record.key}: expected revision {expected}, found {row[0] if row is not None else 0}; "
            "nothing was written; read it again"
        )


def _store(db: Connection, held: Held) -> None:
    db.execute(
        "INSERT INTO leases (environment, fencing, held) VALUES (?, ?, ?) "
        "ON CONFLICT (environment) DO UPDATE SET fencing = excluded.fencing, held = excluded.held",
        (held.lease.environment, held.lease.fencing, msgspec.json.encode(held).decode()),
    )
