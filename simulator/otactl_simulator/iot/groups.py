"""Keeps static thing groups and their members.

1. CreateThingGroup again with the same configuration succeeds, with another it is a ResourceAlreadyExistsException.
2. Adding who is in already, and removing who is not, succeeds (inferred). Joining and leaving moves jobs: rollout.py.
3. DeleteThingGroup of a group that is not there succeeds: the model has no ResourceNotFoundException for it.
4. A group with children cannot be deleted (API reference). ListThingGroups without `recursive` lists every group below
   `parentGroup`, or all of them (measured by the makers of moto); ListThingsInThingGroup only what is right in it.
5. Left out: groups are never dynamic.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.clock import Clock
from otactl_simulator.iot.common import mapping, page, tags_of, texts
from otactl_simulator.iot.group_tree import ancestors, children, descendants, things_of
from otactl_simulator.iot.registry import check_version
from otactl_simulator.iot.rollout import Rollouts
from otactl_simulator.iot.state import Store, Stores, Thing, ThingGroup, invalid, not_found
from otactl_simulator.service import Handler, ModelledError, Request


class ThingGroups:
    """The operations on thing groups."""

    def __init__(self, stores: Stores, clock: Clock, rollouts: Rollouts) -> None:
        self._stores = stores
        self._clock = clock
        self._rollouts = rollouts

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateThingGroup": self.create,
            "DescribeThingGroup": self.describe,
            "UpdateThingGroup": self.update,
            "DeleteThingGroup": self.delete,
            "ListThingGroups": self.list_groups,
            "AddThingToThingGroup": self.add,
            "RemoveThingFromThingGroup": self.remove,
            "ListThingsInThingGroup": self.list_things,
            "ListThingGroupsForThing": self.list_for_thing,
            "UpdateThingGroupsForThing": self.update_for_thing,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateThingGroup (rule 1)."""
        store, wanted = self._stores.of(request), request.parameters
        parent = _group(store, wanted["parentGroupName"]).name if wanted.get("parentGroupName") else ""
        name, properties = str(wanted["thingGroupName"]), mapping(wanted.get("thingGroupProperties"))
        description = str(properties.get("thingGroupDescription", ""))
        attributes = texts(mapping(properties.get("attributePayload")).get("attributes"))
        group = store.groups.get(name)
        if group is None:
            group = new_group(store, name, self._clock)
            group.description, group.attributes, group.parent = description, attributes, parent
            store.tags[group.arn] = tags_of(wanted)
        elif (group.description, group.attributes, group.parent) != (description, attributes, parent):
            text = f"Thing Group {name} already exists in current account with different properties"
            raise ModelledError("ResourceAlreadyExistsException", text, resourceId=name, resourceArn=group.arn)
        return {"thingGroupName": name, "thingGroupArn": group.arn, "thingGroupId": group.id}

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeThingGroup."""
        store = self._stores.of(request)
        group = _group(store, request.parameters["thingGroupName"])
        above = _named(ancestors(store, group))
        return {
            "thingGroupName": group.name,
            "thingGroupId": group.id,
            "thingGroupArn": group.arn,
            "version": group.version,
            "thingGroupProperties": {
                "thingGroupDescription": group.description or None,
                "attributePayload": {"attributes": group.attributes} if group.attributes else None,
            },
            "thingGroupMetadata": {
                "parentGroupName": group.parent or None,
                "rootToParentThingGroups": above or None,
                "creationDate": group.created_at,
            },
        }

    def update(self, request: Request) -> dict[str, object]:
        """UpdateThingGroup: the description, and attributes replaced or merged."""
        wanted = request.parameters
        group = _group(self._stores.of(request), wanted["thingGroupName"])
        check_version(wanted, group.version)
        properties = mapping(wanted["thingGroupProperties"])
        payload = mapping(properties.get("attributePayload"))
        if "thingGroupDescription" in properties:
            group.description = str(properties["thingGroupDescription"])
        if payload:
            kept = group.attributes if payload.get("merge") else {}
            group.attributes = {k: v for k, v in {**kept, **texts(payload.get("attributes"))}.items() if v}
        group.version += 1
        return {"version": group.version}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteThingGroup (rules 3 and 4): its members leave it."""
        store, name = self._stores.of(request), str(request.parameters["thingGroupName"])
        group = store.groups.get(name)
        if group is None:
            return {}
        check_version(request.parameters, group.version)
        if children(store, name):
            raise invalid(f"Cannot delete thing group {name} when there are still child groups attached to it")
        del store.groups[name]
        store.tags.pop(group.arn, None)
        for thing in group.things:
            self._rollouts.left(store, group, thing)
        return {}

    def list_groups(self, request: Request) -> dict[str, object]:
        """ListThingGroups, by parent and by the start of the name (rule 4)."""
        store, wanted = self._stores.of(request), request.parameters
        parent = _group(store, wanted["parentGroup"]).name if wanted.get("parentGroup") else ""
        if wanted.get("recursive") is False:
            chosen = children(store, parent)
        else:
            chosen = descendants(store, parent) if parent else list(store.groups.values())
        prefix = str(wanted.get("namePrefixFilter", ""))
        items, token = page([g for g in chosen if g.name.startswith(prefix)], wanted)
        return {"thingGroups": _named(items), "nextToken": token}

    def add(self, request: Request) -> dict[str, object]:
        """AddThingToThingGroup (rule 2)."""
        store, (group, thing) = self._stores.of(request), self._pair(request)
        add_member(store, group, thing.name, self._rollouts)
        return {}

    def remove(self, request: Request) -> dict[str, object]:
        """RemoveThingFromThingGroup (rule 2)."""
        store, (group, thing) = self._stores.of(request), self._pair(request)
        self._leave(store, group, thing.name)
        return {}

    def list_things(self, request: Request) -> dict[str, object]:
        """ListThingsInThingGroup (rule 4)."""
        store = self._stores.of(request)
        group = _group(store, request.parameters["thingGroupName"])
        things = things_of(store, group) if request.parameters.get("recursive") else group.things
        items, token = page(things, request.parameters)
        return {"things": items, "nextToken": token}

    def list_for_thing(self, request: Request) -> dict[str, object]:
        """ListThingGroupsForThing."""
        store = self._stores.of(request)
        thing = store.thing(request.parameters["thingName"])
        items, token = page([g for g in store.groups.values() if thing.name in g.things], request.parameters)
        return {"thingGroups": _named(items), "nextToken": token}

    def update_for_thing(self, request: Request) -> dict[str, object]:
        """UpdateThingGroupsForThing: joins and leaves; all groups have to be there."""
        store, wanted = self._stores.of(request), request.parameters
        thing = store.thing(wanted.get("thingName"))
        joins, leaves = (
            [_group(store, name) for name in names] if isinstance(names := wanted.get(member), list) else []
            for member in ("thingGroupsToAdd", "thingGroupsToRemove")
        )
        for group in joins:
            add_member(store, group, thing.name, self._rollouts)
        for group in leaves:
            self._leave(store, group, thing.name)
        return {}

    def _leave(self, store: Store, group: ThingGroup, thing: str) -> None:
        if thing in group.things:
            group.things.remove(thing)
            self._rollouts.left(store, group, thing)

    def _pair(self, request: Request) -> tuple[ThingGroup, Thing]:
        store = self._stores.of(request)
        group, thing = _either(request.parameters, "thingGroup"), _either(request.parameters, "thing")
        return _group(store, group), store.thing(thing)


def new_group(store: Store, name: str, clock: Clock) -> ThingGroup:
    """Return a fresh group, in the registry."""
    store.groups[name] = ThingGroup(name, store.arn("thinggroup", name), store.new(), clock.now())
    return store.groups[name]


def add_member(store: Store, group: ThingGroup, thing: str, rollouts: Rollouts) -> None:
    """Add a thing to a group; jobs notice."""
    if thing not in group.things:
        group.things.append(thing)
        rollouts.joined(store, group, thing)


def _group(store: Store, name: object) -> ThingGroup:
    found = store.groups.get(str(name))
    if found is None:
        raise not_found(f"Thing group {name}")
    return found


def _either(parameters: Mapping[str, object], what: str) -> str:
    """Return a name given as such or in an ARN."""
    name, arn = parameters.get(f"{what}Name"), parameters.get(f"{what}Arn")
    if name is None and arn is None:
        raise invalid(f"{what}Name or {what}Arn is required")
    return str(name) if name is not None else str(arn).rpartition("/")[2]


def _named(groups: list[ThingGroup]) -> list[dict[str, str]]:
    return [{"groupName": g.name, "groupArn": g.arn} for g in groups]
