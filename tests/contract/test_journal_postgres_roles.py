"""What each role of a journal on PostgreSQL may do, tried by connecting as it; the SQL is what the command prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest

from otactl.errors import ConflictError, JournalMissingError, StalledError
from otactl.journal import open_journal
from otactl.journal.maintenance import check, export
from otactl.journal.postgres.sql import roles_sql
from otactl.journal.postgres.store import PostgresJournal
from otactl.model import Record
from otactl.ports import Commit
from tests.support.cli_runner import run_of
from tests.support.journal_contract import ENVIRONMENT, NOW, change, event
from tests.support.postgres import PostgresServer

LOGINS = {"deploy": "otactl_owner", "runner": "otactl_controller", "viewer": "otactl_reader"}


class Stage(NamedTuple):
    """A database whose journal `deploy` created, and its users."""

    server: PostgresServer
    database: str

    def url(self, user: str, journal: str = "default") -> str:
        return f"postgresql://{user}@/{self.database}?journal={journal}"

    def execute(self, user: str, statement: bytes) -> None:
        with psycopg.connect(self.server.conninfo(self.database, user), autocommit=True) as raw:
            raw.execute(statement)


@pytest.fixture(scope="module")
def stage(postgres_journals: PostgresServer) -> Iterator[Stage]:
    stage = Stage(postgres_journals, postgres_journals.create_database())
    stage.execute("postgres", roles_sql().encode())
    for login, role in LOGINS.items():
        stage.execute("postgres", f"CREATE ROLE {login} LOGIN IN ROLE {role}".encode())
    with PostgresJournal(stage.url("deploy")) as made:
        made.commit((change(0, "one"),), 0)
    stage.execute("postgres", roles_sql().encode())
    yield stage
    postgres_journals.drop_database(stage.database)


def test_the_command_prints_the_sql(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run_of("journal", monkeypatch, capsys)("roles")
    assert (ran.code, ran.out, ran.err) == (0, roles_sql(), "")


def test_a_member_of_the_owner_creates_the_journal_and_the_owner_owns_it(stage: Stage) -> None:
    with psycopg.connect(stage.server.conninfo(stage.database)) as raw:
        owners = raw.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'otactl'").fetchall()
    assert owners == [("otactl_owner",)]
    with open_journal(stage.url("deploy"), must_exist=True, write=True) as journal:
        assert journal.take_over("0123456789abcdef").replaces == ("0123456789abcdef",)


def test_a_controller_runs_an_environment(stage: Stage) -> None:
    with open_journal(stage.url("runner"), must_exist=True, write=True) as journal:
        lease = journal.acquire("prod-us", "cron", NOW)
        first = Commit(record=Record(environment="prod-us", name="soil"), expected_revision=0, events=(event("first"),))
        assert journal.commit((first,), lease.fencing) == {"soil": 1}
        journal.release(lease, NOW)
        assert journal.end_lease("prod-us", NOW) is None
        with pytest.raises(ConflictError):
            journal.commit((change(7),), 9)
        assert journal.size_bytes() > 0


def test_a_reader_reads_everything_and_writes_nothing(stage: Stage) -> None:
    with open_journal(stage.url("viewer"), must_exist=True) as journal:
        assert journal.load(ENVIRONMENT, "soil").revision == 1
        assert [e.message for e in journal.history(ENVIRONMENT, "soil")] == ["one"]
        assert list(export(journal))
    with open_journal(stage.url("viewer"), must_exist=True, write=True) as journal:
        for write in (lambda: journal.commit((change(1),), 0), lambda: journal.acquire(ENVIRONMENT, "cron", NOW)):
            with pytest.raises(StalledError, match=r"this user may not do that .*otactl journal roles") as caught:
                write()
            assert caught.value.reason == "JournalAccessDenied"


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE otactl.events SET event = '{}'",
        b"DELETE FROM otactl.events",
        b"TRUNCATE otactl.events",
        b"DELETE FROM otactl.records",
        b"DELETE FROM otactl.environments",
        b"UPDATE otactl.journals SET id = 'x'",
        b"INSERT INTO otactl.journals (journal, id) VALUES ('x', 'x')",
        b"INSERT INTO otactl.grants VALUES ('default', 'viewer')",
        b"UPDATE otactl.schema_version SET version = 9",
        b"CREATE TABLE otactl.mine ()",
        b"ALTER TABLE otactl.events DISABLE TRIGGER events_stay",
        b"DROP TABLE otactl.events",
        b"CREATE OR REPLACE FUNCTION otactl.server_time() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        b"SET ROLE otactl_owner",
    ],
)
@pytest.mark.parametrize("user", ["runner", "viewer"])
def test_neither_controller_nor_reader_rewrites_history_or_changes_tables(
    stage: Stage, user: str, statement: bytes
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stage.execute(user, statement)


@pytest.mark.parametrize("statement", [b"UPDATE otactl.events SET event = '{}'", b"DELETE FROM otactl.events"])
@pytest.mark.parametrize("user", ["deploy", "postgres"])
def test_the_owner_and_the_super_user_rewrite_no_event_by_mistake(stage: Stage, user: str, statement: bytes) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed or deleted"):
        stage.execute(user, statement)


def test_a_controller_creates_no_journal_and_learns_who_does(stage: Stage) -> None:
    with pytest.raises(StalledError, match="otactl journal roles") as caught:
        open_journal(stage.url("runner", "new"))
    assert caught.value.reason == "JournalAccessDenied"


def test_a_stranger_sees_nothing(stage: Stage) -> None:
    stage.execute("postgres", b"CREATE ROLE stranger LOGIN")
    with pytest.raises(StalledError, match="this user may not do that"):
        open_journal(stage.url("stranger"), must_exist=True)


def test_a_journal_with_roles_of_its_own_is_not_there_for_other_controllers(stage: Stage) -> None:
    with PostgresJournal(stage.url("deploy", "prod")) as prod:
        prod.commit((change(0, "secret"),), 0)
    stage.execute("postgres", b"CREATE ROLE prod_controller NOLOGIN IN ROLE otactl_controller")
    stage.execute("postgres", b"CREATE ROLE prod_runner LOGIN IN ROLE prod_controller")
    stage.execute("postgres", b"DELETE FROM otactl.grants WHERE journal = 'prod'")
    stage.execute("postgres", b"INSERT INTO otactl.grants VALUES ('prod', 'prod_controller')")

    for user in ("runner", "viewer"):
        with pytest.raises(JournalMissingError):
            open_journal(stage.url(user, "prod"), must_exist=True)
        with psycopg.connect(stage.server.conninfo(stage.database, user)) as raw:
            for table in (b"journals", b"environments", b"records", b"events"):
                found = raw.execute(b"SELECT count(*) FROM otactl." + table + b" WHERE journal = 'prod'").fetchone()
                assert found == (0,)
    with psycopg.connect(stage.server.conninfo(stage.database, "runner")) as raw:
        rows = "INSERT INTO otactl.environments (journal, environment) VALUES ('prod', 'x')"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            raw.execute(rows)
    with open_journal(stage.url("prod_runner", "prod"), must_exist=True, write=True) as journal:
        assert journal.commit((change(1),), 0) == {"soil": 2}
        assert [d.code for d in check(journal, NOW, NOW - NOW)] == []


def test_a_dropped_role_locks_no_one_out(stage: Stage) -> None:
    stage.execute("postgres", b"INSERT INTO otactl.grants VALUES ('default', 'was_dropped')")
    with open_journal(stage.url("runner"), must_exist=True) as journal:
        assert journal.load(ENVIRONMENT, "soil").revision >= 1
