"""Whose memory a unit is in: the tag that names the journal which made it, held against the journal of this run.

1. A unit without the tag was made before there was one, or lost it; it says nothing.
2. A unit that names another journal is somebody else's, although it carries our owner and environment: two journals
   over one fleet would send everything twice. Nothing is made and nothing is adopted until a person has decided.
"""

from __future__ import annotations

import re

MARK_JOURNAL = "otactl:journal"
_ID = re.compile(r"[0-9a-f]{16}")


def is_journal_id(text: object) -> bool:
    """Whether a text is the id of a journal; anything else in the tag is an edit by hand."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None
