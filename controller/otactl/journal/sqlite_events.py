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
UNREADABLE = Link(number=0, hash="")


def append(
    db: Connection,
    environment: str,
    name: str,
    revision: int,
    events: Sequence[Event],
    encode: Callable[[Event], str],
) -> None:
    """Store the events that came with a revision, and the new head of the chain; `encode` writes one as JSON."""
    if not events:
        return
    row = db.execute("SELECT chain FROM records WHERE environment = ? AND name = ?", (environment, name)).fetchone()
    head = link_of(row[0])
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
    db.executemany(
        "INSERT INTO events (environment, name, revision, event, link) VALUES (?, ?, ?, ?, ?)",
        [(environment, name, revision, text, text_of(link)) for text, link in zip(texts, links, strict=True)],
    )
    query = "UPDATE records SET chain = ? WHERE environment = ? AND name = ?"
    db.execute(query, (text_of(links[-1]), environment, name))


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


def text_of(link: Link | None) -> str | None:
    """Write a link as it is stored."""
    return msgspec.json.encode(link).decode() if link is not None else None


def link_of(text: object) -> Link | None:
    """Read a stored link; one that cannot be read fits nowhere."""
    try:
        return msgspec.json.decode(str(text), type=Link) if text is not None else None
    except (msgspec.DecodeError, RecursionError):
        return UNREADABLE
