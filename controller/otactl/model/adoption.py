"""What a service shows of units that otactl did not create, and why one of them is not adopted.

A unit without a doubt is unambiguous: its manifest follows from what the service shows.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.model.rollout import Firmware
from otactl.model.unit import UnitPhase
from otactl.model.values import JsonObject, Value


class Doubt(Value, frozen=True, kw_only=True):
    """Why a unit is not adopted, and what a person can do about it."""

    code: str
    message: str
    fix: str


class AdoptionRequest(Value, frozen=True, kw_only=True):
    """What a person says of the units to adopt."""

    ids: tuple[str, ...] = ()
    """The service's ids of the units wanted; none for all that are found."""
    within: tuple[str, ...] = ()
    """Where to search, for services that list units only inside something else (a product)."""
    versions: dict[str, str] = {}
    """Firmware versions that no service shows, by unit id."""
    images: dict[str, str] = {}
    """Addresses in S3 of images that a service holds itself, by unit id."""
    role: str = ""
    """The role of units whose service does not show it."""


class ExistingUnit(Value, frozen=True, kw_only=True):
    """A unit as its service shows it, with the parts of a manifest that follow from it."""

    vendor_id: str
    name: str = ""
    arn: str = ""
    job_id: str = ""
    phase: UnitPhase
    created_at: datetime | None = None
    start_at: datetime | None = None
    tags: dict[str, str] = {}
    block: JsonObject = {}
    """The backend block of its manifest."""
    firmware: Firmware | None = None
    targets: JsonObject = {}
    """The targets of its manifest; none where the service selects the devices."""
    reaches: tuple[str, ...] = ()
    """Every key of its targets and of the devices inside, by which two units overlap."""
    devices: tuple[str, ...] = ()
    """Identities of the devices it was started with, as far as the service shows them."""
    names: dict[str, str] = {}
    """What people call these devices, by identity."""
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
    """What was assumed for its manifest."""

    def with_doubt(self, doubt: Doubt | None) -> ExistingUnit:
        """Return the unit with one more doubt, if there is one."""
        return self if doubt is None else msgspec.structs.replace(self, doubts=(*self.doubts, doubt))


class ExistingUnits(Value, frozen=True, kw_only=True):
    """All units that one service shows; `note` says what it could not list."""

    units: tuple[ExistingUnit, ...] = ()
    note: str = ""
