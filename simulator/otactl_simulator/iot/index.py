"""Serves fleet indexing: searches things by registry, shadow, group and connectivity, and thing groups.

1. Indexing is off in a fresh account; UpdateIndexingConfiguration switches it on, the fleet document too (its member
   `indexing`). While it is off there is no index: ResourceNotFoundException, worded as seen live (github.com/
   csuermann/node-red-contrib-virtual-smart-home, issue 16).
2. A configuration that is given replaces the former. With thingIndexingMode REGISTRY the index knows no shadows; named
   ones are searched when namedShadowIndexingMode is ON and the filter names them; connectivity with
   thingConnectivityIndexingMode STATUS, which needs thingIndexingMode (API reference, ThingIndexingConfiguration).
3. A page has at most 100 (API reference, SearchIndex).
4. Here the index is always up to date, and ACTIVE as soon as it is switched on; the real one follows with a delay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from otactl_simulator.iot.common import mapping, page
from otactl_simulator.iot.devices import connected
from otactl_simulator.iot.group_tree import ancestors
from otactl_simulator.iot.query import test_of
from otactl_simulator.iot.shadows import delta
from otactl_simulator.iot.state import Store, Stores, Thing, ThingGroup, invalid, not_found
from otactl_simulator.service import Handler, Request

THINGS, GROUPS = "AWS_Things", "AWS_ThingGroups"
MAX_PAGE = 100
_OF_THINGS, _OF_GROUPS = "thingIndexingConfiguration", "thingGroupIndexingConfiguration"
_OFF: dict[str, dict[str, object]] = {
    _OF_THINGS: {"thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "OFF"},
    _OF_GROUPS: {"thingGroupIndexingMode": "OFF"},
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
            "DescribeIndex": self.describe,
            "ListIndices": self.list_indices,
            "GetIndexingConfiguration": self.configuration,
            "UpdateIndexingConfiguration": self.configure,
        }

    def configuration(self, request: Request) -> dict[str, object]:
        """GetIndexingConfiguration."""
        return {**_OFF, **self._stores.of(request).indexing}

    def configure(self, request: Request) -> dict[str, object]:
        """UpdateIndexingConfiguration (rule 2)."""
        switch(self._stores.of(request), request.parameters)
        return {}

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeIndex."""
        store, name = self._stores.of(request), str(request.parameters["indexName"])
        mode = _mode(store, name)
        schema = "REGISTRY" if name == GROUPS else str(mode["thingIndexingMode"])
        if mode.get("thingConnectivityIndexingMode") == "STATUS":
            schema += "_AND_CONNECTIVITY_STATUS"
        return {"indexName": name, "indexStatus": "ACTIVE", "schema": schema}

    def list_indices(self, request: Request) -> dict[str, object]:
        """ListIndices: those that are switched on."""
        store = self._stores.of(request)
        items, token = page([name for name in (THINGS, GROUPS) if _is_on(store, name)], request.parameters)
        return {"indexNames": items, "nextToken": token}

    def search(self, request: Request) -> dict[str, object]:
        """SearchIndex."""
        store, wanted = self._stores.of(request), request.parameters
        name, size = str(wanted.get("indexName", THINGS)), wanted.get("maxResults")
        if isinstance(size, int) and size > MAX_PAGE:
            raise invalid(f"maxResults is at most {MAX_PAGE}")
        mode = _mode(store, name)
        test = test_of(str(wanted["queryString"]), name)
        if name == GROUPS:
            groups, token = _found([_group(store, group) for group in store.groups.values()], test, wanted)
            return {"things": [], "thingGroups": groups, "nextToken": token}
        of = _groups(store)
        things, token = _found([_thing(thing, of, mode) for thing in store.things.values()], test, wanted)
        return {"things": [_shown(document) for document in things], "thingGroups": [], "nextToken": token}


def switch(store: Store, wanted: Mapping[str, object]) -> None:
    """Set the configurations given (rule 2); InvalidRequestException."""
    given = {name: {**_OFF[name], **mapping(wanted[name])} for name in _OFF if wanted.get(name) is not None}
    things = given.get(_OF_THINGS, {})
    if things.get("thingConnectivityIndexingMode") == "STATUS" and things["thingIndexingMode"] == "OFF":
        raise invalid("thingIndexingMode must not be OFF to enable thing connectivity indexing")
    store.indexing |= given


def _is_on(store: Store, name: str) -> bool:
    configuration = {**_OFF, **store.indexing}
    if name == GROUPS:
        return mapping(configuration[_OF_GROUPS])["thingGroupIndexingMode"] == "ON"
    return name == THINGS and mapping(configuration[_OF_THINGS])["thingIndexingMode"] != "OFF"


def _mode(store: Store, name: str) -> dict[str, object]:
    """Return the configuration of an index that is on (rule 1)."""
    if name in (THINGS, GROUPS) and not _is_on(store, name):
        raise not_found(f"Index {name}", " does not exist. Please enable index by calling UpdateIndexingConfiguration")
    if name not in (THINGS, GROUPS):
        raise not_found(f"Index {name}")
    return mapping({**_OFF, **store.indexing}[_OF_GROUPS if name == GROUPS else _OF_THINGS])


def _found(
    documents: Sequence[dict[str, object]], test: Callable[[dict[str, object]], bool], wanted: Mapping[str, object]
) -> tuple[list[dict[str, object]], str | None]:
    return page([document for document in documents if test(document)], wanted)


def _groups(store: Store) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in store.groups.values():
        for name in group.things:
            found.setdefault(name, []).append(group.name)
    return found


def _group(store: Store, group: ThingGroup) -> dict[str, object]:
    return {
        "thingGroupName": group.name,
        "thingGroupId": group.id,
        "thingGroupDescription": group.description or None,
        "attributes": group.attributes,
        "parentGroupNames": [above.name for above in ancestors(store, group)],
    }


def _thing(thing: Thing, groups: Mapping[str, list[str]], mode: Mapping[str, object]) -> dict[str, object]:
    shadow: dict[str, object] = {}
    if mode.get("thingIndexingMode") == "REGISTRY_AND_SHADOW" and "" in thing.shadows:
        shadow = _flat(thing.shadows[""])
    if mode.get("namedShadowIndexingMode") == "ON":
        chosen = mapping(mode.get("filter")).get("namedShadowNames")
        named = {n: _flat(thing.shadows[n]) for n in chosen if n in thing.shadows} if isinstance(chosen, list) else {}
        shadow = {**shadow, "name": named} if named else shadow
    return {
        "thingName": thing.name,
        "thingId": thing.id,
        "thingTypeName": thing.thing_type or None,
        "thingGroupNames": groups.get(thing.name, []),
        "attributes": thing.attributes,
        "shadow": shadow,
        "connectivity": connected(thing) if mode.get("thingConnectivityIndexingMode") == "STATUS" else None,
    }


def _flat(shadow: Mapping[str, object]) -> dict[str, object]:
    """Return a shadow as the index shows it: its sections beside metadata, version and whether there is a delta."""
    state = mapping(shadow["state"])
    has_delta = bool(delta(state.get("desired"), state.get("reported")))
    return {**state, "metadata": shadow["metadata"], "hasDelta": has_delta, "version": shadow["version"]}


def _shown(document: dict[str, object]) -> dict[str, object]:
    return {**document, "shadow": json.dumps(document["shadow"]) if document["shadow"] else None}
