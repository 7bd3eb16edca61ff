"""Judges damaged journals: the bytes and the rows of an SQLite file, and the objects of a journal on S3."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import itertools
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from botocore.exceptions import ClientError

from otactl.errors import OtactlError
from otactl.journal import AnyJournal, S3Journal, SqlJournal
from otactl.journal.process_liveness import Process
from otactl.model import Event, Record
from otactl.ports import Commit, Journal, Lease
from tests.support.fuzz.damage import ODD, damaged_bytes, damaged_json
from tests.support.fuzz.kind import Kind, drawn, must

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HOME, NAMES = "prod-eu", ("soil", "gate")
URL = "s3://otactl-journals/fuzz"


@contextmanager
def repeatable() -> Iterator[None]:
    """Draw the same names for journals and commits, and show the same process, in every run."""
    numbers = itertools.count(1)

    def drawn_once() -> UUID:
        return UUID(int=next(numbers))

    here = Process(host="fuzz", pid=4, place="here", started="1")
    with (
        patch("otactl.journal.identity.uuid4", drawn_once),
        patch("otactl.journal.s3_store.uuid4", drawn_once),
        patch("otactl.journal.postgres.store.uuid4", drawn_once),
        patch("otactl.journal.sqlite.current", lambda: here),
        patch("otactl.journal.s3.current", lambda: here),
        patch("otactl.journal.postgres.store.current", lambda: here),
    ):
        yield


def fill(journal: Journal) -> None:
    """Write two records with events and a lease."""
    lease = journal.acquire(HOME, "fuzz", NOW)
    for step in range(3):
        commits = tuple(
            Commit(
                record=Record(environment=HOME, name=name, version=f"1.0.{step}"),
                expected_revision=step,
                events=(Event(at=NOW, kind="note", subject=name, message=f"{name} {step}"),),
            )
            for name in NAMES
        )
        journal.commit(commits, lease.fencing)


def judge_journal(journal: AnyJournal, whole: list[tuple[Event, ...]], *, written: bool) -> str:
    """Read everything; what is read is of the right names, and a history that changed is reported by its chain."""
    errors = []
    for read in (journal.identity, journal.environments, lambda: journal.lease(HOME), lambda: journal.load_all(HOME)):
        try:
            read()
        except OtactlError as error:
            errors.append(error)
    for name, events in zip(NAMES, whole, strict=True):
        try:
            stored = journal.load(HOME, name)
            must((stored.record.environment, stored.record.name) == (HOME, name), "the record of another rollout")
            must(stored.revision >= 0, "a revision below 0")
            history = journal.history(HOME, name)
            checked = journal.chained(HOME, name).checked()
        except OtactlError as error:
            errors.append(error)
            continue
        shortened = checked is not None and len(history) < len(events) and stored.revision < 3
        must(history == events or shortened, f"the history of {name} changed, and its chain is whole")
    for each in errors:
        must(str(each) and "Traceback" not in str(each), f"{type(each).__name__} without words")
    if written:
        _write(journal, errors)
    return "refused" if errors else "read"


def _write(journal: Journal, errors: list[OtactlError]) -> None:
    """Commit on what is left: it is refused, or it can be read back."""
    try:
        lease: Lease = journal.acquire(HOME, "fuzz", NOW + timedelta(hours=1))
        stored = journal.load(HOME, "new")
        record = Record(environment=HOME, name="new", version="2")
        journal.commit((Commit(record=record, expected_revision=stored.revision, events=()),), lease.fencing)
        must(journal.load(HOME, "new").record == record, "a commit cannot be read back")
    except OtactlError as error:
        errors.append(error)


class Sqlite:
    """A small good journal in SQLite, and where damaged ones go."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "damaged.db"
        good = folder / "good.db"
        with repeatable(), SqlJournal(good) as journal:
            fill(journal)
            self.events = [journal.history(HOME, name) for name in NAMES]
        with closing(sqlite3.connect(good)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
            tables = [str(t) for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            self.columns = [
                (table, str(row[1]))
                for table in tables
                if not table.startswith("sqlite_")
                for row in db.execute(f"PRAGMA table_info({table})")
            ]
        self.good = good.read_bytes()

    def judge(self, data: bytes) -> str:
        """Judge a file."""
        for path in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm", "-journal"))):
            path.unlink(missing_ok=True)
        self.path.write_bytes(data)
        try:
            with SqlJournal(self.path, create=False, write=True, busy_seconds=0) as journal:
                return judge_journal(journal, self.events, written=data[-1:] < b"\x40")
        except OtactlError as error:
            must(str(error), f"{type(error).__name__} without words")
            return "refused"

    def judge_rows(self, data: bytes) -> str:
        """Judge the good file after updates of its rows: a list of table, column, row and value."""
        self.path.write_bytes(self.good)
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("PRAGMA ignore_check_constraints = 1")
            for table, column, row, value in json.loads(data):
                try:
                    db.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (value, row))  # noqa: S608
                except sqlite3.Error:
                    continue  # the file itself refuses this value
            db.commit()
        return self.judge(self.path.read_bytes())

    def draw(self, generator: random.Random) -> bytes:
        """Draw a damaged file."""
        return damaged_bytes(generator, (self.good,))

    def draw_rows(self, generator: random.Random) -> bytes:
        """Draw updates; texts of JSON are damaged as JSON."""
        changes = []
        with closing(sqlite3.connect(":memory:")) as db:
            db.deserialize(self.good)
            for _ in range(generator.randint(1, 3)):
                table, column = generator.choice(self.columns)
                row = generator.randint(1, 6)
                found = db.execute(f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', (row,)).fetchone()  # noqa: S608
                changes.append((table, column, row, odd(generator, found[0] if found else None)))
        return json.dumps(changes).encode()


def odd(generator: random.Random, value: object) -> object:
    """Return another value for a column; a text of JSON is mostly damaged as JSON."""
    if isinstance(value, str) and generator.random() < 0.7:
        try:
            return json.dumps(damaged_json(generator, json.loads(value)))
        except ValueError:
            return value[: generator.randrange(len(value) + 1)]
    other = generator.choice(ODD)
    fits = not isinstance(other, list | dict) and not (isinstance(other, int) and not -(2**63) <= other < 2**63)
    return other if fits else json.dumps(other)


def sqlite_kinds(folder: Path) -> Iterator[Kind]:
    """Return the bytes and the rows of SQLite files."""
    journal = Sqlite(folder)
    yield Kind("sqlite-bytes", "journal in SQLite, bytes", drawn("sqlite-bytes", journal.draw), journal.judge)
    yield Kind("sqlite-rows", "journal in SQLite, rows", drawn("sqlite-rows", journal.draw_rows), journal.judge_rows)


class Store:
    """S3 in memory, as the journal's client sees it; `calls` is bounded."""

    MOST_CALLS = 200

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects, self.calls = objects, 0

    def get_object(self, **given: Any) -> dict[str, Any]:
        """Return an object with its ETag."""
        data = self._at(given["Key"])
        if data is None:
            raise _refused("NoSuchKey", 404, "GetObject")
        tag = _etag(data)
        if given.get("IfNoneMatch") == tag:
            raise _refused("304", 304, "GetObject")
        return {"Body": io.BytesIO(data), "ETag": tag}

    def put_object(self, **given: Any) -> dict[str, Any]:
        """Store an object if its condition holds."""
        data = self._at(given["Key"])
        if given.get("IfNoneMatch") == "*" and data is not None:
            raise _refused("PreconditionFailed", 412, "PutObject")
        if "IfMatch" in given and (data is None or given["IfMatch"] != _etag(data)):
            raise _refused("PreconditionFailed", 412, "PutObject")
        self.objects[given["Key"]] = given["Body"]
        return {"ETag": _etag(given["Body"])}

    def list_objects_v2(self, **given: Any) -> dict[str, Any]:
        """List the keys below a prefix."""
        self._at("")
        keys = sorted(k for k in self.objects if k.startswith(given.get("Prefix", "")))
        return {"Contents": [{"Key": k} for k in keys], "IsTruncated": False, "KeyCount": len(keys)}

    def _at(self, key: str) -> bytes | None:
        self.calls += 1
        must(self.calls <= self.MOST_CALLS, f"more than {self.MOST_CALLS} calls to S3")
        return self.objects.get(key)


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _refused(code: str, status: int, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


def s3_kind() -> Kind:
    """Return journals on S3 with damaged objects: their bytes, or the JSON inside."""
    store = Store({})
    with repeatable(), S3Journal(URL, client=store, sleep=lambda _: None) as journal:
        fill(journal)
        events = [journal.history(HOME, name) for name in NAMES]
    good = dict(store.objects)

    def judge(data: bytes) -> str:
        changed = {key: base64.b64decode(text) for key, text in json.loads(data).items()}
        objects = {key: value for key, value in {**good, **changed}.items() if value}
        try:
            opened = S3Journal(URL, client=Store(objects), sleep=lambda _: None, create=False, write=True)
            with opened as journal:
                return judge_journal(journal, events, written=len(data) % 4 == 0)
        except OtactlError as error:
            must(str(error), f"{type(error).__name__} without words")
            return "refused"

    def draw(generator: random.Random) -> bytes:
        key = generator.choice(sorted(good))
        if generator.random() < 0.4:
            changed = damaged_bytes(generator, (good[key],))
        else:
            text = json.dumps(damaged_json(generator, json.loads(gzip.decompress(good[key]))))
            changed = gzip.compress(text.encode(), mtime=0)
        return json.dumps({key: base64.b64encode(changed).decode()}).encode()

    return Kind("s3", "journal on S3, objects", drawn("s3", draw), judge)
