"""Keeps the entries of the drift ledger: first seen, acted on, closed; an entry is never dropped.

1. A drift is named by subject and field. Seen again it keeps its first date; seen otherwise it is a new value of the
   same drift.
2. `lastSeen` moves only when something else does, or after `REFRESH`: a quiet pass writes nothing.
3. An entry remembers what of `spec.drift.ignore` accepted it when it was first seen: that was not written about it, and
   allows nothing to be sent (`accepted_since`).
4. A drift that is not seen any more closes: by our correction if one was sent, else by another actor, or with its unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from otactl.model import Cause, DriftEntry, DriftPolicy, DriftStatus, Event, Ignore
from otactl.model.actions import Finding

REFRESH = timedelta(hours=1)
# A unit that points at another image, or reads it with another role, is not the one whose checks were passed.
NOT_IGNORABLE = ("image", "role", "name")
TO_CORRECT, CORRECTION_SENT = "to be corrected", "correction sent"
UNANSWERED = "correction sent, its answer is not known"
PERHAPS_OTACTL = "otactl or another actor: the answer to otactl's correction was lost"
MOST_SHOWN = 1000
"""Characters of a value in a message: an address of an image has a few hundred."""


def reported(entry: DriftEntry, *, correctable: bool = False) -> Finding:
    """Return an entry as a finding, for what this pass did not compare: it stays as it was last seen."""
    return Finding(
        subject=entry.subject,
        field=entry.field,
        desired=entry.desired,
        observed=entry.observed,
        cause=entry.cause,
        correctable=correctable,
        origin=entry.origin,
    )


def fold(
    entries: tuple[DriftEntry, ...],
    findings: Iterable[Finding],
    policy: DriftPolicy,
    manifest: str,
    gone: frozenset[str],
    now: datetime,
    started: frozenset[str] = frozenset(),
) -> tuple[tuple[DriftEntry, ...], tuple[Event, ...]]:
    """Return the ledger after one observation.

    `gone` are subjects that ended as we intended, `started` those whose session started: their role is not checked
    any more.
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
            kept.append(_close(entry, _why(entry, gone, started), events, now))
    for finding in seen.values():
        status, action = _status(finding, policy, now)
        entry = DriftEntry(
            subject=finding.subject,
            field=finding.field,
            desired=finding.desired,
            observed=finding.observed,
            cause=Cause(finding.cause),
            first_seen=now,
            last_seen=now,
            status=status,
            action=action,
            manifest=manifest,
            origin=finding.origin,
            accepted_before=_accepted_with(finding, policy, now),
        )
        kept.append(entry)
        differs = f"{entry.field} is {_shown(entry.observed)}, declared {_shown(entry.desired)}"
        text = f"{differs} ({entry.cause.value}): {action}"
        events.append(Event(at=now, kind="drift", subject=entry.subject, message=text))
    return tuple(kept), tuple(events)


def correcting(
    entries: tuple[DriftEntry, ...],
    action: str,
    subject: str,
    fields: frozenset[str] = frozenset(),
    prefix: str | None = None,
) -> tuple[DriftEntry, ...]:
    """Note how far a correction is for the open, correctable drift of some fields of a unit: `action` is one of the
    three words above."""
    return tuple(
        msgspec.structs.replace(e, action=action)
        if e.open
        and e.subject == subject
        and e.status is DriftStatus.WAITING
        and (e.field in fields or (prefix is not None and e.field.startswith(prefix)))
        else e
        for e in entries
    )


def _shown(value: object) -> str:
    """Return a value on one line that a message can hold; the entry keeps the whole value."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _ignored(finding: Finding, policy: DriftPolicy, now: datetime) -> Ignore | None:
    if finding.field in NOT_IGNORABLE:
        return None
    return policy.accepted(now).get(finding.field)


def acknowledged(finding: Finding, policy: DriftPolicy, now: datetime) -> bool:
    """Return whether the manifest accepts this drift, today."""
    return _ignored(finding, policy, now) is not None


def accepted_since(entry: DriftEntry, policy: DriftPolicy, now: datetime) -> bool:
    """Return whether the manifest accepts a drift by words that were written since it was first seen (rule 3)."""
    words = _accepted_with(reported(entry), policy, now)
    return bool(words) and words != entry.accepted_before


def _accepted_with(finding: Finding, policy: DriftPolicy, now: datetime) -> str:
    """Return the words that accept a drift, with their end; empty where none do."""
    ignore = _ignored(finding, policy, now)
    return f"{ignore.reason} until {ignore.until}" if ignore is not None else ""


def _status(finding: Finding, policy: DriftPolicy, now: datetime) -> tuple[DriftStatus, str]:
    if finding.expected:
        return DriftStatus.ACKNOWLEDGED, finding.expected
    ignore = _ignored(finding, policy, now)
    if ignore is not None:
        return DriftStatus.ACKNOWLEDGED, f"ignored: {ignore.reason}"
    if not finding.correctable:
        return DriftStatus.IMPOSSIBLE, "reported: nothing can set it back"
    if policy.mode == "report":
        return DriftStatus.WAITING, "reported: the manifest says drift.mode report"
    return DriftStatus.WAITING, TO_CORRECT


def _again(entry: DriftEntry, finding: Finding, policy: DriftPolicy, events: list[Event], now: datetime) -> DriftEntry:
    status, action = _status(finding, policy, now)
    under_way = entry.action in (CORRECTION_SENT, UNANSWERED)
    if under_way and action == TO_CORRECT and entry.observed == finding.observed:
        action = entry.action  # a read may lag behind it
    if entry.accepted_before and _accepted_with(finding, policy, now) != entry.accepted_before:
        entry = msgspec.structs.replace(entry, accepted_before="")
    same = (entry.status, entry.action, entry.desired, entry.observed) == (
        status,
        action,
        finding.desired,
        finding.observed,
    )
    if same and now - entry.last_seen < REFRESH:
        return entry
    if not same:
        text = f"{entry.field} is now {_shown(finding.observed)}, declared {_shown(finding.desired)}: {action}"
        events.append(Event(at=now, kind="drift", subject=entry.subject, message=text))
    return msgspec.structs.replace(
        entry,
        last_seen=now,
        status=status,
        action=action,
        desired=finding.desired,
        observed=finding.observed,
        cause=Cause(finding.cause),
    )


def _why(entry: DriftEntry, gone: frozenset[str], started: frozenset[str]) -> str:
    if entry.subject in gone:
        return "the unit ended"
    if entry.subject in started and entry.cause is Cause.ROLE:
        return "the session started; the role is no longer checked"
    if entry.action == UNANSWERED:
        return PERHAPS_OTACTL
    return "set back out of band, or declared so"


def _close(entry: DriftEntry, by: str, events: list[Event], now: datetime) -> DriftEntry:
    status = DriftStatus.CLOSED
    if entry.action == CORRECTION_SENT:
        status, by = DriftStatus.CORRECTED, "otactl"
    events.append(
        Event(at=now, kind="driftClosed", subject=entry.subject, message=f"{entry.field}: {status.value} by {by}")
    )
    return msgspec.structs.replace(entry, status=status, closed_at=now, closed_by=by)
