"""Adds products, devices, packages and keys of POST /_simulator/fleet.

```
{"tuya": {
  "keys": [{"id": "AK1", "secret": "..."}],
  "products": [{"productKey": "a1b2c3d4e5", "name"?, "modules"?: ["ble"]}],
  "devices": [{"productKey", "deviceName", "iotId"?, "versions"?: {"default": "2.4.0"}, "behaviour"?, "seconds"?: 60}],
  "groups": [{"groupId", "productKey", "name"?, "devices": ["probe-1"]}],
  "firmwares": [{"firmwareId", "productKey", "destVersion", "name"?, "srcVersion"?, "module"?, "sign"?, "signMethod"?,
                 "size"?, "type"?: 0, "status"?: 1, "desc"?}],
  "reports": [{"productKey", "deviceName", "module"?, "progress": 50}, {..., "version": "2.4.1"}]}}
```

Loading again adds, and changes what has the same key, name or id: what is given is set. A device's versions are
reported; one without any never reported. `reports` are what a device tells now, whatever its behaviour, which is how a
test drives a `manual` one. `behaviour` is one of course.BEHAVIOURS. A product has the module `default` besides its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.tuya.device_behavior import BEHAVIOURS, Course
from otactl_simulator.tuya.state import DEFAULT_MODULE, Device, Firmware, Group, Module, Product, Store

_NEEDED = {
    "keys": ("id", "secret"),
    "products": ("productKey",),
    "devices": ("productKey", "deviceName"),
    "groups": ("groupId", "productKey"),
    "firmwares": ("firmwareId", "productKey", "destVersion"),
    "reports": ("productKey", "deviceName"),
}
_TEXTS = {
    "products": ("name",),
    "devices": ("iotId", "behaviour"),
    "groups": ("name",),
    "firmwares": ("name", "srcVersion", "module", "sign", "signMethod", "desc"),
    "reports": ("module", "version"),
}
_WHOLE = {"firmwares": {"size": (0, 10**12), "type": (0, 1), "status": (-1, 3)}, "reports": {"progress": (-4, 100)}}
_OTHER = {"products": ("modules",), "devices": ("versions", "seconds"), "groups": ("devices",)}
Entry = Mapping[str, object]


class Fleet:
    """What the fleet document does to the gateway."""

    def __init__(self, store: Store, agenda: Agenda, course: Course) -> None:
        self._store, self._agenda, self._course = store, agenda, course

    def load(self, document: Mapping[str, object]) -> None:
        """Add a fleet; ValueError says what is wrong, and then nothing was added."""
        given = document.get("tuya", {})
        if not isinstance(given, Mapping):
            raise ValueError("tuya must be an object")  # noqa: TRY004 - answered with HTTP 400
        unknown = sorted(set(given) - set(_NEEDED))
        if unknown:
            raise ValueError(f"unknown key {', '.join(unknown)} of tuya; there are {', '.join(_NEEDED)}")
        parts = {part: _entries(part, given.get(part, [])) for part in _NEEDED}
        self._check(parts)
        self._store.keys |= {str(key["id"]): str(key["secret"]) for key in parts["keys"]}
        steps = (
            ("products", self._product),
            ("devices", self._device),
            ("groups", self._group),
            ("firmwares", self._firmware),
            ("reports", self._report),
        )
        for part, add in steps:
            for entry in parts[part]:
                add(entry)

    def _check(self, parts: Mapping[str, list[Entry]]) -> None:
        """Check what an entry alone cannot show: which others it names."""
        modules = {key: set(product.modules) for key, product in self._store.products.items()}
        for entry in parts["products"]:
            names = {*_texts("products", entry, "modules"), DEFAULT_MODULE}
            modules[str(entry["productKey"])] = modules.get(str(entry["productKey"]), set()) | names
        known = set(self._store.devices) | {_name(entry) for entry in parts["devices"]}
        for part in ("devices", "groups", "firmwares", "reports"):
            for entry in parts[part]:
                key = str(entry["productKey"])
                if key not in modules:
                    raise ValueError(f"{part} name the product {key}, which is not there")
                named = _modules_of(part, entry)
                if not named <= modules[key]:
                    raise ValueError(f"product {key} has no module {', '.join(sorted(named - modules[key]))}")
        members = [(str(g["productKey"]), name) for g in parts["groups"] for name in _texts("groups", g, "devices")]
        strange = [name for name in [*members, *map(_name, parts["reports"])] if name not in known]
        if strange:
            raise ValueError(f"devices that are not there: {', '.join('/'.join(name) for name in strange)}")

    def _product(self, entry: Entry) -> None:
        key = str(entry["productKey"])
        product = self._store.products.setdefault(key, Product(key, key))
        product.name = str(entry.get("name", product.name))
        for name in (DEFAULT_MODULE, *_texts("products", entry, "modules")):
            product.modules.setdefault(name, Module(name))

    def _device(self, entry: Entry) -> None:
        name = _name(entry)
        device = self._store.devices.get(name)
        if device is None:
            device = self._store.devices[name] = Device(*name, self._store.unique("device"))
        before = (device.behaviour, device.seconds)
        device.iot_id = str(entry.get("iotId", device.iot_id))
        device.behaviour = str(entry.get("behaviour", device.behaviour))
        seconds = entry.get("seconds", device.seconds)
        device.seconds = float(seconds) if isinstance(seconds, int | float) else device.seconds
        if before != (device.behaviour, device.seconds):
            self._course.look_again(device)
        for module, version in _versions(entry).items():
            self._course.report_version(device, module, version)

    def _group(self, entry: Entry) -> None:
        key = str(entry["groupId"])
        group = self._store.groups.setdefault(key, Group(key, str(entry["productKey"]), key))
        group.name = str(entry.get("name", group.name))
        group.devices = list(dict.fromkeys([*group.devices, *_texts("groups", entry, "devices")]))

    def _firmware(self, entry: Entry) -> None:
        key, now = str(entry["firmwareId"]), self._agenda.now()
        name, version = f"package-{key}", str(entry["destVersion"])
        fresh = Firmware(key, str(entry["productKey"]), name, version, now, now, sign=f"sign-{key}")
        firmware = self._store.firmwares.setdefault(key, fresh)
        firmware.dest_version = version
        names = {"srcVersion": "src_version", "signMethod": "sign_method"}
        for part in (*_TEXTS["firmwares"], *_WHOLE["firmwares"]):
            if part in entry:
                setattr(firmware, names.get(part, part), entry[part])

    def _report(self, entry: Entry) -> None:
        device, module = self._store.devices[_name(entry)], str(entry.get("module", DEFAULT_MODULE))
        progress = entry.get("progress")
        if isinstance(progress, int):
            self._course.report_progress(device, module, progress)
        if "version" in entry:
            self._course.report_version(device, module, str(entry["version"]))


def _entries(part: str, listed: object) -> list[Entry]:
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ValueError(f"tuya.{part} must be a list of objects")
    for entry in listed:
        _check_entry(part, entry)
    return listed


def _check_entry(part: str, entry: Entry) -> None:
    numbers = _WHOLE.get(part, {})
    allowed = {*_NEEDED[part], *_TEXTS.get(part, ()), *numbers, *_OTHER.get(part, ())}
    unknown = sorted(set(entry) - allowed)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)} of tuya.{part}; there are {', '.join(sorted(allowed))}")
    for name in (*_NEEDED[part], *(n for n in _TEXTS.get(part, ()) if n in entry)):
        value = entry.get(name)
        if not isinstance(value, str) or (name in _NEEDED[part] and not value):
            raise ValueError(f"{name} of tuya.{part} must be a text")
    for name, (low, high) in numbers.items():
        value = entry.get(name, low)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} of tuya.{part} is a whole number from {low} to {high}")
    seconds = entry.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise ValueError(f"seconds of tuya.{part} is a number, not below 0")
    if part == "devices" and entry.get("behaviour", "") not in BEHAVIOURS:
        raise ValueError(f"behaviour {entry['behaviour']!r} is none of {', '.join(sorted(BEHAVIOURS))}")
    for name in ("modules", "devices"):
        if name in _OTHER.get(part, ()):
            _texts(part, entry, name)
    _versions(entry)


def _modules_of(part: str, entry: Entry) -> set[str]:
    if part == "devices":
        return set(_versions(entry))
    return {str(entry.get("module", DEFAULT_MODULE))}


def _name(entry: Entry) -> tuple[str, str]:
    return str(entry["productKey"]), str(entry["deviceName"])


def _texts(part: str, entry: Entry, name: str) -> list[str]:
    listed = entry.get(name, [])
    if not isinstance(listed, list) or not all(isinstance(item, str) and item for item in listed):
        raise ValueError(f"{name} of tuya.{part} must be a list of texts")
    return listed


def _versions(entry: Entry) -> dict[str, str]:
    versions = entry.get("versions", {})
    if not isinstance(versions, dict) or not all(isinstance(v, str) and v for v in versions.values()):
        raise ValueError("versions of tuya.devices must be an object of texts, by module")
    return versions
