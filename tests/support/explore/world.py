"""Defines a small world as one frozen value: what is declared, what a service holds, what the journal remembers.

1. A world is never changed: a move makes another one, which shares what did not change.
2. `fingerprint` names a world. Times count from its own now, and what no rule reads (messages, revisions, closed
   drift) is left out, so that worlds that can only go on alike are one.
3. `sent` is what the walk itself remembers, to judge what the product did: no part of the product sees it.
"""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import msgspec

from otactl.model import Unit, UnitPhase, Value
from otactl.model.record import Record
from otactl.ports import Stored

START = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


class Manifest(Value, frozen=True, kw_only=True):
    """How one rollout is declared now, as the few choices that edits make."""

    name: str
    renamed: bool = False
    version: int = 0
    """0 is the rollout's own firmware, 1 the one that both rollouts can declare."""
    lenient: bool = False
    """A gate of 40 instead of 100 %."""
    without: str = ""
    """Wave that was taken out."""
    suspend: str = ""
    abort: bool = False
    removed: bool = False
    report: bool = False
    """`drift.mode: report`."""
    accept: bool = False
    """The loss of a unit, and what a service reports, are accepted."""
    resend: bool = False
    """What was sent already is to be sent again."""
    windowed: bool = False
    """It may start between 8 and 20 o'clock only."""


class Task(Value, frozen=True, kw_only=True):
    """What the service holds of one unit; `work` is how far each device has come.

    `waiting`, `started`, `mute` (it will not answer), `good`, `bad` or `canceled`; `cleared` by the stop.
    """

    unit: Unit
    work: dict[str, str]
    content: str
    """SHA-256 of the image that its devices receive."""
    rollout: str = ""
    """The declared rollout it was made for, by its first name; empty for one made by hand."""
    wave: str = ""
    ready_at: datetime | None = None
    """When its creation is complete, or, without names, when it is first listed."""
    gone_at: datetime | None = None
    """When its deletion is complete."""
    ends_at: datetime | None = None
    deeds: tuple[str, ...] = ()
    """What was done to it by hand."""
    forgotten: bool = False
    """Only its own presence tells of it: the journal was lost, and no run that wrote since has listed it."""

    @property
    def phase(self) -> UnitPhase:
        """Return how far it is at the service."""
        return self.unit.phase

    @property
    def busy(self) -> bool:
        """Return whether it holds its devices."""
        return self.phase in (UnitPhase.SCHEDULED, UnitPhase.RUNNING)


class Sent(Value, frozen=True, kw_only=True):
    """What a device was sent last: how often without another content between, and what became of it."""

    content: str = ""
    times: int = 0
    outcome: str = ""
    excused: bool = False
    """A person's own doing sent it, or wiped the memory of it."""
    resent: bool = False
    """The manifest asked to send again, and it was."""


class Change(Value, frozen=True, kw_only=True):
    """A change behind the back of otactl that must come into a ledger once it was seen."""

    subject: str
    """The service's id of the unit."""
    unit_id: str
    field: str
    at: datetime


class World(Value, frozen=True, kw_only=True):
    """Everything that may go on."""

    now: datetime = START
    manifests: tuple[Manifest, ...] = (Manifest(name="a"), Manifest(name="b"))
    tasks: dict[str, Task] = msgspec.field(default_factory=dict)
    made: int = 0
    tokens: dict[str, str] = msgspec.field(default_factory=dict)
    """Names that were ever given to a unit, with the service's id."""
    group: tuple[str, ...] = ("d2", "d3")
    broken: str = ""
    """`image` or `role`: what was changed under the rollouts."""
    journal: str = "feedfacecafe0001"
    records: dict[str, Stored] = msgspec.field(default_factory=dict)
    backup: dict[str, Stored] | None = None
    sent: dict[str, Sent] = msgspec.field(default_factory=dict)
    answers: dict[str, str] = msgspec.field(default_factory=dict)
    """What became of a device and a content, by `answer_key`."""
    changes: tuple[Change, ...] = ()

    def manifest(self, name: str) -> Manifest:
        """Find how a rollout is declared, by its first name."""
        return next(m for m in self.manifests if m.name == name)


def answer_key(device: str, content: str) -> str:
    """Return the key of what became of a device and a content."""
    return f"{device}/{content[:2]}"


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.msgpack.Decoder(World)
_PACKER = msgspec.msgpack.Encoder()
_TIME = re.compile(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
_SECONDS: dict[bytes, int] = {}


def pack(world: World) -> bytes:
    """Return a world as bytes, small enough to keep millions."""
    return zlib.compress(_PACKER.encode(world), 1)


def unpack(data: bytes) -> World:
    """Return the world of some bytes."""
    return _DECODER.decode(zlib.decompress(data))


def fingerprint(world: World) -> int:
    """Name a world by its content, with every time as seconds from its now (rule 2)."""
    now = _seconds(world.now.strftime("%Y-%m-%dT%H:%M:%SZ").encode())
    clock = world.now.time() if any(m.windowed for m in world.manifests) else None
    shown = (
        clock,
        world.manifests,
        world.tasks,
        sorted(world.tokens),
        world.group,
        world.broken,
        world.journal,
        [_memory(s.record) for _, s in sorted(world.records.items())],
        None if world.backup is None else [_memory(s.record) for _, s in sorted(world.backup.items())],
        world.sent,
        world.answers,
        world.changes,
    )
    text = _TIME.sub(lambda m: b"%d" % (_seconds(m.group(1)) - now), _ENCODER.encode(shown))
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def _seconds(text: bytes) -> int:
    found = _SECONDS.get(text)
    if found is None:
        moment = datetime.fromisoformat(text.decode())
        found = _SECONDS[text] = (moment - START) // timedelta(seconds=1)
    return found


def _memory(record: Record) -> object:
    """Return what a decision may read of a record."""
    return (
        record.name,
        record.backend,
        record.generation,
        record.manifest,
        record.phase,
        record.waves,
        [(i.action, i.unit_id, i.key, i.at, i.start_at, i.reason, i.not_found_since) for i in record.intents],
        [
            (e.subject, e.field, e.desired, e.observed, e.cause, e.status, e.manifest, e.origin, e.unseen_at)
            for e in record.drift
            if e.open
        ],
        [(h.reason, h.stalled, h.until, h.overdue_since) for h in record.holds],
        None if record.failure is None else (record.failure.reason, record.failure.sending),
        record.target_count,
        record.resend,
        record.previous_names,
        record.renamed_to,
        zlib.crc32(record.declaration.encode()),
    )
