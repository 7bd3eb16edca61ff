"""The life of a drift: seen, acted on or not, closed; nothing is ever forgotten.

1. A drift is named by subject and field. Seen again it keeps its first date; seen otherwise it is a new value of the
   same drift.
2. `lastSeen` moves only when something else does, or after `REFRESH`: a quiet pass writes nothing.
3. A drift that is not seen any more closes: by our correction if one was sent, else by somebody, or with its unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from controller.actions import Finding
from controller.model import Cause, DriftEntry, DriftPolicy, DriftStatus, Event, Ignore

REFRESH = timedelta(hours=1)
CORRECTION_SENT = "correction sent"


def fold(
    entries: tuple[DriftEntry, ...],
    findings: Iterable[Finding],
    policy: DriftPolicy,
    manifest: str,
    gone: frozenset[str],
    now: datetime,
) -> tuple[tuple[DriftEntry, ...], tuple[Event, ...]]:
    """Give the ledger after one look.

    `gone` are subjects that ended as we meant them to.
    """
    seen = {(f.subject, f.field): f for f in findings}
    events: list[Event] = []
    kept: list[DriftEntry] = []
    for entry in entries:
        key = (entry.subject, entry.field)
        if not entry.open:
            kept.append(entry)
        elif key in seen:
            kept.append(_again(entry, seen.pop(key), policy, events, now))
        else:
            kept.append(_close(entry, entry.subject in gone, events, now))
    for finding in seen.values():
        status, action = _status(finding, policy, now)
        entry = DriftEntry(
            subject=finding.subject, field=finding.field, desired=finding.desired, observed=finding.observed,
            cause=Cause(finding.cause), first_seen=now, last_seen=now, status=status, action=action, manifest=manifest,
        )  # fmt: skip
        kept.append(entry)
        text = f"{entry.field} is {entry.observed!r}, declared {entry.desired!r} ({entry.cause.value}): {action}"
        events.append(Event(at=now, kind="drift", subject=entry.subject, message=text))
    return tuple(kept), tuple(events)


def correction_sent(entries: tuple[DriftEntry, ...], subjects: frozenset[str]) -> tuple[DriftEntry, ...]:
    """Note that a correction went out for every open, correctable drift of these units."""
    return tuple(
        msgspec.structs.replace(e, action=CORRECTION_SENT)
        if e.open and e.subject in subjects and e.status is DriftStatus.WAITING
        else e
        for e in entries
    )


def _ignored(finding: Finding, policy: DriftPolicy, now: datetime) -> Ignore | None:
    return next((i for i in policy.ignore if i.field == finding.field and (i.until is None or now < i.until)), None)


def acknowledged(finding: Finding, policy: DriftPolicy, now: datetime) -> bool:
    """Whether the manifest accepts this drift, today."""
    return _ignored(finding, policy, now) is not None


def _status(finding: Finding, policy: DriftPolicy, now: datetime) -> tuple[DriftStatus, str]:
    ignore = _ignored(finding, policy, now)
    if ignore is not None:
        return DriftStatus.ACKNOWLEDGED, f"ignored: {ignore.reason}"
    if not finding.correctable:
        return DriftStatus.IMPOSSIBLE, "reported: nothing can set it back"
    if policy.mode == "report":
        return DriftStatus.WAITING, "reported: the manifest says drift.mode report"
    return DriftStatus.WAITING, "to be corrected"


def _again(entry: DriftEntry, finding: Finding, policy: DriftPolicy, events: list[Event], now: datetime) -> DriftEntry:
    status, action = _status(finding, policy, now)
    same = (entry.status, entry.action, entry.desired, entry.observed) == (
        status, action, finding.desired, finding.observed,
    )  # fmt: skip
    if same and now - entry.last_seen < REFRESH:
        return entry
    if not same:
        text = f"{entry.field} is now {finding.observed!r}, declared {finding.desired!r}: {action}"
        events.append(Event(at=now, kind="drift", subject=entry.subject, message=text))
    return msgspec.structs.replace(
        entry, last_seen=now, status=status, action=action, desired=finding.desired, observed=finding.observed,
        cause=Cause(finding.cause),
    )  # fmt: skip


def _close(entry: DriftEntry, gone: bool, events: list[Event], now: datetime) -> DriftEntry:
    status, by = DriftStatus.CLOSED, "set back out of band, or declared so"
    if entry.action == CORRECTION_SENT:
        status, by = DriftStatus.CORRECTED, "otactl"
    elif gone:
        by = "the unit ended"
    events.append(
        Event(at=now, kind="driftClosed", subject=entry.subject, message=f"{entry.field}: {status.value} by {by}")
    )
    return msgspec.structs.replace(entry, status=status, closed_at=now, closed_by=by)
