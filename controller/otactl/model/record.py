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

from otactl.model.attempt import Attempt, Baseline
from otactl.model.conditions import Condition, Failure, LastRun, RecordedHold
from otactl.model.drift import DriftEntry
from otactl.model.observation import Outcome
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
    ORPHANED = "Orphaned"  # its manifest left Git, its units did not leave the service
    REMOVED = "Removed"  # neither is there any more


class RecordedCall(Value, frozen=True, kw_only=True):
    """A vendor call as it was, or is to be, sent; blobs are `{"base64": …}`, times ISO 8601."""

    service: str
    operation: str
    parameters: JsonObject


class Intent(Value, frozen=True, kw_only=True):
    """What we were about to do: committed before the call, cleared by its outcome.

    `reason` tells deletions apart; `not_found_since` is when a create that may be lost was first not to be seen any
    more.
    """

    action: str
    unit_id: str
    key: str
    call: RecordedCall
    at: datetime
    start_at: datetime | None = None
    reason: str = ""
    not_found_since: datetime | None = None

    @property
    def creates(self) -> bool:
        """Whether its call makes a unit, the first time or again."""
        return self.action in ("createUnit", "resendCreate")


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

    `approval_devices` names the devices inside its groups as they were when a run last asked for an approval; `joined`
    are devices by key that joined its groups after its content was begun, and that get a wave at the end.
    """

    name: str
    members: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    baseline: Baseline = Baseline()
    verdict: Verdict | None = None
    verdict_generation: str = ""
    released: bool = False
    approval_devices: str = ""
    joined: tuple[str, ...] = ()

    def started(self, generation: str) -> bool:
        """Whether a unit of this content was made since other content was.

        One that its service could not make, or that was deleted before its start, does not count.
        """
        made = (a for a in self.attempts_since(generation) if a.vendor_id is not None and not a.never_started)
        return any(not a.failure or a.results for a in made)

    def updated_devices(self, generation: str) -> frozenset[str]:
        """Devices that took this content in attempts that were stopped, or before a retry of the others."""
        attempts = self.attempts_since(generation)
        again = any(a.retry_targets for a in attempts)
        earlier = (a for a in attempts if a.canceled_by_us or again)
        return frozenset(r.device for a in earlier for r in a.results if r.outcome is Outcome.SUCCEEDED)

    def attempts_since(self, generation: str) -> tuple[Attempt, ...]:
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

    `source` is the manifest's path as it was given, `manifest_path` its one place (`Source`); `target_count` is how
    many it declared when that was last let pass; `previous_names` are names of rollouts whose record it took over,
    `renamed_to` is the one that took this over; `holds` are all of the last look, `failure` an error that stopped it or
    what it sent. `last_run` is kept in the record of the environment itself. `home` is where its units live;
    `declaration` the rollout as last declared, as JSON, while something of it is under way: what looking at it takes
    without a manifest.
    """

    environment: str
    name: str
    backend: str = "fuota"
    generation: str = ""
    manifest: str = ""
    source: str = ""
    manifest_path: str = ""
    version: str = ""
    phase: Phase = Phase.PENDING
    waves: tuple[WaveRecord, ...] = ()
    intents: tuple[Intent, ...] = ()
    drift: tuple[DriftEntry, ...] = ()
    conditions: tuple[Condition, ...] = ()
    requeue_at: datetime | None = None
    target_count: int = 0
    previous_names: tuple[str, ...] = ()
    renamed_to: str = ""
    holds: tuple[RecordedHold, ...] = ()
    failure: Failure | None = None
    last_run: LastRun | None = None
    home: Home | None = None
    declaration: str = ""

    @property
    def under_way(self) -> bool:
        """Whether the service holds a unit of it that has not ended, or may come to hold one."""
        return any(a.live and a.vendor_id is not None for a in self.attempts) or any(i.creates for i in self.intents)

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
