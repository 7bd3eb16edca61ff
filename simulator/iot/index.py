"""Fleet indexing: search the things by registry, shadow and group.

The index is AWS_Things and always up to date; the real one follows with a delay. UpdateIndexingConfiguration is kept
and shown: with thingIndexingMode OFF the search is an IndexNotReadyException, with REGISTRY it knows no shadows, and
named shadows are searched when namedShadowIndexingMode is ON and names them. A page has at most 100 things (API
reference, SearchIndex). Inferred: indexing is on from the start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from simulator.iot.common import mapping, page
from simulator.iot.query import test_of
from simulator.iot.state import Store, Stores, Thing, invalid, not_found
from simulator.service import Handler, ModelledError, Request

INDEX = "AWS_Things"
MAX_PAGE = 100
_START: dict[str, object] = {
    "thingIndexingConfiguration": {
        "thingIndexingMode": "REGISTRY_AND_SHADOW",
        "thingConnectivityIndexingMode": "OFF",
        "deviceDefenderIndexingMode": "OFF",
        "namedShadowIndexingMode": "OFF",
    },
    "thingGroupIndexingConfiguration": {"thingGroupIndexingMode": "OFF"},
}


class Index:
    """The operations of fleet indexing."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "SearchIndex": self.search,
            "GetIndexingConfiguration": self.configuration,
            "UpdateIndexingConfiguration": self.configure,
        }

    def configuration(self, request: Request) -> dict[str, object]:
        """GetIndexingConfiguration."""
        return {**_START, **self._stores.of(request).indexing}

    def configure(self, request: Request) -> dict[str, object]:
        """UpdateIndexingConfiguration."""
        self._stores.of(request).indexing |= request.parameters
        return {}

    def search(self, request: Request) -> dict[str, object]:
        """SearchIndex."""
        store, wanted = self._stores.of(request), request.parameters
        if wanted.get("indexName", INDEX) != INDEX:
            raise not_found(f"Index {wanted['indexName']}")
        size = wanted.get("maxResults")
        if isinstance(size, int) and size > MAX_PAGE:
            raise invalid(f"maxResults is at most {MAX_PAGE}")
        mode = mapping({**_START, **store.indexing}["thingIndexingConfiguration"])
        if mode.get("thingIndexingMode") == "OFF":
            raise ModelledError("IndexNotReadyException", f"Index {INDEX} is not there: thing indexing is OFF")
        test, groups = test_of(str(wanted["queryString"])), _groups(store)
        found = [document for document in (_document(t, groups, mode) for t in store.things.values()) if test(document)]
        items, token = page(found, wanted)
        return {"things": [_shown(store, document) for document in items], "nextToken": token}


def _groups(store: Store) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in store.groups.values():
        for name in group.things:
            found.setdefault(name, []).append(group.name)
    return found


def _document(thing: Thing, groups: Mapping[str, list[str]], mode: Mapping[str, object]) -> dict[str, object]:
    shadow: dict[str, object] = {}
    if mode.get("thingIndexingMode") == "REGISTRY_AND_SHADOW" and "" in thing.shadows:
        shadow = _flat(thing.shadows[""])
    if mode.get("namedShadowIndexingMode") == "ON":
        chosen = mapping(mode.get("filter")).get("namedShadowNames")
        named = {n: _flat(thing.shadows[n]) for n in chosen if n in thing.shadows} if isinstance(chosen, list) else {}
        shadow = {**shadow, "name": named} if named else shadow
    return {
        "thingName": thing.name,
        "thingTypeName": thing.thing_type or None,
        "thingGroupNames": groups.get(thing.name, []),
        "attributes": thing.attributes,
        "shadow": shadow,
    }


def _flat(shadow: Mapping[str, object]) -> dict[str, object]:
    """A shadow as the index shows it: its sections beside metadata and version."""
    return {**mapping(shadow["state"]), "metadata": shadow["metadata"], "version": shadow["version"]}


def _shown(store: Store, document: Mapping[str, object]) -> dict[str, object]:
    shadow = document["shadow"]
    return {
        **document,
        "thingId": store.things[str(document["thingName"])].id,
        "shadow": json.dumps(shadow) if shadow else None,
    }
