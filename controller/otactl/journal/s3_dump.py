"""Reads all records, events and leases of a journal on S3 as rows for its maintenance; names unreadable ones.

1. Each environment is one moment: its head is read once, what the head names never changes.
2. One damaged object does not hide the next: it is noted, and the rest is read.
3. The events of an environment are numbered from 1 without a gap, so a lost one is missed.
4. Keys are listed before heads are read, so nothing that a head names seems forgotten. Leftovers are counted: of the
   segments with one serial one was committed, none if the serial is beyond the head's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from otactl.journal.contents import Unread
from otactl.journal.s3_format import (
    EVENTS,
    HEADS,
    SEGMENTS,
    DamagedError,
    Entry,
    Head,
    Kept,
    Pack,
    environment_of,
    name_of,
    object_key,
    serial_of,
)
from otactl.journal.s3_store import S3Store
from otactl.journal.sqlite_events import Row
from otactl.state.event_chain import Link
from otactl.wording import count


class S3Rows:
    """One reading of a whole journal."""

    def __init__(self, store: S3Store) -> None:
        self.unread: list[Unread] = []
        self.leftovers: dict[str, int] = {}
        self.records: list[tuple[str, str, int, str]] = []
        self.events: list[Row] = []
        self.chains: dict[tuple[str, str], Link | None] = {}
        self.leases: list[tuple[str, int, str]] = []
        self._store = store
        with self._store.lock:
            listed = self._store.bucket.keys("")
            kinds = {kind: [key for key in listed if key.startswith(f"{kind}/")] for kind in (HEADS, SEGMENTS, EVENTS)}
            for environment in sorted({environment_of(key) for keys in kinds.values() for key in keys}):
                names = {
                    kind: [name_of(key) for key in keys if environment_of(key) == environment]
                    for kind, keys in kinds.items()
                }
                self._environment(environment, names)

    def examine(self) -> Iterator[Unread]:
        """Name nothing more: what is not whole was found by reading it."""
        return iter(())

    def _environment(self, environment: str, names: dict[str, list[str]]) -> None:
        try:
            head = self._store.look(environment)
        except DamagedError as error:
            self._note(f"head of {environment}", "head_is_unreadable", error.why)
            return
        serials = Counter(serial_of(name) for name in names[SEGMENTS])
        if head.serial == 0 and len(serials) > 1:
            why = f"it is not there, {len(names[SEGMENTS])} segments are"
            self._note(f"head of {environment}", "head_is_unreadable", why)
            return
        if head.held is not None:
            held = msgspec.json.encode(head.held).decode()
            self.leases.append((environment, head.held.lease.fencing, held))
        entries = self._entries(environment, head)
        packs = {name for entry in entries.values() for name in entry.older}
        forgotten = sum(count if serial > head.serial else count - 1 for serial, count in serials.items())
        forgotten += len(set(names[EVENTS]) - packs)
        if forgotten and len(entries) == len(head.index):  # else forgotten and lost ones cannot be distinguished
            self.leftovers[environment] = forgotten
        self._events(environment, head, entries, sorted(packs))

    def _entries(self, environment: str, head: Head) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for place, segment in enumerate(head.segments):
            here = sorted(name for name, (home, _) in head.index.items() if home == place)
            try:
                entries = self._store.segments(environment, (segment,))[segment]
            except DamagedError as error:
                lost = f"{error.why}; it holds {len(here)} of {count(len(head.index), 'record')}"
                self._note(object_key(SEGMENTS, environment, segment), "segment_is_unreadable", lost)
                continue
            for name in here:
                entry = entries.get(name)
                if entry is None or entry.revision != head.revision(name):
                    wanted = "none" if entry is None else f"revision {entry.revision}"
                    why = f"the head says revision {head.revision(name)}, its segment holds {wanted}"
                    self._note(f"{environment}/{name}", "record_differs_from_head", why)
                    continue
                found[name] = entry
                self.chains[environment, name] = entry.chain
                self.records.append((environment, name, entry.revision, _text(entry.record)))
        self.records.sort(key=lambda row: row[:2])
        return found

    def _events(self, environment: str, head: Head, entries: dict[str, Entry], packs: list[str]) -> None:
        whole = len(entries) == len(head.index)
        keys = [object_key(EVENTS, environment, name) for name in packs]
        read: dict[str, Pack] = {}
        for name, key, each in zip(packs, keys, self._store.fetch_what_is_whole(keys, Pack), strict=True):
            if isinstance(each, DamagedError):
                whole = False
                self._note(key, "events_are_unreadable", each.why)
            else:
                read[name] = each
        rows: list[Row] = []
        for name, entry in entries.items():
            older = [kept for each in entry.older if each in read for kept in read[each].events.get(name, ())]
            rows += [_row(environment, name, kept) for kept in (*older, *entry.tail)]
        rows.sort(key=lambda row: row[2])
        if whole and [row[2] for row in rows] != list(range(1, head.sequence + 1)):
            why = f"the head counts {count(head.sequence, 'event')}, {len(rows)} are there"
            self._note(f"events of {environment}", "events_are_missing", why)
        self.events += rows

    def _note(self, where: str, code: str, message: str) -> None:
        self.unread.append(Unread(where, code, message))


def _row(environment: str, name: str, kept: Kept) -> Row:
    return environment, name, kept.sequence, kept.revision, _text(kept.event), kept.link


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode(errors="replace")
