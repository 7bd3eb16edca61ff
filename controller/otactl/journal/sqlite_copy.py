"""Writes a whole journal into an empty SQLite file, in one transaction."""

from __future__ import annotations

import json
from sqlite3 import Connection

import msgspec

from otactl.journal.contents import Contents, not_empty
from otactl.journal.sqlite_events import text_of
from otactl.journal.sqlite_file import SqliteFile
from otactl.ports import Identity


def become(db: Connection, identity: Identity) -> None:
    """Write which journal this is."""
    db.execute("UPDATE identity SET id = ?, replaces = ?", (identity.id, json.dumps(identity.replaces)))


def fill(database: SqliteFile, contents: Contents) -> None:
    """Write everything into an empty journal; raises `UsageError` when it is not empty."""
    with database.write() as db:
        if contents.identity.id:
            become(db, contents.identity)
        for query in ("SELECT count(*) FROM records", "SELECT count(*) FROM leases"):
            if db.execute(query).fetchone() != (0,):
                raise not_empty(str(database.path))
        db.executemany(
            "INSERT INTO records (environment, name, revision, record, chain) VALUES (?, ?, ?, ?, ?)",
            [
                (*key, s.revision, msgspec.json.encode(s.record).decode(), text_of(contents.chains.get(key)))
                for s in contents.records
                for key in [(s.record.environment, s.record.name)]
            ],
        )
        db.executemany(
            "INSERT INTO events (environment, name, revision, event, link) VALUES (?, ?, ?, ?, ?)",
            [(e.environment, e.name, e.revision, e.text, text_of(e.link)) for e in contents.events],
        )
        db.executemany(
            "INSERT INTO leases (environment, fencing, held) VALUES (?, ?, ?)",
            [(h.lease.environment, h.lease.fencing, msgspec.json.encode(h).decode()) for h in contents.leases],
        )
