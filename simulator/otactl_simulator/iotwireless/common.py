"""Provides what every operation needs: pages, tokens, times."""

from __future__ import annotations

import base64
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from otactl_simulator.iotwireless.settings import Settings
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


def created_once(
    store: Store,
    kind: str,
    parameters: Mapping[str, object],
    make: Callable[[], str],
    *,
    alive: Container[str],
    settings: Settings,
) -> dict[str, object]:
    """Create once for each ClientRequestToken, and answer with id and ARN; `alive` are the resources not deleted.

    SDK model, CreateFuotaTask: the same token with the same parameters succeeds as the first time did, with other
    parameters it is a ConflictException.
    """
    identifier = _identifier(store, kind, parameters, make, alive, settings)
    return {"Id": identifier, "Arn": store.arn(kind, identifier)}


def _identifier(
    store: Store,
    kind: str,
    parameters: Mapping[str, object],
    make: Callable[[], str],
    alive: Container[str],
    settings: Settings,
) -> str:
    token = parameters.get("ClientRequestToken")
    plain = {k: v for k, v in parameters.items() if k != "ClientRequestToken"}
    if not isinstance(token, str):
        return make()
    known = store.tokens.get((kind, token))
    if known is not None and (known[1] in alive or settings["tokenAfterDelete"] == "old"):
        if known[0] != plain:
            raise conflict(kind, known[1], "this ClientRequestToken was used with other parameters")
        if settings["usedToken"] == "conflict":
            raise conflict(kind, known[1], "a resource was made with this ClientRequestToken already")
        return known[1]
    made = make()
    store.tokens[kind, token] = (plain, made)
    return made


def tags_of(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the tags as given in a Create or TagResource."""
    given = parameters.get("Tags")
    return {str(t["Key"]): str(t["Value"]) for t in given} if isinstance(given, list) else {}


def iso(moment: datetime | None) -> str | None:
    """Return a time for a snapshot."""
    return moment.isoformat() if moment is not None else None
