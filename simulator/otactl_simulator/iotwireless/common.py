"""Provides what every operation needs: pages, tokens, times."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from otactl_simulator.iotwireless.state import Store, conflict, invalid

T = TypeVar("T")
PAGE = 50


def page(items: Sequence[T], parameters: Mapping[str, object]) -> tuple[Sequence[T], str | None]:
    """Return a page of a list and the token of the next. MaxResults is 0 to 250 in the model; 0 means the default."""
    size = parameters.get("MaxResults")
    count = size if isinstance(size, int) and size > 0 else PAGE
    token = parameters.get("NextToken")
    start = 0
    if isinstance(token, str):
        try:
            start = int(base64.urlsafe_b64decode(token).decode())
        except ValueError as error:
            raise invalid("NextToken is not one this service gave") from error
    end = start + count
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], following


def idempotent(
    store: Store,
    kind: str,
    parameters: Mapping[str, object],
    make: Callable[[], str],
    *,
    alive: Callable[[str], bool],
    after_delete: str,
    used: str,
) -> str:
    """Create once for each ClientRequestToken.

    SDK model, CreateFuotaTask: the same token with the same parameters succeeds as the first time did, with other
    parameters it is a ConflictException.
    """
    token = parameters.get("ClientRequestToken")
    plain = {k: v for k, v in parameters.items() if k != "ClientRequestToken"}
    if not isinstance(token, str):
        return make()
    known = store.tokens.get((kind, token))
    if known is not None and (alive(known[1]) or after_delete == "old"):
        if known[0] != plain:
            raise conflict(kind, known[1], "this ClientRequestToken was used with other parameters")
        if used == "conflict":
            raise conflict(kind, known[1], "a resource was made with this ClientRequestToken already")
        return known[1]
    made = make()
    store.tokens[kind, token] = (plain, made)
    return made


def tags_of(parameters: Mapping[str, object]) -> dict[str, str]:
    """Tags as given in a Create or TagResource."""
    given = parameters.get("Tags")
    return {str(t["Key"]): str(t["Value"]) for t in given} if isinstance(given, list) else {}


def iso(moment: datetime | None) -> str | None:
    """Return a time for a snapshot."""
    return moment.isoformat() if moment is not None else None
