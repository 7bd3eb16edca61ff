"""Computes the notices of a change of a record: what happened between two commits of it. Pure.

1. A notice is about a change: a hold that stays, or a drift that stays open, is reported once.
2. The id is a digest of journal, record, revision and what happened, so that a receiver can drop what comes twice.
3. Drift that the manifest acknowledges is no news, neither when it opens nor when it closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256

from otactl.model import DriftEntry, DriftStatus, Phase, Record, iso
from otactl.model.notices import Notice, NoticeKind, Receiver

APPROVALS = frozenset({"approval_is_missing", "approval_is_outdated"})
"""Holds that last until a person approves."""
SUSPENDED = "suspended"
_PHASES = {Phase.FAILED: NoticeKind.FAILED, Phase.SUCCEEDED: NoticeKind.SUCCEEDED}
_Found = tuple[NoticeKind, str, str, str]
"""Kind, what tells it from others of the commit, reason, message."""


def notices_of(
    before: Record, after: Record, revision: int, receivers: Iterable[Receiver], journal_id: str, now: datetime
) -> tuple[Notice, ...]:
    """Return the notices of a commit that brings a record to `revision`, each with who is to get it."""
    known = tuple(receivers)
    found: list[Notice] = []
    for kind, key, reason, message in _changes(before, after):
        to = tuple(receiver.name for receiver in known if kind in receiver.on)
        if not to:
            continue
        text = f"{journal_id}/{after.environment}/{after.name}@{revision}:{kind.value}:{key}"
        found.append(
            Notice(
                id=sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32],
                kind=kind,
                at=now,
                rollout="" if after.name.startswith("@") else after.name,
                reason=reason,
                message=message,
                version=after.version,
                phase="" if after.name.startswith("@") else after.phase.value,
                to=to,
            )
        )
    return tuple(found)


def _changes(before: Record, after: Record) -> Iterator[_Found]:
    was, now = _needs(before), _needs(after)
    for (kind, reason), message in now.items():
        if (kind, reason) not in was:
            yield kind, reason, reason, message
    if after.phase is not before.phase and after.phase in _PHASES:
        yield _PHASES[after.phase], after.phase.value, after.phase.value, _why(after)
    open_before, open_after = _open(before.drift), _open(after.drift)
    for key, entry in open_after.items():
        if key not in open_before:
            yield NoticeKind.DRIFT_OPENED, key, entry.cause.value, f"{entry.subject}: {entry.field} differs"
    closed = {_key(entry): entry for entry in after.drift if not entry.open}
    for key in open_before:
        if key in closed:
            entry = closed[key]
            text = f"{entry.subject}: {entry.field} no longer differs ({entry.closed_by})"
            yield NoticeKind.DRIFT_CLOSED, key, entry.cause.value, text
    yield from _runs(before, after)


def _needs(record: Record) -> Mapping[tuple[NoticeKind, str], str]:
    """Return the holds that need a person, by kind and reason, with their messages."""
    found: dict[tuple[NoticeKind, str], str] = {}
    for hold in record.holds:
        if hold.reason in APPROVALS:
            found.setdefault((NoticeKind.NEEDS_APPROVAL, hold.reason), hold.message)
        elif hold.stalled or hold.overdue_since is not None or hold.reason == SUSPENDED:
            found.setdefault((NoticeKind.HELD, hold.reason), hold.message)
    return found


def _why(record: Record) -> str:
    ready = next((c for c in record.conditions if c.type == "Ready" and c.message), None)
    held = next(iter(record.holds), None)
    if record.phase is Phase.SUCCEEDED:
        return ready.message if ready is not None else "every wave passed"
    missed = next((w for w in record.waves if w.verdict is not None and not w.verdict.passed), None)
    if missed is not None and missed.verdict is not None:
        verdict = missed.verdict
        return f"wave {missed.name}: {verdict.percent:.1f} % succeeded, {verdict.needed_percent:g} % needed"
    return held.message if held is not None else ""


def _open(entries: Iterable[DriftEntry]) -> dict[str, DriftEntry]:
    return {_key(e): e for e in entries if e.open and e.status is not DriftStatus.ACKNOWLEDGED}


def _key(entry: DriftEntry) -> str:
    return f"{entry.subject}|{entry.field}|{iso(entry.first_seen)}"


def _runs(before: Record, after: Record) -> Iterator[_Found]:
    """Yield what changed about the runs over an environment; each reason is news."""
    last, run = before.last_run, after.last_run
    if run is None:
        return
    was = last.reason if last is not None else ""
    if run.reason and run.reason != was:
        yield NoticeKind.RUN_FAILING, run.reason, run.reason, run.error
    elif was and not run.reason:
        yield NoticeKind.RUN_RECOVERED, was, was, "runs have no error any more"
