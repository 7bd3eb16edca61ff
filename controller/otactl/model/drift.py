"""Defines an entry of the drift ledger: what differs, why, and what is done about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from otactl.model.values import Json, Value


class DriftStatus(StrEnum):
    """What is done about a drift."""

    WAITING = "waiting"
    CORRECTED = "corrected"
    IMPOSSIBLE = "impossible"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Cause(StrEnum):
    """Why the observed state differs from the declared one."""

    OUT_OF_BAND_EDIT = "out-of-band edit"
    DELETED = "deleted"
    FOREIGN = "foreign"
    ORPHAN = "orphan"
    IMAGE_BYTES = "image bytes"
    ROLE = "role"
    VERSION = "version"
    MEMBERSHIP = "membership"
    DECLARED_LATE = "declared late"  # the manifest asks for it since the start; nothing can be changed then
    VENDOR = "vendor"


class DriftEntry(Value, frozen=True, kw_only=True):
    """One drift from its first observation to its close. `unseen_at` is when a list first did not show it."""

    subject: str
    field: str
    desired: Json
    observed: Json
    cause: Cause
    first_seen: datetime
    last_seen: datetime
    status: DriftStatus
    action: str = ""
    manifest: str = ""
    commit: str = ""
    """The commit of the manifests when it was first seen."""
    closed_at: datetime | None = None
    closed_by: str = ""
    origin: str = ""
    accepted_before: str = ""
    """What the manifest accepted it with when it was first seen, while that is not changed; empty if it did not."""
    unseen_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Return whether the difference is still there, as far as we know."""
        return self.closed_at is None
