"""Stores the journal in PostgreSQL, for many machines: one schema in a database, several journals in it.

1. A record and the events that explain it are one transaction; so are all records of one `commit`. Each write locks the
   row of its environment first: fencing number and revisions are judged under that lock.
2. A commit whose expected revision or fencing number is not the newest changes nothing.
3. A lease runs out by the server's clock. What a machine thinks the time is plays no part; `now` is not used.
4. A write stores a name of its own with its environment; after a lost connection that name says what became of it.
5. Records, events and leases are JSON in text columns, kept as they were written: the hashes are over them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

import msgspec

from otactl.errors import JournalMissingError
from otactl.journal.chain_reading import ChainedEvent, ChainReading
from otactl.journal.contents import Contents
from otactl.journal.identity import drawn, replacing
from otactl.journal.leases import Held, ended_by_hand, given_back, grant
from otactl.journal.postgres import rows, schema
from otactl.journal.postgres.address import address_of
from otactl.journal.postgres.connection import Cursor, Database
from otactl.journal.postgres.copy import fill
from otactl.journal.postgres.dump import PostgresRows
from otactl.journal.process_liveness import current
from otactl.journal.row_format import RowFormat
from otactl.journal.sqlite_events import link_of
from otactl.model import Event, Record
from otactl.ports import Commit, Identity, Lease, Stored

T = TypeVar("T")
ROLES = ("otactl_controller", "otactl_reader")


class PostgresJournal:
    """A `Journal` in one database; threads may share it, processes each open their own.

    `create=False`: the journal must exist, and is never written unless `write`. `sleep` replaces the wait before
    another try.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        write: bool | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = address_of(url)
        self.path = address.url
        self._rows = RowFormat(address.url)
        self.key = address.journal
        writes = create if write is None else write
        self.database = Database(address, write=writes, sleep=sleep)
        try:
            self._identity = self._opened(create=create)
        except BaseException:
            self.close()
            raise

    def _opened(self, *, create: bool) -> Identity:
        found = self.database.read(partial(self._found, upgrade=create))
        if found is None and create:
            self.database.write(self._create)
            found = self.database.read(self._found)
        if found is None:
            raise JournalMissingError(self.path, self.path)
        return found

    def _found(self, cursor: Cursor, *, upgrade: bool = False) -> Identity | None:
        """Read which journal this is; None where there is none, or an older one that is to be upgraded."""
        known = schema.version(cursor, self.path)
        if known == 0 or (upgrade and known < schema.newest()):
            return None
        schema.must_be_known(known, self.path)
        row = cursor.execute("SELECT id, replaces FROM otactl.journals WHERE journal = %s", (self.key,)).fetchone()
        if row is None:
            return None
        try:
            return msgspec.convert({"id": row[0], "replaces": json.loads(str(row[1]))}, Identity)
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
            raise self._rows.damaged("its identity", str(error)) from error

    def _create(self, cursor: Cursor) -> None:
        schema.migrate(cursor, self.path)
        cursor.execute(
            "INSERT INTO otactl.journals (journal, id) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id",
            (self.key, drawn().id),
        )
        if cursor.fetchone() is not None:
            query = "INSERT INTO otactl.grants (journal, role) SELECT %s, unnest(%s::text[])"
            cursor.execute(query, (self.key, list(ROLES)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def size_bytes(self) -> int:
        """Return the bytes of the tables with their indexes, which all journals of the database share."""

        def work(cursor: Cursor) -> int:
            cursor.execute(
                "SELECT sum(pg_catalog.pg_total_relation_size(c.oid))::bigint FROM pg_catalog.pg_class c "
                "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = 'otactl' AND c.relkind = 'r'"
            )
            return int(str((cursor.fetchone() or (0,))[0]))

        return self.database.read(work)

    def identity(self) -> Identity:
        """Return which journal this is, wherever it lies."""
        return self._identity

    def take_over(self, lost: str) -> Identity:
        """Take over from the journal `lost`; return the identity of this journal."""

        def work(cursor: Cursor) -> Identity:
            cursor.execute("SELECT FROM otactl.journals WHERE journal = %s FOR UPDATE", (self.key,))
            found = self._found(cursor)
            if found is None:
                raise JournalMissingError(self.path, self.path)
            now = replacing(found, lost)
            self._become(cursor, now)
            return now

        self._identity = self.database.write(work)
        return self._identity

    def _become(self, cursor: Cursor, identity: Identity) -> None:
        cursor.execute(
            "UPDATE otactl.journals SET id = %s, replaces = %s WHERE journal = %s",
            (identity.id, json.dumps(identity.replaces), self.key),
        )

    def load(self, environment: str, name: str) -> Stored:
        """Load one rollout's record; an unknown one is empty at revision 0."""

        def work(cursor: Cursor) -> tuple[object, ...] | None:
            return cursor.execute(
                "SELECT record, revision FROM otactl.records WHERE journal = %s AND environment = %s AND name = %s",
                (self.key, environment, name),
            ).fetchone()

        row = self.database.read(work)
        if row is None:
            return Stored(record=Record(environment=environment, name=name), revision=0)
        return self._rows.stored(environment, name, *row)

    def load_all(self, environment: str) -> dict[str, Stored]:
        """Load every record of an environment, by rollout name, a few hundred at a time."""

        def work(cursor: Cursor) -> dict[str, Stored]:
            with cursor.connection.cursor("records") as reading:
                reading.itersize = 500
                reading.execute(
                    "SELECT name, record, revision FROM otactl.records WHERE journal = %s AND environment = %s",
                    (self.key, environment),
                )
                return {str(name): self._rows.stored(environment, str(name), text, n) for name, text, n in reading}

        return dict(sorted(self.database.read(work).items()))

    def environments(self) -> tuple[str, ...]:
        """Name every environment with a record."""

        def work(cursor: Cursor) -> tuple[str, ...]:
            cursor.execute(
                "SELECT environment FROM otactl.environments e WHERE journal = %s AND EXISTS (SELECT FROM "
                "otactl.records r WHERE r.journal = e.journal AND r.environment = e.environment)",
                (self.key,),
            )
            return tuple(sorted(str(name) for (name,) in cursor))

        return self.database.read(work)

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        """Write records and their events, all or none; gives the new revision by rollout name.

        All commits are of one environment, the one `fencing` was given for. Raises `ConflictError` (rule 2), and
        `TransientError` with `committed=None` when no answer came and none could be read back.
        """
        environments = {c.record.environment for c in commits}
        if len(environments) > 1:
            raise ValueError(f"one commit is of one environment, this one is of {sorted(environments)}")
        prepared = [rows.Prepared(each, self._rows.encode(each.record, each)) for each in commits]
        if not prepared:
            return {}
        environment = commits[0].record.environment

        def change(cursor: Cursor, head: rows.Head) -> dict[str, int]:
            rows.must_be_newest(head, environment, fencing)
            return rows.swap(cursor, self.key, environment, prepared, self._rows.encode)

        return self._change(environment, change)

    def history(self, environment: str, name: str) -> tuple[Event, ...]:
        """Read a rollout's events, oldest first."""
        found = self.database.read(lambda cursor: list(rows.events(cursor, self.key, environment, name)))
        return tuple(
            self._rows.decode(text, Event, f"an event of {environment}/{name} at revision {revision}")
            for _, _, _, revision, text, _ in found
        )

    def chained(self, environment: str, name: str) -> ChainReading:
        """Read a rollout's events as they are chained, with the head of the chain."""

        def work(cursor: Cursor) -> ChainReading:
            found = tuple(ChainedEvent(*row[2:]) for row in rows.events(cursor, self.key, environment, name))
            row = cursor.execute(
                "SELECT chain FROM otactl.records WHERE journal = %s AND environment = %s AND name = %s",
                (self.key, environment, name),
            ).fetchone()
            return ChainReading(environment, name, found, link_of(row[0]) if row is not None else None)

        return self.database.read(work)

    def lease(self, environment: str) -> Lease | None:
        """Return who holds the environment, if anyone ever did; one released or in the past holds no one."""

        def work(cursor: Cursor) -> object:
            row = cursor.execute(
                "SELECT held FROM otactl.environments WHERE journal = %s AND environment = %s", (self.key, environment)
            ).fetchone()
            return row[0] if row is not None else None

        held = self._held(environment, self.database.read(work))
        return None if held is None else held.lease

    def acquire(self, environment: str, holder: str, now: datetime) -> Lease:  # noqa: ARG002 - rule 3
        """Take the lease for this process, or renew it; raises `LeaseHeldError` while another one lives (leases.py)."""

        def change(cursor: Cursor, head: rows.Head) -> Lease:
            granted = grant(self._held(environment, head.held), environment, holder, current(), _time(cursor))
            self._hold(cursor, granted)
            return granted.lease

        return self._change(environment, change)

    def release(self, lease: Lease, now: datetime) -> None:  # noqa: ARG002 - rule 3
        """Release the lease if it is still ours; its fencing number stays on record."""

        def change(cursor: Cursor, head: rows.Head) -> None:
            held = self._held(lease.environment, head.held)
            if held is not None and (held.lease.fencing, held.lease.holder) == (lease.fencing, lease.holder):
                self._hold(cursor, given_back(held, _time(cursor)))

        self._change(lease.environment, change)

    def end_lease(self, environment: str, now: datetime) -> Lease | None:  # noqa: ARG002 - rule 3
        """Release anyone's lease by hand, so that its holder commits no more.

        Returns it as it was, None if none is held.
        """

        def change(cursor: Cursor, head: rows.Head) -> Lease | None:
            held = self._held(environment, head.held)
            ended = ended_by_hand(held, _time(cursor))
            if held is None or ended is None:
                return None
            self._hold(cursor, ended)
            return held.lease

        return self._change(environment, change)

    @contextmanager
    def reading(self) -> Iterator[PostgresRows]:
        """Yield one moment of the journal in rows, for its maintenance."""
        with self.database.snapshot() as connection:
            yield PostgresRows(connection, self.key)

    def fill(self, contents: Contents) -> None:
        """Write everything into this journal, which must be empty. Raises: UsageError when it is not."""
        fill(self.database, self.path, self.key, contents)
        self._identity = contents.identity if contents.identity.id else self._identity

    def _change(self, environment: str, change: Callable[[Cursor, rows.Head], T]) -> T:
        """Run a change of an environment in a transaction, once (rule 4)."""
        name = uuid4().hex
        results: list[T] = []

        def work(cursor: Cursor) -> T:
            head = rows.lock(cursor, self.key, environment)
            if name not in head.recent:  # else an earlier try was carried out, with the result it had
                results.append(change(cursor, head))
                rows.remember(cursor, self.key, environment, name)
            return results[-1]

        return self.database.write(work)

    def _hold(self, cursor: Cursor, held: Held) -> None:
        text = msgspec.json.encode(held).decode()
        rows.hold(cursor, self.key, held.lease.environment, held.lease.fencing, text)

    def _held(self, environment: str, text: object) -> Held | None:
        return None if text is None else self._rows.decode(text, Held, f"the lease of environment {environment}")


def _time(cursor: Cursor) -> datetime:
    """Read the server's clock, after the lock was granted."""
    row = cursor.execute("SELECT otactl.server_time()").fetchone()
    if row is None or not isinstance(row[0], datetime):
        raise AssertionError("the server has a clock")
    return row[0]
