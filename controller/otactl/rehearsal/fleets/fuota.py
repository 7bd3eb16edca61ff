"""Models LoRaWAN devices and multicast groups for a rehearsal of AWS IoT Wireless FUOTA tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from otactl.backends.fuota.config import FuotaConfig
from otactl.lorawan.session import plan_session
from otactl.model import BackendConfig, Device, JsonObject, Rollout, VersionConfirm
from otactl.rehearsal.fleets.base import (
    KEEPS_VERSION,
    VERSION,
    Assumed,
    FleetModel,
    FleetParts,
    generated_names,
    targets_of,
    thing,
)


class FuotaFleet(FleetModel):
    """LoRaWAN devices; where a version is confirmed, each has a thing of its own that reports it."""

    silent = "silent"
    failures: ClassVar = {
        "integrity": "micError",
        "noMemory": "notEnoughMemory",
        "sessionReplay": "sessionReplay",
        "indexUnsupported": "fragIndexUnsupported",
        "packageUnsupported": "noPackage",
        "descriptor": "wrongDescriptor",
        VERSION: KEEPS_VERSION,
    }

    def add(self, parts: FleetParts, rollout: Rollout, assumed: Assumed, seed: int) -> None:
        """Add the declared groups, their generated members, and the devices that are named."""
        for targets in targets_of(rollout):
            for group in targets.multicast_groups:
                members = [generated_names(f"{group}/{n}") for n in range(assumed.devices_per_group)]
                for identifier, eui in members:
                    member = Device(id=identifier)
                    self._device(parts, rollout, assumed, seed, (identifier, eui, member))
                listed = [identifier for identifier, _ in members]
                region = rollout.backend.radio_region
                parts.groups.setdefault(group, {"id": group, "name": group, "rfRegion": region, "devices": listed})
            for each in targets.wireless_devices:
                identifier, eui = generated_names(each.key)
                self._device(parts, rollout, assumed, seed, (each.id or identifier, each.dev_eui or eui, each))

    def _device(
        self, parts: FleetParts, rollout: Rollout, assumed: Assumed, seed: int, named: tuple[str, str, Device]
    ) -> None:
        identifier, eui, declared = named
        behaviour = assumed.behaviour(self, declared.key, seed)
        keeps = behaviour == KEEPS_VERSION
        entry: JsonObject = {
            "id": identifier,
            "devEui": eui,
            "rfRegion": rollout.backend.radio_region,
            "loss": assumed.loss_of(declared),
            "behaviour": "" if keeps else behaviour,
        }
        kept = parts.devices.setdefault(declared.key, entry)
        if isinstance(rollout.strategy.confirm, VersionConfirm):
            name = kept["thing"] = f"rehearsal-{kept['id']}"
            parts.things.setdefault(name, thing(name, behaviour if keeps else "", rollout))

    def can_report(self, rollout: Rollout, reason: str) -> bool:
        """Return whether the reason is reported: a missing fragment index only by devices of a multicast group."""
        grouped = any(targets.multicast_groups for targets in targets_of(rollout))
        return super().can_report(rollout, reason) and (grouped or reason != "indexUnsupported")

    def filled(self, config: BackendConfig, fill: Callable[[str], str], role: Callable[[str], str]) -> BackendConfig:  # noqa: ARG002 - it has no other reference
        """Return the block with its role filled in."""
        return msgspec.structs.replace(FuotaConfig.narrow(config), role=role(config.role))

    def assumptions(self, rollout: Rollout) -> tuple[str, ...]:
        """Return how the radio serves single devices: the planner's assumptions, which the simulator shares."""
        spec = FuotaConfig.of(rollout)
        if not any(t.wireless_devices for t in targets_of(rollout)):
            return ()
        if spec.rf_region is None or spec.redundancy_percent is None:
            return ()
        plan = plan_session(
            spec.rf_region, None, rollout.firmware.size_bytes, None, spec.redundancy_percent, spec.fragment_interval_ms
        )
        return (
            (
                f"{rollout.name}: the service chooses how it sends to single devices, and does not publish it: "
                f"{plan.fragment_bytes} bytes at data rate {plan.data_rate} every {plan.spacing_ms / 1000:g} s, "
                "one device after another, all behind one gateway"
            ),
        )
