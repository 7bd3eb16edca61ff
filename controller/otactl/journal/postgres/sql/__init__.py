"""Reads the SQL files of this folder: numbered steps of the schema, roles and what they are granted."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent
_NAME = re.compile(r"(\d{4})-[a-z-]+\.sql")


class Step(NamedTuple):
    """One numbered file."""

    number: int
    text: str


@cache
def steps() -> tuple[Step, ...]:
    """Read the numbered files, in their order."""
    found = [(_NAME.fullmatch(file.name), file) for file in sorted(_FOLDER.iterdir())]
    return tuple(Step(int(name[1]), file.read_text("utf-8")) for name, file in found if name is not None)


def grants_sql() -> str:
    """Return the SQL that grants the roles what they need, as far as roles and tables exist."""
    return (_FOLDER / "grants.sql").read_text("utf-8")


def roles_sql() -> str:
    """Return the SQL that creates the roles and grants them what they need, for a person to run."""
    return (_FOLDER / "roles.sql").read_text("utf-8") + "\n" + grants_sql()
