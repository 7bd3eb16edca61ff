"""Models AWS IoT things and thing groups for a rehearsal of AWS IoT OTA updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.model import BackendConfig, JsonObject, Rollout
from otactl.rehearsal.fleets.base import KEEPS_VERSION, VERSION, Assumed, FleetModel, FleetParts, targets_of, thing


class OtaFleet(FleetModel):
    """Things that run FreeRTOS OTA agents; they report failures by the agents' codes."""

    silent = "offline"
    failures: ClassVar = {
        "flash": "failsSelfTest",
        "download": "failsDownload",
        "verify": "failsSignature",
        "rejected": "rejects",
        VERSION: KEEPS_VERSION,
    }

    def add(self, parts: FleetParts, rollout: Rollout, assumed: Assumed, seed: int) -> None:
        """Add the things that are named, and groups with generated members."""
        for targets in targets_of(rollout):
            names = [str(each.id) for each in targets.things]
            for group in targets.thing_groups:
                members = [f"{group}-{n}" for n in range(1, assumed.devices_per_group + 1)]
                parts.thing_groups.setdefault(group, {"name": group, "things": members})
                names += members
            for name in names:
                parts.things.setdefault(name, thing(name, assumed.behaviour(self, name, seed), rollout))

    def filled(self, config: BackendConfig, fill: Callable[[str], str], role: Callable[[str], str]) -> BackendConfig:
        """Return the block with every text filled in, and its role."""
        block = OtaUpdateConfig.narrow(config).document
        document = {name: _filled(value, fill) for name, value in block.items()}
        document["role"] = role(config.role)
        return OtaUpdateConfig.parse(document)

    def signing_orders(self, rollout: Rollout) -> tuple[JsonObject, ...]:
        """Return `startSigningJobParameter` of each file that AWS Signer signs."""
        files = OtaUpdateConfig.of(rollout).document.get("files")
        signings = [f.get("codeSigning") for f in (files if isinstance(files, list) else []) if isinstance(f, dict)]
        orders = [s.get("startSigningJobParameter") for s in signings if isinstance(s, dict)]
        return tuple(order for order in orders if isinstance(order, dict))


def _filled(value: object, fill: Callable[[str], str]) -> object:
    if isinstance(value, dict):
        return {key: _filled(below, fill) for key, below in value.items()}
    if isinstance(value, list):
        return [_filled(below, fill) for below in value]
    return fill(value) if isinstance(value, str) else value
