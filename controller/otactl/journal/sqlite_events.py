"""Appends events to a rollout's chain in SQLite, and reads them with their links."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from sqlite3 import Connection

import msgspec

from otactl.journal.sqlite_file import optional_column
from otactl.model import Event
from otactl.state.event_chain import ChainCheck, Link, linked

Row = tuple[str, str, int, int, str, Link | None]
"""Environment, name, sequence, revision, JSON of the event, its link."""
NewRow = tuple[str, str, int, str, str | None]
"""Environment, name, revision, JSON of the event, its link as text."""
UNREADABLE = Link(number=0, hash="")


def chained(
    db: Connection,
    environment: str,
    name: str,
    revision: int,
    events: Sequence[Event],
    encode: Callable[[Event], str],
) -> tuple[list[NewRow], str | None]:
    """Return the rows of the events that come with a revision, and the new head of the chain, which the record holds.

    `encode` writes an event as JSON. The head is None where there is neither an event nor a head before.
    """
    row = db.execute("SELECT chain FROM records WHERE environment = ? AND name = ?", (environment, name)).fetchone()
    known = row[0] if row is not None else None
    if not events:
        return [], known
    head = link_of(known)
    if head is None:
        old = ChainCheck(environment, name)
        for sequence, former, text in db.execute(
            "SELECT sequence, revision, event FROM events WHERE environment = ? AND name = ? ORDER BY sequence",
            (environment, name),
        ):
            old.add(str(sequence), former, text, None)
        if old.unchained:
            events = (old.beginning(events[0].at), *events)
    texts = [encode(event) for event in events]
    links = linked(environment, name, revision, texts, head)
    made = [(environment, name, revision, text, text_of(link)) for text, link in zip(texts, links, strict=True)]
    return made, made[-1][-1]


def append(db: Connection, made: Sequence[NewRow]) -> None:
    """Store the rows of events; their record must be there."""
    db.executemany("INSERT INTO events (environment, name, revision, event, link) VALUES (?, ?, ?, ?, ?)", made)


def rows(db: Connection, environment: str = "", name: str = "") -> Iterator[Row]:
    """Read the events of all rollouts or of one, oldest first."""
    link = optional_column(db, "events", "link")
    where = "WHERE environment = ? AND name = ?" if name else ""
    query = f"SELECT environment, name, sequence, revision, event, {link} FROM events {where} ORDER BY sequence"  # noqa: S608 - no value
    for found in db.execute(query, (environment, name) if name else ()):
        yield (*found[:5], link_of(found[5]))


def heads(db: Connection) -> dict[tuple[str, str], Link | None]:
    """Read the head of every rollout's chain, by environment and name."""
    chain = optional_column(db, "records", "chain")
    found = db.execute(f"SELECT environment, name, {chain} FROM records")  # noqa: S608 - no value
    return {(environment, name): link_of(text) for environment, name, text in found}


def head_of(db: Connection, environment: str, name: str) -> Link | None:
    """Read the head of one rollout's chain by the index, as its record is read: damage may part that from the rows."""
    chain = optional_column(db, "records", "chain")
    query = f"SELECT {chain} FROM records WHERE environment = ? AND name = ?"  # noqa: S608 - no value
    found = db.execute(query, (environment, name)).fetchone()
    return link_of(found[0]) if found is not None else None


def text_of(link: Link | None) -> str | None:
    """Write a link as it is stored."""
    return msgspec.json.encode(link).decode() if link is not None else None


def link_of(text: object) -> Link | None:
    """Read a stored link; one that cannot be read fits nowhere."""
    try:
        return msgspec.json.decode(str(text), type=Link) if text is not None else None
    except (msgspec.DecodeError, RecursionError):
        return UNREADABLE
