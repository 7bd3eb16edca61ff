"""Outcomes, reasons and results of devices: the same words for every backend."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from otactl.model.values import Value


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
    CANCELED = "canceled"  # canceled at its service before it started
    REMOVED = "removed"  # removed from the targets before it was done
    UNKNOWN = "unknown"


class DeviceResult(Value, frozen=True, kw_only=True):
    """The result of one device."""

    device: str
    """Identity of the device."""
    outcome: Outcome
    reason: Reason | None = None
    name: str | None = None
    """What people call it, such as a DevEUI."""
    via: str | None = None
    """Key of the group it was reached through."""
    detail: str = ""
    """What the device or its service reports, for people."""
    silent: bool = False
    """True if it failed by not answering; it may still answer."""
    by_hand: bool = False
    """True if a person canceled it; otactl does not send to it again by itself."""


def tally(results: tuple[DeviceResult, ...]) -> dict[Outcome, int]:
    """Count results by outcome, zero for those not seen."""
    found = Counter(result.outcome for result in results)
    return {outcome: found[outcome] for outcome in Outcome}
