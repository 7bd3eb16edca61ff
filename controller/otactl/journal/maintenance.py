"""Checks, backs up and exports a journal.

1. Nothing here changes the journal. `check` continues after a defect, so one broken record does not hide the next.
2. A backup is one moment of the journal, complete and on disk before it gets its name; it never replaces a file. It is
   an SQLite journal, restored by putting it in the journal's place, or by copying it to S3, while no otactl runs.
3. The export is one moment too (of a journal on S3, one of each environment). Its lines, in this order:
   `{"kind": "journal", "schema": 3, "id"}`;
   `{"kind": "record", "environment", "name", "revision", "chain", "record": {…}}` by environment and name;
   `{"kind": "event", "environment", "name", "sequence", "revision", "link", "event": {…}}`, oldest first (on S3: of
   each environment), `revision` being the commit it came with. `link` is the event's place in the chain
   (`otactl.state.event_chain` defines it), `chain` the newest one; null for events from before the chain;
   `{"kind": "lease", "environment", "fencing", "lease": {…}}`.
   Inner objects are `Record`, `Event` and `Lease` in camelCase, times ISO 8601.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from otactl.errors import StalledError, UsageError
from otactl.journal import AnyJournal
from otactl.journal.chains import Chains
from otactl.journal.contents import Contents, CopiedEvent, Rows
from otactl.journal.leases import TERM, Held, stands, who_holds
from otactl.journal.process_liveness import current, is_dead
from otactl.journal.sqlite import SqlJournal
from otactl.journal.sqlite_file import VERSION, translate
from otactl.model import Event, Intent, Record, Value, iso
from otactl.ports import Stored
from otactl.state.lifecycle import describe_intent

T = TypeVar("T", Record, Event, Held)
NAMED = 3


class Defect(Value, frozen=True, kw_only=True):
    """One thing found in a journal. An error means it cannot be trusted; a warning is something to check."""

    severity: Literal["error", "warning"]
    where: str
    code: str
    message: str
    hint: str = ""


_RESTORE = "restore a backup; `otactl journal export` shows what can still be read"
_SWEEP = "nothing refers to it and nothing is lost; `otactl journal copy` to a new place leaves it behind"


class Checked(Value, frozen=True, kw_only=True):
    """What was found in a journal; `chained` and `unchained` are events in a chain and from before it."""

    defects: tuple[Defect, ...] = ()
    chained: int = 0
    unchained: int = 0


def check(journal: AnyJournal, now: datetime, older_than: timedelta) -> tuple[Defect, ...]:
    """Return what `examine` finds wrong."""
    return examine(journal, now, older_than).defects


def examine(journal: AnyJournal, now: datetime, older_than: timedelta) -> Checked:
    """Check everything in the journal; intents recorded longer than `older_than` ago are warnings."""
    defects: list[Defect] = []
    chains = Chains()
    with journal.reading() as rows:
        try:
            defects += [_error(*each) for each in (*rows.unread, *rows.examine())]
            known = _check_records(rows, now, older_than, defects)
            _check_events(rows, known, chains, defects)
            broken = chains.broken(rows.chains, known)
            defects += [_error(where, "chain_is_broken", message) for where, message in broken]
            _check_leases(rows, now, defects)
        except sqlite3.DatabaseError as error:
            defects.append(_error(str(journal.path), "database_is_damaged", f"SQLite says: {error}"))
        for environment, count in rows.leftovers.items():
            message = f"{count} objects belong to commits that did not finish, or that run now"
            defects.append(
                Defect(severity="warning", where=environment, code="leftover_objects", message=message, hint=_SWEEP)
            )
    return Checked(defects=tuple(defects), chained=chains.chained, unchained=chains.unchained)


def _check_records(
    rows: Rows, now: datetime, older_than: timedelta, defects: list[Defect]
) -> dict[tuple[str, str], int]:
    known: dict[tuple[str, str], int] = {}
    for environment, name, revision, text in rows.records:
        key = f"{environment}/{name}"
        if not isinstance(revision, int) or revision < 1:
            defects.append(_error(key, "revision_is_not_positive", f"its revision is {revision!r}"))
        known[environment, name] = revision if isinstance(revision, int) else 0
        defects += _record_defects(key, text, now, older_than)
    return known


def _check_events(rows: Rows, known: dict[tuple[str, str], int], chains: Chains, defects: list[Defect]) -> None:
    for environment, name, sequence, revision, text, link in rows.events:
        where = f"{environment}/{name} event {sequence}"
        chains.add(environment, name, where, revision, text, link)
        newest = known.get((environment, name))
        if newest is None:
            defects.append(_error(where, "event_without_record", "it refers to a record that is not there"))
        elif not isinstance(revision, int) or not 1 <= revision <= newest:
            ahead = f"it came with revision {revision!r}, the record is at {newest}"
            defects.append(_error(where, "event_is_ahead_of_record", ahead))
        _read(text, Event, where, "event_is_unreadable", defects)


def _check_leases(rows: Rows, now: datetime, defects: list[Defect]) -> None:
    for environment, fencing, text in rows.leases:
        where = f"lease of {environment}"
        held = _read(text, Held, where, "lease_is_unreadable", defects)
        if held is not None and held.lease.fencing != fencing:
            differs = f"its fencing number is {fencing!r} in the column, {held.lease.fencing} in the lease"
            defects.append(_error(where, "fencing_differs", differs))
        if held is not None:
            defects += _lease_doubts(where, held, now)


def _lease_doubts(where: str, held: Held, now: datetime) -> list[Defect]:
    """Return the defects of a lease: a wrong clock dated it, or a dead process left it; the next run takes it over."""
    lease, until = held.lease, iso(held.lease.expires_at)
    if lease.dated_ahead(now):
        code = "lease_is_dated_ahead"
        word = "gave it back, dated" if lease.released else "holds it until"
        message = f"{who_holds(lease)} {word} {until}, which a lease of {TERM.seconds} s cannot be: a clock is wrong"
    elif stands(lease, now) and is_dead(held.process, current()):
        code, message = "lease_holder_is_dead", f"{who_holds(lease)} holds it until {until}, and its process is dead"
    else:
        return []
    free = "it blocks no one" if lease.released else "the next run takes it over"
    hint = f"{free}; to release it now: otactl journal release {lease.environment}"
    return [Defect(severity="warning", where=where, code=code, message=message, hint=hint)]


def _record_defects(key: str, text: object, now: datetime, older_than: timedelta) -> list[Defect]:
    defects: list[Defect] = []
    record = _read(text, Record, key, "record_is_unreadable", defects)
    if record is None:
        return defects
    if record.key != key:
        defects.append(_error(key, "record_is_misfiled", f"the record says it is {record.key}"))
    old: dict[tuple[str, str], list[Intent]] = {}
    for intent in record.intents:
        if now - intent.at > older_than:
            old.setdefault((intent.action, intent.unit_id), []).append(intent)
    hint = "run `otactl reconcile`: the next pass reads what became of it"
    return [
        *defects,
        *(
            Defect(severity="warning", where=key, code="intent_is_old", message=_without_outcome(same), hint=hint)
            for same in old.values()
        ),
    ]


def _without_outcome(intents: list[Intent]) -> str:
    """Return what is open of one action on a unit: its first call, how many, and of which targets."""
    about = [target for i in intents if (target := i.key.removeprefix(f"{i.action}/{i.unit_id}").lstrip("/"))]
    named = f" for {', '.join(about[:NAMED])}" if about else ""
    more = f" and {len(about) - NAMED} more" if len(about) > NAMED else ""
    calls = "has" if len(intents) == 1 else f"({len(intents)} calls) have"
    return f"{describe_intent(intents[0])}{named}{more} {calls} no outcome yet"


def _read(text: object, kind: type[T], where: str, code: str, defects: list[Defect]) -> T | None:
    try:
        return msgspec.json.decode(str(text), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        defects.append(_error(where, code, str(error)))
        return None


def _error(where: str, code: str, message: str) -> Defect:
    return Defect(severity="error", where=where, code=code, message=message, hint=_RESTORE)


def backup(journal: AnyJournal, path: Path) -> None:
    """Copy the journal to a new file while others continue working (rule 2).

    Raises `UsageError` when the path exists or cannot be written, `StalledError` when the disk fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot create the folder of {path}: {error.strerror}; name another file") from error
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # takes the name, against another backup
    except FileExistsError as error:
        raise UsageError(f"{path} exists; a backup replaces nothing, name another file") from error
    except OSError as error:
        raise UsageError(f"cannot write the backup {path}: {error.strerror}; name another file") from error
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            partial = Path(folder) / path.name
            _copy(journal, partial)
            partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        why = f"cannot write the backup {path}: {error.strerror}; check space and permissions, then run it again"
        raise StalledError("BackupFailed", why) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _copy(journal: AnyJournal, target: Path) -> None:
    if not isinstance(journal, SqlJournal):
        with SqlJournal(target) as made:
            made.fill(contents(journal))
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            if isinstance(journal, SqlJournal):
                with journal.database.snapshot() as source:
                    source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, readable from a read-only folder
            sound = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        raise translate(error, target) from error
    if sound != ("ok",):
        text = f"the copy of journal {journal.path} is not sound ({sound}); run `otactl journal check`"
        raise StalledError("JournalIsDamaged", text)
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def export(journal: AnyJournal) -> Iterator[str]:
    """Yield every record, event and lease as one line of JSON each (rule 3).

    Raises `StalledError` at the first one that cannot be read, naming it.
    """
    with journal.reading() as rows:
        yield _line({"kind": "journal", "schema": VERSION, "id": journal.identity().id})
        _must_be_whole(journal, rows)
        chains = rows.chains
        for environment, name, revision, text in rows.records:
            record = _strict(journal, text, Record, f"record {environment}/{name}")
            head = {"kind": "record", "environment": environment, "name": name, "revision": revision}
            yield _line(head | {"chain": chains.get((environment, name)), "record": record})
        for environment, name, sequence, revision, text, link in rows.events:
            _strict(journal, text, Event, f"event {sequence} of {environment}/{name}")
            head = {"kind": "event", "environment": environment, "name": name, "sequence": sequence}
            yield _line(head | {"revision": revision, "link": link, "event": msgspec.Raw(text.encode())})
        for environment, fencing, text in rows.leases:
            held = _strict(journal, text, Held, f"lease of {environment}")
            yield _line({"kind": "lease", "environment": environment, "fencing": fencing, "lease": held.lease})


def contents(journal: AnyJournal) -> Contents:
    """Return everything in the journal as values, to be written elsewhere; raises `StalledError` as `export` does."""
    with journal.reading() as rows:
        _must_be_whole(journal, rows)
        return Contents(
            tuple(
                Stored(record=_strict(journal, text, Record, f"record {environment}/{name}"), revision=revision)
                for environment, name, revision, text in rows.records
            ),
            tuple(
                CopiedEvent(environment, name, revision, text, link)
                for environment, name, n, revision, text, link in rows.events
                if _strict(journal, text, Event, f"event {n} of {environment}/{name}")
            ),
            tuple(_strict(journal, text, Held, f"lease of {environment}") for environment, _, text in rows.leases),
            rows.chains,
            journal.identity(),
        )


def _must_be_whole(journal: AnyJournal, rows: Rows) -> None:
    for where, _, message in rows.unread:
        why = f"journal {journal.path}: {where} cannot be read ({message}); run `otactl journal check`"
        raise StalledError("JournalIsDamaged", why)


def _strict(journal: AnyJournal, text: object, kind: type[T], what: str) -> T:
    defects: list[Defect] = []
    value = _read(text, kind, what, "unreadable", defects)
    if value is None:
        why = f"journal {journal.path}: {what} cannot be read ({defects[0].message}); run `otactl journal check`"
        raise StalledError("JournalIsDamaged", why)
    return value


def _line(value: dict[str, object]) -> str:
    return msgspec.json.encode(value).decode()
