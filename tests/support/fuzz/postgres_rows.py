"""Judges a journal in PostgreSQL whose rows were damaged, by a real server.

What the server refuses (a type, a check, a NUL) cannot be in a row and is left out. Triggers and foreign keys are off
while rows are damaged, as for an owner who edits them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

from otactl.errors import OtactlError
from otactl.journal.postgres.store import PostgresJournal
from tests.support.fuzz.journals import HOME, NAMES, fill, judge_journal, odd, repeatable
from tests.support.fuzz.kind import Kind, drawn, must
from tests.support.postgres import HOST, SUPER_USER, PostgresServer

TABLES = ("schema_version", "journals", "grants", "environments", "records", "events")
COLUMNS = (
    ("schema_version", "version"),
    ("journals", "journal"),
    ("journals", "id"),
    ("journals", "replaces"),
    ("journals", "recent"),
    ("grants", "role"),
    ("environments", "environment"),
    ("environments", "fencing"),
    ("environments", "held"),
    ("environments", "recent"),
    *(("records", name) for name in ("environment", "name", "revision", "record", "chain") for _ in range(2)),
    *(("events", name) for name in ("environment", "name", "revision", "event", "link")),
)
Row = tuple[Any, ...]


class Rows:
    """A good journal in a database of its own; `server` is asked for at the first input."""

    def __init__(self, server: Callable[[], PostgresServer]) -> None:
        self._server = server
        self._editor: psycopg.Connection[Row] | None = None
        self._url = ""
        self._good: dict[str, list[Row]] = {}
        self._events: list[Any] = []

    def _open(self) -> psycopg.Connection[Row]:
        if self._editor is None:
            server = self._server()
            name = server.create_database()
            self._url = f"postgresql://{SUPER_USER}@{HOST}:{server.port}/{name}?sslmode=disable"
            with repeatable(), PostgresJournal(self._url) as journal:
                fill(journal)
                self._events = [journal.history(HOME, rollout) for rollout in NAMES]
            editor: psycopg.Connection[Row] = psycopg.connect(server.conninfo(name), autocommit=True)
            editor.execute("SET session_replication_role = replica")
            for table in TABLES:
                self._good[table] = editor.execute(sql.SQL("TABLE {}").format(_table(table))).fetchall()
            self._editor = editor
        return self._editor

    def close(self) -> None:
        """Close the connection that damages rows."""
        if self._editor is not None:
            self._editor.close()

    def _restore(self, editor: psycopg.Connection[Row]) -> None:
        with editor.transaction(), editor.cursor() as cursor:
            cursor.execute(sql.SQL("DELETE FROM {}").format(_table("events")))  # whose trigger refuses TRUNCATE
            for table in TABLES:
                cursor.execute(sql.SQL("DELETE FROM {}").format(_table(table)))
                rows = self._good[table]
                values = sql.SQL(", ").join([sql.Placeholder()] * len(rows[0]))
                query = sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE VALUES ({})").format(_table(table), values)
                cursor.executemany(query, rows)

    def judge(self, data: bytes) -> str:
        """Judge the good journal after updates: a list of table, column, row and the seed of the other value."""
        editor = self._open()
        self._restore(editor)
        for table, column, number, seed in json.loads(data):
            names = {"table": _table(table), "column": sql.Identifier(column)}
            where = sql.SQL("ctid = (SELECT ctid FROM {table} ORDER BY ctid OFFSET {number} LIMIT 1)").format(
                **names, number=sql.Literal(number % len(self._good[table]))
            )
            found = editor.execute(sql.SQL("SELECT {column} FROM {table} WHERE ").format(**names) + where).fetchone()
            value = odd(random.Random(seed), found[0] if found else None)  # noqa: S311 - repeatable, not a secret
            try:
                editor.execute(sql.SQL("UPDATE {table} SET {column} = %s WHERE ").format(**names) + where, (value,))
            except (psycopg.Error, UnicodeEncodeError):
                continue  # the server refuses this value
        try:
            with PostgresJournal(self._url, create=False, write=True, sleep=lambda _s: None) as journal:
                return judge_journal(journal, self._events, written=len(data) % 4 == 0)
        except OtactlError as error:
            must(str(error), f"{type(error).__name__} without words")
            return "refused"


def _table(name: str) -> sql.Identifier:
    return sql.Identifier("otactl", name)


def postgres_kind(server: Callable[[], PostgresServer]) -> Kind:
    """Return damaged rows of a journal in PostgreSQL."""
    rows = Rows(server)

    def draw(generator: random.Random) -> bytes:
        changes = []
        for _ in range(generator.randint(1, 3)):
            table, column = generator.choice(COLUMNS)
            changes.append((table, column, generator.randrange(6), generator.randrange(2**32)))
        return json.dumps(changes).encode()

    return Kind("postgres-rows", "journal in PostgreSQL, rows", drawn("postgres-rows", draw), rows.judge, share=8)
