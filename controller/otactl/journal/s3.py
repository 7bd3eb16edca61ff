"""Stores the journal on S3, for runners without a disk: one head object for each environment, compare-and-set.

1. A commit writes immutable objects first, events and records, under names no one else has; then it replaces the
   head under `If-Match`. That one write is the commit: before it nothing has changed, after it everything has.
2. Lease, fencing number and all revisions are in that head. Whatever another process wrote since we read it makes our
   write fail; we read again and judge again, so a former holder never gets through.
3. A head is read whole and what it names never changes: a reader sees one moment, without a lock.
4. A write whose answer was lost is recognised: each has a name of its own, and a head reports the last few names.
5. What a dead or outrun process left behind is referred to by nothing. Nothing is ever deleted here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from otactl.journal.chain_reading import ChainedEvent, ChainReading
from otactl.journal.contents import Contents
from otactl.journal.identity import replacing
from otactl.journal.leases import ended_by_hand, given_back, grant
from otactl.journal.process_liveness import current
from otactl.journal.s3_client import Client
from otactl.journal.s3_commit import draft, judge, prepare
from otactl.journal.s3_copy import fill
from otactl.journal.s3_dump import S3Rows
from otactl.journal.s3_format import (
    EVENTS,
    HEADS,
    DamagedError,
    Entry,
    Head,
    Kept,
    Pack,
    environment_of,
    object_key,
    pack,
    text_of,
)
from otactl.journal.s3_store import S3Store
from otactl.model import Event, Record, Value
from otactl.ports import Commit, Identity, Lease, Stored

T = TypeVar("T", bound=Value)


class S3Journal:
    """A `Journal` under one prefix of one bucket; threads may share it, processes each open their own.

    `create=False`: the journal must exist, and is never written unless `write`. `client` and `sleep` replace boto3's
    own client and the wait before another try.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        write: bool | None = None,
        client: Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        writes = create if write is None else write
        self.store = S3Store(url, create=create, write=writes, client=client, sleep=sleep)

    @property
    def path(self) -> str:
        """Return the URL, for messages."""
        return self.store.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: nothing is held between two calls."""

    def size_bytes(self) -> int:
        """Return the bytes of all its objects; one call lists 1,000 of them."""
        return self.store.bucket.size()

    def identity(self) -> Identity:
        """Return which journal this is, wherever it lies."""
        return self.store.marker.identity

    def take_over(self, lost: str) -> Identity:
        """Take over from the journal `lost`; return the identity of this journal."""
        return self.store.rename(lambda identity: replacing(identity, lost))

    def load(self, environment: str, name: str) -> Stored:
        """Load one rollout's record; an unknown one is empty at revision 0."""
        entry = self._entry(environment, name)
        if entry is None:
            return Stored(record=Record(environment=environment, name=name), revision=0)
        return self._stored(environment, name, entry)

    def load_all(self, environment: str) -> dict[str, Stored]:
        """Load every record of an environment, by rollout name: the head, and the few segments not read before."""
        with self.store.lock:
            head = self.store.look(environment)
            segments = self.store.segments(environment, head.segments)
        return {
            name: self._stored(environment, name, self._pick(head, name, segments[head.segments[place]]))
            for name, (place, _) in sorted(head.index.items())
        }

    def environments(self) -> tuple[str, ...]:
        """Name every environment with a record."""
        with self.store.lock:
            named = sorted({environment_of(key) for key in self.store.bucket.keys(f"{HEADS}/")})
            return tuple(environment for environment in named if self.store.look(environment).index)

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        """Write records and their events, all or none; gives the new revision by rollout name.

        All commits are of one environment, the one `fencing` was given for. Raises `ConflictError` (rule 2), and
        `TransientError` with `committed=None` when no answer came and none could be read back.
        """
        prepared = prepare(self.path, commits)
        revisions: dict[str, int] = {}
        if not prepared:
            return revisions
        environment, store = commits[0].record.environment, self.store
        names = {each.name for each in prepared}

        def change(head: Head, commit: str) -> Head:
            judge(head, prepared, fencing)
            merging = head.to_merge(names)
            homes = {home for home in map(head.segment_of, names) if home is not None}
            segments = store.segments(environment, merging | homes)
            unchained = {
                name: self._kept(environment, name, entry)
                for name in names
                if (home := head.segment_of(name)) is not None
                and (entry := self._pick(head, name, segments[home])).chain is None
            }
            drafted = draft(head, commit, prepared, segments, merging, unchained)
            if drafted.pack is not None:
                store.bucket.keep(object_key(EVENTS, environment, drafted.name), pack(drafted.pack))
            store.keep(environment, drafted.name, drafted.segment)
            revisions.update(drafted.revisions)
            return drafted.head

        store.begin_chains()
        store.update(environment, change)
        return revisions

    def history(self, environment: str, name: str) -> tuple[Event, ...]:
        """Read a rollout's events, oldest first."""
        entry = self._entry(environment, name)
        if entry is None:
            return ()
        return tuple(
            self._decode(each.event, Event, f"an event of {environment}/{name} at revision {each.revision}")
            for each in self._kept(environment, name, entry)
        )

    def chained(self, environment: str, name: str) -> ChainReading:
        """Read a rollout's events as they are chained, with the head of the chain."""
        entry = self._entry(environment, name)
        if entry is None:
            return ChainReading(environment, name, (), None)
        kept = self._kept(environment, name, entry)
        events = tuple(
            ChainedEvent(k.sequence, k.revision, bytes(k.event).decode(errors="replace"), k.link) for k in kept
        )
        return ChainReading(environment, name, events, entry.chain)

    def lease(self, environment: str) -> Lease | None:
        """Return who holds the environment, if anyone ever did; one released or in the past holds no one."""
        with self.store.lock:
            held = self.store.look(environment).held
        return None if held is None else held.lease

    def acquire(self, environment: str, holder: str, now: datetime) -> Lease:
        """Take the lease for this process, or renew it; raises `LeaseHeldError` while another one lives (leases.py)."""
        granted: list[Lease] = []

        def change(head: Head, commit: str) -> Head:
            held = grant(head.held, environment, holder, current(), now)
            granted[:] = [held.lease]
            return msgspec.structs.replace(head, held=held).named(commit)

        self.store.update(environment, change)
        return granted[0]

    def release(self, lease: Lease, now: datetime) -> None:
        """Release the lease if it is still ours; its fencing number stays on record."""

        def change(head: Head, commit: str) -> Head | None:
            held = head.held
            if held is None or (held.lease.fencing, held.lease.holder) != (lease.fencing, lease.holder):
                return None
            return msgspec.structs.replace(head, held=given_back(held, now)).named(commit)

        self.store.update(lease.environment, change)

    def end_lease(self, environment: str, now: datetime) -> Lease | None:
        """Release anyone's lease by hand, so that its holder commits no more.

        Returns it as it was, None if none is held.
        """
        former: list[Lease] = []

        def change(head: Head, commit: str) -> Head | None:
            former.clear()
            ended = ended_by_hand(head.held, now)
            if head.held is None or ended is None:
                return None
            former.append(head.held.lease)
            return msgspec.structs.replace(head, held=ended).named(commit)

        self.store.update(environment, change)
        return former[0] if former else None

    @contextmanager
    def reading(self) -> Iterator[S3Rows]:
        """Yield the journal in rows, for its maintenance: one moment of each environment."""
        yield S3Rows(self.store)

    def fill(self, contents: Contents) -> None:
        """Write everything into this journal, which must be empty. Raises: UsageError when it is not."""
        fill(self.store, contents)

    def _kept(self, environment: str, name: str, entry: Entry) -> tuple[Kept, ...]:
        packs = self.store.fetch([object_key(EVENTS, environment, each) for each in entry.older], Pack)
        return (*(event for each in packs for event in each.events.get(name, ())), *entry.tail)

    def _entry(self, environment: str, name: str) -> Entry | None:
        text_of(name)
        with self.store.lock:
            head = self.store.look(environment)
            home = head.segment_of(name)
            return None if home is None else self._pick(head, name, self.store.segments(environment, (home,))[home])

    def _pick(self, head: Head, name: str, records: dict[str, Entry]) -> Entry:
        entry = records.get(name)
        if entry is None or entry.revision != head.revision(name):
            found = "is not there" if entry is None else f"is at revision {entry.revision}"
            why = f"the head says revision {head.revision(name)}, in its segment it {found}"
            raise DamagedError(f"journal {self.path}: the record {head.environment}/{name}", why)
        return entry

    def _stored(self, environment: str, name: str, entry: Entry) -> Stored:
        what = f"the record {environment}/{name}"
        record = self._decode(entry.record, Record, what)
        if (record.environment, record.name) != (environment, name):
            raise DamagedError(f"journal {self.path}: {what}", f"it is of {record.key!r}")
        if entry.revision < 1:
            raise DamagedError(f"journal {self.path}: {what}", f"its revision is {entry.revision}")
        return Stored(record=record, revision=entry.revision)

    def _decode(self, text: msgspec.Raw, kind: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # ValidationError is one
            raise DamagedError(f"journal {self.path}: {what}", str(error)) from error
