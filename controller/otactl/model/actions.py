"""Defines what a plan consists of: actions, the calls of a service they lower to, and the holds that stop them.

1. An action names a unit and its intended change in otactl's terms; only its backend knows the vendor's call.
2. A call is exact: what `plan` prints is what `reconcile` sends.
3. A call that goes stale carries `not_after`; the executor drops it when it is late, and the loop observes again.
4. A call that a plan shows before all of it is known has placeholders, which are of a type of their own: no backend
   sends such a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from otactl.errors import StalledError
from otactl.model import BackendConfig, Firmware, Json, JsonObject, RecordedCall, Value, canonical_digest


class Placeholder(Value, frozen=True, kw_only=True):
    """A value that only the service knows, in a call that a plan shows before it can be sent; `of` names it."""

    of: str

    def __str__(self) -> str:
        """Return the text that plans show."""
        return f"<{self.of}>"


class Call(Value, frozen=True, kw_only=True):
    """One vendor API call. `parameters` holds JSON values, `bytes` and aware `datetime`s, as the SDK takes them.

    `repeatable`: sending it twice is harmless, so it is sent again after a lost response.
    `signed_at` is the time in its signature, where only this time distinguishes a late copy from a new call.
    `key` names the call within its step. `permission` is the IAM action it needs, for messages.
    """

    key: str
    service: str
    operation: str
    parameters: JsonObject
    repeatable: bool = True
    not_after: datetime | None = None
    signed_at: datetime | None = None
    permission: str = ""

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Return the value that must be known before the call can be sent."""
        return tuple(_placeholders(self.parameters))

    def complete(self) -> Call:
        """Return the call to send. Raises StalledError if one of its values is a placeholder."""
        for placeholder in self.placeholders:
            raise StalledError("RequestInvalid", f"{self.operation} was not sent: {placeholder} is not known")
        return self


def _placeholders(value: object) -> Iterator[Placeholder]:
    if isinstance(value, Placeholder):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _placeholders(each)


class UnitDeclaration(Value, frozen=True, kw_only=True):
    """A unit as declared: everything a backend needs to create or compare one.

    `only` are the targets of a retry, `tries` which try of the wave it is; `spared` are targets it is not for, because
    they report the version already. `journal` names the memory it is in. `home` is, of a wave that otactl added at the
    end, the declared wave whose rules it has. `adopted`: another actor created it, so it has no name and marks of ours.
    """

    unit_id: str
    wave: str
    attempt: int
    rollout: str
    environment: str
    owner: str
    generation: str
    firmware: Firmware
    backend: BackendConfig
    members: tuple[str, ...]
    only: tuple[str, ...] = ()
    tries: int = 1
    spared: tuple[str, ...] = ()
    journal: str = ""
    home: str = ""
    adopted: bool = False

    @property
    def whole(self) -> tuple[str, ...]:
        """Return its targets together with those it skips."""
        return tuple(sorted((*self.members, *self.spared)))

    @property
    def annotations(self) -> str:
        """Return the digest of what reaches no device (role, image URI, description, tags)."""
        return canonical_digest([self.backend.annotations, self.firmware.image])


class CreateUnit(Value, frozen=True, kw_only=True, tag_field="action", tag="createUnit"):
    """Create the unit of a wave's attempt, tagged as ours in the same call.

    `start_at` is set where making it starts it: the moment it was decided, and `not_after` when a window closes then.
    """

    unit: UnitDeclaration
    reason: str
    start_at: datetime | None = None
    not_after: datetime | None = None


class ResendCreate(Value, frozen=True, kw_only=True, tag_field="action", tag="resendCreate"):
    """Send a recorded create again, identical: its response was lost, and the service deduplicates it."""

    unit: UnitDeclaration
    call: RecordedCall
    reason: str
    start_at: datetime | None = None


class UpdateUnit(Value, frozen=True, kw_only=True, tag_field="action", tag="updateUnit"):
    """Set fields of a unit to the declared values.

    `waiting` are, for a field whose change lets devices start, the ids that the service shows in it and this releases.
    """

    unit: UnitDeclaration
    vendor_id: str
    fields: tuple[str, ...]
    reason: str
    waiting: dict[str, tuple[str, ...]] = {}


class MarkUnit(Value, frozen=True, kw_only=True, tag_field="action", tag="markUnit"):
    """Restore our owner tags and the declared tags; `remove` names tags to remove."""

    unit: UnitDeclaration
    arn: str
    remove: tuple[str, ...] = ()
    reason: str


class AddMembers(Value, frozen=True, kw_only=True, tag_field="action", tag="addMembers"):
    """Add targets to an open unit."""

    unit: UnitDeclaration
    vendor_id: str
    members: tuple[str, ...]
    reason: str


class RemoveMembers(Value, frozen=True, kw_only=True, tag_field="action", tag="removeMembers"):
    """Remove targets from an open unit."""

    unit: UnitDeclaration
    vendor_id: str
    members: tuple[str, ...]
    reason: str


class StartUnit(Value, frozen=True, kw_only=True, tag_field="action", tag="startUnit"):
    """Start the unit at `start_at`; a start cannot be undone."""

    unit: UnitDeclaration
    vendor_id: str
    start_at: datetime
    reason: str


class CancelUnit(Value, frozen=True, kw_only=True, tag_field="action", tag="cancelUnit"):
    """Cancel a running unit: no more devices start; those in progress finish.

    `suspended`: the others follow when the rollout goes on.
    """

    unit_id: str
    vendor_id: str
    backend: str
    why: Literal["superseded", "aborted", "suspended"]
    reason: str


class DeleteUnit(Value, frozen=True, kw_only=True, tag_field="action", tag="deleteUnit"):
    """Delete a unit whose results are recorded, that is superseded, or that is withdrawn before its start.

    `not_after` is that start: one that is on air is not deleted on an older look.
    """

    unit_id: str
    vendor_id: str
    backend: str
    why: Literal["cleanup", "superseded", "replace", "aborted", "suspended"]
    reason: str
    not_after: datetime | None = None


Action = (
    CreateUnit | ResendCreate | UpdateUnit | MarkUnit | AddMembers | RemoveMembers | StartUnit | CancelUnit | DeleteUnit
)


class Receipt(Value, frozen=True, kw_only=True):
    """The response to a call: the id of what was created, where the service gives one."""

    key: str
    vendor_id: str | None = None
    arn: str | None = None


class Hold(Value, frozen=True, kw_only=True):
    """Why nothing is sent although something is left to do. `stalled` means that a person must act.

    One that only waits may say when it has waited too long: `limit` counts from the look that first recorded this
    reason; `overdue_since` is the moment itself, where what is waited for tells it.
    """

    reason: str
    message: str
    until: datetime | None = None
    stalled: bool = False
    limit: timedelta | None = None
    overdue_since: datetime | None = None


class Finding(Value, frozen=True, kw_only=True):
    """One difference between the declared and the observed state, as detected in one pass.

    `origin` is the service that showed an environment's own finding; `expected` is why no one has to act on it.
    """

    subject: str
    field: str
    desired: Json
    observed: Json
    cause: str
    correctable: bool
    origin: str = ""
    expected: str = ""


def name_of(action: Action) -> str:
    """Name an action as JSON output does (`createUnit`)."""
    return str(action.__struct_config__.tag)


def unit_of(action: Action) -> str:
    """Return the unit an action is about."""
    return action.unit_id if isinstance(action, DeleteUnit | CancelUnit) else action.unit.unit_id
