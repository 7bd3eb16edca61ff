"""What the journal remembers of a rollout between passes: enough to go on after a crash at any call.

1. An intent is committed before its call is sent; its outcome clears it. An intent still here means: unknown, look.
2. Membership is frozen when a wave starts; results are copied here before the unit is deleted.
3. Drift entries (drift.py) are never dropped: they close.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import msgspec

from controller.model.conditions import Condition, Failure, LastRun, RecordedHold
from controller.model.drift import DriftEntry
from controller.model.observation import DeviceResult, Outcome, Proving, Reason
from controller.model.value import JsonObject, Value


class Stage(StrEnum):
    """How far an attempt has come, in the order of its life (lifecycle.py holds the transitions)."""

    DECLARED = "declared"
    OPEN = "open"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    JUDGED = "judged"
    CLEANED = "cleaned"
    SUPERSEDED = "superseded"
    LOST = "lost"
    FAILED = "failed"  # the service could not make it; nothing was sent

    @property
    def is_over(self) -> bool:
        """Nothing of the unit is left to look at or to clean up."""
        return self in (Stage.CLEANED, Stage.SUPERSEDED, Stage.LOST)


class Phase(StrEnum):
    """Where a rollout stands as a whole."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    ABORTED = "Aborted"
    ORPHANED = "Orphaned"  # its manifest left Git, its units did not leave the service
    REMOVED = "Removed"  # neither is there any more


class RecordedCall(Value, frozen=True, kw_only=True):
    """A vendor call as it was, or is to be, sent; blobs are `{"base64": …}`, times ISO 8601."""

    service: str
    operation: str
    parameters: JsonObject


class Intent(Value, frozen=True, kw_only=True):
    """What we were about to do: committed before the call, cleared by its outcome.

    `why` tells deletions apart; `unseen_at` is when a create that may be lost was first not to be seen any more.
    """

    action: str
    unit_id: str
    key: str
    call: RecordedCall
    at: datetime
    start_at: datetime | None = None
    why: str = ""
    unseen_at: datetime | None = None

    @property
    def makes(self) -> bool:
        """Whether its call makes a unit, the first time or again."""
        return self.action in ("createUnit", "resendCreate")


class Baseline(Value, frozen=True, kw_only=True):
    """Image and role as they were when the wave was first observed: what 'changed' is measured against."""

    image: str = ""
    role: str = ""


class Attempt(Value, frozen=True, kw_only=True):
    """One unit of a wave: how it is named, where it stands, what became of its devices.

    `declared` are the fields set when it was created (only those can be missing later); `members` the targets once seen
    inside, `targets` those we put in; `created_at`, `touched_at` and `sent_at` when we learned of it, last changed it
    and started it, for reads that lag. `annotations` is the digest of what only the service holds, as we last wrote it,
    so that an edit of the manifest is not taken for drift; `former` are names it had before an update in place.
    `devices` are the identities of those it was started with (all of them count), single ones and those of its groups,
    `names` what people call them, `before` those that showed success already,
    whose success later proves nothing. `failure` is why the service could not make or delete it, `stood_on` the image
    and role it was made with, `left` what its failing left behind; `canceled` tells that we stopped it for other
    content, so that it is never judged, `broken_at` since when what carried it is gone; `progress` counts devices while
    it runs; `noted` are digests of the fields as we last wrote them. `parts` are the service's ids of what one making
    took several calls for, by the key of the call. `only` are the targets of a retry (none: the whole wave), `tries`
    which try it is; `tally` counts devices by outcome while it runs, `failures` those that failed by reason. `proving`
    is kept until it is gone, `data_rates` are those its service chose, by target: read once, since a session keeps its
    rate. `unseen` counts how often each change was sent whose effect is not shown yet. `content` is the sha256 of
    the image it carries; `rollout` the name its rollout had when it was made, where that is another by now; `spared`
    are devices that reported the version before its start, so that it was not for them, each with its target.
    `withdrawn` tells that a suspension canceled it, or deleted it before its start, so that only its `rest` is made up
    for. `journal` is the journal its tag was last seen to name, `lost_at` when it was believed gone, `canceled_before`
    how many of its devices somebody had canceled when we stopped it.
    """

    number: int
    generation: str
    unit_id: str
    stage: Stage = Stage.DECLARED
    vendor_id: str | None = None
    arn: str | None = None
    job_id: str = ""
    declared: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    created_at: datetime | None = None
    touched_at: datetime | None = None
    start_at: datetime | None = None
    started_by_us: bool = False
    sent_at: datetime | None = None
    ended_at: datetime | None = None
    results: tuple[DeviceResult, ...] = ()
    annotations: str = ""
    former: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    names: dict[str, str] = {}
    before: tuple[str, ...] = ()
    failure: str = ""
    stood_on: Baseline = Baseline()
    left: tuple[str, ...] = ()
    canceled: bool = False
    withdrawn: bool = False
    broken_at: datetime | None = None
    noted: dict[str, str] = {}
    progress: dict[str, int] = {}
    parts: dict[str, str] = {}
    only: tuple[str, ...] = ()
    tries: int = 1
    tally: dict[Outcome, int] = {}
    failures: dict[Reason, int] = {}
    proving: Proving | None = None
    data_rates: dict[str, int] = {}
    unseen: dict[str, int] = {}
    content: str = ""
    rollout: str = ""
    spared: dict[str, str] = {}
    journal: str = ""
    lost_at: datetime | None = None
    canceled_before: int = 0

    def deleted(self, why: str, at: datetime) -> Attempt:
        """The attempt once we have deleted its unit. One deleted before its start was never sent to anybody."""
        start_at = self.start_at if self.start_at is None or at >= self.start_at else None
        stage = Stage.CLEANED if why == "cleanup" else Stage.SUPERSEDED
        return msgspec.structs.replace(
            self, stage=stage, start_at=start_at, withdrawn=self.withdrawn or why == "suspended"
        )

    @property
    def rest(self) -> tuple[DeviceResult, ...]:
        """The devices that had not begun when we stopped it, and that nobody had canceled by hand."""
        return tuple(r for r in self.results if self.canceled and r.reason is Reason.CANCELED and not r.by_hand)

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The devices that a person canceled, by what people call them."""
        return tuple(r.name or r.device for r in self.results if r.by_hand)

    @property
    def cut_short(self) -> bool:
        """Whether we stopped it before each of its devices had its turn. A stop that came too late did not."""
        return self.canceled and (not self.results or bool(self.rest))

    @property
    def was_sent(self) -> bool:
        """Whether it reached devices, as far as anybody knows: one that could not be made did not."""
        return self.start_at is not None and (not self.failure or bool(self.results))

    @property
    def never_started(self) -> bool:
        """Whether its unit was deleted before its start, or stopped before any device began: it froze nothing."""
        deleted = self.stage is Stage.SUPERSEDED and self.start_at is None
        return self.canceled and all(r.reason is Reason.CANCELED for r in self.results) if self.results else deleted

    @property
    def reached(self) -> bool:
        """Whether devices may have got its content, as far as anybody knows."""
        return self.was_sent and not self.never_started

    @property
    def size(self) -> int:
        """How many devices it was begun with, as far as anybody recorded that; 0 where groups hide their number."""
        if self.only or self.devices:
            return len(set(self.only) - set(self.spared.values())) or len(self.devices)
        keys = self.targets or self.members
        return 0 if any(k.startswith(("group:", "thingGroup:")) for k in keys) else len(keys)

    @property
    def counted(self) -> dict[Outcome, int]:
        """Its devices by outcome while it runs; those it was begun with and nobody shows yet are waiting, too."""
        hidden = max(self.size - sum(self.tally.values()), 0)
        waiting = self.tally.get(Outcome.WAITING, 0) + hidden
        return {**self.tally, Outcome.WAITING: waiting} if self.tally and hidden else self.tally

    @property
    def again(self) -> frozenset[str]:
        """The devices a retry tries again, by target key and by name; none for a whole wave."""
        return frozenset({*self.only, *(key.partition(":")[2] for key in self.only)})

    @property
    def keys(self) -> frozenset[str]:
        """Every target key by which what it holds may be named: targets as declared, and their devices."""
        called = (f"devEui:{self.names[d]}" for d in self.devices if d in self.names)
        return frozenset({*self.members, *(f"device:{d}" for d in self.devices), *called})

    @property
    def vendor_ids(self) -> tuple[str, ...]:
        """Everything the service made for it, by the service's ids."""
        return tuple(dict.fromkeys(i for i in (self.vendor_id, *self.parts.values()) if i is not None))

    @property
    def ended(self) -> bool:
        """Whether its results were recorded, whatever is still looked at."""
        return self.stage in (Stage.JUDGED, Stage.CLEANED) or self.ended_at is not None

    @property
    def live(self) -> bool:
        """Whether the service may still hold this unit in flight."""
        return self.stage in (Stage.DECLARED, Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING)


class Verdict(Value, frozen=True, kw_only=True):
    """A wave judged from its devices, since `at`.

    `reason` is the fact that keeps it from passing; `weighted` are the failures by the gate's weights, `unanswered` the
    devices among the failed that gave no answer.
    """

    passed: bool
    succeeded: int
    failed: int
    total: int
    needed_percent: float
    at: datetime
    reason: str = ""
    weighted: float = 0.0
    unanswered: int = 0

    @property
    def percent(self) -> float:
        """Devices that succeeded, in percent of all; 0 for an empty wave, which never passes."""
        return 100.0 * self.succeeded / self.total if self.total else 0.0


class WaveRecord(Value, frozen=True, kw_only=True):
    """One wave's memory; `released` when it passed and stayed well for its soak.

    `asked` names the devices inside its groups as they were when a run last asked for an approval; `joined` are devices
    by key that joined its groups after its content was begun, and that get a wave at the end.
    """

    name: str
    members: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    baseline: Baseline = Baseline()
    verdict: Verdict | None = None
    verdict_generation: str = ""
    released: bool = False
    asked: str = ""
    joined: tuple[str, ...] = ()

    def begun(self, generation: str) -> bool:
        """Whether a unit of this content was made since other content was.

        One that its service could not make, or that was deleted before its start, does not count.
        """
        made = (a for a in self.since(generation) if a.vendor_id is not None and not a.never_started)
        return any(not a.failure or a.results for a in made)

    def took(self, generation: str) -> frozenset[str]:
        """Devices that took this content in attempts that were stopped, or before a retry of the others."""
        attempts = self.since(generation)
        again = any(a.only for a in attempts)
        earlier = (a for a in attempts if a.canceled or again)
        return frozenset(r.device for a in earlier for r in a.results if r.outcome is Outcome.SUCCEEDED)

    def since(self, generation: str) -> tuple[Attempt, ...]:
        """The attempts at this content since other content was last begun: what came before was put over."""
        last = max((i for i, a in enumerate(self.attempts) if a.generation != generation and a.reached), default=-1)
        return tuple(a for a in self.attempts[last + 1 :] if a.generation == generation)

    @property
    def current(self) -> Attempt | None:
        """The newest attempt, if any."""
        return self.attempts[-1] if self.attempts else None


class Home(Value, frozen=True, kw_only=True):
    """Where units live: what an environment was when they were made."""

    account: str
    region: str
    owner: str


class Record(Value, frozen=True, kw_only=True):
    """A rollout's memory; `backend` is the service that drives it.

    `source` is the manifest's path as it was given, `place` its one place (`Source`); `targets` is how many it declared
    when that was last let pass; `formerly` are names of rollouts whose record it took over, `renamed_to` is the one
    that took this over; `holds` are all of the last look, `failure` an error
    that stopped it or what it sent. `run` is kept in the record of the environment itself.
    `home` is where its units live; `declaration` the rollout as last declared, as JSON, while something of it is under
    way: what looking at it takes without a manifest.
    """

    environment: str
    name: str
    backend: str = "fuota"
    generation: str = ""
    manifest: str = ""
    source: str = ""
    place: str = ""
    version: str = ""
    phase: Phase = Phase.PENDING
    waves: tuple[WaveRecord, ...] = ()
    intents: tuple[Intent, ...] = ()
    drift: tuple[DriftEntry, ...] = ()
    conditions: tuple[Condition, ...] = ()
    requeue_at: datetime | None = None
    targets: int = 0
    formerly: tuple[str, ...] = ()
    renamed_to: str = ""
    holds: tuple[RecordedHold, ...] = ()
    failure: Failure | None = None
    run: LastRun | None = None
    home: Home | None = None
    declaration: str = ""

    @property
    def under_way(self) -> bool:
        """Whether the service holds a unit of it that has not ended, or may come to hold one."""
        return any(a.live and a.vendor_id is not None for a in self.attempts) or any(i.makes for i in self.intents)

    @property
    def key(self) -> str:
        """The journal's key."""
        return f"{self.environment}/{self.name}"

    def wave(self, name: str) -> WaveRecord | None:
        """Find a wave's memory by name."""
        return next((w for w in self.waves if w.name == name), None)

    def with_wave(self, wave: WaveRecord) -> Record:
        """The same with this memory of a wave, in the place of the one before or behind the others."""
        waves = self.waves if self.wave(wave.name) else (*self.waves, wave)
        return msgspec.structs.replace(self, waves=tuple(wave if w.name == wave.name else w for w in waves))

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt of every wave, oldest first within a wave."""
        return tuple(a for w in self.waves for a in w.attempts)

    def with_attempts(self, change: Callable[[str, Attempt], Attempt]) -> Record:
        """The same with each attempt changed, given the name of its wave."""
        waves = ([change(w.name, a) for a in w.attempts] for w in self.waves)
        changed = zip(self.waves, waves, strict=True)
        return msgspec.structs.replace(
            self, waves=tuple(msgspec.structs.replace(w, attempts=tuple(a)) for w, a in changed)
        )

    @property
    def vendor_ids(self) -> frozenset[str]:
        """Everything a service made for it, ever."""
        return frozenset(i for a in self.attempts for i in a.vendor_ids)

    @property
    def finished(self) -> bool:
        """Nothing is left to do or to watch for this generation."""
        return self.phase is Phase.SUCCEEDED and not self.intents and not any(a.live for a in self.attempts)


class Event(Value, frozen=True, kw_only=True):
    """One line of a rollout's history, written in the same commit as the record it explains."""

    at: datetime
    kind: str
    subject: str
    message: str
    data: JsonObject = {}
