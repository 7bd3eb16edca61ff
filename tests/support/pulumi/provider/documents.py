"""Compares policy documents by what they say, as the provider does: neither order, space nor a list of one counts."""

from __future__ import annotations

import json
from typing import Any

LISTS = ("Action", "NotAction", "Resource", "NotResource")


def same(one: str, other: str) -> bool:
    """Return whether two documents mean the same."""
    return bool(normalised(one) == normalised(other))


def normalised(text: str) -> Any:
    """Return a document in the form that is compared; ValueError for what is no JSON object."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("a policy is a JSON object")  # noqa: TRY004 - as json.loads does
    statements = document.get("Statement", [])
    plain = [_statement(s) for s in (statements if isinstance(statements, list) else [statements])]
    return {**document, "Statement": plain}


def _statement(statement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: _list(value) if key in LISTS else value for key, value in statement.items()}
    principal = found.get("Principal")
    if isinstance(principal, dict):
        found["Principal"] = _lists(principal)
    if isinstance(found.get("Condition"), dict):
        found["Condition"] = {test: _lists(keys) for test, keys in found["Condition"].items()}
    return found


def _lists(values: dict[str, Any]) -> dict[str, list[str]]:
    return {key: _list(value) for key, value in values.items()}


def _list(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return sorted(str(v).lower() if isinstance(v, bool) else str(v) for v in listed)
