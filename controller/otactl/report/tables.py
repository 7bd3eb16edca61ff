"""Aligns columns for a terminal, and makes them fit its width without cutting anything.

1. Only columns of sentences are wrapped, between words, below themselves. Names, ids, codes and times are never broken.
2. A command that a person is to copy stays on one line, even where that line is then wider than the terminal.
3. Without a width (a file, a pipe) each row is one line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from otactl.report.sanitize import plain

TO_REMOVE = "to remove it: "
"""Stands before a command that ends its text."""
NARROWEST = 20
"""A column of sentences is never made narrower: words in a column of their own are harder to read than a long line."""
_GAP = 2
_COMMAND = re.compile(rf"`[^`]*`|(?<={TO_REMOVE}).*|\botactl [a-z][^;,`()]*")


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: frozenset[int] = frozenset(),
    sentences: frozenset[int] = frozenset(),
    width: int | None = None,
) -> list[str]:
    """Return the lines of a table, two spaces between its columns. Cells are made safe here.

    `numbers` are columns to set right, `sentences` those that may be wrapped to fit a `width`.
    """
    return [line for row in row_lines(head, rows, numbers=numbers, sentences=sentences, width=width) for line in row]


def row_lines(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: frozenset[int] = frozenset(),
    sentences: frozenset[int] = frozenset(),
    width: int | None = None,
) -> list[list[str]]:
    """Return the lines of each row, the head first; for what is to be shown below single rows."""
    safe = [[plain(c) for c in row] for row in (head, *rows)]
    natural = [max(columns(row[i]) for row in safe) for i in range(len(head))]
    room = _rooms(natural, sentences, width)
    cells = [[wrapped(c, room[i]) if i in room else [c] for i, c in enumerate(row)] for row in safe]
    widths = [max(columns(part) for row in cells for part in row[i]) for i in range(len(head))]
    shown: list[list[str]] = []
    for row in cells:
        depth = max(len(parts) for parts in row)
        lines = [[parts[n] if n < len(parts) else "" for parts in row] for n in range(depth)]
        shown.append(
            ["  ".join(_pad(c, widths[i], i in numbers) for i, c in enumerate(line)).rstrip() for line in lines]
        )
    return shown


def wrapped(text: str, room: int) -> list[str]:
    """Break a text at spaces into lines of at most `room` columns; a longer word and a command stay whole."""
    words = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), text).split(" ")
    lines = [words[0]]
    for word in words[1:]:
        if columns(lines[-1]) + 1 + columns(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [line.replace("\0", " ") for line in lines]


def columns(text: str) -> int:
    """Return columns on a terminal: wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )


def _rooms(natural: Sequence[int], sentences: frozenset[int], width: int | None) -> dict[int, int]:
    """Return the room of each column that has to be wrapped: narrow ones keep theirs, the others share the rest."""
    if width is None or sum(natural) + _GAP * (len(natural) - 1) <= width:
        return {}
    left = width - _GAP * (len(natural) - 1) - sum(w for i, w in enumerate(natural) if i not in sentences)
    rooms: dict[int, int] = {}
    waiting = sorted((i for i in sentences if i < len(natural)), key=lambda i: natural[i])
    for place, column in enumerate(waiting):
        share = max(left // (len(waiting) - place), NARROWEST)
        rooms[column] = min(natural[column], share)
        left -= rooms[column]
    return rooms


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - columns(text))
    return space + text if right else text + space
