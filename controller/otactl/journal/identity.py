"""The name a journal has for ever, drawn when it is made: units carry it, so that two memories of one fleet are told.

1. A copy and a backup keep it: they are the same memory in another place.
2. A journal made by a version without it gets one when it is first opened for writing.
"""

from __future__ import annotations

from uuid import uuid4

import msgspec

from otactl.drift.ownership import is_journal_id
from otactl.errors import UsageError
from otactl.ports import Identity


def drawn() -> Identity:
    """Draw the identity of a new journal."""
    return Identity(id=uuid4().hex[:16])


def replacing(identity: Identity, lost: str) -> Identity:
    """The same journal, which takes over what the journal `lost` made; raises `UsageError` for what is no id of one."""
    if not is_journal_id(lost):
        text = f"{lost!r} is no id of a journal: those are 16 digits of 0-9a-f, as the tag otactl:journal shows them"
        raise UsageError(text)
    if lost == identity.id:
        raise UsageError(f"{lost} is this journal's own id; there is nothing to take over")
    if lost in identity.replaces:
        return identity
    return msgspec.structs.replace(identity, replaces=(*identity.replaces, lost))
