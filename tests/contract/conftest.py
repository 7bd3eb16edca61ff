"""The places journals are put to the test in: a folder, a bucket of a simulator that lasts a module, a database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from otactl.cli.commands.demo import only_loopback
from otactl.journal import S3Journal
from otactl.workers.database import conninfo_of, create_tables
from otactl_simulator.server import SimulatorServer
from tests.support.journal_contract import BUCKET, DATABASE, NOW, STORES, change, prepare_postgres, set_server_clock
from tests.support.postgres import PostgresServer
from tests.support.s3_faults import LONG, filled


@pytest.fixture(scope="module")
def s3() -> Iterator[SimulatorServer]:
    """A simulator with an empty bucket; boto3 finds it by AWS_ENDPOINT_URL alone, in child processes too."""
    kept = dict(os.environ)
    with SimulatorServer(seed=5) as server:
        only_loopback(server.url)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield server
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture(scope="module")
def postgres_journals(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A PostgreSQL with a database for journals, found by libpq's variables, in child processes too."""
    prepare_postgres(postgres_server)
    kept = dict(os.environ)
    os.environ.update(postgres_server.variables(DATABASE))
    yield postgres_server
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def postgres(postgres_journals: PostgresServer) -> PostgresServer:
    """The same, where it is NOW."""
    set_server_clock(NOW)
    return postgres_journals


@pytest.fixture(scope="module")
def stores(s3: SimulatorServer, postgres_journals: PostgresServer) -> None:
    """Have every kind of journal at hand."""


@pytest.fixture(params=sorted(STORES))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a journal may be, of every kind."""
    if request.param != "sqlite":
        request.getfixturevalue(request.param)
    return STORES[request.param](tmp_path)


@pytest.fixture
def place(s3: SimulatorServer, tmp_path: Path) -> str:
    """Where a journal on S3 may be."""
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def written(place: str) -> S3Journal:
    """Two records at revision 1, `a` with as many events as a segment carries along, `b` with one."""
    opened = S3Journal(place)
    opened.commit((change(0, *LONG[1:], name="a"), change(0, "first", name="b")), 0)
    return opened


@pytest.fixture
def filled_place(place: str) -> str:
    """A journal on S3 with something of everything."""
    return filled(place)


@pytest.fixture
def conninfo(postgres_database: str) -> str:
    """An empty database with the tables of the workers, as a connection string for them."""
    found = conninfo_of(None, {"OTACTL_DATABASE": postgres_database})
    create_tables(found)
    return found
