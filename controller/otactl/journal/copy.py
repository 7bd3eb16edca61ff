"""Copies a whole journal into an empty one, S3 or SQLite: revisions, events, leases, fencing numbers.

1. The target must be empty; nothing is ever overwritten or mixed. It becomes the same journal: it takes on the id.
2. In SQLite the copy is one transaction. On S3 the journal says first that it is being copied into, and no otactl
   opens it until the copy has ended: half a copy is never taken for a journal.
3. The order of a rollout's events, their text and their chain stay; their numbers in the journal restart, by
   environment on S3, over all in SQLite.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

import msgspec

from otactl.errors import ConflictError, LeaseHeldError, UsageError
from otactl.journal.leases import TOLERANCE, Held, who_holds
from otactl.journal.process_liveness import current, is_dead
from otactl.journal.s3 import S3Journal
from otactl.journal.s3_client import RacedError
from otactl.journal.s3_format import (
    EVENTS,
    MARKER,
    MAX_TAIL,
    Entry,
    Head,
    Kept,
    Marker,
    Pack,
    Segment,
    object_key,
    pack,
    segment_name,
    unpack,
)
from otactl.journal.s3_store import S3Store
from otactl.journal.sqlite import SqlJournal
from otactl.journal.sqlite_events import text_of
from otactl.model import iso
from otactl.ports import Identity, Journal, Stored
from otactl.state.event_chain import Link


class CopiedEvent(NamedTuple):
    """An event with its rollout and revision: its JSON as it was written, and its link in the chain."""

    environment: str
    name: str
    revision: int
    text: str
    link: Link | None


class Contents(NamedTuple):
    """Everything in a journal, events oldest first; `chains` are the heads of their chains, by environment and name."""

    records: tuple[Stored, ...]
    events: tuple[CopiedEvent, ...]
    leases: tuple[Held, ...]
    chains: Mapping[tuple[str, str], Link | None]
    identity: Identity = Identity()

    def must_be_at_rest(self, now: datetime) -> None:
        """Raise `LeaseHeldError` while another actor may work: what that run writes next would be missing in the copy.

        Its clock and this machine's may differ, so a lease that was not given back counts `TOLERANCE` longer here.
        """
        for held in self.leases:
            lease = held.lease
            over = lease.released or now >= lease.expires_at + TOLERANCE or is_dead(held.process, current())
            if not over:
                until = f"{iso(lease.expires_at)} by its clock; to end that by hand: otactl journal release "
                raise LeaseHeldError(lease.environment, who_holds(lease), f"{until}{lease.environment}")

    def fence(self, source: Journal, now: datetime) -> None:
        """End the leases of a journal at rest that were not given back, by whatever clock they are over.

        A run that lives after all can commit no more, so the copy that is read now lacks nothing of it.

        Raises: LeaseHeldError as `must_be_at_rest` does.
        """
        self.must_be_at_rest(now)
        for held in self.leases:
            if not held.lease.released:
                source.end_lease(held.lease.environment, now)

    def must_be_unchanged(self, source: Journal, target: object) -> None:
        """Raise `ConflictError` where a run has taken a lease since: the copy may lack what it wrote."""
        known = {held.lease.environment: held.lease for held in self.leases}
        for environment in sorted({*source.environments(), *known}):
            lease = source.lease(environment)
            if lease != known.get(environment):
                who = f"{who_holds(lease)} took its lease" if lease is not None else "its lease changed"
                text = f"environment {environment} was worked on while it was copied ({who}); "
                raise ConflictError(f"{text}delete {target}, stop cron, and copy again")


def fill(target: SqlJournal | S3Journal, contents: Contents) -> None:
    """Write everything into an empty journal; raises `UsageError` when it is not empty."""
    if isinstance(target, S3Journal):
        _fill_s3(target.store, contents)
    else:
        _fill_sqlite(target, contents)


def _fill_sqlite(target: SqlJournal, contents: Contents) -> None:
    with target.database.write() as db:
        if contents.identity.id:
            target.become(db, contents.identity)
        for query in ("SELECT count(*) FROM records", "SELECT count(*) FROM leases"):
            if db.execute(query).fetchone() != (0,):
                raise _not_empty(str(target.path))
        db.executemany(
            "INSERT INTO records (environment, name, revision, record, chain) VALUES (?, ?, ?, ?, ?)",
            [
                (*key, s.revision, _json(s.record).decode(), text_of(contents.chains.get(key)))
                for s in contents.records
                for key in [(s.record.environment, s.record.name)]
            ],
        )
        db.executemany(
            "INSERT INTO events (environment, name, revision, event, link) VALUES (?, ?, ?, ?, ?)",
            [(e.environment, e.name, e.revision, e.text, text_of(e.link)) for e in contents.events],
        )
        db.executemany(
            "INSERT INTO leases (environment, fencing, held) VALUES (?, ?, ?)",
            [(h.lease.environment, h.lease.fencing, _json(h).decode()) for h in contents.leases],
        )


def _fill_s3(store: S3Store, contents: Contents) -> None:
    if set(store.bucket.keys("", limit=2)) - {MARKER}:
        raise _not_empty(store.url)
    empty = store.marker
    copying = msgspec.structs.replace(empty, copying=uuid4().hex)
    _mark(store, empty, copying)
    leases = {held.lease.environment: held for held in contents.leases}
    for environment in sorted({s.record.environment for s in contents.records} | set(leases)):
        _environment(store, environment, contents, leases.get(environment))
    ended = empty.named(contents.identity) if contents.identity.id else empty
    _mark(store, copying, ended)
    store.marker = ended


def _mark(store: S3Store, old: Marker, new: Marker) -> None:
    """Replace what the journal says of itself; our own write whose answer was lost is recognised by the copy's name."""
    found = store.bucket.read(MARKER)
    if found is not None and unpack(found.data, Marker, MARKER) == old:
        try:
            store.bucket.replace(MARKER, pack(new), found.etag)
        except RacedError:
            found = store.bucket.read(MARKER)
            if found is None or unpack(found.data, Marker, MARKER) != new:
                raise _not_empty(store.url) from None
        return
    raise _not_empty(store.url)


def _environment(store: S3Store, environment: str, contents: Contents, held: Held | None) -> None:
    events: dict[str, list[Kept]] = {}
    sequence = 0
    for each in contents.events:
        if each.environment == environment:
            sequence += 1
            text = msgspec.Raw(each.text.encode())
            kept = Kept(sequence=sequence, revision=each.revision, event=text, link=each.link)
            events.setdefault(each.name, []).append(kept)

    def change(head: Head, commit: str) -> Head:
        if head.commits:
            text = f"journal {store.url}: another process writes to environment {environment} meanwhile"
            raise ConflictError(f"{text}; stop it and copy to another place")
        head = msgspec.structs.replace(head, held=held)
        stored = [s for s in contents.records if s.record.environment == environment]
        if not stored:
            return head.named(commit)
        name = segment_name(head.serial + 1, commit)
        packed = {n: tuple(each) for n, each in events.items() if len(each) > MAX_TAIL}
        entries = {
            s.record.name: Entry(
                revision=s.revision,
                record=msgspec.Raw(_json(s.record)),
                older=(name,) if s.record.name in packed else (),
                tail=() if s.record.name in packed else tuple(events.get(s.record.name, ())),
                chain=contents.chains.get((environment, s.record.name)),
            )
            for s in stored
        }
        if packed:
            store.bucket.keep(object_key(EVENTS, environment, name), pack(Pack(environment=environment, events=packed)))
        store.keep(environment, name, Segment(environment=environment, records=entries))
        return head.written(commit, entries, sequence)

    store.update(environment, change)


def _json(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value)


def _not_empty(where: str) -> UsageError:
    return UsageError(f"journal {where} is not empty; a copy is written into an empty place, name another")
