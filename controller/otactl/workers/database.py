"""Finds the database of the workers, and creates or upgrades its tables.

1. The connection string is --database, else OTACTL_DATABASE, else what libpq's own variables say (PGSERVICE, PGHOST,
   PGDATABASE, PGPASSWORD, PGPASSFILE). A password in --database is refused: every user of the machine can read it.
2. All tables are in the schema `otactl_workers`, those of Procrastinate too, so that they share a database with others.
3. Tables are created by `otactl workers init` alone, under a lock, in numbered steps that are recorded: ours, and
   Procrastinate's own migrations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, LiteralString

from otactl.errors import StalledError, TransientError, UsageError

try:
    import psycopg
    from procrastinate.schema import SchemaManager
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
except ModuleNotFoundError as missing:
    raise UsageError(f"{missing.name} is missing; install it: pip install 'otactl[workers]'") from missing

VARIABLE = "OTACTL_DATABASE"
SCHEMA = "otactl_workers"
_LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE")
_LOCK = 0x07AC71  # of the upgrade alone


def conninfo_of(option: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the connection string for psycopg. Raises: UsageError where none is named, or it cannot be read."""
    given = option if option is not None else environ.get(VARIABLE, "")
    if not given.strip() and not any(environ.get(name) for name in _LIBPQ):
        text = f"no database is named; set {VARIABLE} to a connection string of PostgreSQL, or PGSERVICE or PGHOST"
        raise UsageError(f"{text}, or pass --database")
    try:
        parts = conninfo_to_dict(given)
    except psycopg.Error as error:  # its text may show the password
        named = "--database" if option is not None else VARIABLE
        text = (
            f"{named} is no connection string of PostgreSQL; write postgresql://USER@HOST/DATABASE?sslmode=verify-full"
        )
        raise UsageError(text) from error
    if option is not None and parts.get("password"):
        text = f"--database holds a password, which every user of this machine can read; put it in {VARIABLE}"
        raise UsageError(f"{text}, PGPASSWORD, or a service or password file")
    own = f"-c search_path={SCHEMA}"
    known = {key: str(value) for key, value in parts.items() if value is not None}
    known["options"] = f"{known.get('options', '')} {own}".strip()
    return make_conninfo(**{"application_name": "otactl-workers", "connect_timeout": "10", **known})


@contextmanager
def answered() -> Iterator[None]:
    """Turn what psycopg raises into our errors.

    Raises: StalledError for a refusal, TransientError without an answer.
    """
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise no_tables() from error
    except psycopg.errors.InsufficientPrivilege as error:
        text = f"the user of the workers' database may not do this: {_first_line(error)}; grant it"
        raise StalledError("PermissionDenied", text) from error
    except psycopg.Error as error:
        raise no_answer(error) from error


def no_answer(error: BaseException) -> TransientError:
    """Return the error for a database that does not answer."""
    text = f"the workers' database does not answer: {_first_line(error)}; check {VARIABLE} and the server"
    return TransientError(text)


def no_tables() -> StalledError:
    """Return the error for a database without the tables of the workers."""
    text = f"the database has no tables of the workers in schema {SCHEMA}; run `otactl workers init` once"
    return StalledError("WorkersTablesMissing", text)


def must_have_tables(conninfo: str) -> None:
    """Raise an error unless the database answers and has the tables of this version."""
    *_, (newest, _statements) = _steps(fresh=False)
    with answered(), psycopg.connect(conninfo) as connection:
        known = {str(row[0]) for row in connection.execute("SELECT name FROM steps")}
    if newest not in known:
        text = f"the tables of the workers in schema {SCHEMA} are of an earlier version; run `otactl workers init`"
        raise StalledError("WorkersTablesMissing", text)


def create_tables(conninfo: str) -> tuple[str, ...]:
    """Create the tables, or apply what later versions added; return the names of the steps that were applied."""
    with answered(), psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute("CREATE TABLE IF NOT EXISTS steps (name text PRIMARY KEY, at timestamptz DEFAULT now())")
        known = {str(row[0]) for row in connection.execute("SELECT name FROM steps")}
        applied = tuple(step for step in _steps(fresh=not known) if step[0] not in known)
        for name, statements in applied:
            if statements:
                connection.execute(statements)
            connection.execute("INSERT INTO steps (name) VALUES (%s)", (name,))
    return tuple(name for name, _ in applied)


def _steps(*, fresh: bool) -> Iterator[tuple[str, LiteralString]]:
    """Yield every step in its order; the whole schema of Procrastinate stands for its migrations where it is new."""
    migrations = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    if fresh:
        yield "procrastinate/schema.sql", SchemaManager.get_schema()
    for each in migrations:
        yield f"procrastinate/{each.name}", "" if fresh else _trusted(each.read_text("utf-8"))
    for own in sorted(resources.files("otactl.workers.tables").iterdir(), key=lambda found: found.name):
        if own.name.endswith(".sql"):
            yield f"otactl/{own.name}", _trusted(own.read_text("utf-8"))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _trusted(statements: str) -> Any:
    """Return statements of an installed file as psycopg takes them: only what a program brings along is run."""
    return statements
