"""Care of a journal: check finds what is wrong and goes on, a backup restores, an export says everything."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from otactl.errors import StalledError, UsageError
from otactl.journal import SqlJournal
from otactl.journal.maintenance import backup, check, export
from otactl.model import Event, Intent, Record, RecordedCall
from otactl.ports import Commit, Lease
from tests.support.journal_contract import ENVIRONMENT, NOW, change, end, line, process, record

HOUR = timedelta(hours=1)
SHORT_DISK = """
import resource
from pathlib import Path
from otactl.errors import StalledError
from otactl.journal.maintenance import backup
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    backup(journal, Path(sys.argv[2]))
except StalledError as error:
    print(error.reason, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with SqlJournal(tmp_path / "journal.db") as journal:
        lease = journal.acquire(ENVIRONMENT, "cron", NOW)
        journal.commit((change(0, "one", "two", name="a"), change(0, "three", name="b")), lease.fencing)
        journal.commit((change(1, "four", name="a", version="2.4.1"),), lease.fencing)
    return tmp_path / "journal.db"


def _break(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            raw.execute(statement)


def _codes(path: Path) -> list[tuple[str, str]]:
    with SqlJournal(path, create=False) as journal:
        return [(d.where, d.code) for d in check(journal, NOW, HOUR)]


def test_a_sound_journal_has_no_defect(path: Path) -> None:
    assert _codes(path) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE records SET record = 'x' WHERE name = 'a'", [("prod-eu/a", "record_is_unreadable")]),
        ("UPDATE records SET record = x'ff00' WHERE name = 'a'", [("prod-eu/a", "record_is_unreadable")]),
        (
            "UPDATE records SET record = json_set(record, '$.name', 'c') WHERE name = 'a'",
            [("prod-eu/a", "record_is_misfiled")],
        ),
        (
            "UPDATE records SET revision = 0 WHERE name = 'b'",
            [("prod-eu/b", "revision_is_not_positive"), ("prod-eu/b event 3", "event_is_ahead_of_record")],
        ),
        (
            "UPDATE events SET revision = 3 WHERE sequence = 4",
            [("prod-eu/a event 4", "event_is_ahead_of_record"), ("prod-eu/a event 4", "chain_is_broken")],
        ),
        (
            "UPDATE events SET event = '{}' WHERE sequence = 2",
            [("prod-eu/a event 2", "event_is_unreadable"), ("prod-eu/a event 2", "chain_is_broken")],
        ),
        ("DELETE FROM records WHERE name = 'b'", [("prod-eu/b event 3", "event_without_record")]),
        ("UPDATE leases SET held = '[]'", [("lease of prod-eu", "lease_is_unreadable")]),
        ("UPDATE leases SET fencing = 9", [("lease of prod-eu", "fencing_differs")]),
    ],
)
def test_what_is_wrong_is_named(path: Path, statement: str, found: list[tuple[str, str]]) -> None:
    _break(path, statement)
    assert [f for f in _codes(path) if f[1] != "database_is_damaged"] == found


def test_one_defect_does_not_hide_the_next(path: Path) -> None:
    _break(path, "UPDATE records SET record = 'x'", "UPDATE events SET event = 'x'", "UPDATE leases SET held = 'x'")
    assert len(_codes(path)) == 2 + 4 + 2 + 1


def test_damaged_pages_are_a_defect_and_not_a_traceback(path: Path) -> None:
    with SqlJournal(path) as journal:
        many = tuple(change(0, "x" * 500, name=f"r{i}", version="v" * 500) for i in range(200))
        journal.commit(many, 1)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 16 * 4096] = b"\xff" * (16 * 4096)
    path.write_bytes(content)
    assert "database_is_damaged" in {code for _, code in _codes(path)}


@pytest.mark.parametrize(("age", "warned"), [(timedelta(minutes=60), 0), (timedelta(minutes=61), 1)])
def test_an_old_intent_is_a_warning_that_says_which_call(path: Path, age: timedelta, warned: int) -> None:
    call = RecordedCall(service="iotwireless", operation="CreateFuotaTask", parameters={})
    intent = Intent(action="createUnit", unit_id="a-canary-1-0a1b2c3d", key="1", call=call, at=NOW - age)
    held = msgspec.structs.replace(record("a"), intents=(intent,))
    with SqlJournal(path) as journal:
        journal.commit((Commit(record=held, expected_revision=2),), 1)
        found = check(journal, NOW, HOUR)
    assert [(d.severity, d.code) for d in found] == [("warning", "intent_is_old")] * warned
    assert all("iotwireless:CreateFuotaTask" in d.message for d in found)


def test_the_old_intents_of_one_step_are_one_warning_that_names_the_first_devices(path: Path) -> None:
    call = RecordedCall(service="iotwireless", operation="AssociateWirelessDeviceWithFuotaTask", parameters={})
    unit = "a-canary-1-0a1b2c3d"
    intents = tuple(
        Intent(
            action="addMembers",
            unit_id=unit,
            key=f"addMembers/{unit}/device:d{n}",
            call=call,
            at=NOW - timedelta(hours=2),
        )
        for n in range(100)
    )
    held = msgspec.structs.replace(record("a"), intents=intents)
    with SqlJournal(path) as journal:
        journal.commit((Commit(record=held, expected_revision=2),), 1)
        (found,) = check(journal, NOW, HOUR)
    assert found.code == "intent_is_old"
    assert "for device:d0, device:d1, device:d2 and 97 more (100 calls) have no outcome yet" in found.message


def test_a_backup_holds_everything_in_one_file_that_a_read_only_place_can_serve(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "monday.db"
    with SqlJournal(path) as journal:
        backup(journal, copy)
        expected = list(export(journal))
    assert [p.name for p in copy.parent.iterdir()] == ["monday.db"]
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with SqlJournal(copy, create=False) as restored:
        assert list(export(restored)) == expected
        assert check(restored, NOW, HOUR) == ()


def test_a_backup_can_be_put_in_the_journals_place_and_goes_on(path: Path, tmp_path: Path) -> None:
    with SqlJournal(path) as journal:
        backup(journal, tmp_path / "copy.db")
        journal.commit((change(2, "after the backup", name="a"),), 1)
    (tmp_path / "copy.db").replace(path)
    with SqlJournal(path) as restored:
        assert restored.load(ENVIRONMENT, "a").revision == 2
        assert restored.commit((change(2, name="a"),), 1) == {"a": 3}


def test_a_backup_is_one_moment_while_a_writer_works(path: Path, tmp_path: Path) -> None:
    with SqlJournal(path) as journal, SqlJournal(path) as writer, writer.database.write() as db:
        db.execute("UPDATE records SET revision = 77")
        backup(journal, tmp_path / "copy.db")
    with SqlJournal(tmp_path / "copy.db", create=False) as copy:
        assert copy.load(ENVIRONMENT, "a").revision == 2


def test_a_backup_replaces_nothing(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    kept.write_text("mine", encoding="utf-8")
    with SqlJournal(path) as journal:
        with pytest.raises(UsageError, match="exists; a backup replaces nothing"):
            backup(journal, kept)
        with pytest.raises(UsageError, match="exists"):
            backup(journal, path)
    assert kept.read_text(encoding="utf-8") == "mine"
    with SqlJournal(path) as journal:
        assert journal.load(ENVIRONMENT, "a").revision == 2


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with SqlJournal(path) as journal, pytest.raises(UsageError, match="cannot create the folder"):
        backup(journal, tmp_path / "file" / "copy.db")
    child = process(str(path), SHORT_DISK, str(tmp_path / "copies" / "copy.db"))
    reported = line(child)
    end(child)
    assert reported == "JournalIsUnwritable"
    assert list((tmp_path / "copies").iterdir()) == []


def test_an_export_holds_records_events_and_leases_as_their_types_say(path: Path) -> None:
    with SqlJournal(path) as journal:
        lines = [json.loads(line) for line in export(journal)]
        lease, identity = journal.lease(ENVIRONMENT), journal.identity()
    assert lines[0] == {"kind": "journal", "schema": 3, "id": identity.id}
    assert [line["kind"] for line in lines[1:]] == ["record"] * 2 + ["event"] * 4 + ["lease"]
    records = [msgspec.convert(line["record"], Record) for line in lines if line["kind"] == "record"]
    assert records == [record("a", "2.4.1"), record("b")]
    events = [(line["name"], line["revision"], msgspec.convert(line["event"], Event).message) for line in lines[3:7]]
    assert events == [("a", 1, "one"), ("a", 1, "two"), ("b", 1, "three"), ("a", 2, "four")]
    assert msgspec.convert(lines[-1]["lease"], Lease) == lease


def test_an_export_stops_at_what_it_cannot_read_and_names_it(path: Path) -> None:
    _break(path, "UPDATE events SET event = '{}' WHERE sequence = 2")
    with SqlJournal(path) as journal, pytest.raises(StalledError, match="event 2 of prod-eu/a cannot be read"):
        list(export(journal))
