"""Names a journal with a permanent id; units carry it as a tag, so the units of two journals can be distinguished.

A copy and a backup keep the id: they are the same memory in another place.
"""

from __future__ import annotations

from uuid import uuid4

import msgspec

from otactl.drift.ownership import is_journal_id
from otactl.errors import StalledError, UsageError
from otactl.ports import Identity


def drawn() -> Identity:
    """Draw the identity of a new journal."""
    return Identity(id=uuid4().hex[:16])


def replacing(identity: Identity, lost: str) -> Identity:
    """Return the same journal, taking over what the journal `lost` created; raises `UsageError` for an invalid id."""
    if not is_journal_id(lost):
        text = f"{lost!r} is no id of a journal: those are 16 digits of 0-9a-f, as the tag otactl:journal shows them"
        raise UsageError(text)
    if lost == identity.id:
        raise UsageError(f"{lost} is this journal's own id; there is nothing to take over")
    if lost in identity.replaces:
        return identity
    return msgspec.structs.replace(identity, replaces=(*identity.replaces, lost))


def older(journal: str, schema: int, known: int, journal_id: str) -> StalledError:
    """Return the error for a journal of an earlier schema: its records have other names and cannot be read."""
    replaces = f" --replaces {journal_id}" if journal_id else ""
    text = (
        f"{journal} has schema {schema}, and this version reads schema {known} only; finish its rollouts with the "
        f"otactl that wrote it, or move it away and create a new one that takes over what the tags at the services "
        f"say: `otactl journal init{replaces}`; what has not ended by then may be sent again, because an earlier "
        "version may have counted its content as another revision"
    )
    return StalledError("JournalIsOlder", text)
