"""What the journal suite runs against: one `Store` per kind of journal, and real processes that use it.

A store is a URL `open_journal` understands; a new kind of journal joins the suite by one more entry of `STORES`.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from otactl.journal import AnyJournal
from otactl.journal.postgres.store import PostgresJournal
from otactl.model import Event, Record
from otactl.ports import Commit
from tests.support.paths import ROOT
from tests.support.postgres import HOST, SUPER_USER, PostgresServer

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ENVIRONMENT = "prod-eu"
BUCKET = "otactl-journals"
DATABASE = "journals"


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'journal.db'}"


def _s3(folder: Path) -> str:
    return f"s3://{BUCKET}/{folder.parent.name}/{folder.name}"


def _postgres(folder: Path) -> str:
    return f"postgresql:///{DATABASE}?journal={folder.parent.name}.{folder.name}"


STORES: dict[str, Callable[[Path], str]] = {"postgres": _postgres, "s3": _s3, "sqlite": _sqlite}


def prepare_postgres(server: PostgresServer) -> None:
    """Create the database of the suite's journals, whose server says the time that `at` says; NOW until then."""
    if DATABASE in server.databases():
        return
    server.execute("CREATE DATABASE {}", DATABASE)
    PostgresJournal(f"postgresql://{SUPER_USER}@{HOST}:{server.port}/{DATABASE}").close()
    server.execute("CREATE TABLE otactl.test_clock (at timestamptz NOT NULL)", database=DATABASE)
    server.execute("INSERT INTO otactl.test_clock VALUES ('2026-03-01 12:00+00')", database=DATABASE)
    server.execute(
        "CREATE OR REPLACE FUNCTION otactl.server_time() RETURNS timestamptz LANGUAGE sql VOLATILE "
        "AS 'SELECT at FROM otactl.test_clock'",
        database=DATABASE,
    )


def at(journal: AnyJournal, moment: datetime) -> datetime:
    """Let it be `moment`, also where a server says what time it is; return it, for the store that asks its caller."""
    if isinstance(journal, PostgresJournal):
        set_server_clock(moment)
    return moment


def set_server_clock(moment: datetime) -> None:
    with psycopg.connect(dbname=DATABASE) as connection:
        connection.execute("UPDATE otactl.test_clock SET at = %s", (moment,))


_PRELUDE = """
import os, sys, time
from datetime import UTC, datetime
from otactl.errors import ConflictError
from otactl.journal import open_journal
from otactl.model import Event, Record
from otactl.ports import Commit
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
journal = open_journal(sys.argv[1])
"""


def process(url: str, script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a real process that has the journal open as `journal`; its stdin and stdout are pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(script), url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def line(child: subprocess.Popen[str]) -> str:
    """The child's next line; empty at its end."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: subprocess.Popen[str], text: str) -> None:
    """Write a line to the child."""
    assert child.stdin is not None
    child.stdin.write(f"{text}\n")
    child.stdin.flush()


def end(child: subprocess.Popen[str]) -> None:
    """Kill the child, wait for it and close its pipes."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def event(message: str) -> Event:
    return Event(at=NOW, kind="note", subject="soil", message=message)


def record(name: str = "soil", version: str = "") -> Record:
    return Record(environment=ENVIRONMENT, name=name, version=version)


def change(expected: int, *messages: str, name: str = "soil", version: str = "") -> Commit:
    """A commit of one record with events of these messages."""
    events = tuple(event(m) for m in messages)
    return Commit(record=record(name, version), expected_revision=expected, events=events)
