"""A valid document into the value the rest of the product works with.

1. Device names, objects and CSV rows all become devices; a DevEUI is written in lower case, without separators.
2. The backend block is parsed by the backend whose kind names it.
3. What a schema cannot say of one value alone (a date that exists, a time zone that is known) is a fault here.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import cast

import msgspec

from otactl.backends.registry import BACKENDS
from otactl.manifest.csv_hints import plain_dev_eui
from otactl.manifest.faults import Fault
from otactl.manifest.phrases import did_you_mean, quoted
from otactl.manifest.positions import Path, dotted
from otactl.model import Environment, JsonObject, Rollout
from otactl.model.rollout import Source

_LISTS = ("wirelessDevices", "things", "devices")
_NO_ZONES = "this machine has no zone data; install the package tzdata, which otactl depends on"
_OF_ONE_MACHINE = ("localtime", "posixrules", "posix", "right", "Factory")
"""Files and folders of zone data that mean what a machine is set to, count leap seconds, or are not everywhere."""

LoadDevices = Callable[[str, Path, str], list[dict[str, object]]]
"""Reads a CSV file named at a path for a kind of target; gives the devices it could read."""


def impossible_values(document: JsonObject) -> Iterator[Fault]:
    """Yield a fault for each time that does not exist and each unknown time zone."""
    spec = cast("JsonObject", document["spec"])
    for name in ("windows", "freezes"):
        for index, window in enumerate(_objects(spec.get(name))):
            yield from _zone(str(window["timeZone"]), ("spec", name, index, "timeZone"))
    drift = spec.get("drift")
    ignored = _objects(drift.get("ignore")) if isinstance(drift, dict) else []
    for index, entry in enumerate(ignored):
        yield from _moment(entry.get("until"), ("spec", "drift", "ignore", index, "until"))
    for index, entry in enumerate(_objects(spec.get("approvals"))):
        yield from _moment(entry["at"], ("spec", "approvals", index, "at"))


def _objects(value: object) -> list[JsonObject]:
    return cast("list[JsonObject]", value) if isinstance(value, list) else []


def _moment(value: object, path: Path) -> Iterator[Fault]:
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            yield Fault(path, "time_does_not_exist", f"{dotted(path)} {quoted(value)} is no day of the calendar")


def _zone(name: str, path: Path) -> Iterator[Fault]:
    try:
        zoneinfo.ZoneInfo(name)
        known = name.partition("/")[0] not in _OF_ONE_MACHINE
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        known = False
    if not known:
        zones = sorted(zoneinfo.available_timezones() - set(_OF_ONE_MACHINE))
        yield Fault(
            path,
            "unknown_time_zone",
            f"{dotted(path)} {quoted(name)} is no time zone",
            did_you_mean(name, zones) or ("for example Europe/Paris or UTC" if zones else _NO_ZONES),
        )


def to_rollout(document: JsonObject, source: Source, load: LoadDevices) -> Rollout:
    """Build a rollout from a valid document of `source`; device lists come from `load`."""
    spec = dict(cast("JsonObject", document["spec"]))
    metadata = cast("JsonObject", document["metadata"])
    kind = next(name for name in BACKENDS if name in spec)
    block = cast("JsonObject", spec.pop(kind))
    strategy = dict(cast("JsonObject", spec["strategy"]))
    waves = []
    for index, wave in enumerate(_objects(strategy["waves"])):
        path: Path = ("spec", "strategy", "waves", index, "targets")
        waves.append({**wave, "targets": _targets(wave["targets"], path, load)} if "targets" in wave else wave)
    strategy["waves"] = waves
    if "targets" in spec:
        spec["targets"] = _targets(spec["targets"], ("spec", "targets"), load)
    resend = strategy.pop("resend", False)
    flat: JsonObject = {
        **spec,
        "name": metadata["name"],
        "labels": metadata.get("labels", {}),
        "renamedFrom": metadata.get("renamedFrom"),
        "resend": resend,
        "backend": BACKENDS[kind].config.parse(block),
        "strategy": strategy,
        "source": source,
    }
    return msgspec.convert(flat, Rollout)


def to_environment(document: JsonObject, file: str, digest: str) -> Environment:
    """Build an environment from a valid document."""
    metadata = cast("JsonObject", document["metadata"])
    spec = cast("JsonObject", document["spec"])
    flat: JsonObject = {**spec, "name": metadata["name"], "source": {"file": file, "digest": digest}}
    access: JsonObject = {}
    for kind, definition in BACKENDS.items():
        if definition.access is not None and kind in flat:
            access[kind] = msgspec.convert(flat.pop(kind), definition.access)
    return msgspec.convert({**flat, "access": access}, Environment)


def _targets(value: object, path: Path, load: LoadDevices) -> JsonObject:
    found = dict(cast("JsonObject", value))
    for kind in _LISTS:
        listed = found.get(kind)
        if isinstance(listed, dict):
            found[kind] = [_device(each) for each in load(str(listed["file"]), (*path, kind), kind)]
        elif isinstance(listed, list):
            found[kind] = [_device(each) for each in listed]
    return found


def _device(value: object) -> JsonObject:
    if isinstance(value, str):
        return {"id": value}
    device = dict(cast("JsonObject", value))
    if isinstance(device.get("devEui"), str):
        device["devEui"] = plain_dev_eui(str(device["devEui"])).lower()
    return device
