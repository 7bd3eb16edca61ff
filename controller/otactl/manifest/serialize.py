"""Writes values as text that reads back the same: flow YAML for an edit, block YAML for a new file, JSON.

1. A word is bare only if every reader of YAML takes it for text; all else is in double quotes, with JSON's escapes.
2. What a terminal or a parser would act on is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from otactl.manifest.yaml_scalars import resolve

_BARE = re.compile(
    r"[A-Za-z/][A-Za-z0-9_./+=-]*( [A-Za-z0-9_./-]*[A-Za-z0-9_./])*"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9]{1,6}[smhd]"
)
"""Words, identifiers and durations, which people write without quotes."""
_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Words that readers of YAML 1.1 take for booleans: editors and other tools still do."""


def flow(value: object) -> str:
    """Write a value on one line of YAML: `{reason: waiting for the lab, owner: ada}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(below) for below in value) + "]"
    return scalar(value)


def scalar(value: object) -> str:
    """Write text, a number, true, false or null."""
    if not isinstance(value, str):
        return json.dumps(value)
    bare = _BARE.fullmatch(value) and value.lower() not in _YAML_1_1 and resolve(value) == value
    return value if bare else quoted(value)


def quoted(value: str) -> str:
    """Write text in double quotes, as YAML and JSON both read it."""
    return _shown(json.dumps(value, ensure_ascii=False))


def as_json(value: object, indent: str | None = None, before: str = "") -> str:
    """Write a value as JSON; with `indent` over several lines, each but the first after `before`."""
    return _shown(json.dumps(value, ensure_ascii=False, indent=indent)).replace("\n", f"\n{before}")


def _shown(text: str) -> str:
    """Escape what cannot be shown. Beyond U+FFFF the two languages escape differently, and both take it as it is."""
    return "".join(c if c.isprintable() or c in "\n\t" or c > "\uffff" else f"\\u{ord(c):04x}" for c in text)


def block(value: object, notes: Mapping[str, str] | None = None, depth: int = 0) -> str:
    """Write a value as a block of YAML; `notes` are comments behind the text values they name."""
    return "".join(f"{'  ' * depth}{line}\n" for line in _lines(value, notes or {}))


def _lines(value: object, notes: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            name = flow(str(key))
            if _is_short(below, notes):
                yield f"{name}: {_noted(below, notes)}"
            else:
                yield f"{name}:"
                yield from (f"  {line}" for line in _lines(below, notes))
    elif isinstance(value, list | tuple):
        for below in value:
            if _is_short(below, notes) or not below:
                yield f"- {_noted(below, notes)}"
                continue
            first, *rest = _lines(below, notes)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _is_short(value: object, notes: Mapping[str, str]) -> bool:
    """Return whether a value goes on the line of its key: a scalar, or a small collection of scalars without notes."""
    if not isinstance(value, Mapping | list | tuple) or not value:
        return True
    inside = list(value.values()) if isinstance(value, Mapping) else list(value)
    plain = not any(isinstance(each, Mapping | list | tuple) or each in notes for each in inside)
    return plain and len(inside) <= 4 and len(flow(value)) <= 80


def _noted(value: object, notes: Mapping[str, str]) -> str:
    note = notes.get(value) if isinstance(value, str) else None
    return f"{flow(value)} # {note}" if note else flow(value)
