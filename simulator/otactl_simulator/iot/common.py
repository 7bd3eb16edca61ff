"""Provides what every operation of AWS IoT needs: pages, plain values, times."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from otactl_simulator.iot.state import invalid

T = TypeVar("T")
PAGE = 50
MAX_DETAILS = 10


def page(items: Sequence[T], parameters: Mapping[str, object], size: str = "maxResults") -> tuple[list[T], str | None]:
    """Return a page of a list and the next token; without a size the service chooses one (undocumented: 50)."""
    given = parameters.get(size)
    count = given if isinstance(given, int) and given > 0 else PAGE
    token = parameters.get("nextToken")
    start = 0
    if isinstance(token, str) and token:
        try:
            start = int(base64.urlsafe_b64decode(token).decode())
        except ValueError as error:
            raise invalid("nextToken is not one this service gave") from error
    end = start + count
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return list(items[start:end]), following


def mapping(value: object) -> dict[str, object]:
    """Return a structure as given, empty when it is not there."""
    return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}


def texts(value: object) -> dict[str, str]:
    """Return a map of strings as given, empty when it is not there."""
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def whole(value: object) -> int | None:
    """Return a whole number as given."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def details_of(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the statusDetails of a call: at most 10 pairs, values of at most 1,024 characters (API reference)."""
    details = texts(parameters.get("statusDetails"))
    if len(details) > MAX_DETAILS:
        raise invalid(f"statusDetails has {len(details)} pairs; at most {MAX_DETAILS} are taken")
    if any(len(value) > 1024 for value in details.values()):
        raise invalid("a value of statusDetails is at most 1,024 characters long")
    return details


def tags_of(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the tags as given in a Create."""
    given = parameters.get("tags")
    return {str(t["Key"]): str(t.get("Value", "")) for t in given} if isinstance(given, list) else {}


def seconds(moment: datetime | None) -> int | None:
    """Return a time as the data planes write it: whole seconds since the epoch."""
    return int(moment.timestamp()) if moment is not None else None


def iso(moment: datetime | None) -> str | None:
    """Return a time for a snapshot."""
    return moment.isoformat() if moment is not None else None
