"""Defines what a backend and a journal must provide.

Laws of a backend, checked by one contract suite on every backend:

1. `survey`, `observe` and `preflight` never write; what is not there is `ABSENT`, not an error.
2. `lower` is pure and deterministic; it needs no client.
3. `send` of the same call twice is harmless, or raises `ConflictError`, or the call says `repeatable=False`.
4. A vendor status that a backend does not know is `UNKNOWN`, never a guess.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from otactl.model import (
    AdoptionRequest,
    BackendAccess,
    BackendConfig,
    Environment,
    Event,
    ExistingUnits,
    JsonObject,
    Listed,
    Observation,
    PreflightRequest,
    Record,
    Rollout,
    Survey,
    Value,
)
from otactl.model.actions import Action, Call, Receipt, UnitDeclaration
from otactl.model.device_tasks import Filters, Home, UnfinishedTask
from otactl.model.violation import Violation


class Capabilities(Value, frozen=True, kw_only=True):
    """What a service can do: what one strategy may expect of it."""

    name: str
    """The backend's kind."""
    service: str
    """The service's name, for messages."""
    names_own_task: bool
    """It keeps a name that we give to a unit."""
    create_is_idempotent: bool
    """The same create sent twice creates one unit."""
    updates_in_place: bool
    """A unit that has not started can be changed."""
    starts_explicitly: bool
    """A unit waits for a start of its own; otherwise its creation is its start."""
    members_after_create: bool
    """Members are added after the creation."""
    cancels_in_progress: bool
    """It can stop devices that have started."""
    paces_itself: bool
    """It limits the rate of devices by itself."""
    schedules: bool
    """A start can be set to a time."""
    minimum_lead_seconds: int
    """Seconds that a start must lie ahead."""
    running_fields: tuple[str, ...] = ()
    """Fields that can be set while a unit runs."""
    starting_fields: tuple[str, ...] = ()
    """Fields that show ids of what waits for a start of ours, and whose change lets these start."""
    annotation_fields: tuple[str, ...] = ()
    """Fields that reach no device (`*` for any item of a list)."""
    cancels_waiting: bool = False
    """It can stop before devices that have not started."""
    deletes_at_once: bool = True
    """An accepted deletion needs no second look."""
    keeps_ended: bool = False
    """Ended units stay at the service and block no one."""
    tells_of_spared: bool = False
    """Its results name devices that had the version already."""
    read_only_credentials: bool = True
    """It has credentials that can only read, so a pull request may be planned with them."""
    sends_redundancy: bool = False
    """A retry can raise the redundancy."""
    mixes_target_kinds: bool = False
    """Waves of one rollout may have targets of different kinds."""
    end_command: str = ""
    """Command that cancels a unit; `{id}` is its id."""
    delete_command: str = ""
    """Command that deletes an ended unit."""
    audit_source: str = ""
    """What the account's audit log calls the service; empty without one."""
    force_command: str = ""
    """Command that also stops devices that have started."""
    silence_ends: str = ""
    """What ends the work of a device that has started and stays silent, where no command does."""


class Shape(Protocol):
    """What planning may know of a service."""

    capabilities: Capabilities

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        """Return the fields and tags a unit must show, normalised as `observe` normalises them."""
        ...


class PureHalf(Shape, Protocol):
    """What planning and `plan --offline` need of a backend: its shape, and the calls of actions."""

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        """Turn an action into the exact calls that carry it out."""
        ...


class Backend(PureHalf, Protocol):
    """One vendor service behind the port of DESIGN section 4."""

    def survey(self) -> Survey:
        """Read, once per environment and pass, what all its rollouts share."""
        ...

    def marks(self, item: Listed) -> Mapping[str, str]:
        """Read the owner marks of one listed unit; none where it is gone or the service keeps none."""
        ...

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        """Read the units of this rollout, and what of them is unclear."""
        ...

    def preflight(self, rollout: Rollout, request: PreflightRequest, seen: Observation, survey: Survey) -> Observation:
        """Add to the units seen the facts of the image, the role and the targets that are requested."""
        ...

    def send(self, call: Call) -> Receipt:
        """Send one call: the only writes."""
        ...


class UnitFinder(Protocol):
    """Finds the units that a service holds, whoever created them, for `otactl adopt`: reads only."""

    def existing(self, request: AdoptionRequest, known: Collection[str]) -> ExistingUnits:
        """Read each unit as a manifest would declare it; `known` are ids to leave out.

        Only the status is read of a unit that carries marks of otactl, or is in a state that no rollout has.
        """
        ...


class AuditedChange(Value, frozen=True, kw_only=True):
    """One write in an account's audit log."""

    at: datetime
    principal: str
    operation: str


class AuditLog(Protocol):
    """The audit log of an account in one Region."""

    def last_change(self, source: str, ids: Collection[str], seen: datetime) -> AuditedChange | None:
        """Return the newest write of a service that names one of `ids`, up to a moment; None if none is found."""
        ...


class DeviceReader(Protocol):
    """Reads one device of an environment."""

    def now(self) -> datetime:
        """Return the service's time."""
        ...

    def unfinished(self, home: Home, filters: Filters) -> tuple[UnfinishedTask, ...]:
        """Return what the device has yet to do. Raises: StalledError where the service does not have it."""
        ...

    def versions(self, home: Home, filters: Filters) -> dict[str, str]:
        """Return the version of each module, as the device last reported it."""
        ...


class DeviceService(Protocol):
    """A service that shows what one device has yet to do, for `status --device`."""

    statuses: Mapping[str, str]
    """Our words for the statuses of an unfinished task, in the order of a task's life, with the service's."""

    def status_of(self, word: str) -> str | None:
        """Return our word for a status, given in ours or in the service's; None for an unknown one."""
        ...

    def homes(self, rollouts: Iterable[Rollout], device: str, remembered: frozenset[tuple[str, str]]) -> list[Home]:
        """Return where the manifests say a device belongs.

        `remembered` are rollouts, as (environment, name), that had it.
        """
        ...


class ManifestTemplate(Value, frozen=True, kw_only=True):
    """What `init` writes for a backend: the example rollout's name, its block with a strategy, and the access block.

    ROLE in `rollout` stands for the role of the service; `role_output` is the stack's output with it, and
    `stack_option` the line of a stack's `options` that the service needs.
    """

    name: str
    rollout: str
    role_output: str = ""
    stack_option: str = ""
    environment: str = ""


class BackendDefinition(Protocol):
    """What otactl knows of a vendor without calling it: pure, and without an SDK.

    1. `kind` is the name of its block in `spec` of a rollout, of its schema, and of its units in a record.
       `access` is the type of the block of that name in `spec` of an environment, None where it needs none.
    2. `target_kinds` are its lists of `targets`; `device_kind` is the one of single devices, and `device_schema` the
       definition of their names in targets.schema.json.
    3. `version_proofs` are the fields of `strategy.confirm.version` that it can report a version by.
    4. `depends` lists, for a field of a manifest (`BLOCK` or `BLOCK.field`), the others that its rules also read: after
       an error there they are not checked.
    5. `image_limit` and `target_limit` are the bytes of an image and the targets of one unit; None for no limit.
    """

    kind: str
    config: type[BackendConfig]
    access: type[BackendAccess] | None
    capabilities: Capabilities
    target_kinds: tuple[str, ...]
    device_kind: str
    device_schema: str
    failure_reasons: tuple[str, ...]
    version_proofs: tuple[str, ...]
    depends: Mapping[str, tuple[str, ...]]
    image_limit: int | None
    target_limit: int | None
    template: ManifestTemplate
    device_service: DeviceService | None
    """What `status --device` asks beside the journal; None where the service shows no tasks of one device."""

    def check(self, rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
        """Check what the schema of the block cannot state, against the environment where that is known."""
        ...

    def check_environment(self, environment: Environment) -> Iterator[Violation]:
        """Check the access that an environment declares."""
        ...

    def rollback_block(
        self, block: JsonObject, older_waves: Sequence[str], new: Rollout, waves: Sequence[str]
    ) -> JsonObject:
        """Change the block of an older rollout to take single devices back from a `new` one in `waves`."""
        ...


LEASE_TERM = timedelta(seconds=120)
LEASE_TOLERANCE = timedelta(seconds=120)
"""How long a lease lives; one dated further ahead than this plus the tolerance was written by a wrong clock."""


class Lease(Value, frozen=True, kw_only=True):
    """Who may write to an environment, until when. `fencing` grows with every holder.

    A `released` lease blocks no one; `took_over` says from whom it was taken because a wrong clock had dated it.
    """

    environment: str
    holder: str
    host: str
    pid: int
    expires_at: datetime
    fencing: int
    released: bool = False
    took_over: str = ""

    def dated_ahead(self, now: datetime) -> bool:
        """Return whether it expires further ahead than it may live.

        A clock was wrong, its holder's or the one of `now`.
        """
        return self.expires_at - now > LEASE_TERM + LEASE_TOLERANCE


class Stored(Value, frozen=True, kw_only=True):
    """A record as the journal holds it; revision 0 means it was never committed."""

    record: Record
    revision: int


class Commit(Value, frozen=True, kw_only=True):
    """One record with the events that explain it, to be written if the revision is still the expected one."""

    record: Record
    expected_revision: int
    events: tuple[Event, ...] = ()


class Identity(Value, frozen=True, kw_only=True):
    """What names a journal for ever, "" while it was never given one; `replaces` are lost ones it takes over from."""

    id: str = ""
    replaces: tuple[str, ...] = ()


class Journal(Protocol):
    """Durable memory with one primitive: compare-and-set under a fenced lease.

    Raises `ConflictError` when a revision moved or the fencing number is not the newest; nothing is written then.
    """

    def identity(self) -> Identity:
        """Return which journal this is, wherever it is stored."""
        ...

    def load(self, environment: str, name: str) -> Stored:
        """Load one rollout's record; an unknown one is empty at revision 0."""
        ...

    def load_all(self, environment: str) -> dict[str, Stored]:
        """Load every record of an environment, by rollout name."""
        ...

    def environments(self) -> tuple[str, ...]:
        """Name every environment with a record."""
        ...

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        """Write records and their events, all or none; gives the new revision by rollout name."""
        ...

    def history(self, environment: str, name: str) -> tuple[Event, ...]:
        """Read a rollout's events, oldest first."""
        ...

    def lease(self, environment: str) -> Lease | None:
        """Return who holds the environment, if anyone ever did."""
        ...

    def acquire(self, environment: str, holder: str, now: datetime) -> Lease:
        """Take the lease, or renew it for the same holder; raises `LeaseHeldError` when another holds it."""
        ...

    def release(self, lease: Lease, now: datetime) -> None:
        """Release the lease if it is still ours."""
        ...

    def end_lease(self, environment: str, now: datetime) -> Lease | None:
        """Release anyone's lease by hand, so that its holder commits no more.

        Returns it as it was, None if none is held.
        """
        ...
