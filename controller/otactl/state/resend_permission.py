"""Remembers what `strategy.resend` allows, so that a field that stays in a manifest sends nothing later.

1. It is for the image that is declared when a run first sees the field. Once another image is declared with it, it
   allows nothing, also when the first one is declared again.
2. It allows one more sending to each device: what this rollout itself has sent since is not sent again by it.
3. It is given again by removing the field, letting a run see that, and setting it again.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.model import Record, ResendPermission, Rollout


def noted(record: Record, rollout: Rollout, now: datetime) -> Record:
    """Return the record with what the field allows from now on (rule 1)."""
    if not is_to_note(record, rollout):
        return record
    known, permission = record.resend, None
    if rollout.resend and known is None:
        permission = ResendPermission(sha256=rollout.firmware.sha256, at=now)
    elif rollout.resend and known is not None:
        permission = msgspec.structs.replace(known, sha256="")
    return msgspec.structs.replace(record, resend=permission)


def is_to_note(record: Record, rollout: Rollout) -> bool:
    """Return whether the record does not have what the manifest declares of it yet."""
    known = record.resend
    if known is None or not rollout.resend:
        return rollout.resend or known is not None
    return known.sha256 not in ("", rollout.firmware.sha256)


def granted(rollout: Rollout, record: Record) -> Rollout:
    """Return the rollout with since when it may send again what was sent before."""
    known = record.resend
    valid = rollout.resend and known is not None and known.sha256 == rollout.firmware.sha256
    since = known.at if valid and known is not None else None
    return rollout if since == rollout.resend_since else msgspec.structs.replace(rollout, resend_since=since)


def to_resend(rollout: Rollout) -> str:
    """Return what a person does to have it sent again (rule 3)."""
    if not rollout.resend:
        return "set strategy.resend: true"
    return (
        "remove strategy.resend and let a run see that, then set it again: it is for the image that it was set for, "
        "and for one more sending to each device"
    )
