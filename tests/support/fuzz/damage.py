"""Damages bytes and JSON values, as a seeded generator draws it."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

HUGE = "9" * 20_000
ODD: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    -(2**63) - 1,
    1e308,
    0.5,
    "",
    " ",
    "0",
    "null",
    "\0",
    "\ud7ff",
    "\u202e",
    "é" * 300,
    HUGE,
    "[" * 3000,
    "2999-01-01T00:00:00Z",
    "../../etc/passwd",
    "${stack:role}",
    [],
    [None],
    [[]],
    {},
    {"a": None},
    {"": ""},
)
PIECES = (b"\0", b"\xff", b"\xef\xbb\xbf", b'"', b"'", b",", b";", b"\n", b"\r", b"{", b"[", b":", b"- ", b"&a", b"*a")


def damaged_bytes(draw: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Return one of the corpus with one to four places damaged."""
    data = bytearray(draw.choice(corpus))
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        span = draw.choice((1, 1, 2, 4, 16, 64, 256))
        how = draw.randrange(8)
        if how == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif how == 1:
            data[at : at + span] = draw.randbytes(span)
        elif how == 2:
            del data[at : at + span]
        elif how == 3:
            data[at:at] = draw.choice(PIECES) * draw.choice((1, 1, 2, 200))
        elif how == 4:
            data[at:at] = data[at : at + span] * draw.choice((1, 2, 50))
        elif how == 5:
            other = draw.choice(corpus)
            start = draw.randrange(len(other) + 1)
            data[at : at + span] = other[start : start + span]
        elif how == 6:
            data[at : at + span] = bytes(len(data[at : at + span]))
        elif draw.random() < 0.1:
            del data[at:]
    return bytes(data)


def places(node: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in a JSON value, its own first."""
    found = [here]
    if isinstance(node, dict):
        for key, below in node.items():
            found += places(below, (*here, key))
    elif isinstance(node, list):
        for index, below in enumerate(node):
            found += places(below, (*here, index))
    return found


def damaged_json(draw: random.Random, whole: object, most: int = 2) -> object:
    """Return a JSON value with one to `most` of its values missing, null, of another type, odd, huge or repeated."""
    document = copy.deepcopy(whole)
    for _ in range(draw.randint(1, most)):
        path = draw.choice(places(document))
        document = _changed(document, path, lambda value: _odd(draw, value), draw)
    return document


def _odd(draw: random.Random, value: object) -> object:
    how = draw.randrange(5)
    if how == 0 and isinstance(value, str):
        return draw.choice((value + "x", value[:-1], value.upper(), value * 2, value.swapcase() + "\n", f" {value}"))
    if how == 1 and isinstance(value, int):
        return draw.choice((str(value), -value, value + 1, value * 10**9, float(value)))
    if how == 2 and isinstance(value, list) and value:
        return draw.choice((value * 2, value[:-1], value[::-1], [*value, None], value[0]))
    if how == 3 and isinstance(value, dict) and value:
        return draw.choice(([value], {**value, "Another": 1}, {k.lower(): v for k, v in value.items()}))
    return copy.deepcopy(draw.choice(ODD))  # what is put in may be damaged next


def _changed(
    document: object, path: tuple[str | int, ...], change: Callable[[object], object], draw: random.Random
) -> object:
    if not path:
        return change(document)
    here: Any = document
    for part in path[:-1]:
        here = here[part]
    if draw.random() < 0.2:
        del here[path[-1]]
    else:
        here[path[-1]] = change(here[path[-1]])
    return document
