"""Builds the simulator's fleet document from a manifest: devices, groups, things, plugs, and their behaviour.

1. A manifest names groups, not who is in them: each has as many devices as is assumed, and a device of two rollouts is
   one.
2. How a device behaves is drawn from the seed and its name, so a seed is one fleet, and another seed another one.
3. Loss is of the radio: it concerns FUOTA alone. The label that says otherwise about a device wins over the default.
   Where a version is the proof, each wireless device has a thing of its own that reports it.
4. Devices run something older than what is declared, as far as a manifest says what.
"""

from __future__ import annotations

import hashlib
import random
import re
import uuid
from collections.abc import Iterable

from otactl.backends.tuya.config import TuyaConfig
from otactl.errors import UsageError
from otactl.model import Device, JsonObject, Rollout, Targets, Value, VersionConfirm, VersionProof

BEFORE = "0.0.0-rehearsal"
ATTRIBUTE = "firmwareVersion"
_INDEXED = re.compile(r"shadow\.(reported\.[A-Za-z0-9_.-]+):")
KEEPS = "keepsVersion"
SILENT = {"fuota": "silent", "otaUpdate": "offline", "tuya": "offline"}
# Reasons that a simulated device can fail with and the loop then sees; the first of each is what
# --fail means by itself. Jobs report them by the codes of FreeRTOS agents; Tuya reports another version as no reason.
FAILURES: dict[str, dict[str, str]] = {
    "fuota": {
        "integrity": "micError",
        "noMemory": "notEnoughMemory",
        "sessionReplay": "sessionReplay",
        "indexUnsupported": "fragIndexUnsupported",
        "packageUnsupported": "noPackage",
        "descriptor": "wrongDescriptor",
        "version": KEEPS,
    },
    "otaUpdate": {
        "flash": "failsSelfTest",
        "download": "failsDownload",
        "verify": "failsSignature",
        "rejected": "rejects",
        "version": KEEPS,
    },
    "tuya": {
        "flash": "failsFlash",
        "download": "failsDownload",
        "verify": "failsVerify",
        "unknown": "failsGeneral",
    },
}
DEFAULT = ""
PROVED = "version"
"""The reason that is seen only where a version is the proof."""


class Assumed(Value, frozen=True, kw_only=True):
    """What is assumed of a fleet: percentages of devices; `fail` by reason, with "" for the service's usual one.

    `loss_by_label` are losses of devices with a label, as (label, value, loss), the first that fits.
    """

    devices_per_group: int = 10
    loss: float = 0.05
    loss_by_label: tuple[tuple[str, str, float], ...] = ()
    silent: float = 0.0
    fail: tuple[tuple[str, float], ...] = ()

    def behaviour(self, kind: str, key: str, seed: int) -> str:
        """Return how a device behaves (rule 2): as it should, silent, or failing for one of the reasons."""
        draw = 100.0 * random.Random(f"{seed}/{key}").random()  # noqa: S311 - a repeatable fleet, not a secret
        if draw < self.silent:
            return SILENT[kind]
        upper = self.silent
        for reason, percent in self.fail:
            upper += percent
            if draw < upper:
                known = FAILURES[kind]
                return known.get(reason or next(iter(known)), "")
        return ""

    def loss_of(self, device: Device) -> float:
        """Return the share of fragments a device misses (rule 3)."""
        fits = (loss for label, value, loss in self.loss_by_label if device.labels.get(label) == value)
        return next(fits, self.loss)


def check(assumed: Assumed, rollouts: Iterable[Rollout]) -> None:
    """Refuse a label that no device has, and a reason that none can fail with."""
    declared = list(rollouts)
    _check_labels(assumed, declared)
    possible = {
        reason for rollout in declared for reason in FAILURES[rollout.backend_kind] if can_fail(rollout, reason)
    }
    strange = sorted({reason for reason, _ in assumed.fail if reason != DEFAULT and reason not in possible})
    if strange:
        text = f"no device of these rollouts can be made to fail with {', '.join(strange)}"
        raise UsageError(
            f"{text} that their service would tell; there are: {', '.join(sorted(possible))}; "
            "for lost fragments raise --loss"
        )


def _check_labels(assumed: Assumed, rollouts: Iterable[Rollout]) -> None:
    devices = (d for rollout in rollouts for targets in targets_of(rollout) for d in targets.wireless_devices)
    known = {f"{label}={value}" for device in devices for label, value in device.labels.items()}
    strange = sorted({f"{label}={value}" for label, value, _ in assumed.loss_by_label} - known)
    if strange:
        there = f"there are: {', '.join(sorted(known)[:10])}" if known else "none of them has a label in a CSV file"
        raise UsageError(f"--loss: no LoRaWAN device of these rollouts has the label {', '.join(strange)}; {there}")


def can_fail(rollout: Rollout, reason: str) -> bool:
    """Return whether a rollout's devices can fail so that the reason is visible."""
    proved = isinstance(rollout.strategy.confirm, VersionConfirm)
    grouped = any(targets.multicast_groups for targets in targets_of(rollout))
    told = (proved or reason != PROVED) and (grouped or reason != "indexUnsupported")
    return told and reason in FAILURES[rollout.backend_kind]


def fleet_of(rollouts: Iterable[Rollout], assumed: Assumed, seed: int, account: str, region: str) -> JsonObject:
    """Return the fleet of rollouts that go to one account and Region, for POST /_simulator/fleet."""
    parts = _Parts()
    for rollout in rollouts:
        build = {"fuota": _wireless, "otaUpdate": _things, "tuya": _plugs}[rollout.backend_kind]
        build(parts, rollout, assumed, seed)
    indexed: JsonObject = {"thingIndexingMode": "REGISTRY_AND_SHADOW"}
    document: JsonObject = {"account": account, "region": region}
    document["indexing"] = {"thingIndexingConfiguration": indexed}  # a version proof may search it
    wireless: dict[str, dict[str, JsonObject]] = {
        "devices": parts.devices,
        "groups": parts.groups,
        "things": parts.things,
        "thingGroups": parts.thing_groups,
    }
    document |= {name: list(entries.values()) for name, entries in wireless.items()}
    document["tuya"] = {
        "products": list(parts.products.values()),
        "devices": list(parts.plugs.values()),
        "firmwares": list(parts.packages.values()),
    }
    return document


class _Parts:
    def __init__(self) -> None:
        self.devices: dict[str, JsonObject] = {}
        self.groups: dict[str, JsonObject] = {}
        self.things: dict[str, JsonObject] = {}
        self.thing_groups: dict[str, JsonObject] = {}
        self.products: dict[str, JsonObject] = {}
        self.plugs: dict[str, JsonObject] = {}
        self.packages: dict[str, JsonObject] = {}


def targets_of(rollout: Rollout) -> list[Targets]:
    """Whatever a rollout names, of its waves and of itself."""
    named = [w.targets for w in rollout.strategy.waves if w.targets is not None]
    return [*named, *([rollout.targets] if rollout.targets is not None else [])]


def _wireless(parts: _Parts, rollout: Rollout, assumed: Assumed, seed: int) -> None:
    region = rollout.backend.radio_region
    proved = isinstance(rollout.strategy.confirm, VersionConfirm)

    def device(key: str, identifier: str, eui: str, declared: Device) -> None:
        behaviour = assumed.behaviour("fuota", key, seed)
        keeps = behaviour == KEEPS
        entry: JsonObject = {
            "id": identifier,
            "devEui": eui,
            "rfRegion": region,
            "loss": assumed.loss_of(declared),
            "behaviour": "" if keeps else behaviour,
        }
        kept = parts.devices.setdefault(key, entry)
        if proved:
            name = kept["thing"] = f"rehearsal-{kept['id']}"
            parts.things.setdefault(name, _thing(name, behaviour if keeps else "", rollout))

    for targets in targets_of(rollout):
        for group in targets.multicast_groups:
            members = [_made_up(f"{group}/{n}") for n in range(assumed.devices_per_group)]
            for identifier, eui in members:
                device(f"device:{identifier}", identifier, eui, Device(id=identifier))
            listed = [identifier for identifier, _ in members]
            parts.groups.setdefault(group, {"id": group, "name": group, "rfRegion": region, "devices": listed})
        for each in targets.wireless_devices:
            identifier, eui = _made_up(each.key)
            device(each.key, each.id or identifier, each.dev_eui or eui, each)


def _made_up(name: str) -> tuple[str, str]:
    """Return an id and a DevEUI for a device that a manifest leaves unnamed."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"rehearsal/{name}")), hashlib.sha256(name.encode()).hexdigest()[:16]


def _things(parts: _Parts, rollout: Rollout, assumed: Assumed, seed: int) -> None:
    def thing(name: str) -> None:
        parts.things.setdefault(name, _thing(name, assumed.behaviour("otaUpdate", name, seed), rollout))

    for targets in targets_of(rollout):
        for each in targets.things:
            thing(str(each.id))
        for group in targets.thing_groups:
            names = [f"{group}-{n}" for n in range(1, assumed.devices_per_group + 1)]
            for name in names:
                thing(name)
            parts.thing_groups.setdefault(group, {"name": group, "things": names})


def _thing(name: str, behaviour: str, rollout: Rollout) -> JsonObject:
    """Return a thing that reports where the rollout's proof reads."""
    confirm = rollout.strategy.confirm
    shadow = _reports_at(confirm.version) if isinstance(confirm, VersionConfirm) else None
    path: JsonObject = {} if shadow is None else {"versionPath": shadow}
    return {"name": name, "behaviour": behaviour, "firmwareVersion": BEFORE, **path}


def _reports_at(proof: VersionProof) -> str | None:
    """Return the path in the shadow where a proof searches for a version; None where it reads elsewhere."""
    if proof.shadow is not None:
        return proof.shadow
    found = _INDEXED.search(proof.index_query or "")
    return found.group(1) if found is not None else None


def _plugs(parts: _Parts, rollout: Rollout, assumed: Assumed, seed: int) -> None:
    spec = rollout.backend
    if not isinstance(spec, TuyaConfig):
        raise TypeError("a rollout of Tuya has Tuya's block")
    product, module = spec.product, spec.module
    modules = parts.products.setdefault(product, {"productKey": product, "modules": []})["modules"]
    if isinstance(modules, list) and module not in modules:
        modules.append(module)
    sources = spec.document.get("srcVersions")
    before = str(sources[0]) if isinstance(sources, list) and sources else BEFORE
    key = str(spec.document.get("firmwareId", 1000 + len(parts.packages)))
    firmware = rollout.firmware
    parts.packages.setdefault(
        f"{product}/{module}/{firmware.version}",
        {
            "firmwareId": key,
            "productKey": product,
            "destVersion": firmware.version,
            "module": module,
            "name": "rehearsal-stand-in",
            "sign": firmware.sha256,
            "signMethod": "SHA256",
            "size": firmware.size_bytes,
        },
    )
    for targets in targets_of(rollout):
        for each in targets.devices:
            name = str(each.id)
            plug: JsonObject = {"productKey": product, "deviceName": name, "versions": {}}
            entry = parts.plugs.setdefault(f"{product}/{name}", plug)
            entry["behaviour"] = assumed.behaviour("tuya", f"{product}/{name}", seed)
            versions = entry["versions"]
            if isinstance(versions, dict):
                versions.setdefault(module, before)
