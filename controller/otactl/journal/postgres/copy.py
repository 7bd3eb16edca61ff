"""Writes a whole journal into an empty one on PostgreSQL: revisions, events, leases, fencing numbers, its id.

It is one transaction; its name is stored with the journal, so that a lost answer is found again.
"""

from __future__ import annotations

import json
from uuid import uuid4

import msgspec

from otactl.journal.contents import Contents, not_empty
from otactl.journal.postgres.connection import DEADLINE_SECONDS, Cursor, Database
from otactl.journal.postgres.rows import RECENT
from otactl.journal.sqlite_events import text_of

_ROWS_A_SECOND = 200


def fill(database: Database, url: str, key: str, contents: Contents) -> None:
    """Write everything into an empty journal; raises `UsageError` when it is not empty."""
    name = uuid4().hex

    def work(cursor: Cursor) -> None:
        row = cursor.execute("SELECT recent FROM otactl.journals WHERE journal = %s FOR UPDATE", (key,)).fetchone()
        if row is not None and isinstance(row[0], list) and name in row[0]:
            return
        cursor.execute(
            f"UPDATE otactl.journals SET recent = (ARRAY[%s::text] || recent)[1:{RECENT}] WHERE journal = %s",  # noqa: S608 - a number
            (name, key),
        )
        _write(cursor, url, key, contents)

    database.write(work, DEADLINE_SECONDS + (len(contents.records) + len(contents.events)) / _ROWS_A_SECOND)


def _write(cursor: Cursor, url: str, key: str, contents: Contents) -> None:
    row = cursor.execute("SELECT FROM otactl.environments WHERE journal = %s LIMIT 1", (key,)).fetchone()
    if row is not None:
        raise not_empty(url)
    if contents.identity.id:
        cursor.execute(
            "UPDATE otactl.journals SET id = %s, replaces = %s WHERE journal = %s",
            (contents.identity.id, json.dumps(contents.identity.replaces), key),
        )
    held = {each.lease.environment: each for each in contents.leases}
    homes = sorted({stored.record.environment for stored in contents.records} | set(held))
    cursor.executemany(
        "INSERT INTO otactl.environments (journal, environment, fencing, held) VALUES (%s, %s, %s, %s)",
        [
            (key, home, held[home].lease.fencing, msgspec.json.encode(held[home]).decode())
            if home in held
            else (key, home, 0, None)
            for home in homes
        ],
    )
    cursor.executemany(
        "INSERT INTO otactl.records (journal, environment, name, revision, record, chain) "
        "VALUES (%s, %s, %s, %s, %s, %s)",
        [
            (key, *home, s.revision, msgspec.json.encode(s.record).decode(), text_of(contents.chains.get(home)))
            for s in contents.records
            for home in [(s.record.environment, s.record.name)]
        ],
    )
    cursor.executemany(
        "INSERT INTO otactl.events (journal, environment, name, revision, event, link) VALUES (%s, %s, %s, %s, %s, %s)",
        [(key, e.environment, e.name, e.revision, e.text, text_of(e.link)) for e in contents.events],
    )
