"""Compares firmware versions where they can be compared.

1. A version is numbers with dots between (at most 18 digits each), before them perhaps a `v`, after them perhaps
   `-<pre-release>` and `+<build>`: `2.4`, `v2.4.1`, `2.4.1-rc.2`, `2.4.1.7+a1b2`.
2. A number left out at the end is 0. Numbers are compared as numbers, so 2.10 is newer than 2.9.
3. A pre-release is older than its release; two are compared part by part, numbers as numbers and older than words,
   words by their letters, and of two that begin alike the shorter is the older. Build metadata plays no part (Semantic
   Versioning 2.0.0, points 9 to 11).
4. Everything else cannot be compared: `2.4.1rc2`, `build 7`, `release-2024`, a hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

_PART = r"[0-9A-Za-z-]+"
_VERSION = re.compile(
    rf"v?(?P<numbers>[0-9]{{1,18}}(?:\.[0-9]{{1,18}})*)(?:-(?P<pre>{_PART}(?:\.{_PART})*))?(?:\+{_PART}(?:\.{_PART})*)?"
)
_Pre = tuple[tuple[bool, int, str], ...]
_Key = tuple[tuple[int, ...], bool, _Pre]


class Order(StrEnum):
    """How one version stands to another."""

    OLDER = "older"
    SAME = "same"
    NEWER = "newer"


def compare(one: str, other: str) -> Order | None:
    """Return how `one` stands to `other`; None when one of them cannot be compared (rule 4), be they equal or not."""
    left, right = _key(one), _key(other)
    if left is None or right is None:
        return None
    if left == right:
        return Order.SAME
    return Order.OLDER if left < right else Order.NEWER


def downgraded(reported: Mapping[str, str | None], version: str) -> tuple[str, ...]:
    """Return the devices that `version` would take back to an older one, by name.

    What cannot be compared is not among them: whoever allows or refuses downgrades has to look at that by itself.
    """
    newer = (d for d, runs in reported.items() if runs is not None and compare(runs, version) is Order.NEWER)
    return tuple(sorted(newer))


def _key(text: str) -> _Key | None:
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    numbers = [int(n) for n in found["numbers"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    pre = found["pre"]
    return tuple(numbers), pre is None, tuple(_part(p) for p in pre.split(".")) if pre is not None else ()


def _part(text: str) -> tuple[bool, int, str]:
    """Return a part of a pre-release; numbers sort before words."""
    return (False, int(text), "") if len(text) <= 18 and text.isdecimal() else (True, 0, text)
