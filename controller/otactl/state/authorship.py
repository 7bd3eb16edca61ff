"""Writes into what a run commits who ran it, and by which commit of the manifests.

1. An event names the actor and the commit of the run that recorded it.
2. A drift entry names the commit of the run that saw it first.
3. A record names the commit of the run that first recorded its manifest.
"""

from __future__ import annotations

import msgspec

from otactl.model import Author, Record
from otactl.ports import Commit


def attributed(commit: Commit, author: Author, before: Record | None) -> Commit:
    """Return a commit with its author; `before` is the record that it replaces, None for a new one."""
    if author == Author():
        return commit
    events = tuple(msgspec.structs.replace(e, actor=author.actor, commit=author.commit) for e in commit.events)
    record = commit.record
    known = {(d.subject, d.field, d.first_seen) for d in before.drift} if before is not None else set()
    drift = tuple(
        d
        if (d.subject, d.field, d.first_seen) in known or d.commit
        else msgspec.structs.replace(d, commit=author.commit)
        for d in record.drift
    )
    if drift != record.drift:
        record = msgspec.structs.replace(record, drift=drift)
    if before is None or record.manifest != before.manifest:
        record = msgspec.structs.replace(record, commit=author.commit)
    return msgspec.structs.replace(commit, record=record, events=events)
