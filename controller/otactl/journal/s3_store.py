"""Caches heads and segments for one process: read at most once, replaced by compare-and-set.

1. `look` always asks S3; what an unchanged head names was read before and never changes, so it is not read again.
2. `update` first tries on the head we know; a refusal is judged again on a head that was just read, so it is
   never old news. Whoever loses a race reads again and tries again.
3. A write that got no answer is read back: it is ours if the head reports its name.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar
from uuid import uuid4

import msgspec

from otactl.errors import ConflictError, JournalMissingError, LeaseHeldError, StalledError, TransientError, UsageError
from otactl.journal.identity import drawn, older
from otactl.journal.s3_client import Bucket, Client, RacedError, place_of
from otactl.journal.s3_format import (
    MARKER,
    SCHEMA,
    SEGMENTS,
    UNCHAINED,
    DamagedError,
    Entry,
    Head,
    Marker,
    Segment,
    head_key,
    object_key,
    pack,
    unpack,
)
from otactl.model import Value
from otactl.ports import Identity

T = TypeVar("T", bound=Value)
Change = Callable[[Head, str], Head | None]
RACES = 12  # each one lost means that another actor got on
_RACE_SECONDS = 0.05
_WORKERS = 8


class Seen(NamedTuple):
    """A head as it was read; the ETag is empty when there is none."""

    head: Head
    etag: str


class S3Store:
    """One journal's objects, shared by the threads of a process under a lock.

    `create=False`: the journal must exist; without `write` it is never written.
    """

    def __init__(
        self, url: str, *, create: bool, write: bool, client: Client | None, sleep: Callable[[float], None]
    ) -> None:
        self.bucket = Bucket(place_of(url), client, sleep)
        self.url = self.bucket.place.url
        self.lock = threading.RLock()
        self._create = create
        self._write = write
        self.marker = Marker()
        self._sleep = sleep
        self._heads: dict[str, Seen] = {}
        self._records: dict[str, dict[str, dict[str, Entry]]] = {}
        self._open()

    def look(self, environment: str) -> Head:
        """Read an environment's head; one that was never written is empty."""
        return self._look(environment).head

    def segments(self, environment: str, names: Iterable[str]) -> dict[str, dict[str, Entry]]:
        """Return the entries of these segments, reading those not read before."""
        cache = self._records.setdefault(environment, {})
        wanted = tuple(names)
        missing = [each for each in wanted if each not in cache]
        keys = [object_key(SEGMENTS, environment, each) for each in missing]
        for each, segment in zip(missing, self.fetch(keys, Segment), strict=True):
            cache[each] = segment.records
        return {each: cache[each] for each in wanted}

    def fetch(self, keys: Iterable[str], kind: type[T]) -> list[T]:
        """Read immutable objects side by side; raises `DamagedError` for one that is not there or not whole."""
        found: list[T] = []
        for each in self.fetch_what_is_whole(keys, kind):
            if isinstance(each, DamagedError):
                raise each
            found.append(each)
        return found

    def fetch_what_is_whole(self, keys: Iterable[str], kind: type[T]) -> list[T | DamagedError]:
        """Read immutable objects side by side; gives the error for one that is not there or not whole."""

        def one(key: str) -> T | DamagedError:
            what = f"journal {self.url}: {key}"
            found = self.bucket.read(key)
            if found is None:
                return DamagedError(what, "it is not there")
            try:
                return unpack(found.data, kind, what)
            except DamagedError as error:
                return error

        wanted = list(keys)
        if len(wanted) < 2:
            return [one(key) for key in wanted]
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            return list(pool.map(one, wanted))

    def keep(self, environment: str, name: str, segment: Segment) -> None:
        """Write a segment, and remember it: who wrote it need not read it."""
        self.bucket.keep(object_key(SEGMENTS, environment, name), pack(segment))
        self._records.setdefault(environment, {})[name] = segment.records

    def update(self, environment: str, change: Change) -> Head:
        """Replace an environment's head by the result of `change` on it and the write's name; None leaves it.

        What `change` writes before must be harmless when the head is not replaced. Gives the head as it is then.

        Raises: UsageError when the journal was opened to read, TransientError when other writers always come first.
        """
        if not self._write:
            raise UsageError(f"journal {self.url} cannot be opened or written: this verb only reads it")
        tried: set[str] = set()
        with self.lock:
            seen = self._heads.get(environment)
            for race in range(RACES):
                fresh = seen is None
                if seen is None:
                    seen = self._look(environment)
                if not tried.isdisjoint(seen.head.commits):  # the answer to that try was lost, or came late
                    return seen.head
                commit = uuid4().hex
                try:
                    head = change(seen.head, commit)
                except (ConflictError, LeaseHeldError):
                    if fresh:
                        raise
                    head = None
                if head is not None:
                    tried.add(commit)
                    if self._swap(environment, seen, head, commit):
                        return head
                elif fresh:
                    return seen.head
                seen = None
                if race:
                    self._sleep(_RACE_SECONDS * race * random.random())  # noqa: S311 - jitter, not a secret
        text = f"journal {self.url}: other processes keep writing to environment {environment}; nothing was written"
        raise TransientError(f"{text}, run again", retry_after=5.0, committed=False)

    def _swap(self, environment: str, seen: Seen, head: Head, commit: str) -> bool:
        """Replace the head that was seen by `head`; return False if another one is there by now."""
        key, data = head_key(environment), pack(head)
        try:
            etag = self.bucket.replace(key, data, seen.etag) if seen.etag else self.bucket.create(key, data)
        except RacedError:
            return self._is_there(environment, commit)
        except TransientError as error:
            if error.committed is None and self._is_there(environment, commit):
                return True
            raise
        self._heads[environment] = Seen(head, etag)
        return True

    def _is_there(self, environment: str, commit: str) -> bool:
        """Read back whether a write was stored (rule 3)."""
        try:
            return commit in self.look(environment).commits
        except TransientError as error:
            text = f"{error}; what was just written to environment {environment} may be there or not"
            raise TransientError(text, retry_after=error.retry_after) from error

    def _look(self, environment: str) -> Seen:
        known = self._heads.get(environment)
        key = head_key(environment)
        found = self.bucket.read(key, known.etag if known is not None else "")
        if found is not None and known is not None and found.etag == known.etag:
            return known
        seen = Seen(Head(environment=environment), "")
        if found is not None:
            seen = Seen(unpack(found.data, Head, f"journal {self.url}: {key}"), found.etag)
            if seen.head.environment != environment:
                raise DamagedError(f"journal {self.url}: {key}", f"it is of environment {seen.head.environment!r}")
        self._heads[environment] = seen
        cache, live = self._records.get(environment, {}), set(seen.head.segments)
        self._records[environment] = {name: records for name, records in cache.items() if name in live}
        return seen

    def _open(self) -> None:
        """Check that this is a journal of a known schema; create one if there is none and that is allowed."""
        found = self.bucket.read(MARKER)
        if found is None and not self._create:
            raise JournalMissingError(self.url, self.url)
        if found is None:
            made = Marker().named(drawn())
            try:
                self.bucket.create(MARKER, pack(made))
            except RacedError:  # another process came first, or our own write did whose answer was lost
                self._open()
            else:
                self.marker = made
            return
        self.marker = self._marker(found.data)
        if self.marker.copying:
            raise UsageError(
                f"journal {self.url} is the target of an unfinished copy; wait for it, or delete what is there "
                "and copy again"
            )

    def begin_chains(self) -> None:
        """Mark a journal from before the chain of events as one of the present schema, which older versions refuse."""
        if self._write and self.marker.schema == UNCHAINED:
            self.rename(lambda identity: identity)

    def rename(self, change: Callable[[Identity], Identity]) -> Identity:
        """Write the identity that `change` returns for the present one; return it.

        Raises: JournalMissingError when there is no journal, TransientError when other writers always come first.
        """
        for _ in range(RACES):
            found = self.bucket.read(MARKER)
            if found is None:
                raise JournalMissingError(self.url, self.url)
            known = self._marker(found.data)
            now = known.named(change(known.identity))
            if now != known:
                try:
                    self.bucket.replace(MARKER, pack(now), found.etag)
                except RacedError:
                    continue  # another actor wrote, or our own answer was lost: read again
            self.marker = now
            return now.identity
        text = f"journal {self.url}: other processes keep writing what it is; nothing was written, run again"
        raise TransientError(text, retry_after=5.0, committed=False)

    def _marker(self, data: bytes) -> Marker:
        """Read what the journal says of itself; raises `StalledError` for a newer schema, else `UsageError`."""
        try:
            version = unpack(data, _Version, MARKER)
            if version.schema in (SCHEMA, UNCHAINED):
                return unpack(data, Marker, MARKER)
        except StalledError as error:
            raise UsageError(f"{self.url} is not a journal; name another with --journal") from error
        if version.schema < SCHEMA:
            raise older(f"journal {self.url}", version.schema, SCHEMA, version.id)
        text = f"journal {self.url} has schema {version.schema}, this version knows {SCHEMA}; run a newer otactl"
        raise StalledError("JournalIsNewer", text)


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that every schema has; `id` since schema 2."""

    schema: int
    id: str = ""
