"""Detects drift outside declared rollouts: tasks that no manifest declares, and tasks of rollouts removed from Git.

1. A rollout counts as removed from Git when the folder of its manifest was read and the manifest was not there; a run
   over other files does not decide it.
2. Nothing is sent for either: an orphan is reported with the command that cancels it.
3. Foreign tasks are known from the list alone, so they cost no call. One that has our name costs a read of its marks:
   only with our owner, our environment and no other journal in them it is an orphan. What another environment of ours
   created, or another journal, is foreign and reported without the command that cancels it; so is a unit without marks.
   A unit of our owner's other environment is listed and needs no action: two environments may share an account.
4. A manifest that could not be read may still declare what it did: nothing that it may declare is reported as new.
5. Entries of a service that was not read in this run stay as they are.
6. A unit that one list does not show counts as missing only when a second list, SETTLE later, does not show it either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import msgspec

from otactl.drift import ledger, unit_home
from otactl.drift.ownership import is_journal_id
from otactl.model import (
    Attempt,
    Cause,
    DriftEntry,
    DriftPolicy,
    DriftStatus,
    Environment,
    Listed,
    Phase,
    Record,
    Stage,
    Survey,
    WaveRecord,
)
from otactl.model.actions import Finding
from otactl.model.tags import TAG_ENVIRONMENT, TAG_JOURNAL, TAG_OWNER
from otactl.model.unreadable_manifests import NOTHING_UNREAD, UnreadableManifests
from otactl.planning import removed_rollout
from otactl.ports import Capabilities, Commit, Stored
from otactl.state.status_conditions import phase_event
from otactl.verdicts.deadlines import SETTLE

NAME = "@environment"


def environment_record(
    environment: Environment,
    surveys: Mapping[str, tuple[Survey, Capabilities]],
    stored: dict[str, Stored],
    declared: Mapping[str, tuple[str, ...]],
    covers: Callable[[Record], bool],
    marks: Callable[[str, Listed], Mapping[str, str] | None],
    now: datetime,
    read: removed_rollout.ReadConfig,
    unread: UnreadableManifests = NOTHING_UNREAD,
) -> tuple[Commit, ...]:
    """Return what to commit about the environment as a whole; nothing when nothing changed.

    `surveys` are by backend; `declared` are the rollouts read in this run, each with its waves; `covers` tells whether
    the place of a record's manifest was read; `marks` reads the owner marks of a unit, by backend (None: they could not
    be read, so nothing new is said of it); `read` reads the backend
    block that a record keeps; what `unread` may declare is neither missing nor an orphan.
    """
    commits: list[Commit] = []
    stems = {f"{name}-{wave}" for name, waves in declared.items() for wave in waves}
    stems |= {f"{name}-{w.name}" for name, s in stored.items() if name in declared for w in s.record.waves}
    known = {a.vendor_id for s in stored.values() for a in s.record.attempts if a.vendor_id}
    pending = {f"{environment.owner}-{i.unit_id}" for s in stored.values() for i in s.record.intents}
    for name, held in stored.items():
        asked = surveys.get(held.record.backend)
        left = name != NAME and name not in declared and not unread.may_declare(name)
        looked = removed_rollout.declared(held.record, read) is not None  # at its units, one by one
        looked = looked or unit_home.moved(held.record, environment) is not None
        if asked is not None and left and not looked and covers(held.record):
            commits += _orphan(held, asked[0], asked[1], now)
    held = stored.get(NAME) or Stored(record=Record(environment=environment.name, name=NAME), revision=0)
    reported_before = {e.subject: e for e in held.record.drift if e.open}
    findings = []
    for kind, (survey, capabilities) in surveys.items():
        for item in survey.listed:
            if item.vendor_id in known or item.name in pending:
                continue
            before = reported_before.get(item.name)
            if before is None and unread.may_have_made(item.name, f"{environment.owner}-"):
                continue
            finding = _stranger(item, environment, capabilities, stems, partial(marks, kind, item), before)
            if finding is not None:
                findings.append(msgspec.structs.replace(finding, origin=kind))
    reported = {f.subject for f in findings}
    entries = _doubted(held.record.drift, surveys, reported, now)
    unasked = tuple(e for e in entries if _unasked(e, surveys) or _in_doubt(e, now))
    findings += _kept(unasked, reported)
    drift, events = ledger.fold(entries, findings, DriftPolicy(), environment.source.digest, frozenset(), now)
    if drift != held.record.drift:
        record = msgspec.structs.replace(held.record, drift=drift)
        commits.append(Commit(record=record, expected_revision=held.revision, events=events))
    return tuple(commits)


def _doubted(
    entries: tuple[DriftEntry, ...],
    surveys: Mapping[str, tuple[Survey, Capabilities]],
    reported: set[str],
    now: datetime,
) -> tuple[DriftEntry, ...]:
    """Return the entries, those that are not listed at all any more with since when (rule 6)."""

    def seen(entry: DriftEntry) -> DriftEntry:
        asked = surveys.get(entry.origin)
        if not entry.open or asked is None:
            return entry
        listed = entry.subject in reported or any(entry.subject in (i.name, i.vendor_id) for i in asked[0].listed)
        since = None if listed else entry.unseen_at or now
        return entry if since == entry.unseen_at else msgspec.structs.replace(entry, unseen_at=since)

    return tuple(seen(e) for e in entries)


def _in_doubt(entry: DriftEntry, now: datetime) -> bool:
    return entry.unseen_at is not None and now - entry.unseen_at < SETTLE


def _unasked(entry: DriftEntry, surveys: Mapping[str, tuple[Survey, Capabilities]]) -> bool:
    """Return whether an entry could not be checked (rule 5).

    Leftovers are searched for only when the survey is whole.
    """
    if entry.origin not in surveys:
        return True
    return surveys[entry.origin][0].partial and entry.desired == "absent"


def _kept(entries: tuple[DriftEntry, ...], reported: set[str]) -> list[Finding]:
    """Return the open entries that were not checked again, as last seen."""
    return [_as_reported(e) for e in entries if e.open and e.subject not in reported]


def _as_reported(entry: DriftEntry) -> Finding:
    expected = entry.action if entry.status is DriftStatus.ACKNOWLEDGED else ""
    return msgspec.structs.replace(ledger.reported(entry), expected=expected)


def _orphan(held: Stored, survey: Survey, capabilities: Capabilities, now: datetime) -> list[Commit]:
    before, listed = held.record, {item.vendor_id for item in survey.listed}
    if not capabilities.names_own_task:  # its list has no names: what it does not show may be there
        listed |= {a.vendor_id or "" for a in before.attempts}
    waves = _let_go(before.waves, listed, now)
    held = msgspec.structs.replace(held, record=msgspec.structs.replace(before, waves=waves))
    listed |= {a.vendor_id or "" for a in held.record.attempts if a.live}  # in doubt
    findings = [
        removed_rollout.orphan(attempt, capabilities)
        for attempt in held.record.attempts
        if attempt.vendor_id in listed
        and not attempt.stage.is_over
        and not (attempt.stage is Stage.ENDED and capabilities.keeps_ended)
    ]
    # What was open of a unit still there was not compared without its manifest: it stays open.
    there = {f.subject for f in findings}
    open_there = tuple(e for e in held.record.drift if e.cause is not Cause.ORPHAN and e.subject in there)
    findings += _kept(open_there, set())
    ended = frozenset(a.unit_id for a in held.record.attempts if a.vendor_id not in listed)
    drift, events = ledger.fold(held.record.drift, findings, DriftPolicy(), held.record.manifest, ended, now)
    gone = Phase.REMOVED if held.record.phase is Phase.ORPHANED else held.record.phase
    phase = Phase.ORPHANED if findings else gone
    record = msgspec.structs.replace(held.record, drift=drift, phase=phase)
    events = (*events, *phase_event(held.record.phase, phase, (), None, held.record.name, now))
    return [Commit(record=record, expected_revision=held.revision, events=events)] if record != before else []


def _let_go(waves: tuple[WaveRecord, ...], listed: set[str], now: datetime) -> tuple[WaveRecord, ...]:
    """Release the targets of missing units (rule 6); the results of their devices stay unknown."""

    def moved(attempt: Attempt) -> Attempt:
        unlisted = attempt.live and attempt.vendor_id is not None and attempt.vendor_id not in listed
        since = (attempt.missing_since or now) if unlisted else None
        gone = since is not None and now - since >= SETTLE
        return msgspec.structs.replace(attempt, stage=Stage.LOST if gone else attempt.stage, missing_since=since)

    return tuple(msgspec.structs.replace(w, attempts=tuple(moved(a) for a in w.attempts)) for w in waves)


def _stranger(
    item: Listed,
    environment: Environment,
    capabilities: Capabilities,
    declared: set[str],
    marks: Callable[[], Mapping[str, str] | None],
    before: DriftEntry | None,
) -> Finding | None:
    prefix = f"{environment.owner}-"
    if item.leftover_of:
        if environment.foreign_tasks == "ignore":
            return None  # whose it was nothing shows
        return Finding(
            subject=item.vendor_id,
            field="unit",
            desired="absent",
            observed=f"{item.leftover_of}; to remove it: {item.end_command}",
            cause=Cause.ORPHAN,
            correctable=False,
        )
    if item.name.startswith(prefix):
        if any(item.name.startswith(f"{prefix}{stem}-") for stem in declared):
            return None  # the rollout's own look reads its tags and adopts it, or leaves it alone
        if before is not None and before.cause is Cause.FOREIGN and environment.foreign_tasks != "ignore":
            return _as_reported(before)  # its marks were read then
        shown = marks()
        if shown is None:
            return _as_reported(before) if before is not None else None
        if whose := _whose(shown, environment):
            return _foreign(item, environment, whose, ours=shown.get(TAG_OWNER) == environment.owner)
        return Finding(
            subject=item.name,
            field="unit",
            desired="declared",
            observed=f"carries our name, no manifest declares it; to remove it: "
            f"{capabilities.end_command.format(id=item.vendor_id)}",
            cause=Cause.ORPHAN,
            correctable=False,
        )
    return _foreign(item, environment, "not ours")


def _whose(marks: Mapping[str, str], environment: Environment) -> str:
    """Return whose unit it is by its marks, if our name is on a unit of another owner; empty for our own."""
    owner, journal = marks.get(TAG_OWNER, ""), marks.get(TAG_JOURNAL, "")
    if TAG_ENVIRONMENT not in marks:
        return "with our name and without our marks"
    if (owner, marks[TAG_ENVIRONMENT]) != (environment.owner, environment.name):
        return f"of environment {marks[TAG_ENVIRONMENT]}" + (f" of owner {owner}" if owner else "")
    if is_journal_id(journal) and journal not in (environment.journal_id, *environment.replaces):
        return f"made by journal {journal}, which this run does not read"
    return ""


def _foreign(item: Listed, environment: Environment, whose: str, *, ours: bool = False) -> Finding | None:
    if environment.foreign_tasks == "ignore":
        return None
    beside = ours and whose.startswith("of environment ")
    return Finding(
        subject=item.name or item.vendor_id,
        field="unit",
        desired="declared, or foreignTasks: ignore",
        observed=f"present, {whose} ({item.vendor_id})",
        cause=Cause.FOREIGN,
        correctable=False,
        expected="listed: another environment of this owner made it" if beside else "",
    )
