"""Care of a journal: is it sound, a copy that can be restored, and everything in it as lines of JSON.

1. Nothing here changes the journal. `check` goes on after a defect, so one broken record does not hide the next.
2. A backup is one moment of the journal, complete and on disk before it gets its name; it never replaces a file.
   It is restored by putting it in the journal's place while no otactl runs.
3. The export is one moment too. Its lines, in this order:
   `{"kind": "journal", "schema": 1}`;
   `{"kind": "record", "environment", "name", "revision", "record": {…}}` by environment and name;
   `{"kind": "event", "environment", "name", "sequence", "revision", "event": {…}}`, oldest first, `revision` being
   the commit it came with; `{"kind": "lease", "environment", "fencing", "lease": {…}}`.
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

from controller.errors import StalledError, UsageError
from controller.journal.leases import Held
from controller.journal.sql import SqlJournal
from controller.journal.sqlite_file import VERSION, translate
from controller.lifecycle import describe_intent
from controller.model import Event, Record, Value

T = TypeVar("T", Record, Event, Held)


class Defect(Value, frozen=True, kw_only=True):
    """One thing found in a journal. An error means it cannot be trusted; a warning is something to look at."""

    severity: Literal["error", "warning"]
    where: str
    code: str
    message: str
    hint: str = ""


_RESTORE = "restore a backup; `otactl journal export` shows what can still be read"
_RECORDS = "SELECT environment, name, revision, record FROM records ORDER BY environment, name"
_EVENTS = "SELECT environment, name, sequence, revision, event FROM events ORDER BY sequence"
_LEASES = "SELECT environment, fencing, held FROM leases ORDER BY environment"


def check(journal: SqlJournal, now: datetime, older_than: timedelta) -> tuple[Defect, ...]:
    """Look at everything in the journal; intents recorded longer than `older_than` ago are warnings."""
    defects: list[Defect] = []
    with journal.database.snapshot() as db:
        try:
            for (line,) in db.execute("PRAGMA integrity_check"):
                if line != "ok":
                    defects.append(_error(str(journal.path), "database_is_damaged", f"SQLite says: {line}"))
            known = _check_records(db, now, older_than, defects)
            _check_events(db, known, defects)
            _check_leases(db, defects)
        except sqlite3.DatabaseError as error:
            defects.append(_error(str(journal.path), "database_is_damaged", f"SQLite says: {error}"))
    return tuple(defects)


def _check_records(
    db: sqlite3.Connection, now: datetime, older_than: timedelta, defects: list[Defect]
) -> dict[tuple[str, str], int]:
    known: dict[tuple[str, str], int] = {}
    for environment, name, revision, text in db.execute(_RECORDS):
        key = f"{environment}/{name}"
        if not isinstance(revision, int) or revision < 1:
            defects.append(_error(key, "revision_is_not_positive", f"its revision is {revision!r}"))
        known[environment, name] = revision if isinstance(revision, int) else 0
        defects += _record_defects(key, text, now, older_than)
    return known


def _check_events(db: sqlite3.Connection, known: dict[tuple[str, str], int], defects: list[Defect]) -> None:
    for environment, name, sequence, revision, text in db.execute(_EVENTS):
        where = f"{environment}/{name} event {sequence}"
        newest = known.get((environment, name))
        if newest is None:
            defects.append(_error(where, "event_without_record", "it refers to a record that is not there"))
        elif not isinstance(revision, int) or not 1 <= revision <= newest:
            ahead = f"it came with revision {revision!r}, the record is at {newest}"
            defects.append(_error(where, "event_is_ahead_of_record", ahead))
        _read(text, Event, where, "event_is_unreadable", defects)


def _check_leases(db: sqlite3.Connection, defects: list[Defect]) -> None:
    for environment, fencing, text in db.execute(_LEASES):
        where = f"lease of {environment}"
        held = _read(text, Held, where, "lease_is_unreadable", defects)
        if held is not None and held.lease.fencing != fencing:
            differs = f"its fencing number is {fencing!r} in the column, {held.lease.fencing} in the lease"
            defects.append(_error(where, "fencing_differs", differs))


def _record_defects(key: str, text: object, now: datetime, older_than: timedelta) -> list[Defect]:
    defects: list[Defect] = []
    record = _read(text, Record, key, "record_is_unreadable", defects)
    if record is None:
        return defects
    if record.key != key:
        defects.append(_error(key, "record_is_misfiled", f"the record says it is {record.key}"))
    for intent in record.intents:
        if now - intent.at > older_than:
            message = f"{describe_intent(intent)} was meant and has no outcome yet"
            hint = "run `otactl reconcile`: the next pass looks what became of it"
            defects.append(Defect(severity="warning", where=key, code="intent_is_old", message=message, hint=hint))
    return defects


def _read(text: object, kind: type[T], where: str, code: str, defects: list[Defect]) -> T | None:
    try:
        return msgspec.json.decode(str(text), type=kind)
    except msgspec.DecodeError as error:
        defects.append(_error(where, code, str(error)))
        return None


def _error(where: str, code: str, message: str) -> Defect:
    return Defect(severity="error", where=where, code=code, message=message, hint=_RESTORE)


def backup(journal: SqlJournal, path: Path) -> None:
    """Copy the journal to a new file while others go on working (rule 2).

    Raises `UsageError` when the path exists or cannot be written, `StalledError` when the disk fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder of {path}: {error.strerror}; name another file") from error
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


def _copy(journal: SqlJournal, target: Path) -> None:
    with journal.database.snapshot() as source:
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
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


def export(journal: SqlJournal) -> Iterator[str]:
    """Give every record, event and lease as one line of JSON each (rule 3).

    Raises `StalledError` at the first one that cannot be read, naming it.
    """
    with journal.database.snapshot() as db:
        yield _line({"kind": "journal", "schema": VERSION})
        for environment, name, revision, text in db.execute(_RECORDS):
            record = _strict(journal, text, Record, f"record {environment}/{name}")
            head = {"kind": "record", "environment": environment, "name": name, "revision": revision}
            yield _line(head | {"record": record})
        for environment, name, sequence, revision, text in db.execute(_EVENTS):
            event = _strict(journal, text, Event, f"event {sequence} of {environment}/{name}")
            head = {"kind": "event", "environment": environment, "name": name, "sequence": sequence}
            yield _line(head | {"revision": revision, "event": event})
        for environment, fencing, text in db.execute(_LEASES):
            held = _strict(journal, text, Held, f"lease of {environment}")
            yield _line({"kind": "lease", "environment": environment, "fencing": fencing, "lease": held.lease})


def _strict(journal: SqlJournal, text: object, kind: type[T], what: str) -> T:
    defects: list[Defect] = []
    value = _read(text, kind, what, "unreadable", defects)
    if value is None:
        why = f"journal {journal.path}: {what} cannot be read ({defects[0].message}); run `otactl journal check`"
        raise StalledError("JournalIsDamaged", why)
    return value


def _line(value: dict[str, object]) -> str:
    return msgspec.json.encode(value).decode()
