"""Finds who made the changes that the drift ledger holds, in the audit log of their account.

1. Nothing is asked for a service without an audit log, for a unit whose Region is not recorded, and for drift that no
   write of another actor can explain.
2. A log that refuses is asked once; the rest of the ledger is printed without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from otactl.backends.registry import audit_log_of, audit_source_of
from otactl.errors import OtactlError
from otactl.model import Attempt, Cause, DriftEntry, Record, iso
from otactl.ports import AuditLog
from otactl.report.drift import drift_key
from otactl.report.sanitize import plain

_BY_SOMEONE = (Cause.OUT_OF_BAND_EDIT, Cause.DELETED, Cause.MEMBERSHIP)


def authors(
    records: Iterable[Record], open_log: Callable[[str], AuditLog] = audit_log_of
) -> dict[tuple[str, ...], str]:
    """Return who made each change, by environment, rollout, subject, field and first sight (rules 1 and 2)."""
    found: dict[tuple[str, ...], str] = {}
    logs: dict[str, AuditLog | None] = {}
    for record in records:
        source = audit_source_of(record.backend)
        region = record.home.region if record.home is not None else ""
        if not source or not region:
            continue
        for entry in record.drift:
            attempt = _attempt_of(record, entry)
            if attempt is None or entry.cause not in _BY_SOMEONE:
                continue
            try:
                if region not in logs:
                    logs[region] = open_log(region)
                log = logs[region]
                change = log.last_change(source, _ids(attempt), entry.first_seen) if log is not None else None
            except OtactlError as error:
                logs[region] = None
                click.echo(plain(f"otactl: {error}"), err=True)
                continue
            if change is not None:
                text = f"{change.principal} ({change.operation}, {iso(change.at)})"
                found[drift_key(record, entry)] = text
    return found


def _attempt_of(record: Record, entry: DriftEntry) -> Attempt | None:
    mine = (a for a in record.attempts if entry.subject in (a.unit_id, *a.previous_unit_ids))
    return next((a for a in mine if a.vendor_ids or a.job_id), None)


def _ids(attempt: Attempt) -> tuple[str, ...]:
    return tuple(each for each in (*attempt.vendor_ids, attempt.job_id) if each)
