"""Changes the body of an answer: a list without one item, a field missing or of the wrong type, nothing at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from otactl.backends.aws.responses import ALWAYS
from tests.support.faults.cases import Fault

_GATEWAY = ("success", "data")
_MAY_BE_LEFT_OUT = {("ListOTAUnfinishedTaskByDevice", "data")}
"""What may be missing in a true answer: the list of a device without a task, as far as is known (docs/unproved.md)."""
Place = tuple[str | int, ...]


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _leaves(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the place of each value that is no object, lists too."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*place, key))
    elif value is not None and place:
        yield place
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _leaves(item, (*place, index))


def _kept(body: bytes) -> list[Place]:
    """Return the values that a reader may look at: an id of the request itself is for the log of the service."""
    return [place for place in _leaves(_parsed(body)) if place not in (("requestId",), ("errorMessage",), ("code",))]


def leaves(body: bytes) -> int:
    """Return how many values a JSON body has; 0 for another body."""
    return len(_kept(body))


def _required(service: str, operation: str, body: bytes) -> list[Place]:
    """Return the places of the members without which an answer cannot be used, as far as they are there."""
    document = _parsed(body)
    if service == "tuya":
        there = (n for n in _GATEWAY if (operation, n) not in _MAY_BE_LEFT_OUT)
        return [(name,) for name in there if isinstance(document, dict) and name in document]
    if not isinstance(document, dict):
        return [(path,) for path in ALWAYS.get((service, operation), ()) if _element(path).search(body.decode())]
    found = []
    for path in ALWAYS.get((service, operation), ()):
        place: list[str | int] = []
        for part in path.split("."):
            place.append(part.removesuffix("[]"))
            if part.endswith("[]"):
                place.append(0)
        if _has(document, tuple(place)):
            found.append(tuple(place))
    return found


def _element(path: str) -> re.Pattern[str]:
    """Return what finds a member in XML, by its last name."""
    name = path.split(".")[-1].removesuffix("[]")
    return re.compile(f"<{name}>.*?</{name}>", re.DOTALL)


def _has(value: Any, place: Place) -> bool:
    for step in place:
        if isinstance(step, int):
            if not isinstance(value, list) or len(value) <= step:
                return False
        elif not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return value not in (None, "")


def fields(service: str, operation: str, body: bytes) -> int:
    """Return how many members of an answer it cannot be used without."""
    return len(_required(service, operation, body))


def _lists(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list):
        if value:
            yield value
        return
    if isinstance(value, dict):
        for item in value.values():
            yield from _lists(item)


def can_be_short(operation: str, body: bytes) -> bool:
    """Return whether an answer has a list that may lack an item; the one task of a device is all of its list."""
    listed = operation.startswith(("List", "Search")) and operation != "ListOTAUnfinishedTaskByDevice"
    return listed and next(_lists(_parsed(body)), None) is not None


def short(_service: str, _operation: str, body: bytes, pick: int) -> bytes:
    """Return a list without one of its items."""
    document = _parsed(body)
    found = next(_lists(document))
    del found[pick % len(found)]
    return json.dumps(document).encode()


def _parent(document: Any, place: Place) -> Any:
    for step in place[:-1]:
        document = document[step]
    return document


def without(service: str, operation: str, body: bytes, pick: int) -> bytes:
    """Return an answer without one of the members that it cannot be used without."""
    places = _required(service, operation, body)
    place, document = places[pick % len(places)], _parsed(body)
    if not isinstance(document, dict):
        return _element(str(place[0])).sub("", body.decode()).encode()
    parent = _parent(document, place)
    if isinstance(place[-1], int):
        parent[place[-1]] = ""
    else:
        del parent[place[-1]]
    return json.dumps(document).encode()


def mistyped(_service: str, _operation: str, body: bytes, pick: int) -> bytes:
    """Return an answer in which one value has a type that the service never gives it."""
    document, places = _parsed(body), _kept(body)
    place = places[pick % len(places)]
    parent = _parent(document, place)
    parent[place[-1]] = {"value": parent[place[-1]]}
    return json.dumps(document).encode()


def empty(_service: str, _operation: str, _body: bytes, _pick: int) -> bytes:
    """Return nothing."""
    return b""


CHANGES: dict[Fault, Callable[[str, str, bytes, int], bytes]] = {
    Fault.SHORT: short,
    Fault.EMPTY: empty,
    Fault.MISSING: without,
    Fault.WRONG_TYPE: mistyped,
}
