"""Defines the base of every value: frozen, compared by content, JSON in camelCase."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

# Nested values are `object`: msgspec cannot resolve a recursive alias (its TypeError names the forward reference).
Json = None | bool | int | float | str | list[object] | dict[str, object]
JsonObject = dict[str, object]


class Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A frozen record; `msgspec.convert` builds it from a validated document, `msgspec.to_builtins` gives JSON back."""


def texts_in(value: object) -> list[str]:
    """Return every text in a document but the names of its fields, in no order."""
    found, todo = list[str](), [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, dict):
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)
    return found


def canonical_digest(value: object) -> str:
    """Name a value by content: sha256 hex over its JSON with sorted keys (msgspec's deterministic order)."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def exact(number: float | Decimal) -> Decimal:
    """Read a number as the manifest wrote it: 64.4 is 64.4, not the nearest binary fraction.

    A float is read by its shortest text. Sums and products of such numbers stay exact within 28 digits.
    """
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> timedelta:
    """Read a duration as manifests write it: `90s`, `35m`, `12h`, `7d` (the schema holds the pattern)."""
    return timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])


def iso(moment: datetime) -> str:
    """Format a time: UTC, whole seconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(moment: datetime | None) -> str | None:
    """Format a time, or None."""
    return iso(moment) if moment is not None else None
