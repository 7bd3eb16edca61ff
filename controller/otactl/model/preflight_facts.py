"""What targets, image and role show before a unit is created or started."""

from __future__ import annotations

from datetime import datetime

from otactl.model.unit import ServiceFinding, Unit
from otactl.model.values import Value


class TargetFacts(Value, frozen=True, kw_only=True):
    """What a target shows before a start."""

    key: str
    """Target key, such as `group:<id>` or `device:<id>`."""
    exists: bool
    """False if the service does not know it."""
    vendor_id: str = ""
    """The one identity of a device, whichever name the manifest has for it."""
    hint: str = ""
    """What may be meant by a name that the service does not know."""
    within: str = ""
    """Key of the target that it is a part of."""
    region: str | None = None
    requested: int | None = None
    """Number of devices in a group."""
    ready: int | None = None
    """Number of devices that are ready."""
    busy_with: str = ""
    """Other work that the service holds for it, or for devices inside."""
    not_started_with: str = ""
    """Such work that has not started."""
    not_ready_because: str = ""
    """Why a unit cannot be started on it."""
    members: tuple[str, ...] = ()
    """Identities of the devices inside a group."""
    members_complete: bool = True
    """False if not all members were read."""
    names: dict[str, str] = {}
    """What people call these devices (DevEUI), by identity."""
    updated: bool = False
    """True if it, or each device inside, reports the declared version."""
    updated_members: tuple[str, ...] = ()
    """Devices inside that report it, as far as they were read."""
    member_versions: dict[str, str] = {}
    """Versions that devices inside report."""
    version: str = ""
    """Version it reports, where that was read."""
    excluded_because: str = ""
    """Why the service would create nothing for it."""
    waiting: tuple[str, ...] = ()
    """Identities of devices inside that are not ready."""
    removal_command: str = ""
    """Command that takes the first of these out of the group."""
    findings: tuple[ServiceFinding, ...] = ()
    """Drift for the ledger."""

    @property
    def is_group(self) -> bool:
        """Return whether it holds devices and is none itself."""
        return self.key.partition(":")[0] not in ("device", "devEui")

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the identities of the devices it is, or holds."""
        single = (self.vendor_id,) if self.exists and self.vendor_id and not self.is_group else ()
        return (*single, *self.members)

    @property
    def keys(self) -> frozenset[str]:
        """Return every target key that this target, or a device it holds, may be named by in any manifest or record."""
        called = (f"devEui:{self.names[d]}" for d in self.devices if d in self.names)
        return frozenset({self.key, *(f"device:{d}" for d in self.devices), *called})


class ImageFacts(Value, frozen=True, kw_only=True):
    """The image as its store shows it."""

    exists: bool
    size_bytes: int | None = None
    sha256: str | None = None
    region: str | None = None
    versioning: bool | None = None
    fingerprint: str = ""
    """Names the bytes: version id, ETag or checksum."""
    unreadable: str = ""
    version: str = ""
    unproved: str = ""
    """Why the bytes that are sent may be others."""
    where: str = ""
    """Where it is, if not in S3."""
    expires_at: datetime | None = None
    """When its store is to delete it, as the store says; None if nothing is known to delete it."""
    expires_by: str = ""
    """The rule that deletes it."""


class RoleFacts(Value, frozen=True, kw_only=True):
    """The role as IAM shows it."""

    exists: bool
    trusts: str = "undecided"
    """Whether the service may assume it: `yes`, `no` or `undecided`."""
    reads: str = "undecided"
    """Whether it may read the image: `yes`, `no` or `undecided`."""
    why: str = ""
    """The reason, as a sentence."""
    fingerprint: str = ""
    unreadable: str = ""
    warning: str = ""
    """What IAM's own simulation says otherwise; it knows less of resource policies."""
    missing_actions: tuple[str, ...] = ()
    """Actions it also needs and surely has not."""


class NextTargets(Value, frozen=True, kw_only=True):
    """The targets of the wave that does not run yet, and its unit if there is one.

    `waits` is true while another revision has to end first, so that nothing is created in this pass.
    """

    keys: tuple[str, ...]
    unit: Unit | None
    waits: bool = False


class PreflightRequest(Value, frozen=True, kw_only=True):
    """What a decision needs to know beside the units, so that a backend reads no more than that."""

    starting: NextTargets | None
    """What may start next; None when nothing may."""
    joined_groups: tuple[str, ...] = ()
    """Keys of groups whose devices are to be listed, for those that joined later."""
    count_groups: bool = False
    """True if the groups of the other waves are to be counted, too."""
    our_ids: frozenset[str] = frozenset()
    """The service's ids of the rollout's own units: no others' work on a target."""
