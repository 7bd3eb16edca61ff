"""Defines one attempt of a wave: its unit at the service, its stage, and the results of its devices.

Membership is frozen when the unit starts; results are copied here before the unit is deleted.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from otactl.model.device_result import DeviceResult, Outcome, Reason
from otactl.model.unit import VersionCheck, VersionClaims
from otactl.model.values import Value


class Stage(StrEnum):
    """The stages of an attempt, in order; state/lifecycle.py has the transitions."""

    DECLARED = "declared"
    OPEN = "open"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    ENDED = "ended"
    DELETED = "deleted"
    SUPERSEDED = "superseded"
    LOST = "lost"
    FAILED = "failed"  # the service could not make it; nothing was sent

    @property
    def is_over(self) -> bool:
        """Return whether nothing of the unit is left to observe or to delete."""
        return self in (Stage.DELETED, Stage.SUPERSEDED, Stage.LOST)


class Baseline(Value, frozen=True, kw_only=True):
    """Image and role as they were when the wave was first observed: what 'changed' is measured against."""

    image: str = ""
    role: str = ""


class Home(Value, frozen=True, kw_only=True):
    """Where units live: the environment as it was when they were created."""

    account: str
    region: str
    owner: str
    endpoint: str = ""
    """The service's own address, where it names a place; empty where account and Region do, or not known."""


class Attempt(Value, frozen=True, kw_only=True):
    """One unit of one wave: what it is called at the service, how far it has come, and what its devices reported."""

    number: int
    """Counts the attempts of a wave, from 1."""
    generation: str
    """Digest of what devices receive (the content of the manifest)."""
    unit_id: str
    """Our name of the unit: `<rollout>-<wave>-<number>-<digest8>`."""
    stage: Stage = Stage.DECLARED
    """How far it has come."""
    vendor_id: str | None = None
    """The service's id of the unit; None until a read has shown it."""
    arn: str | None = None
    """ARN of the unit, at AWS."""
    job_id: str = ""
    """Id of the job that carries the unit out, where the service keeps one."""
    declared: tuple[str, ...] = ()
    """Fields that were set when the unit was created: only these can be missing later."""
    members: tuple[str, ...] = ()
    """Target keys that were seen inside the unit."""
    created_at: datetime | None = None
    """When a read first showed the unit."""
    last_write_at: datetime | None = None
    """When we last changed the unit; reads may lag behind it."""
    start_at: datetime | None = None
    """When the service starts, or started, it."""
    started_by_us: bool = False
    """True if the start was ours."""
    start_sent_at: datetime | None = None
    """When we sent the start; reads may lag behind it."""
    ended_at: datetime | None = None
    """When it was first seen to have ended."""
    results: tuple[DeviceResult, ...] = ()
    """One result per device, recorded when it ended."""
    annotation_digest: str = ""
    """Digest of the fields that no device receives, as we last wrote them: an edit of the manifest is no drift."""
    previous_unit_ids: tuple[str, ...] = ()
    """Names the unit had before it was updated in place."""
    targets: tuple[str, ...] = ()
    """Target keys that we put into the unit."""
    devices: tuple[str, ...] = ()
    """Identities of the devices it was started with, single ones and members of groups; all of them count."""
    names: dict[str, str] = {}
    """What people call these devices (DevEUI), by identity."""
    already_succeeded: tuple[str, ...] = ()
    """Devices that showed a success before the start; their success proves nothing later."""
    failure: str = ""
    """Why the service could not create or delete it."""
    created_with: Baseline = Baseline()
    """The image and the role it was created with."""
    leftovers: tuple[str, ...] = ()
    """What a failed creation left behind at the service."""
    canceled_by_us: bool = False
    """True if we stopped it for other content; it is never judged."""
    withdrawn: bool = False
    """True if a suspension canceled it, or deleted it before its start; only the rest is sent later."""
    missing_since: datetime | None = None
    """Since when the service does not show it, or not whole."""
    field_digests: dict[str, str] = {}
    """Digests of the fields as we last wrote them."""
    progress: dict[str, int] = {}
    """Number of devices by the service's own kinds, while it runs."""
    ids_by_call: dict[str, str] = {}
    """Ids at the service by the key of the call, where one creation takes several calls."""
    retry_targets: tuple[str, ...] = ()
    """Targets of a retry; empty for a whole wave."""
    try_number: int = 1
    """Counts the tries of the same content, from 1."""
    tally: dict[Outcome, int] = {}
    """Number of devices by outcome, while it runs."""
    failures: dict[Reason, int] = {}
    """Number of failed devices by reason, while it runs."""
    version_check: VersionCheck | None = None
    """What is known of the versions its devices report; kept until the unit is deleted."""
    parts_missing: bool = False
    """True while targets of it are in no part of its unit yet, where several calls create one."""
    claims: VersionClaims = VersionClaims()
    """Devices whose transfer succeeded and whose version is still to prove it, while it runs."""
    data_rates: dict[str, int] = {}
    """LoRaWAN data rates the service chose, by target: read once, since a session keeps its rate."""
    invisible_changes: dict[str, int] = {}
    """How often each change was sent whose effect is not visible yet."""
    image_sha256: str = ""
    """SHA-256 of the image it carries."""
    version: str = ""
    """Version of that image."""
    rollout: str = ""
    """Name of the rollout when the unit was created, if the rollout was renamed since."""
    skipped_devices: dict[str, str] = {}
    """Devices that reported the version before the start and were left out, each with its target."""
    updated_uncounted: tuple[str, ...] = ()
    """Devices that took the image and do not count: they joined a group after the start, or the unit has no end."""
    journal_id: str = ""
    """Id of the journal that its tag was last seen to name."""
    lost_at: datetime | None = None
    """When it was found lost."""
    found_by_tags: bool = False
    """True if the journal did not know it: its tags name its wave and number, not the targets it was made for."""
    never_shown: bool = False
    """True while no read has shown its unit whole since the service answered its creation."""
    home: Home | None = None
    """Where its unit lives, if its record moved elsewhere since."""
    canceled_before: int = 0
    """How many of its devices another actor had canceled when we stopped it."""
    hurried: bool = False
    """True if it ended under an abort or other content, so that no device was waited for to report its version."""
    unproved: bool = False
    """True if its results were, under other content, taken from the transfers alone."""
    unread: bool = False
    """True while its unit has ended and the versions that its devices report cannot be read again."""
    adopted: bool = False
    """True if another actor created it and `otactl adopt` took it over: it carries neither our name nor our marks."""

    def deleted(self, why: str, at: datetime) -> Attempt:
        """Return the attempt once we have deleted its unit. One deleted before its start was never sent to anybody."""
        start_at = self.start_at if self.start_at is None or at >= self.start_at else None
        stage = Stage.DELETED if why == "cleanup" else Stage.SUPERSEDED
        return msgspec.structs.replace(
            self, stage=stage, start_at=start_at, withdrawn=self.withdrawn or why == "suspended"
        )

    @property
    def not_started(self) -> tuple[DeviceResult, ...]:
        """Return the devices that had not started when we stopped it, and that no person had canceled."""
        return tuple(r for r in self.results if self.canceled_by_us and r.reason is Reason.CANCELED and not r.by_hand)

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Return the devices that a person canceled, by what people call them."""
        return tuple(r.name or r.device for r in self.results if r.by_hand)

    @property
    def may_be_retry(self) -> bool:
        """Return whether it may be a retry that nothing tells the targets of; number 1 is for the whole wave."""
        return self.found_by_tags and self.number > 1

    @property
    def cut_short(self) -> bool:
        """Return whether we stopped it before every device had started; a stop that came too late did not."""
        return self.canceled_by_us and (not self.results or bool(self.not_started))

    @property
    def was_sent(self) -> bool:
        """Return whether it was started, as far as is known; a unit that could not be created was not."""
        return self.start_at is not None and (not self.failure or bool(self.results))

    @property
    def sent_at(self) -> datetime | None:
        """Return when its start was sent, or, where no one knows that, when it starts."""
        return self.start_sent_at or self.start_at

    @property
    def newest_start_at(self) -> datetime | None:
        """Return when the service started it, or the newest of its parts, where several calls create one."""
        if not self.ids_by_call or self.start_at is None or self.start_sent_at is None:
            return self.start_at
        return max(self.start_at, self.start_sent_at)

    @property
    def never_started(self) -> bool:
        """Return whether its unit was deleted before its start, or stopped before any device started."""
        deleted = self.stage is Stage.SUPERSEDED and self.start_at is None
        return (
            self.canceled_by_us and all(r.reason is Reason.CANCELED for r in self.results) if self.results else deleted
        )

    @property
    def reached(self) -> bool:
        """Return whether devices may have received its revision, as far as is known."""
        return self.was_sent and not self.never_started

    @property
    def size(self) -> int:
        """Return the number of devices it was started with, as far as recorded; 0 where groups hide it."""
        if self.retry_targets or self.devices:
            return len(set(self.retry_targets) - set(self.skipped_devices.values())) or len(self.devices)
        keys = self.targets or self.members
        return 0 if any(k.startswith(("group:", "thingGroup:")) for k in keys) else len(keys)

    @property
    def counted(self) -> dict[Outcome, int]:
        """Return its devices by outcome while it runs; devices that are not shown yet count as waiting."""
        hidden = max(self.size - sum(self.tally.values()), 0)
        waiting = self.tally.get(Outcome.WAITING, 0) + hidden
        return {**self.tally, Outcome.WAITING: waiting} if self.tally and hidden else self.tally

    @property
    def retried_devices(self) -> frozenset[str]:
        """Return the devices a retry tries again, by target key and by name; none for a whole wave."""
        return frozenset({*self.retry_targets, *(key.partition(":")[2] for key in self.retry_targets)})

    @property
    def keys(self) -> frozenset[str]:
        """Return every target key by which what it holds may be named: targets as declared, and their devices."""
        called = (f"devEui:{self.names[d]}" for d in self.devices if d in self.names)
        return frozenset({*self.members, *(f"device:{d}" for d in self.devices), *called})

    @property
    def vendor_ids(self) -> tuple[str, ...]:
        """Return everything the service made for it, by the service's ids."""
        return tuple(dict.fromkeys(i for i in (self.vendor_id, *self.ids_by_call.values()) if i is not None))

    @property
    def ended(self) -> bool:
        """Return whether its results were recorded, also while it is still observed."""
        return self.stage in (Stage.ENDED, Stage.DELETED) or self.ended_at is not None

    @property
    def live(self) -> bool:
        """Return whether the service may still hold this unit in flight."""
        return self.stage in (Stage.DECLARED, Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING)
