"""What a backend saw, in our own words: no vendor status string leaves its sibling.

A *unit* is the vendor thing that carries one wave's attempt (a FUOTA task, an OTA update, a Tuya batch).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from enum import StrEnum

from otactl.model.values import Json, JsonObject, Value


class UnitPhase(StrEnum):
    """Where a unit stands."""

    ABSENT = "absent"  # not there
    OPEN = "open"  # there, nothing sent to devices, still editable
    SCHEDULED = "scheduled"  # start accepted, frozen
    RUNNING = "running"  # devices are being updated
    ENDED = "ended"  # no more work; says nothing about success
    DELETING = "deleting"  # being deleted, irreversible
    FAILED = "failed"  # could not be created
    BROKEN = "broken"  # there, and what carried it to devices is gone
    UNKNOWN = "unknown"  # a status this version does not know: hold

    @property
    def is_there(self) -> bool:
        """Whether the service still holds a unit in this phase."""
        return self not in (UnitPhase.ABSENT, UnitPhase.DELETING)


class Outcome(StrEnum):
    """What became of one device."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a device failed, the same words for every backend."""

    MISSING_FRAGMENTS = "missingFragments"
    INTEGRITY = "integrity"
    SESSION_REPLAY = "sessionReplay"
    INDEX_UNSUPPORTED = "indexUnsupported"
    PACKAGE_UNSUPPORTED = "packageUnsupported"
    NO_MEMORY = "noMemory"
    DESCRIPTOR = "descriptor"
    CONFLICT = "conflict"
    TIMEOUT = "timeout"
    OFFLINE = "offline"
    REJECTED = "rejected"
    DOWNLOAD = "download"
    VERIFY = "verify"
    FLASH = "flash"
    VERSION = "version"  # it took the image and reports another version, or none in time
    CANCELED = "canceled"  # its service was told to stop before it began
    REMOVED = "removed"  # it left the targets before it was done
    UNKNOWN = "unknown"


class DeviceResult(Value, frozen=True, kw_only=True):
    """One device's result; `name` is what people call it (DevEUI), `via` the group it was reached through.

    `detail` is what the device or its service says of it, for people; `silent` that it failed by not answering, and may
    still answer; `by_hand` that a person canceled it, and not we: it is not made up for.
    """

    device: str
    outcome: Outcome
    reason: Reason | None = None
    name: str | None = None
    via: str | None = None
    detail: str = ""
    silent: bool = False
    by_hand: bool = False


def tally(results: tuple[DeviceResult, ...]) -> dict[Outcome, int]:
    """Count results by outcome, zero for those not seen."""
    found = Counter(result.outcome for result in results)
    return {outcome: found[outcome] for outcome in Outcome}


class ServiceFinding(Value, frozen=True, kw_only=True):
    """Something wrong with a unit that only its service can tell: told in the ledger, never set back.

    `cause` is one of `Cause`.
    """

    field: str
    desired: Json
    observed: Json
    cause: str


class VersionCheck(Value, frozen=True, kw_only=True):
    """What is known of the versions that the devices of a unit that has ended report.

    `since` is when it was first seen to have ended; `things` are the things of devices, by device; `confirmed` are
    devices that reported the version declared, `reverted` those of them that reported otherwise since.
    """

    since: datetime
    things: dict[str, str] = {}
    confirmed: tuple[str, ...] = ()
    reverted: tuple[str, ...] = ()


class Unit(Value, frozen=True, kw_only=True):
    """One unit as the service shows it.

    `fields` uses manifest names and normalised values; `members` are target keys; `results` is filled only when the
    unit has ended and its results are not recorded yet; `success_cleared` are devices whose success of before is not
    shown any more while it runs, so that a success later is this unit's. `readable` is False when the service does not
    show its fields any more; `failure` is why it could not be made or deleted; `stopping` that no more devices are
    begun, `canceled_by_us` that this was our doing, `withdrawn` that a suspension was why; `progress` counts devices
    while it runs in the service's own kinds, `tally` by outcome, `failures` those that failed by reason; `shared` are
    devices of results whose word may be of another unit, started on them since; `leftovers` names what a failed making
    left behind; `data_rates` are those the service chose, by target, as far as they were ever read; `ids` are the
    service's ids of the single devices inside, by every target key they may be named by; `overdue` says which devices
    are waited for too long, `overdue_in` names the service's ids that hold them where that is not simply the unit's.
    Where one making takes several calls, `ids_by_call` are the service's ids by the key of the call, `finished_calls`
    those that begin no more devices, and `missing_targets` the targets that no part holds although one is still to be
    made for them. `version_check` is what reading versions has to remember. `journal_id` is the journal that made it by
    the service's own record, which no edit of tags changes. `job_id` names what carries it out, where the service calls
    that by an id of its own.
    """

    unit_id: str
    phase: UnitPhase
    vendor_id: str
    arn: str = ""
    job_id: str = ""
    fields: JsonObject = {}
    tags: dict[str, str] = {}
    members: tuple[str, ...] = ()
    ids: dict[str, str] = {}
    start_at: datetime | None = None
    created_at: datetime | None = None
    results: tuple[DeviceResult, ...] | None = None
    shared: tuple[str, ...] = ()
    success_cleared: tuple[str, ...] = ()
    readable: bool = True
    failure: str = ""
    stopping: bool = False
    canceled_by_us: bool = False
    withdrawn: bool = False
    findings: tuple[ServiceFinding, ...] = ()
    progress: dict[str, int] = {}
    tally: dict[Outcome, int] = {}
    failures: dict[Reason, int] = {}
    leftovers: tuple[str, ...] = ()
    overdue: str = ""
    overdue_in: tuple[str, ...] = ()
    data_rates: dict[str, int] = {}
    ids_by_call: dict[str, str] = {}
    finished_calls: tuple[str, ...] = ()
    missing_targets: tuple[str, ...] = ()
    version_check: VersionCheck | None = None
    journal_id: str = ""


class TargetFacts(Value, frozen=True, kw_only=True):
    """What a target says of itself before a start: region, devices wanted and ready; `exists` False when gone.

    `vendor_id` is the one identity of a device, whichever name the manifest has for it; `hint` says what may be meant
    by a name that nothing has. `within` is the key of what it is a part of, where that is a target too. `members` are
    the devices inside a group by that identity, all of them unless `members_complete` is False; `names` are what people
    call these devices (DevEUI), by identity. `not_ready_because` says why it could not be started on; `busy_with` names
    other work the service still holds for it, or for what it has inside, `not_started_with` such work that has not
    begun. `updated` tells that it, or each device inside, reports the version already, `updated_members` are those
    inside that do, as far as was looked, `member_versions` what those inside report; `version` is what it reports,
    where that was read, `excluded_because` why the service would make nothing for it. `waiting` are devices inside that
    are not ready, by identity, `removal_command` the command that takes the first of them out. `findings` are for the
    ledger.
    """

    key: str
    exists: bool
    vendor_id: str = ""
    hint: str = ""
    within: str = ""
    region: str | None = None
    requested: int | None = None
    ready: int | None = None
    busy_with: str = ""
    not_started_with: str = ""
    not_ready_because: str = ""
    members: tuple[str, ...] = ()
    members_complete: bool = True
    names: dict[str, str] = {}
    updated: bool = False
    updated_members: tuple[str, ...] = ()
    member_versions: dict[str, str] = {}
    version: str = ""
    excluded_because: str = ""
    waiting: tuple[str, ...] = ()
    removal_command: str = ""
    findings: tuple[ServiceFinding, ...] = ()

    @property
    def is_group(self) -> bool:
        """Whether it holds devices and is none itself."""
        return self.key.partition(":")[0] not in ("device", "devEui")

    @property
    def devices(self) -> tuple[str, ...]:
        """The identities of the devices it is, or holds."""
        single = (self.vendor_id,) if self.exists and self.vendor_id and not self.is_group else ()
        return (*single, *self.members)

    @property
    def keys(self) -> frozenset[str]:
        """Every target key that this target, or a device it holds, may be named by in any manifest or record."""
        called = (f"devEui:{self.names[d]}" for d in self.devices if d in self.names)
        return frozenset({self.key, *(f"device:{d}" for d in self.devices), *called})


class ImageFacts(Value, frozen=True, kw_only=True):
    """The image as its store shows it. `fingerprint` names the bytes (version id, ETag, checksum).

    `unproved` says why what is to be sent may be other bytes than these; `where` names it where it is not in S3.
    """

    exists: bool
    size_bytes: int | None = None
    sha256: str | None = None
    region: str | None = None
    versioning: bool | None = None
    fingerprint: str = ""
    unreadable: str = ""
    version: str = ""
    unproved: str = ""
    where: str = ""


class RoleFacts(Value, frozen=True, kw_only=True):
    """The role as IAM shows it; `trusts` and `reads` are yes, no or undecided, with a sentence why.

    `missing_actions` are actions it needs besides and surely has not.
    `warning` is what IAM's own simulation says otherwise: it knows less of resource policies, so it only warns.
    """

    exists: bool
    trusts: str = "undecided"
    reads: str = "undecided"
    why: str = ""
    fingerprint: str = ""
    unreadable: str = ""
    warning: str = ""
    missing_actions: tuple[str, ...] = ()


class Listed(Value, frozen=True, kw_only=True):
    """One line of the survey: thin, as the service lists it.

    `leftover_of` says what it is where it is only what an end or a failure left behind; `end_command` is the command
    that ends that.
    """

    vendor_id: str
    name: str
    arn: str = ""
    leftover_of: str = ""
    end_command: str = ""


class Survey(Value, frozen=True, kw_only=True):
    """What all rollouts of an environment share in one pass: the account we are in and everything listed.

    `partial` tells that not everything was looked over: what is not listed may still be there; `known` are the
    service's ids of units that the environment's journal knows and that are not over.
    """

    account: str
    listed: tuple[Listed, ...] = ()
    known: frozenset[str] = frozenset()
    partial: bool = False


class Observation(Value, frozen=True, kw_only=True):
    """Everything a decision about one rollout may see; gathered once, then only read.

    `offline` was not read at all, `expected` is what an outlook thinks will be; `devices` are the identities of those
    that the unit to be started reaches, `succeeded_before` those that show success before it was; `leftovers` is what
    known attempts left behind and is still there; `ambiguous` names what may be ours and nothing can tell;
    `group_sizes` how many devices the groups of other waves hold, where a guard asks for that; `inside` are the devices
    that groups of waves that have passed hold now, by key.
    """

    units: tuple[Unit, ...] = ()
    targets: tuple[TargetFacts, ...] = ()
    image: ImageFacts | None = None
    role: RoleFacts | None = None
    unreadable: tuple[str, ...] = ()
    offline: bool = False
    expected: bool = False
    devices: tuple[str, ...] = ()
    succeeded_before: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    ambiguous: str = ""
    group_sizes: dict[str, int] = {}
    inside: dict[str, tuple[str, ...]] = {}

    @property
    def names(self) -> dict[str, str]:
        """What people call the devices of the targets, by identity."""
        return {device: name for target in self.targets for device, name in target.names.items()}

    def unit(self, unit_id: str) -> Unit | None:
        """Find a unit by our id."""
        return next((u for u in self.units if u.unit_id == unit_id), None)


def as_json(value: object) -> Json:
    """Narrow a value that is already JSON (a manifest field) for `Unit.fields`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is not JSON")
