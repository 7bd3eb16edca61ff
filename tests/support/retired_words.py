"""Names the words that documents and sources replace by standard terms: CONTRIBUTING.md lists what to write."""

from __future__ import annotations

import re

RETIRED = re.compile(
    r"(?<![A-Za-z])(mend(?:s|ed|ing)?|anew|nobody|somebody|rungs?|begun|told|siblings?)(?![A-Za-z])", re.IGNORECASE
)
"""Only words that have no other use in prose: `look`, `make` and `end` are for a reviewer. A part of a name counts."""
