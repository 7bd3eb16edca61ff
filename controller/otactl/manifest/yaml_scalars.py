"""Resolves bare YAML scalars by the core schema of YAML 1.2 (section 10.3.2).

1. `true` and `false` are booleans; `yes`, `no`, `on` and `off` are text.
2. `0o17` and `0x1f` are integers, `017` is seventeen, `1:30` is text; there are no times, binaries or merges.
3. A number without fraction is an integer however it is written, as JSON Schema has it: `112.0` is 112.
4. What no field can take (not finite, beyond 64 bits) raises.
"""

from __future__ import annotations

import math
import re

_WORDS: dict[str, bool | None] = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NUMBER_STARTS = frozenset("-+.0123456789")
_LONGEST_INTEGER = 40


class NumberError(ValueError):
    """A number no field can take; the message says why."""


def resolve(text: str) -> bool | int | float | str | None:
    """Return the value of a bare scalar; raises NumberError for what JSON could not hold."""
    if not text:
        return None
    if text[0] not in _NUMBER_STARTS:
        return _WORDS.get(text, text)
    return _number(text)


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        return _whole(text, 10)
    if text.startswith("0o") and re.fullmatch("0o[0-7]+", text):
        return _whole(text, 8)
    if text.startswith("0x") and re.fullmatch("0x[0-9a-fA-F]+", text):
        return _whole(text, 16)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise NumberError("is a number too large to hold")
        return _whole(f"{value:.0f}", 10) if value.is_integer() else value
    if _NOT_FINITE.fullmatch(text):
        raise NumberError("is not a finite number")
    return text


def _whole(text: str, base: int) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise NumberError("is a number too large to hold")
    value = int(text, base)
    if not -(2**63) <= value < 2**63:
        raise NumberError("is a number too large to hold")
    return value
