"""Creates and upgrades the schema `otactl` by numbered SQL files, and says which one a database has.

1. `NNNN-name.sql` are applied in order, all that are missing in one transaction, under an advisory lock: of processes
   that come at the same moment one applies them, and a file that fails changes nothing.
2. A file that was released is never changed; an upgrade is a new file. `grants.sql` runs after them each time.
3. A schema that a newer version wrote is refused; an older one is refused too, until its owner upgrades it: the role of
   a controller may not change tables.
"""

from __future__ import annotations

from psycopg import sql

from otactl.errors import StalledError, UsageError
from otactl.journal.postgres.connection import Cursor
from otactl.journal.postgres.sql import grants_sql, steps

_LOCK = 0x6F74_6163_746C  # "otactl"


def newest() -> int:
    """Return the number of the newest schema."""
    return steps()[-1].number


def version(cursor: Cursor, url: str) -> int:
    """Return the number of the newest file a database has, 0 for none.

    Raises: UsageError where the schema is of something else.
    """
    cursor.execute(
        "SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'otactl' AND c.relkind = 'r'"
    )
    tables = {name for (name,) in cursor}
    if not tables:
        return 0
    if "schema_version" not in tables:
        text = f"the database of journal {url} has a schema named otactl that is not a journal's; name another database"
        raise UsageError(text)
    row = cursor.execute("SELECT max(version) FROM otactl.schema_version").fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else 0


def must_be_known(found: int, url: str) -> None:
    """Raise StalledError unless this version reads and writes a schema (rule 3)."""
    known = newest()
    if found > known:
        text = f"journal {url} has schema {found}, this version knows {known}; run a newer otactl"
        raise StalledError("JournalIsNewer", text)
    if 0 < found < known:
        text = f"journal {url} has schema {found}, this version needs {known}; upgrade it as a member of otactl_owner"
        raise StalledError("JournalNeedsUpgrade", f"{text}: otactl journal init {url!r}")


def migrate(cursor: Cursor, url: str) -> None:
    """Bring the schema to the newest version, in the transaction of `cursor` (rule 1)."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    found = version(cursor, url)
    if found > newest():
        must_be_known(found, url)
    if found == 0:
        cursor.execute("SELECT nspowner::regrole::text FROM pg_catalog.pg_namespace WHERE nspname = 'otactl'")
        row = cursor.fetchone()
        if row is None:
            _must_be_utf8(cursor, url)
            cursor.execute("CREATE SCHEMA otactl")
        else:
            _become_owner(cursor)
        cursor.execute(
            "CREATE TABLE otactl.schema_version "
            "(version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())"
        )
    else:
        _become_owner(cursor)
    for step in steps():
        if step.number > found:
            cursor.execute(step.text.encode())
            cursor.execute("INSERT INTO otactl.schema_version (version) VALUES (%s)", (step.number,))
    cursor.execute(grants_sql().encode())


def _become_owner(cursor: Cursor) -> None:
    """Act as the role that owns the schema, so that what is created belongs to it, whichever member created it."""
    cursor.execute(
        "SELECT r.rolname::text FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner "
        "WHERE n.nspname = 'otactl'"
    )
    row = cursor.fetchone()
    if row is not None:
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(str(row[0]))))


def _must_be_utf8(cursor: Cursor, url: str) -> None:
    row = cursor.execute("SHOW server_encoding").fetchone()
    if row != ("UTF8",):
        raise UsageError(f"the database of journal {url} is not in UTF8; create one: createdb --encoding UTF8 NAME")
