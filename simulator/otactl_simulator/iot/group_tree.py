"""Walks the hierarchy of thing groups: ancestors, descendants, and the things of both.

1. A group has one parent, named when it is created, and keeps it (developer guide, "Static thing groups").
2. A job for a group is for the things in its child groups too (the same page).
3. Left out: that a thing may be in one group of a hierarchy only.
"""

from __future__ import annotations

from otactl_simulator.iot.state import Store, ThingGroup


def ancestors(store: Store, group: ThingGroup) -> list[ThingGroup]:
    """Return a group's parents, the root first."""
    found: list[ThingGroup] = []
    parent = store.groups.get(group.parent)
    while parent is not None:
        found.insert(0, parent)
        parent = store.groups.get(parent.parent)
    return found


def children(store: Store, name: str) -> list[ThingGroup]:
    """Return the groups right below a group; those without a parent for an empty name."""
    return [group for group in store.groups.values() if group.parent == name]


def descendants(store: Store, name: str) -> list[ThingGroup]:
    """Return every group below a group, in the order of their creation."""
    return [group for group in store.groups.values() if any(above.name == name for above in ancestors(store, group))]


def things_of(store: Store, group: ThingGroup) -> list[str]:
    """Return the things in a group and in every group below it, each once."""
    groups = (group, *descendants(store, group.name))
    return list(dict.fromkeys(name for each in groups for name in each.things))
