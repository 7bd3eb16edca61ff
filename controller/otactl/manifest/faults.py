"""Defines one error of a document, before it has a place in the file."""

from __future__ import annotations

from typing import NamedTuple

from otactl.manifest.positions import Path


class Fault(NamedTuple):
    """One thing wrong with the value at `path`.

    `key` points at the field's name rather than at its value; `missing` names a field that should be there.
    """

    path: Path
    code: str
    message: str
    hint: str = ""
    key: bool = False
    missing: str = ""
