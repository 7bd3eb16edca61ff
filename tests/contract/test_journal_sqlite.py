"""What only a file can suffer: locked, damaged, foreign, newer, unwritable, full; and how it is opened."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from otactl.errors import ConflictError, OtactlError, StalledError, TransientError, UsageError
from otactl.journal import SqlJournal, open_journal
from otactl.journal.process_liveness import Process, current, is_dead
from tests.support.journal_contract import ENVIRONMENT, NOW, change, end, line, process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def _run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement)


def _filled(path: Path, count: int = 1) -> Path:
    with SqlJournal(path) as journal:
        journal.commit(tuple(change(0, "first", name=f"r{i}") for i in range(count)), 0)
    return path


def _one_line(error: OtactlError, path: Path) -> bool:
    return "\n" not in str(error) and str(path) in str(error)


@pytest.mark.parametrize(
    "name", ["journal.db", "deep/er/journal.db", "with space?and#hash.db", "p%20ercent.db", "sondé 土.db"]
)
def test_the_file_is_made_where_it_was_asked_for_with_its_folders(tmp_path: Path, name: str) -> None:
    with SqlJournal(tmp_path / name) as journal:
        journal.commit((change(0),), 0)
    assert (tmp_path / name).is_file()
    assert sorted(p.name for p in (tmp_path / name).parent.iterdir()) == [(tmp_path / name).name]


def test_the_file_is_in_wal_mode_with_full_sync(path: Path) -> None:
    with SqlJournal(path) as journal, journal.database.read() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_a_url_and_a_plain_path_name_the_same_file(path: Path, prefix: str) -> None:
    _filled(path)
    with open_journal(f"{prefix}{path}", must_exist=True) as journal:
        assert journal.load(ENVIRONMENT, "r0").revision == 1


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("mysql://db", "not a journal URL this version knows"),
        ("sqlite://journal.db", "not a journal URL this version knows"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///", "names no file"),
        ("", "names no file"),
    ],
)
def test_a_url_that_cannot_be_served_says_what_can(url: str, reported: str) -> None:
    with pytest.raises(UsageError, match=reported) as caught:
        open_journal(url)
    assert "sqlite:///" in str(caught.value)


def test_reading_a_missing_journal_says_what_next_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"JournalMissing: no journal at .*--journal.*otactl journal init"):
        open_journal(str(tmp_path / "none" / "journal.db"), must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_reading_leaves_the_folder_as_it_was_and_refuses_to_write(path: Path) -> None:
    before = _filled(path).read_bytes()
    with SqlJournal(path, create=False) as journal:
        assert journal.load(ENVIRONMENT, "r0").revision == 1
        with pytest.raises(UsageError, match="cannot be opened or written"):
            journal.commit((change(0),), 0)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_reader_sees_one_state_while_a_writer_writes(path: Path) -> None:
    with SqlJournal(_filled(path)) as writer, SqlJournal(path, create=False) as reader, writer.database.write() as db:
        db.execute("UPDATE records SET revision = 9")
        assert reader.load(ENVIRONMENT, "r0").revision == 1


def test_a_locked_journal_is_worth_another_try(path: Path) -> None:
    _filled(path)
    with SqlJournal(path, busy_seconds=0.05) as journal, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError, match="locked by another process") as caught:
            journal.commit((change(1, name="r0"),), 0)
        assert (caught.value.committed, caught.value.retry_after > 0) == (False, True)
        assert _one_line(caught.value, path)
        other.execute("ROLLBACK")
        assert journal.commit((change(1, name="r0"),), 0) == {"r0": 2}


def test_a_damaged_record_is_an_error_that_holds_the_file_no_longer_than_the_journal(path: Path) -> None:
    _run(_filled(path, 2), "UPDATE records SET record = '{' WHERE name = 'r0'")

    with SqlJournal(path) as journal, pytest.raises(StalledError) as caught:
        journal.load_all(ENVIRONMENT)

    with closing(sqlite3.connect(path, timeout=0)) as other:
        assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",), caught.value


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    _run(_filled(path), "PRAGMA journal_mode = DELETE", "UPDATE schema_version SET version = 4")
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(StalledError, match="schema 4, this version knows 3; run a newer otactl") as caught:
            SqlJournal(path, create=create)
        assert caught.value.reason == "JournalIsNewer"
    assert path.read_bytes() == before


def test_an_older_schema_is_refused_with_the_way_out_and_left_alone(path: Path) -> None:
    with SqlJournal(_filled(path)) as journal:
        known = journal.identity().id
    _run(path, "PRAGMA journal_mode = DELETE", "UPDATE schema_version SET version = 1")
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(
            StalledError, match=f"has schema 1.*journal init --replaces {known}`; .*sent again"
        ) as caught:
            SqlJournal(path, create=create)
        assert caught.value.reason == "JournalIsOlder"
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    _run(path, "CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="not a journal"):
        SqlJournal(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("apiVersion: otactl.dev/v1\n" * 100, encoding="utf-8")
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(UsageError, match="is not a journal") as caught:
            SqlJournal(path, create=create)
        assert _one_line(caught.value, path)
    assert path.read_bytes() == before


def test_an_empty_file_is_no_journal_to_read_and_a_fine_one_to_begin(path: Path) -> None:
    path.touch()
    with pytest.raises(UsageError, match="nothing was ever written to journal"):
        SqlJournal(path, create=False)
    _filled(path)
    with SqlJournal(path, create=False) as journal:
        assert journal.environments() == (ENVIRONMENT,)


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        SqlJournal(tmp_path)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot reach journal .*(Not a directory|File exists)"):
        SqlJournal(tmp_path / "file" / "journal.db")


WITHOUT_PERMISSION = """
from otactl.errors import UsageError
os.chmod(sys.argv[2], 0o500)
if os.getuid() == 0:
    os.setuid(65534)  # root may write everywhere
try:
    open_journal(sys.argv[2] + "/journal.db")
except UsageError as error:
    print(error, flush=True)
"""


def test_a_folder_without_write_permission_is_reported(path: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    child = process(str(path), WITHOUT_PERMISSION, str(closed))
    reported = line(child)
    end(child)
    assert str(closed) in reported
    assert "cannot be opened or written" in reported or "cannot reach journal" in reported


def test_damaged_pages_stall_with_what_next(path: Path) -> None:
    _filled(path, 400)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StalledError, match=r"damaged .*otactl journal check.*backup") as caught:
        SqlJournal(path).load_all(ENVIRONMENT)
    assert _one_line(caught.value, path)


def test_a_record_that_cannot_be_read_is_named(path: Path) -> None:
    _run(_filled(path), """UPDATE records SET record = '{"environment":1}'""")
    with SqlJournal(path) as journal, pytest.raises(StalledError, match="the record prod-eu/r0 cannot be read"):
        journal.load_all(ENVIRONMENT)


def test_a_full_disk_writes_nothing_and_the_journal_stays_usable(path: Path) -> None:
    with SqlJournal(_filled(path)) as journal:
        with journal.database.read() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StalledError, match="the disk is full") as caught:
            journal.commit((change(1, "lost", name="r0", version="x" * 100_000),), 0)
        assert caught.value.reason == "JournalDiskIsFull"
        assert journal.load(ENVIRONMENT, "r0").revision == 1
        with journal.database.read() as db:
            db.execute("PRAGMA max_page_count = 100000")
        assert journal.commit((change(1, "kept", name="r0"),), 0) == {"r0": 2}


FAILING_DISK = """
import resource
from otactl.errors import StalledError
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
record = Record(environment="prod-eu", name="r0", version="x" * 1_000_000)
try:
    journal.commit((Commit(record=record, expected_revision=1),), 0)
except StalledError as error:
    print(error.reason, str(error).count(chr(10)), journal.load("prod-eu", "r0").revision, flush=True)
"""


def test_a_write_the_system_refuses_is_one_line_and_rolled_back(path: Path) -> None:
    child = process(str(_filled(path)), FAILING_DISK)
    reported = line(child)
    end(child)
    assert reported == "JournalIsUnwritable 0 1"


def test_a_name_that_is_no_text_is_reported(path: Path) -> None:
    with SqlJournal(_filled(path)) as journal, pytest.raises(UsageError, match="not valid text"):
        journal.load(ENVIRONMENT, "\udcff")


def test_threads_share_a_journal_and_each_revision_goes_to_one(path: Path) -> None:
    won: list[int] = []

    def work(journal: SqlJournal) -> None:
        for revision in range(30):
            try:
                journal.commit((change(revision),), 0)
            except ConflictError:
                continue
            won.append(revision)

    with SqlJournal(path) as journal:
        threads = [threading.Thread(target=work, args=(journal,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(won) == list(range(30))


def test_a_number_given_to_another_process_since_is_not_the_holder() -> None:
    here = current()
    assert not is_dead(here, here)
    assert is_dead(Process(host=here.host, pid=here.pid, place=here.place, started="1"), here)


@pytest.mark.parametrize("field", ["host", "place"])
def test_a_process_elsewhere_is_never_proved_dead(field: str) -> None:
    here = current()
    gone = {"host": here.host, "place": here.place, "pid": 2**22 + 1, "started": "1"}
    assert is_dead(Process(**gone), here)
    assert not is_dead(Process(**(gone | {field: "elsewhere"})), here)


def test_a_lease_survives_its_process_number_being_given_again(path: Path) -> None:
    with SqlJournal(path) as journal:
        journal.acquire(ENVIRONMENT, "cron", NOW)
        _run(path, """UPDATE leases SET held = json_set(held, '$.process.started', '1')""")
        assert journal.acquire(ENVIRONMENT, "cron", NOW).fencing == 2
