"""Keeps thing types: create, read, change, deprecate, delete.

1. CreateThingType again with the same properties succeeds, with others it is a ResourceAlreadyExistsException.
2. A deprecated type takes no new things (InvalidRequestException); `undoDeprecate` ends that.
3. Only a type that has been deprecated for five minutes and that no thing is of can be deleted (API reference,
   DeleteThingType).
4. Left out: the limit on searchable attributes is not held, and mqtt5Configuration is only kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from otactl_simulator.clock import Clock
from otactl_simulator.iot.common import mapping, page, tags_of
from otactl_simulator.iot.state import Store, Stores, ThingType, invalid, not_found
from otactl_simulator.service import Handler, ModelledError, Request

AFTER_DEPRECATION = timedelta(minutes=5)


class ThingTypes:
    """The operations on thing types."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateThingType": self.create,
            "DescribeThingType": self.describe,
            "UpdateThingType": self.update,
            "DeprecateThingType": self.deprecate,
            "DeleteThingType": self.delete,
            "ListThingTypes": self.list_types,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateThingType (rule 1)."""
        store, wanted = self._stores.of(request), request.parameters
        name, properties = str(wanted["thingTypeName"]), mapping(wanted.get("thingTypeProperties"))
        found = store.types.get(name)
        if found is None:
            found = new_type(store, name, self._clock)
            found.properties, store.tags[found.arn] = properties, tags_of(wanted)
        elif found.properties != properties:
            text = f"Thing type {name} already exists in current account with different properties"
            raise ModelledError("ResourceAlreadyExistsException", text, resourceId=name, resourceArn=found.arn)
        return {"thingTypeName": name, "thingTypeArn": found.arn, "thingTypeId": found.id}

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeThingType."""
        found = type_of(self._stores.of(request), request.parameters["thingTypeName"])
        return {**_shown(found), "thingTypeId": found.id}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateThingType: the properties that are given."""
        found = type_of(self._stores.of(request), request.parameters["thingTypeName"])
        found.properties = {**found.properties, **mapping(request.parameters.get("thingTypeProperties"))}
        return {}

    def deprecate(self, request: Request) -> dict[str, object]:
        """DeprecateThingType (rule 2)."""
        found = type_of(self._stores.of(request), request.parameters["thingTypeName"])
        found.deprecated_at = None if request.parameters.get("undoDeprecate") else self._clock.now()
        return {}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteThingType (rule 3)."""
        store = self._stores.of(request)
        found = type_of(store, request.parameters["thingTypeName"])
        since = found.deprecated_at
        if since is None or self._clock.now() - since < AFTER_DEPRECATION:
            raise invalid(f"Cannot delete thing type {found.name}: it must have been deprecated for 5 minutes")
        if any(thing.thing_type == found.name for thing in store.things.values()):
            raise invalid(f"Cannot delete thing type {found.name}: things are of it")
        del store.types[found.name]
        store.tags.pop(found.arn, None)
        return {}

    def list_types(self, request: Request) -> dict[str, object]:
        """ListThingTypes, by the start of the name."""
        prefix = str(request.parameters.get("thingTypeName", ""))
        chosen = [found for found in self._stores.of(request).types.values() if found.name.startswith(prefix)]
        items, token = page(chosen, request.parameters)
        return {"thingTypes": [_shown(found) for found in items], "nextToken": token}


def new_type(store: Store, name: str, clock: Clock) -> ThingType:
    """Return a fresh type, in the registry."""
    store.types[name] = ThingType(name, store.arn("thingtype", name), store.new(), clock.now())
    return store.types[name]


def type_of(store: Store, name: object) -> ThingType:
    """Return a thing type by name; ResourceNotFoundException."""
    found = store.types.get(str(name))
    if found is None:
        raise not_found(f"Thing type {name}")
    return found


def usable_type(store: Store, wanted: Mapping[str, object]) -> str:
    """Return the type that a call gives a thing, empty without one (rule 2)."""
    if not wanted.get("thingTypeName"):
        return ""
    found = type_of(store, wanted["thingTypeName"])
    if found.deprecated_at is not None:
        raise invalid(f"Can not create a thing of the deprecated thing type {found.name}")
    return found.name


def _shown(found: ThingType) -> dict[str, object]:
    return {
        "thingTypeName": found.name,
        "thingTypeArn": found.arn,
        "thingTypeProperties": found.properties,
        "thingTypeMetadata": {
            "deprecated": found.deprecated_at is not None,
            "deprecationDate": found.deprecated_at,
            "creationDate": found.created_at,
        },
    }
