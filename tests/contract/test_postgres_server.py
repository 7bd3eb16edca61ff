"""The PostgreSQL that tests use: databases apart from each other, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.journal_contract import line
from tests.support.paths import ROOT
from tests.support.postgres import PostgresServer, missing

START = """
import sys
from tests.support.postgres import PostgresServer
server = PostgresServer()
server.execute("CREATE TABLE kept ()")
server.halt()
server.start()
print(server.folder, server.conninfo(), sep="|", flush=True)
sys.stdin.readline()
"""


def test_a_database_of_a_test_has_what_its_template_has_and_nothing_of_another_test(
    postgres_server: PostgresServer, postgres_database: str
) -> None:
    with psycopg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE mine ()")
        name = connection.info.dbname
    copied, empty = postgres_server.create_database(name), postgres_server.create_database()
    found = {}
    for each in (copied, empty):
        with psycopg.connect(postgres_server.conninfo(each)) as connection:
            found[each] = connection.execute("SELECT to_regclass('mine')::text").fetchone()
        postgres_server.drop_database(each)
    assert found == {copied: ("mine",), empty: (None,)}


@pytest.mark.thorough
def test_a_server_keeps_its_data_over_a_crash_and_goes_with_tests_that_are_killed() -> None:
    if missing():
        pytest.skip(missing())
    words = [sys.executable, "-c", START]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        folder, conninfo = line(child).split("|")
        with psycopg.connect(conninfo) as connection:
            assert connection.execute("SELECT to_regclass('kept')::text").fetchone() == ("kept",)
        child.kill()
    while Path(folder).exists():
        pass
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)
