"""Reads the document of POST /_simulator/fleet, in parts, for every service.

```
{"account": "123456789012", "region": "eu-west-1", "devices": […], "groups": […], "things": […], …}
```

A key that no service knows is refused by each of them; one that another service knows is left to it. What is wrong with
a document is a ValueError, answered with HTTP 400.
"""

from __future__ import annotations

from collections.abc import Mapping

KEYS = frozenset(
    ("account", "region", "devices", "groups", "things", "thingGroups", "images", "indexing", "tuya", "secrets")
)


def place(fleet: Mapping[str, object]) -> tuple[str, str]:
    """Return the account and Region a fleet is put into."""
    return str(fleet.get("account", "123456789012")), str(fleet.get("region", "eu-west-1"))


def objects(fleet: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """Return a list of objects; an empty one when it is not given."""
    listed = fleet.get(name, [])
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ValueError(f"{name} must be a list of objects")
    return listed


def only_keys(what: str, given: Mapping[str, object], keys: frozenset[str]) -> None:
    """Refuse a key that is none of these."""
    unknown = sorted(set(given) - keys)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)} of a {what}; there are {', '.join(sorted(keys))}")
