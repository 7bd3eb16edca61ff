"""Writes a whole journal into an empty place on S3, marked as unfinished until all of it is there."""

from __future__ import annotations

from uuid import uuid4

import msgspec

from otactl.errors import ConflictError
from otactl.journal.contents import Contents, not_empty
from otactl.journal.leases import Held
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


def fill(store: S3Store, contents: Contents) -> None:
    """Write everything into an empty journal; raises `UsageError` when it is not empty."""
    if set(store.bucket.keys("", limit=2)) - {MARKER}:
        raise not_empty(store.url)
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
                raise not_empty(store.url) from None
        return
    raise not_empty(store.url)


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
