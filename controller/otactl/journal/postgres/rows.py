"""Reads and writes the rows of one environment: its lease, its records and the chains of their events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from otactl.errors import ConflictError
from otactl.journal.postgres.connection import Cursor
from otactl.journal.sqlite_events import Row, link_of, text_of
from otactl.model import Event
from otactl.ports import Commit
from otactl.state.event_chain import ChainCheck, Link, linked

RECENT = 32
"""Names of writes that an environment remembers."""


class Head(NamedTuple):
    """What the row of an environment says: its newest fencing number, its lease as JSON, its newest writes."""

    fencing: int
    held: str | None
    recent: tuple[str, ...]


class Prepared(NamedTuple):
    """A commit with its record as JSON."""

    commit: Commit
    record: str


class _Known(NamedTuple):
    revision: int
    chain: Link | None


def lock(cursor: Cursor, journal: str, environment: str) -> Head:
    """Lock the row of an environment until the transaction ends, and read it; create it where there is none."""
    query = (
        b"SELECT fencing, held, recent FROM otactl.environments WHERE journal = %s AND environment = %s "
        b"FOR NO KEY UPDATE"
    )
    row = cursor.execute(query, (journal, environment)).fetchone()
    if row is None:
        cursor.execute(
            "INSERT INTO otactl.environments (journal, environment) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (journal, environment),
        )
        row = cursor.execute(query, (journal, environment)).fetchone()
    return Head(0, None, ()) if row is None else Head(row[0], row[1], tuple(row[2]))


def remember(cursor: Cursor, journal: str, environment: str, name: str) -> None:
    """Store the name of a write with its environment, so that its answer, should it be lost, can be read later."""
    cursor.execute(
        f"UPDATE otactl.environments SET recent = (ARRAY[%s::text] || recent)[1:{RECENT}] "  # noqa: S608 - a number
        "WHERE journal = %s AND environment = %s",
        (name, journal, environment),
    )


def hold(cursor: Cursor, journal: str, environment: str, fencing: int, held: str) -> None:
    """Store a lease."""
    cursor.execute(
        "UPDATE otactl.environments SET fencing = %s, held = %s WHERE journal = %s AND environment = %s",
        (fencing, held, journal, environment),
    )


def must_be_newest(head: Head, environment: str, fencing: int) -> None:
    """Raise ConflictError where another process took over since a fencing number was given."""
    if head.fencing > fencing:
        raise ConflictError(
            f"environment {environment}: another process took over (fencing number {fencing} was given, {head.fencing} "
            "is the newest); nothing was written, run again"
        )


def swap(
    cursor: Cursor, journal: str, environment: str, prepared: Sequence[Prepared], encode: Callable[[Event, Commit], str]
) -> dict[str, int]:
    """Compare and set records, and append their events; return the new revisions. Their environment is locked.

    Raises: ConflictError naming the first record whose revision is not the expected one.
    """
    known = _known(cursor, journal, environment, sorted({each.commit.record.name for each in prepared}))
    records: dict[str, str] = {}
    events: list[tuple[str, int, str, str | None]] = []
    for commit, record in prepared:
        name, expected = commit.record.name, commit.expected_revision
        now = known.get(name, _Known(0, None))
        if now.revision != expected:
            raise ConflictError(
                f"{commit.record.key}: expected revision {expected}, found {now.revision}; nothing was written; "
                "read it again"
            )
        texts, head = _with_beginning(cursor, journal, commit, now.chain), now.chain
        encoded = [encode(event, commit) for event in texts]
        for text, link in zip(encoded, linked(environment, name, expected + 1, encoded, head), strict=True):
            events.append((name, expected + 1, text, text_of(link)))
            head = link
        known[name], records[name] = _Known(expected + 1, head), record
    written = {name: known[name] for name in records}
    cursor.execute(
        "INSERT INTO otactl.records (journal, environment, name, revision, record, chain) "
        "SELECT %s, %s, r.* FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[]) r "
        "ON CONFLICT (journal, environment, name) DO UPDATE "
        "SET revision = excluded.revision, record = excluded.record, chain = excluded.chain",
        (
            journal,
            environment,
            list(records),
            [each.revision for each in written.values()],
            list(records.values()),
            [text_of(each.chain) for each in written.values()],
        ),
    )
    if events:
        cursor.execute(
            "INSERT INTO otactl.events (journal, environment, name, revision, event, link) "
            "SELECT %s, %s, e.name, e.revision, e.event, e.link "
            "FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[]) "
            "WITH ORDINALITY e (name, revision, event, link, place) ORDER BY e.place",
            (journal, environment, *(list(column) for column in zip(*events, strict=True))),
        )
    return {name: each.revision for name, each in written.items()}


def _known(cursor: Cursor, journal: str, environment: str, names: list[str]) -> dict[str, _Known]:
    cursor.execute(
        "SELECT name, revision, chain FROM otactl.records WHERE journal = %s AND environment = %s AND name = ANY(%s)",
        (journal, environment, names),
    )
    return {str(name): _Known(revision, link_of(chain)) for name, revision, chain in cursor}


def _with_beginning(cursor: Cursor, journal: str, commit: Commit, head: Link | None) -> tuple[Event, ...]:
    """Return the events of a commit, behind the one that begins the chain where older events have none."""
    if not commit.events or head is not None or commit.expected_revision == 0:
        return commit.events
    check = ChainCheck(commit.record.environment, commit.record.name)
    for row in events(cursor, journal, commit.record.environment, commit.record.name):
        check.add(str(row[2]), row[3], row[4], None)
    return (check.beginning(commit.events[0].at), *commit.events) if check.unchained else commit.events


def events(cursor: Cursor, journal: str, environment: str = "", name: str = "") -> Iterator[Row]:
    """Read the events of all rollouts of a journal or of one, oldest first."""
    one = "AND environment = %s AND name = %s " if name else ""
    query = (
        "SELECT environment, name, sequence, revision, event, link FROM otactl.events "  # noqa: S608 - no value
        f"WHERE journal = %s {one}ORDER BY sequence"
    )
    cursor.execute(query.encode(), (journal, environment, name) if name else (journal,))
    for home, rollout, sequence, revision, text, link in cursor:
        yield str(home), str(rollout), sequence, revision, str(text), link_of(link)


def heads(cursor: Cursor, journal: str) -> Mapping[tuple[str, str], Link | None]:
    """Read the head of every rollout's chain, by environment and name."""
    cursor.execute("SELECT environment, name, chain FROM otactl.records WHERE journal = %s", (journal,))
    return {(str(environment), str(name)): link_of(text) for environment, name, text in cursor}
