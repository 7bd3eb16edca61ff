"""Formats values and choices for messages: short, on one line, without control characters."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence

LONGEST = 60


def printable(text: str) -> str:
    """Escape what a terminal would obey rather than show."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def quoted(value: object) -> str:
    """Show a value as JSON, cut to a length that leaves the message readable."""
    text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Join names as a sentence does: `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find what was probably meant: the same letters in another case or spelling, or nearly the same."""
    names = list(known)
    plain = {_plain(name): name for name in reversed(names)}
    if _plain(word) in plain:
        return plain[_plain(word)]
    close = difflib.get_close_matches(_plain(word), list(plain), n=1, cutoff=0.7)
    return plain[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint for a mistyped word; with nothing near, the choices, if they are few."""
    names = list(known)
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near}?"
    return f"known here: {', '.join(names)}" if 0 < len(names) <= 20 else ""


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def type_names(types: Iterable[str]) -> str:
    """Return JSON Schema's types in words: `text or a list`."""
    return listed([_TYPES[name] for name in dict.fromkeys(types)], "or")


def kind_of(value: object) -> str:
    """Show a value in a sentence; of a large one only its kind."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else quoted(value)


def example(values: object) -> str:
    """Return a hint from a schema's examples; empty without."""
    return f"for example {quoted(values[0])}" if isinstance(values, list) and values else ""
