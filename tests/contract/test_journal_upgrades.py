"""A journal of every earlier schema that can be read goes on; each fixture was written by its version."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import psycopg
import pytest

from otactl.errors import StalledError
from otactl.journal import open_journal, s3_format, sqlite_file
from otactl.journal.maintenance import backup, examine
from otactl.journal.postgres import schema
from otactl.journal.postgres.sql import steps
from otactl_simulator.server import SimulatorServer
from tests.support.journal_contract import BUCKET, ENVIRONMENT, NOW, change
from tests.support.paths import ROOT
from tests.support.postgres import PostgresServer

FIXTURES = ROOT / "tests/vectors/journals"
HOUR = timedelta(hours=1)


def sqlite_of(number: int, folder: Path) -> str:
    with closing(sqlite3.connect(folder / "journal.db")) as raw:
        raw.executescript((FIXTURES / f"sqlite-{number}.sql").read_text())
    return f"sqlite:///{folder / 'journal.db'}"


def s3_of(number: int, folder: Path) -> str:
    client = boto3.client("s3")
    for key, value in json.loads((FIXTURES / f"s3-{number}.json").read_text()).items():
        text = json.dumps(value, separators=(",", ":")).encode()
        client.put_object(Bucket=BUCKET, Key=f"{folder.name}/{key}", Body=gzip.compress(text))
    return f"s3://{BUCKET}/{folder.name}"


def postgres_of(number: int, server: PostgresServer) -> str:
    database = server.create_database()
    with psycopg.connect(server.conninfo(database)) as raw:
        raw.execute("CREATE SCHEMA otactl")
        raw.execute("CREATE TABLE otactl.schema_version (version integer PRIMARY KEY, applied_at timestamptz)")
        for step in steps()[:number]:
            raw.execute(step.text.encode())
        raw.execute((FIXTURES / f"postgres-{number}.sql").read_bytes())
    return f"postgresql:///{database}"


def goes_on(url: str, folder: Path, *, unchained: int) -> None:
    """It is read as it was, upgraded when it is opened to write, and its history goes on in a chain."""
    with open_journal(url) as journal:
        known = journal.identity().id
        assert len(known) == 16
        assert {n: s.revision for n, s in journal.load_all(ENVIRONMENT).items()} == {"soil": 2, "valve": 1}
        assert journal.load(ENVIRONMENT, "soil").record.version == "2.4.1"
        now = datetime.now(UTC)
        lease = journal.acquire(ENVIRONMENT, "cron", now)
        assert lease.fencing == 2
        journal.commit((change(2, "five"), change(1, "six", name="valve")), lease.fencing)
        journal.release(lease, now)
        notes = [e.message for e in journal.history(ENVIRONMENT, "soil") if e.kind == "note"]
        assert notes == ["one", "two", "four", "five"]
        checked = examine(journal, now, HOUR)
        assert (checked.defects, checked.unchained) == ((), unchained)
        backup(journal, folder / "copy.db")
    with open_journal(str(folder / "copy.db"), must_exist=True) as copy:
        assert copy.identity().id == known
        assert examine(copy, now, HOUR).defects == ()


def test_there_is_a_fixture_of_every_schema_that_can_be_read() -> None:
    wanted = {f"sqlite-{number}.sql" for number in range(sqlite_file.UNCHAINED, sqlite_file.VERSION)}
    wanted |= {f"s3-{number}.json" for number in range(s3_format.UNCHAINED, s3_format.SCHEMA)}
    wanted |= {f"postgres-{number}.sql" for number in range(1, schema.newest() + 1)}
    assert {file.name for file in FIXTURES.iterdir()} == wanted


@pytest.mark.parametrize("number", range(sqlite_file.UNCHAINED, sqlite_file.VERSION))
def test_a_file_of_an_earlier_schema_goes_on(tmp_path: Path, number: int) -> None:
    url = sqlite_of(number, tmp_path)
    with open_journal(url, must_exist=True) as reading:
        assert examine(reading, NOW, HOUR).unchained == 4
    goes_on(url, tmp_path, unchained=4)


@pytest.mark.parametrize("number", range(1, sqlite_file.UNCHAINED))
def test_a_file_of_a_schema_from_before_is_refused_with_the_way_out(tmp_path: Path, number: int) -> None:
    url = sqlite_of(sqlite_file.UNCHAINED, tmp_path)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as raw:
        raw.execute("UPDATE schema_version SET version = ?", (number,))
    with pytest.raises(StalledError, match="journal init --replaces"):
        open_journal(url)


@pytest.mark.parametrize("number", range(s3_format.UNCHAINED, s3_format.SCHEMA))
def test_objects_of_an_earlier_schema_go_on(s3: SimulatorServer, tmp_path: Path, number: int) -> None:
    goes_on(s3_of(number, tmp_path), tmp_path, unchained=4)


@pytest.mark.parametrize("number", range(1, schema.newest() + 1))
def test_tables_of_every_schema_go_on(postgres: PostgresServer, tmp_path: Path, number: int) -> None:
    goes_on(postgres_of(number, postgres), tmp_path, unchained=0)
