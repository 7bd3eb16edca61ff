"""What only a database can suffer: who may connect, which schema it has, whose clock counts; and its address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from otactl.errors import ConflictError, JournalMissingError, LeaseHeldError, StalledError, TransientError, UsageError
from otactl.journal import open_journal
from otactl.journal.leases import TERM
from otactl.journal.postgres import connection, schema
from otactl.journal.postgres.sql import Step
from otactl.journal.postgres.store import PostgresJournal
from otactl.reconcile.leased_journal import LeasedJournal
from tests.support.journal_contract import ENVIRONMENT, NOW, STORES, at, change, end, line, process, set_server_clock
from tests.support.postgres import PostgresServer

CREATE = """
print(journal.identity().id, flush=True)
"""


@pytest.fixture
def journal(postgres: PostgresServer, tmp_path: Path) -> Iterator[PostgresJournal]:
    with PostgresJournal(STORES["postgres"](tmp_path)) as opened:
        yield opened


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    """An empty database, as the address of a journal."""
    name = postgres.create_database()
    yield f"postgresql:///{name}"
    postgres.drop_database(name)


def run(url: str, *statements: bytes) -> None:
    with psycopg.connect(url, autocommit=True) as raw:
        for statement in statements:
            raw.execute(statement)


def test_a_database_without_a_journal_says_how_to_create_one_and_stays_empty(empty: str) -> None:
    with pytest.raises(JournalMissingError, match=rf"no journal at {empty}; .*otactl journal init {empty}"):
        open_journal(empty, must_exist=True)
    with psycopg.connect(empty) as raw:
        assert raw.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'otactl'").fetchone() == (0,)


def test_a_journal_that_is_not_there_is_missing_beside_others(journal: PostgresJournal) -> None:
    other = f"{journal.path}-other"
    with pytest.raises(JournalMissingError, match=re.escape(other)):
        open_journal(other, must_exist=True)


def test_journals_of_one_database_do_not_see_each_other(journal: PostgresJournal) -> None:
    journal.commit((change(0, "one"),), 0)
    with PostgresJournal(f"{journal.path}-other") as other:
        assert other.identity().id != journal.identity().id
        assert (other.environments(), other.history(ENVIRONMENT, "soil")) == ((), ())
        other.commit((change(0, "two", version="2"),), 0)
        assert journal.load(ENVIRONMENT, "soil").record.version == ""
        assert journal.acquire(ENVIRONMENT, "cron", NOW).fencing == 1
        assert other.lease(ENVIRONMENT) is None


def test_processes_that_create_the_schema_at_the_same_moment_get_one_journal(empty: str) -> None:
    with ExitStack() as stack:
        children = [process(empty, CREATE) for _ in range(2)]
        for child in children:
            stack.callback(end, child)
        assert len({line(child) for child in children} - {""}) == 1


def test_an_opened_journal_refuses_to_write_unless_it_is_opened_for_that(journal: PostgresJournal) -> None:
    journal.commit((change(0),), 0)
    with open_journal(journal.path, must_exist=True) as reading:
        assert reading.load(ENVIRONMENT, "soil").revision == 1
        with pytest.raises(UsageError, match="cannot be opened or written"):
            reading.commit((change(1),), 0)


def test_an_earlier_schema_waits_for_its_owner_and_a_newer_one_for_a_newer_otactl(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    PostgresJournal(empty).close()
    newer = (*schema.steps(), Step(2, "ALTER TABLE otactl.records ADD COLUMN note text"))
    with monkeypatch.context() as later:
        later.setattr(schema, "steps", lambda: newer)
        for write in (False, True):
            with pytest.raises(StalledError, match=r"has schema 1, this version needs 2.*otactl journal init") as old:
                open_journal(empty, must_exist=True, write=write)
            assert old.value.reason == "JournalNeedsUpgrade"
        with PostgresJournal(empty) as upgraded:
            upgraded.commit((change(0),), 0)
    with pytest.raises(StalledError, match="has schema 2, this version knows 1; run a newer otactl") as new:
        open_journal(empty, must_exist=True)
    assert new.value.reason == "JournalIsNewer"
    with pytest.raises(StalledError, match="run a newer otactl"):
        open_journal(empty)


def test_an_upgrade_that_fails_changes_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PostgresJournal(empty).close()
    good = Step(2, "ALTER TABLE otactl.records ADD COLUMN note text")
    steps = (*schema.steps(), good, Step(3, "SELECT 1 / 0"))
    with monkeypatch.context() as later:
        later.setattr(schema, "steps", lambda: steps)
        with pytest.raises(UsageError, match="division by zero"):
            open_journal(empty)
    with open_journal(empty, must_exist=True, write=True) as journal:
        assert journal.commit((change(0),), 0) == {"soil": 1}


def test_a_schema_of_something_else_is_refused_and_left_alone(empty: str) -> None:
    run(empty, b"CREATE SCHEMA otactl", b"CREATE TABLE otactl.bookmarks (url text)")
    with pytest.raises(UsageError, match="a schema named otactl that is not a journal's"):
        open_journal(empty)


def test_a_database_in_another_encoding_is_refused(postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'")
    with pytest.raises(UsageError, match="not in UTF8"):
        open_journal("postgresql:///latin")


@pytest.mark.parametrize("skew", [timedelta(days=-400), timedelta(seconds=-130), timedelta(hours=3)])
def test_a_lease_runs_out_by_the_servers_clock_whatever_a_machine_thinks_the_time_is(
    journal: PostgresJournal, skew: timedelta
) -> None:
    lease = journal.acquire(ENVIRONMENT, "cron-a", NOW + skew)
    assert (lease.expires_at, lease.took_over) == (NOW + TERM, "")
    set_server_clock(NOW + TERM - timedelta(seconds=1))
    for now in (NOW, NOW + skew, NOW + timedelta(days=30)):
        with pytest.raises(LeaseHeldError, match="until 2026-03-01T12:02:00Z"):
            journal.acquire(ENVIRONMENT, "cron-b", now)
    set_server_clock(NOW + TERM)
    assert journal.acquire(ENVIRONMENT, "cron-b", NOW + skew).fencing == 2
    with pytest.raises(ConflictError, match="another process took over"):
        journal.commit((change(0),), lease.fencing)


@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(), timedelta(days=1)])
def test_a_run_on_a_machine_with_a_wrong_clock_renews_its_lease_in_time(
    journal: PostgresJournal, skew: timedelta
) -> None:
    clock = [NOW]
    run = LeasedJournal(ENVIRONMENT, journal, "cron", lambda: clock[0] + skew)
    run.hold()
    for seconds in (59, 70, 140, 200, 261):
        clock[0] = at(journal, NOW + timedelta(seconds=seconds))
        run.renew()
        held = journal.lease(ENVIRONMENT)
        assert held is not None
        assert held.expires_at - clock[0] >= timedelta(seconds=59)
        assert held.fencing == 1


def test_a_wait_for_another_transaction_has_an_end(journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.commit((change(0),), 0)
    monkeypatch.setattr(connection, "LOCK_SECONDS", 0.05)
    with PostgresJournal(journal.path) as waiting, psycopg.connect("") as raw:
        raw.execute("SELECT FROM otactl.environments FOR UPDATE")
        with pytest.raises(TransientError, match=r"lock timeout.*nothing was written, run again") as caught:
            waiting.commit((change(1),), 0)
        assert caught.value.committed is False
        raw.rollback()
        assert waiting.commit((change(1),), 0) == {"soil": 2}


def test_a_name_that_is_no_text_is_reported(journal: PostgresJournal) -> None:
    for name in ("\udcff", "a\0b"):
        with pytest.raises(UsageError, match=r"not valid text|cannot be stored"):
            journal.load(ENVIRONMENT, name)


def test_a_record_that_cannot_be_read_is_named(journal: PostgresJournal) -> None:
    journal.commit((change(0, name="r0"),), 0)
    run("", b"""UPDATE otactl.records SET record = '{"environment":1}' WHERE name = 'r0'""")
    with pytest.raises(StalledError, match="the record prod-eu/r0 cannot be read"):
        journal.load_all(ENVIRONMENT)
