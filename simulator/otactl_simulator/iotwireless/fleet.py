"""Adds devices and groups of POST /_simulator/fleet.

```
{"account": "123456789012", "region": "eu-west-1",
 "devices": [{"devEui": "70b3d57ed0000001", "id"?, "name"?, "rfRegion": "EU868", "class"?: "ClassC", "loss"?: 0.05,
              "caps"?: {"maxLost", "maxFragments", "maxFragmentSize", "memoryBytes"}, "behaviour"?, "firmwareVersion"?,
              "thing"?, "tags"?: {}}],
 "groups": [{"name": "canary", "id"?, "rfRegion": "EU868", "dlClass"?: "ClassC", "devices": [DevEUI or id],
             "notReady"?: [DevEUI or id]}]}
```

Loading again adds, and changes a device or group of the same id or DevEUI. `behaviour` is one of reception.BEHAVIOURS.
`thing` is the name of the thing associated with a device; what that one does with an image it rebuilt is its own
`behaviour`. Other keys belong to other services (fleet_document).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime

from otactl_simulator.fleet_document import KEYS, objects, only_keys, place
from otactl_simulator.iotwireless.reception import BEHAVIOURS
from otactl_simulator.iotwireless.state import NO_CAPS, Device, Group, Store, Stores

_DEVICE = frozenset(
    ("id", "devEui", "name", "rfRegion", "class", "loss", "caps", "behaviour", "firmwareVersion", "thing", "tags")
)
_GROUP = frozenset(("id", "name", "rfRegion", "dlClass", "devices", "notReady", "tags"))
_CAPS = frozenset(("maxLost", "maxFragments", "maxFragmentSize", "memoryBytes"))


def load(stores: Stores, fleet: Mapping[str, object], now: datetime) -> None:
    """Add a fleet; ValueError says what is wrong, and then nothing was added."""
    only_keys("fleet", fleet, KEYS)
    devices, groups = objects(fleet, "devices"), objects(fleet, "groups")
    for device in devices:
        _check_device(device)
    for group in groups:
        only_keys("group", group, _GROUP)
        if not group.get("name") or not group.get("rfRegion"):
            raise ValueError("a group needs name and rfRegion")
    store = stores.at(*place(fleet))
    _check_members(store, devices, groups)
    known = {name: d for d in store.devices.values() for name in (d.dev_eui, d.id)}
    for device in devices:
        _add_device(store, device, known)
    for group in groups:
        _add_group(store, group, known, now)


def _check_device(device: Mapping[str, object]) -> None:
    only_keys("device", device, _DEVICE)
    if not device.get("devEui"):
        raise ValueError("a device needs devEui")
    loss = device.get("loss", 0.0)
    if isinstance(loss, bool) or not isinstance(loss, int | float) or not 0 <= loss <= 1:
        raise ValueError(f"loss of {device['devEui']} is between 0 and 1, not {loss!r}")
    behaviour = device.get("behaviour", "")
    if behaviour and behaviour not in BEHAVIOURS:
        raise ValueError(f"behaviour {behaviour!r} is none of {', '.join(sorted(BEHAVIOURS))}")
    caps = device.get("caps", {})
    if not isinstance(caps, dict):
        raise ValueError(f"caps of {device['devEui']} must be an object")  # noqa: TRY004 - answered with HTTP 400
    only_keys("device's caps", caps, _CAPS)
    for name, value in caps.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name} of {device['devEui']} is a whole number, not {value!r}")  # noqa: TRY004 - as above


def _check_members(store: Store, devices: list[Mapping[str, object]], groups: list[Mapping[str, object]]) -> None:
    known = {str(d["devEui"]).lower() for d in devices} | {str(d["id"]) for d in devices if d.get("id")}
    known |= set(store.devices) | {d.dev_eui for d in store.devices.values()}
    for group in groups:
        members = [*_names(group, "devices"), *_names(group, "notReady")]
        strange = [m for m in members if m not in known and m.lower() not in known]
        if strange:
            raise ValueError(f"group {group['name']} names devices that are not there: {', '.join(strange)}")


def _names(group: Mapping[str, object], key: str) -> list[str]:
    listed = group.get(key, [])
    if not isinstance(listed, list):
        raise ValueError(f"{key} of group {group['name']} must be a list")  # noqa: TRY004 - answered with HTTP 400
    return [str(item) for item in listed]


def _find(known: Mapping[str, Device], name: str) -> Device | None:
    """Return a device by id or DevEUI; `known` has both, so that a fleet of ten thousand loads in one go."""
    return known.get(name) or known.get(name.lower())


def _tags(given: Mapping[str, object]) -> dict[str, str]:
    tags = given.get("tags", {})
    return {str(k): str(v) for k, v in tags.items()} if isinstance(tags, dict) else {}


def _add_device(store: Store, given: Mapping[str, object], known: dict[str, Device]) -> None:
    device = _find(known, str(given.get("id") or given["devEui"]))
    if device is None:
        fresh, _ = store.new("WirelessDevice")
        key = str(given.get("id") or fresh)
        device = Device(key, store.device_prefix())
        store.devices[key] = device
    name, eui = str(given.get("name", given["devEui"])), str(given["devEui"]).lower()
    device.identify(eui if name == eui else name, eui)  # one text for both: a fleet may be 100,000 devices
    known |= {device.dev_eui: device, device.id: device}
    device.rf_region = sys.intern(str(given.get("rfRegion", device.rf_region)))
    loss, caps = given.get("loss", 0.0), given.get("caps", {})
    device.loss = float(loss) if isinstance(loss, int | float) else 0.0
    device.caps = {str(k): int(v) for k, v in caps.items()} if isinstance(caps, dict) and caps else NO_CAPS
    device.behaviour = str(given.get("behaviour", ""))
    device.version = str(given.get("firmwareVersion", ""))
    if given.get("thing"):
        device.thing_arn = f"arn:aws:iot:{store.region}:{store.account}:thing/{given['thing']}"
    if (tags := _tags(given)) or device.arn in store.tags:
        store.tags[device.arn] = tags


def _add_group(store: Store, given: Mapping[str, object], known: Mapping[str, Device], now: datetime) -> None:
    key = str(given.get("id") or "")
    group = store.groups.get(key)
    if group is None:
        fresh, arn = store.new("MulticastGroup")
        group = Group(key or fresh, store.arn("MulticastGroup", key) if key else arn, now, {})
        store.groups[group.id] = group
    group.parameters |= {
        "Name": str(given["name"]),
        "LoRaWAN": {"RfRegion": str(given["rfRegion"]), "DlClass": str(given.get("dlClass", "ClassC"))},
    }
    store.tags[group.arn] = _tags(given)
    for name in _names(given, "devices"):
        device = _find(known, name)
        if device is not None:
            group.joined.setdefault(device.id, now)
    late = set(_names(given, "notReady"))
    for member in group.joined:
        device = store.devices[member]
        device.never_ready = device.id in late or device.dev_eui in late
