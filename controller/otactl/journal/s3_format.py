"""Defines the objects of a journal on S3 and their keys; all of them are gzipped JSON.

1. `heads/<environment>` is the only object ever replaced. It says which record is at which revision in which segment,
   and who holds the lease; to replace it is to commit.
2. `segments/<environment>/<serial>-<commit>` holds the records of one commit with their newest events, and what was
   merged into it. `events/<environment>/<serial>-<commit>` holds events that grew too many for a segment. Neither is
   ever replaced or deleted.
3. `journal` says that this prefix is a journal, and of which schema.
4. `serial` counts an environment's commits; a commit's name is drawn at random, so no two heads have equal bytes.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Set
from typing import TypeVar

import msgspec

from otactl.errors import StalledError, UsageError
from otactl.journal.leases import Held
from otactl.model import Value
from otactl.ports import Identity
from otactl.state.event_chain import Link

T = TypeVar("T", bound=msgspec.Struct)
SCHEMA = 4  # 1 had no id, 2 named the fields of its records otherwise, 3 had no chain of events
UNCHAINED = 3
MARKER = "journal.json.gz"
HEADS, SEGMENTS, EVENTS = "heads", "segments", "events"
_SUFFIX = ".json.gz"
REMEMBERED_COMMITS = 32  # so many writes of others may come between ours and our reading it back
MAX_SEGMENTS = 8  # what a pass with an empty cache reads, besides the head
MERGE_RATIO = 2
MAX_TAIL = 32  # events that are carried along with their record


class Marker(Value, frozen=True, kw_only=True):
    """Marks a prefix as a journal, with its id; `copying` names the copy that is being written into it."""

    schema: int = SCHEMA
    copying: str = ""
    id: str = ""
    replaces: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity:
        """Return which journal it is."""
        return Identity(id=self.id, replaces=self.replaces)

    def named(self, identity: Identity) -> Marker:
        """Return the same with the name of a journal, in the present schema."""
        return msgspec.structs.replace(self, schema=SCHEMA, id=identity.id, replaces=identity.replaces)


class Kept(Value, frozen=True, kw_only=True):
    """An event as it is stored: its number in the environment, the revision it came with, its link in the chain."""

    sequence: int
    revision: int
    event: msgspec.Raw
    link: Link | None = None


class Entry(Value, frozen=True, kw_only=True):
    """A record as it is stored, with its newest events; `older` names the objects that hold the others, in order.

    `chain` is the head of the chain of its events.
    """

    revision: int
    record: msgspec.Raw
    older: tuple[str, ...] = ()
    tail: tuple[Kept, ...] = ()
    chain: Link | None = None


class Segment(Value, frozen=True, kw_only=True):
    """Entries by rollout name; only those a head's index points to count."""

    environment: str
    records: dict[str, Entry]


class Pack(Value, frozen=True, kw_only=True):
    """Older events by rollout name."""

    environment: str
    events: dict[str, tuple[Kept, ...]]


class Head(Value, frozen=True, kw_only=True):
    """An environment at one moment; `index` maps a rollout's name to its place in `segments` and its revision."""

    environment: str
    serial: int = 0
    sequence: int = 0
    commits: tuple[str, ...] = ()
    held: Held | None = None
    segments: tuple[str, ...] = ()
    index: dict[str, tuple[int, int]] = {}  # noqa: RUF012 - msgspec copies it, and the value is frozen

    def __post_init__(self) -> None:
        """Check that each record is in a segment. Raises: ValueError, which a reader reports as damage."""
        strange = next((n for n, (place, _) in self.index.items() if not 0 <= place < len(self.segments)), None)
        if strange is not None:
            raise ValueError(f"the record of {strange!r} is in a segment that the head does not name")

    def revision(self, name: str) -> int:
        """Return a record's revision; 0 when there is none."""
        return self.index[name][1] if name in self.index else 0

    def segment_of(self, name: str) -> str | None:
        """Return the segment that holds a record."""
        return self.segments[self.index[name][0]] if name in self.index else None

    def to_merge(self, written: Set[str]) -> frozenset[str]:
        """Choose the segments whose records the commit that writes `written` takes along.

        Small ones first, while they hold at most twice what is written already, so that a record is rewritten
        a few times in all; and as many as keep the number of segments bounded.
        """
        live = Counter(place for name, (place, _) in self.index.items() if name not in written)
        total, left, chosen = len(written), len(live), set()
        for place, count in sorted(live.items(), key=lambda each: (each[1], each[0])):
            if count > MERGE_RATIO * total and left < MAX_SEGMENTS:
                break
            chosen.add(self.segments[place])
            total, left = total + count, left - 1
        return frozenset(chosen)

    def written(self, commit: str, entries: dict[str, Entry], sequence: int) -> Head:
        """Return the head after a commit: these entries in its own segment, segments without a live record dropped."""
        ours = segment_name(self.serial + 1, commit)
        homes = {name: self.segments[place] for name, (place, _) in self.index.items()} | dict.fromkeys(entries, ours)
        kept = [*(each for each in self.segments if each in set(homes.values())), ours]
        places = {each: place for place, each in enumerate(kept)}
        index = {
            name: (places[home], entries[name].revision if name in entries else self.index[name][1])
            for name, home in homes.items()
        }
        head = msgspec.structs.replace(
            self, serial=self.serial + 1, sequence=sequence, segments=tuple(kept), index=index
        )
        return head.named(commit)

    def named(self, commit: str) -> Head:
        """Return the same with the name of the write that stores it."""
        return msgspec.structs.replace(self, commits=(commit, *self.commits)[:REMEMBERED_COMMITS])


def segment_name(serial: int, commit: str) -> str:
    """Name the objects of one commit."""
    return f"{serial:010d}-{commit}"


def serial_of(name: str) -> int:
    """Return the serial in such a name; 0 if it has none."""
    number = name.partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


def head_key(environment: str) -> str:
    """Return the key of an environment's head."""
    return f"{HEADS}/{_safe(environment)}{_SUFFIX}"


def object_key(kind: str, environment: str, name: str) -> str:
    """Return the key of a segment or of events."""
    return f"{kind}/{_safe(environment)}/{name}{_SUFFIX}"


def environment_of(key: str) -> str:
    """Return the environment a key of any kind is of."""
    part = key.split("/")[1].removesuffix(_SUFFIX)
    raw = re.sub(rb"!([0-9A-F]{2})", lambda hexa: bytes.fromhex(hexa[1].decode()), part.encode())
    return raw.decode(errors="replace")


def name_of(key: str) -> str:
    """Return the name of a segment or of events in its key."""
    return key.rpartition("/")[2].removesuffix(_SUFFIX)


def _safe(environment: str) -> str:
    """Write any name with the characters S3 keys carry everywhere; all others, dots too, as `!` and hexadecimal."""
    return re.sub(rb"[^A-Za-z0-9_-]", lambda byte: b"!%02X" % byte[0][0], text_of(environment)).decode()


def text_of(name: str) -> bytes:
    """Return a name as bytes; raises `UsageError` for one that is no text."""
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{name!r} is not valid text; fix the name") from error


def pack(value: msgspec.Struct) -> bytes:
    """Write a value as an object's bytes, the same for equal values."""
    return gzip.compress(msgspec.json.encode(value), compresslevel=6, mtime=0)


_UNREADABLE = (OSError, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading an object raises where its bytes are damaged; a bad gzip header is an OSError."""


def unpack(data: bytes, kind: type[T], what: str) -> T:
    """Read an object's bytes; raises `DamagedError` naming `what`."""
    try:
        return msgspec.json.decode(gzip.decompress(data), type=kind)
    except _UNREADABLE as error:
        raise DamagedError(what, str(error)) from error


class DamagedError(StalledError):
    """What cannot be read, and why."""

    def __init__(self, what: str, why: str) -> None:
        next_step = "run `otactl journal check`, then restore a backup or run the version that wrote it"
        super().__init__("JournalIsDamaged", f"{what} cannot be read ({why}); {next_step}")
        self.why = why
