"""What the journal remembers of a rollout between passes: enough to continue after a crash at any call.

1. An intent is committed before its call is sent; its outcome clears it. An intent that is still here means: unknown,
   read the service.
2. Membership is frozen when a wave starts; results are copied here before the unit is deleted.
3. Drift entries (drift.py) are never dropped: they close.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import msgspec

from otactl.model.attempt import Attempt, Baseline, Home
from otactl.model.conditions import Condition, Failure, LastRun, RecordedHold
from otactl.model.device_result import Outcome
from otactl.model.drift import DriftEntry
from otactl.model.notices import Notice, ReceiverFailure
from otactl.model.values import JsonObject, Value


class Phase(StrEnum):
    """Where a rollout stands as a whole."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    ABORTED = "Aborted"
    ORPHANED = "Orphaned"  # its manifest was removed from Git while units exist
    REMOVED = "Removed"  # and its units are deleted or ended


class RecordedCall(Value, frozen=True, kw_only=True):
    """A vendor call as it was, or is to be, sent; blobs are `{"base64": …}`, times ISO 8601."""

    service: str
    operation: str
    parameters: JsonObject


class Intent(Value, frozen=True, kw_only=True):
    """What a run was about to do: committed before the call, cleared by its outcome."""

    action: str
    unit_id: str
    key: str
    """Key of the call; calls of one action have different keys."""
    call: RecordedCall
    at: datetime
    start_at: datetime | None = None
    """Start that the call asks for."""
    reason: str = ""
    """Tells deletions apart: `cleanup`, `suspended`, …"""
    not_found_since: datetime | None = None
    """When a create whose answer was lost was first not found."""

    @property
    def creates(self) -> bool:
        """Return whether its call makes a unit, the first time or again."""
        return self.action in ("createUnit", "resendCreate")


class ResendPermission(Value, frozen=True, kw_only=True):
    """What `strategy.resend` allows: to send an image once more to each device."""

    sha256: str
    """The image that was declared when a run first saw the field; empty once another was declared with it."""
    at: datetime
    """When a run first saw the field."""


class Verdict(Value, frozen=True, kw_only=True):
    """The judgement of a wave from its devices."""

    passed: bool
    """True if the gate is reached."""
    succeeded: int
    failed: int
    total: int
    needed_percent: float
    """Successes that the gate requires, in percent."""
    at: datetime
    """Since when this is the verdict."""
    reason: str = ""
    """The fact that keeps it from passing."""
    weighted: float = 0.0
    """Failures by the gate's weights."""
    unanswered: int = 0
    """Number of devices among the failed that gave no answer."""
    fleet: int | None = None
    """Devices of the wave and of those after it, as a gate with a confidence counted them; None where no one can."""

    @property
    def percent(self) -> float:
        """Return devices that succeeded, in percent of all; 0 for an empty wave, which never passes."""
        return 100.0 * self.succeeded / self.total if self.total else 0.0


class WaveRecord(Value, frozen=True, kw_only=True):
    """One wave's memory."""

    name: str
    members: tuple[str, ...] = ()
    """Target keys, frozen when its first unit is created."""
    attempts: tuple[Attempt, ...] = ()
    baseline: Baseline = Baseline()
    """Image and role when the wave was first observed."""
    verdict: Verdict | None = None
    verdict_generation: str = ""
    """Generation that the verdict is of."""
    released: bool = False
    """True once it passed and stayed well for its soak."""
    approval_devices: str = ""
    """Devices inside its groups when a run last asked for an approval."""
    joined: tuple[str, ...] = ()
    """Devices that joined its thing groups after it passed."""

    def started(self, generation: str) -> bool:
        """Return whether a unit of this content was made since other content was.

        One that its service could not make, or that was deleted before its start, does not count.
        """
        made = (a for a in self.attempts_since(generation) if a.vendor_id is not None and not a.never_started)
        return any(not a.failure or a.results for a in made)

    def verdict_of(self, generation: str) -> Verdict | None:
        """Return the verdict if it is of a revision: one of another says nothing of the attempts since."""
        return self.verdict if self.verdict_generation == generation else None

    def updated_devices(self, generation: str) -> frozenset[str]:
        """Return devices that took this revision in attempts that were stopped, or before a retry of the others."""
        attempts = self.attempts_since(generation)
        again = any(a.retry_targets for a in attempts)
        earlier = (a for a in attempts if a.canceled_by_us or again)
        return frozenset(r.device for a in earlier for r in a.results if r.outcome is Outcome.SUCCEEDED)

    def attempts_since(self, generation: str) -> tuple[Attempt, ...]:
        """Return the attempts at this revision since another revision last reached devices."""
        last = max((i for i, a in enumerate(self.attempts) if a.generation != generation and a.reached), default=-1)
        return tuple(a for a in self.attempts[last + 1 :] if a.generation == generation)

    @property
    def current(self) -> Attempt | None:
        """Return the newest attempt, if any."""
        return self.attempts[-1] if self.attempts else None


class Record(Value, frozen=True, kw_only=True):
    """A rollout's memory in the journal."""

    environment: str
    name: str
    backend: str = ""
    """Kind of the backend that drives it; empty before its first pass."""
    generation: str = ""
    """Digest of what devices receive."""
    manifest: str = ""
    """Digest of the manifest."""
    commit: str = ""
    """The commit that first had this manifest, as the run reported it."""
    source: str = ""
    """The manifest's path as it was given."""
    manifest_path: str = ""
    """Path of the manifest in its repository."""
    version: str = ""
    """Declared firmware version."""
    phase: Phase = Phase.PENDING
    waves: tuple[WaveRecord, ...] = ()
    intents: tuple[Intent, ...] = ()
    """Calls whose outcome is not recorded yet."""
    drift: tuple[DriftEntry, ...] = ()
    conditions: tuple[Condition, ...] = ()
    requeue_at: datetime | None = None
    """When the next look is due, where that is a fixed time."""
    target_count: int = 0
    """Number of targets declared when that was last allowed."""
    previous_names: tuple[str, ...] = ()
    """Names of rollouts whose record it took over."""
    renamed_to: str = ""
    """Name of the rollout that took this record over."""
    holds: tuple[RecordedHold, ...] = ()
    """All holds of the last pass."""
    failure: Failure | None = None
    """The error that stopped its last pass, or its last call."""
    last_run: LastRun | None = None
    """The last run, in the record of the environment itself."""
    notices: tuple[Notice, ...] = ()
    """What happened to it that receivers have not accepted yet."""
    receiver_failures: dict[str, ReceiverFailure] = {}
    """Receivers of notices that accept nothing, in the record of the environment itself."""
    home: Home | None = None
    """Where its units live; an attempt that was made elsewhere says so itself."""
    resend: ResendPermission | None = None
    """What `strategy.resend` allows; None while the manifest does not have it."""
    declaration: str = ""
    """The rollout as last declared, as JSON, while a unit may exist: what assessing it without a manifest takes."""

    @property
    def under_way(self) -> bool:
        """Return whether the service holds a unit of it that has not ended, or may come to hold one."""
        return any(a.live and a.vendor_id is not None for a in self.attempts) or any(i.creates for i in self.intents)

    def start_pending_since(self, unit_id: str) -> datetime | None:
        """Return since when a call that starts a unit has no outcome, so that its devices may receive it; or None."""
        return next((i.at for i in self.intents if i.unit_id == unit_id and i.start_at is not None), None)

    @property
    def key(self) -> str:
        """Return the journal's key."""
        return f"{self.environment}/{self.name}"

    def wave(self, name: str) -> WaveRecord | None:
        """Find a wave's memory by name."""
        for wave in self.waves:  # asked so often that a generator shows in profiles
            if wave.name == name:
                return wave
        return None

    def with_wave(self, wave: WaveRecord) -> Record:
        """Return the same with this memory of a wave, in the place of the one before or behind the others."""
        waves = self.waves if self.wave(wave.name) else (*self.waves, wave)
        return msgspec.structs.replace(self, waves=tuple(wave if w.name == wave.name else w for w in waves))

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Return every attempt of every wave, oldest first within a wave."""
        return tuple(a for w in self.waves for a in w.attempts)

    def with_attempts(self, change: Callable[[str, Attempt], Attempt]) -> Record:
        """Return the same with each attempt changed, given the name of its wave."""
        waves = ([change(w.name, a) for a in w.attempts] for w in self.waves)
        changed = zip(self.waves, waves, strict=True)
        return msgspec.structs.replace(
            self, waves=tuple(msgspec.structs.replace(w, attempts=tuple(a)) for w, a in changed)
        )

    @property
    def vendor_ids(self) -> frozenset[str]:
        """Return everything a service made for it, ever."""
        return frozenset(i for a in self.attempts for i in a.vendor_ids)

    @property
    def finished(self) -> bool:
        """Return whether nothing is left to do or to watch for this generation."""
        return self.phase is Phase.SUCCEEDED and not self.intents and not any(a.live for a in self.attempts)


class Event(Value, frozen=True, kw_only=True):
    """One line of a rollout's history, written in the same commit as the record it explains."""

    at: datetime
    kind: str
    subject: str
    message: str
    data: JsonObject = {}
    actor: str = ""
    """Who ran what recorded it."""
    commit: str = ""
    """The commit of the manifests then."""
