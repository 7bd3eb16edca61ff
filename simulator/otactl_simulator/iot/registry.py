"""Serves the thing registry: create, read, change, delete.

1. CreateThing again with the same configuration succeeds, with another it is a ResourceAlreadyExistsException.
2. UpdateThing replaces the attributes, or merges them with `merge`; an empty value takes an attribute away.
   `expectedVersion` must be the thing's version: VersionConflictException.
3. DeleteThing of a thing that is not there succeeds (API reference, all three).
4. A thing's type exists and is not deprecated when a call gives it (thing_types.py).
5. Left out: the limits on the number of attributes are not held.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iot.common import mapping, page, texts
from otactl_simulator.iot.rollout import Rollouts
from otactl_simulator.iot.state import Store, Stores, Thing
from otactl_simulator.iot.thing_types import usable_type
from otactl_simulator.service import Handler, ModelledError, Request


class Things:
    """The operations on things."""

    def __init__(self, stores: Stores, rollouts: Rollouts) -> None:
        self._stores = stores
        self._rollouts = rollouts

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateThing": self.create,
            "DescribeThing": self.describe,
            "UpdateThing": self.update,
            "DeleteThing": self.delete,
            "ListThings": self.list_things,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateThing (rule 1)."""
        store, wanted = self._stores.of(request), request.parameters
        name = str(wanted["thingName"])
        attributes = {k: v for k, v in _attributes(wanted).items() if v}
        kind = usable_type(store, wanted)
        found = store.things.get(name)
        if found is None:
            found = store.things[name] = new_thing(store, name)
            found.attributes, found.thing_type = attributes, kind
        elif (found.attributes, found.thing_type) != (attributes, kind):
            text = f"Thing {name} already exists in account with different attributes"
            raise ModelledError("ResourceAlreadyExistsException", text, resourceId=name, resourceArn=found.arn)
        return {"thingName": found.name, "thingArn": found.arn, "thingId": found.id}

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeThing."""
        thing = self._stores.of(request).thing(request.parameters["thingName"])
        return {**_shown(thing), "thingId": thing.id, "defaultClientId": thing.name}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateThing (rule 2)."""
        store, wanted = self._stores.of(request), request.parameters
        thing = store.thing(wanted["thingName"])
        check_version(wanted, thing.version)
        kind = usable_type(store, wanted)
        if "attributePayload" in wanted:
            merge = mapping(wanted["attributePayload"]).get("merge")
            both = {**(thing.attributes if merge else {}), **_attributes(wanted)}
            thing.attributes = {k: v for k, v in both.items() if v}
        thing.thing_type = kind or thing.thing_type
        if wanted.get("removeThingType"):
            thing.thing_type = ""
        thing.version += 1
        return {}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteThing (rule 3): it leaves its groups and its jobs."""
        store, name = self._stores.of(request), str(request.parameters["thingName"])
        thing = store.things.get(name)
        if thing is None:
            return {}
        check_version(request.parameters, thing.version)
        del store.things[name]
        for group in store.groups.values():
            if name in group.things:
                group.things.remove(name)
        self._rollouts.deleted(store, name)
        return {}

    def list_things(self, request: Request) -> dict[str, object]:
        """ListThings, by attribute or type."""
        store, wanted = self._stores.of(request), request.parameters
        chosen = [thing for thing in store.things.values() if _passes(thing, wanted)]
        items, token = page(chosen, wanted)
        return {"things": [_shown(thing) for thing in items], "nextToken": token}


def new_thing(store: Store, name: str) -> Thing:
    """Return a thing that is not in the registry yet."""
    return Thing(name, store.arn("thing", name), id=store.new())


def check_version(wanted: Mapping[str, object], version: int) -> None:
    """Refuse a call that expects another version."""
    if wanted.get("expectedVersion") not in (None, version):
        text = f"the version is {version}, not {wanted['expectedVersion']}"
        raise ModelledError("VersionConflictException", text)


def _attributes(wanted: Mapping[str, object]) -> dict[str, str]:
    return texts(mapping(wanted.get("attributePayload")).get("attributes"))


def _shown(thing: Thing) -> dict[str, object]:
    return {
        "thingName": thing.name,
        "thingArn": thing.arn,
        "thingTypeName": thing.thing_type or None,
        "attributes": thing.attributes,
        "version": thing.version,
    }


def _passes(thing: Thing, wanted: Mapping[str, object]) -> bool:
    if wanted.get("thingTypeName") not in (None, thing.thing_type):
        return False
    name = wanted.get("attributeName")
    if name is None:
        return True
    has, value = thing.attributes.get(str(name)), str(wanted.get("attributeValue", ""))
    if has is None:
        return False
    return has.startswith(value) if wanted.get("usePrefixAttributeValue") else value in ("", has)
