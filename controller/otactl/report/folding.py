"""Folds long lines of a report at the width of a terminal, and cuts nothing.

1. A sentence is folded between words; a command in it stays whole (`tables.wrapped`).
2. The JSON of a call is folded behind a comma between its parts, so that what is copied over several lines is the same
   JSON. A text in it is never broken, even where it is wider than the terminal.
3. What follows is set in, deeper than the line that it belongs to.
"""

from __future__ import annotations

import json

from otactl.report.tables import columns, wrapped

DEEPER = 2


def sentence(line: str, width: int | None) -> list[str]:
    """Return a line of words as lines of at most `width` columns; itself where it fits, or without a width."""
    if width is None or columns(line) <= width:
        return [line]
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    room = width - len(indent) - DEEPER
    first, *rest = wrapped(text, room)
    return [indent + first, *(f"{indent}{' ' * DEEPER}{each}" for each in rest)]


def call(name: str, parameters: object, indent: int, width: int | None) -> list[str]:
    """Return a call with its parameters as JSON, in lines of at most `width` columns where its parts allow that."""
    space = " " * indent
    whole = f"{space}{name} {json.dumps(parameters, ensure_ascii=False)}"
    if width is None or columns(whole) <= width:
        return [whole]
    lines = [f"{space}{name}"]
    for part in _parts(json.dumps(parameters, ensure_ascii=False)):
        if columns(lines[-1]) + 1 + columns(part) <= width:
            lines[-1] += f" {part}"
        else:
            lines.append(f"{space}{' ' * DEEPER}{part}")
    return lines


def _parts(text: str) -> list[str]:
    """Divide JSON behind the commas outside of its texts."""
    parts, start, inside, escaped = [], 0, False, False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = inside
        elif character == '"':
            inside = not inside
        elif character == "," and not inside:
            parts.append(text[start : at + 1])
            start = at + 2  # the space behind it
    return [*parts, text[start:]]
