"""Adds things and thing groups of POST /_simulator/fleet.

```
{"account": "123456789012", "region": "eu-west-1",
 "things": [{"name": "probe-1", "attributes"?: {}, "thingType"?, "firmwareVersion"?: "2.4.0", "imageSha256"?,
             "behaviour"?, "seconds"?: 60, "versionPath"?: "reported.firmware.version"}],
 "thingGroups": [{"name": "canary", "things": ["probe-1"]}],
 "images": {"<sha256>": "2.4.1"},
 "indexing": {"thingIndexingConfiguration": {"thingIndexingMode": "REGISTRY_AND_SHADOW"}}}
```

Loading again adds, and changes a thing of the same name: what is given is set. A firmwareVersion is reported, in shadow
and attribute. `behaviour` is one of devices.BEHAVIOURS, `normal` unless it is given. `images` are the versions that
images taken over LoRaWAN call themselves. `indexing` is what a call of UpdateIndexingConfiguration would be given;
fleet indexing is off without. Other keys belong to other services (fleet_document).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from otactl_simulator.clock import Clock
from otactl_simulator.fleet_document import KEYS, objects, only_keys, place
from otactl_simulator.iot.common import mapping, texts
from otactl_simulator.iot.devices import BEHAVIOURS, Devices, tell_version
from otactl_simulator.iot.groups import new_group
from otactl_simulator.iot.index import switch
from otactl_simulator.iot.registry import new_thing
from otactl_simulator.iot.rollout import Rollouts
from otactl_simulator.iot.state import Store, Stores
from otactl_simulator.iot.thing_types import new_type
from otactl_simulator.service import ModelledError

_THING = frozenset(
    ("name", "attributes", "thingType", "firmwareVersion", "imageSha256", "behaviour", "seconds", "versionPath")
)
_GROUP = frozenset(("name", "things"))
_INDEXING = frozenset(("thingIndexingConfiguration", "thingGroupIndexingConfiguration"))
_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_PATH = re.compile(r"reported(\.[^.]+)+")


class Fleet:
    """What the fleet document does to the registry."""

    def __init__(self, stores: Stores, clock: Clock, rollouts: Rollouts, devices: Devices) -> None:
        self._stores = stores
        self._clock = clock
        self._rollouts = rollouts
        self._devices = devices

    def load(self, fleet: Mapping[str, object]) -> None:
        """Add a fleet; ValueError says what is wrong, and then nothing was added."""
        only_keys("fleet", fleet, KEYS)
        things, groups = objects(fleet, "things"), objects(fleet, "thingGroups")
        for thing in things:
            _check_thing(thing)
        store = self._stores.at(*place(fleet))
        images = fleet.get("images", {})
        if not isinstance(images, dict) or not all(isinstance(v, str) for v in images.values()):
            raise ValueError("images must be an object of texts: sha256 to version")
        indexing = mapping(fleet.get("indexing", {}))
        only_keys("indexing configuration", indexing, _INDEXING)
        known = {str(thing["name"]) for thing in things} | set(store.things)
        for group in groups:
            _check_group(group, known)
        store.images |= images
        try:
            switch(store, indexing)
        except ModelledError as error:
            raise ValueError(error.message) from error
        for thing in things:
            self._add_thing(store, thing)
        for group in groups:
            self._add_group(store, group)

    def _add_thing(self, store: Store, given: Mapping[str, object]) -> None:
        name = str(given["name"])
        thing = store.things.get(name)
        if thing is None:
            thing = store.things[name] = new_thing(store, name)
        else:
            thing.version += 1
        thing.attributes |= texts(given.get("attributes"))
        thing.thing_type = str(given.get("thingType", thing.thing_type))
        if thing.thing_type and thing.thing_type not in store.types:
            new_type(store, thing.thing_type, self._clock)
        thing.behaviour = str(given.get("behaviour", thing.behaviour)) or "normal"
        thing.connected_at = thing.connected_at or self._clock.now()
        thing.version_path = str(given.get("versionPath", thing.version_path))
        thing.image_sha256 = str(given.get("imageSha256", thing.image_sha256))
        seconds = given.get("seconds", thing.seconds)
        thing.seconds = float(seconds) if isinstance(seconds, int | float) else thing.seconds
        if "firmwareVersion" in given:
            thing.firmware_version = str(given["firmwareVersion"])
            tell_version(thing, self._clock.now())
        self._devices.look_again(store, name)

    def _add_group(self, store: Store, given: Mapping[str, object]) -> None:
        name = str(given["name"])
        group = store.groups.get(name) or new_group(store, name, self._clock)
        there = set(group.things)
        for member in _members(given):
            if member not in there:
                there.add(member)
                group.things.append(member)
                self._rollouts.joined(store, group, member)


def _check_thing(thing: Mapping[str, object]) -> None:
    only_keys("thing", thing, _THING)
    name = _name("thing", thing)
    attributes, seconds, path = thing.get("attributes", {}), thing.get("seconds", 0), thing.get("versionPath")
    if not isinstance(attributes, dict) or not all(isinstance(v, str) for v in mapping(attributes).values()):
        raise ValueError(f"attributes of {name} must be an object of texts")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise ValueError(f"seconds of {name} is a number, not below 0, not {seconds!r}")
    behaviour = thing.get("behaviour", "")
    if behaviour and behaviour not in BEHAVIOURS:
        raise ValueError(f"behaviour {behaviour!r} of {name} is none of {', '.join(sorted(BEHAVIOURS))}")
    if path is not None and (not isinstance(path, str) or _PATH.fullmatch(path) is None):
        raise ValueError(f"versionPath of {name} begins with reported., not {path!r}")


def _check_group(group: Mapping[str, object], known: set[str]) -> None:
    only_keys("thing group", group, _GROUP)
    name = _name("thing group", group)
    if not isinstance(group.get("things", []), list):
        raise ValueError(f"things of thing group {name} must be a list")  # noqa: TRY004 - answered with HTTP 400
    strange = [member for member in _members(group) if member not in known]
    if strange:
        raise ValueError(f"thing group {name} names things that are not there: {', '.join(strange)}")


def _members(group: Mapping[str, object]) -> list[str]:
    listed = group.get("things", [])
    return [str(member) for member in listed] if isinstance(listed, list) else []


def _name(what: str, given: Mapping[str, object]) -> str:
    name = given.get("name")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ValueError(f"a {what} needs a name of letters, digits, colon, underscore and hyphen, not {name!r}")
    return name
