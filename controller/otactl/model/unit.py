"""A unit as its service shows it: what carries one attempt of a wave (a task, a job, a batch).

No status word of a vendor leaves its backend.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from otactl.model.device_result import DeviceResult, Outcome, Reason
from otactl.model.values import Json, JsonObject, Value


class UnitPhase(StrEnum):
    """How far a unit is at its service."""

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
        """Return whether the service still holds a unit in this phase."""
        return self not in (UnitPhase.ABSENT, UnitPhase.DELETING)


class ServiceFinding(Value, frozen=True, kw_only=True):
    """A drift that only the service can report; it goes to the ledger and is never corrected."""

    field: str
    desired: Json
    observed: Json
    cause: str
    """One of `Cause`."""


class VersionCheck(Value, frozen=True, kw_only=True):
    """What is known of the versions that the devices of an ended unit report."""

    since: datetime
    """When the unit was first seen to have ended."""
    things: dict[str, str] = {}
    """The AWS IoT thing of each device."""
    confirmed: tuple[str, ...] = ()
    """Devices that reported the declared version."""
    reverted: tuple[str, ...] = ()
    """Confirmed devices that reported another version since."""


class VersionClaims(Value, frozen=True, kw_only=True):
    """What is known of a running unit's devices whose transfer succeeded, where the version they report proves it."""

    confirmed: tuple[str, ...] = ()
    """Devices that reported the declared version."""
    open: int = 0
    """Number of devices that did not."""
    newest: datetime | None = None
    """When the last of these took the image, as far as its service shows it."""
    read: bool = False
    """True once the version of each of these was read, since the gate came to depend on them."""
    read_to: str = ""
    """The device after which the next pass continues, where one pass does not read all."""


class Unit(Value, frozen=True, kw_only=True):
    """One unit as its service shows it."""

    unit_id: str
    """Our name of the unit."""
    phase: UnitPhase
    vendor_id: str
    """The service's id of the unit."""
    arn: str = ""
    job_id: str = ""
    """Id of the job that carries it out, where the service has one."""
    fields: JsonObject = {}
    """Declared fields by their manifest names, with normalised values."""
    tags: dict[str, str] = {}
    members: tuple[str, ...] = ()
    """Target keys inside the unit."""
    ids: dict[str, str] = {}
    """The service's ids of the single devices inside, by every target key they may have."""
    start_at: datetime | None = None
    created_at: datetime | None = None
    results: tuple[DeviceResult, ...] | None = None
    """Results of its devices; None until it has ended, and once they are recorded."""
    updated_uncounted: tuple[str, ...] = ()
    """Devices that took the image and do not count: they joined a group after the start, or the unit has no end."""
    shared: tuple[str, ...] = ()
    """Devices whose result may be of another unit that was started on them since."""
    success_cleared: tuple[str, ...] = ()
    """Devices that no longer show the success of an earlier unit; a later success is of this one."""
    readable: bool = True
    """False if the service no longer shows its fields."""
    failure: str = ""
    """Why it could not be created or deleted."""
    stopping: bool = False
    """True if no more devices are started."""
    canceled_by_us: bool = False
    """True if otactl stopped it."""
    withdrawn: bool = False
    """True if a suspension was the reason."""
    findings: tuple[ServiceFinding, ...] = ()
    progress: dict[str, int] = {}
    """Number of devices by the service's own states, while it runs."""
    tally: dict[Outcome, int] = {}
    """Number of devices by outcome, while it runs."""
    failures: dict[Reason, int] = {}
    """Number of failed devices by reason."""
    leftovers: tuple[str, ...] = ()
    """What a failed creation left behind."""
    overdue: str = ""
    """Which devices have been waited for too long, as a sentence."""
    overdue_in: tuple[str, ...] = ()
    """The service's ids that hold these devices, where that is not the unit itself."""
    data_rates: dict[str, int] = {}
    """LoRaWAN data rates that the service chose, by target, as far as they were read."""
    ids_by_call: dict[str, str] = {}
    """The service's ids by the key of the call, where one creation takes several calls."""
    finished_calls: tuple[str, ...] = ()
    """Keys of those calls whose part starts no more devices."""
    missing_targets: tuple[str, ...] = ()
    """Targets for which a part is still to be created."""
    version_check: VersionCheck | None = None
    """What reading versions has to remember."""
    claims: VersionClaims = VersionClaims()
    """Devices whose transfer succeeded and whose version is still to prove it; `tally` counts them as waiting."""
    journal_id: str = ""
    """Id of the journal that created it, by a record of the service that no edit of tags changes."""
