"""Models Tuya devices, products and firmware packages for a rehearsal of Tuya upgrade batches."""

from __future__ import annotations

from typing import ClassVar

from otactl.backends.aws.client import AwsClient
from otactl.backends.tuya.backend import TuyaBackend
from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.config import TuyaAccess, TuyaConfig
from otactl.model import Environment, JsonObject, Rollout
from otactl.rehearsal.fleets.base import (
    BEFORE,
    Assumed,
    ClosingBackend,
    FleetModel,
    FleetParts,
    SimulatedTime,
    targets_of,
)

KEY_ID, SECRET = "REHEARSAL_KEY_ID", "REHEARSAL_SECRET"
KEYS = {KEY_ID: "rehearsal", SECRET: "rehearsal"}


class TuyaFleet(FleetModel):
    """Devices of Tuya products; Tuya reports another version as no reason of a failed task."""

    silent = "offline"
    failures: ClassVar = {
        "flash": "failsFlash",
        "download": "failsDownload",
        "verify": "failsVerify",
        "unknown": "failsGeneral",
    }

    def access(self, url: str) -> TuyaAccess:
        """Return the access to the simulated gateway."""
        return TuyaAccess(endpoint=f"{url}/", access_key_id_env=KEY_ID, access_key_secret_env=SECRET)

    def backend(self, environment: Environment, aws: AwsClient, time: SimulatedTime) -> ClosingBackend:
        """Connect the backend to the simulated gateway, with the rehearsal's key."""
        client = TuyaClient(
            environment,
            sleep=time.sleep,
            monotonic=time.monotonic,
            now=time.now,
            seed=1,
            environ=KEYS,
            stats=aws.stats,
        )
        return ClosingBackend(TuyaBackend(aws, client), client.close)

    def add(self, parts: FleetParts, rollout: Rollout, assumed: Assumed, seed: int) -> None:
        """Add the product with its module, the package of the declared version, and the devices."""
        config = TuyaConfig.of(rollout).fields
        product, module = config.product_key, config.module_name
        modules = parts.products.setdefault(product, {"productKey": product, "modules": []})["modules"]
        if isinstance(modules, list) and module not in modules:
            modules.append(module)
        parts.keys.setdefault(KEYS[KEY_ID], {"id": KEYS[KEY_ID], "secret": KEYS[SECRET]})
        firmware = rollout.firmware
        package: JsonObject = {
            "firmwareId": config.firmware_id or str(1000 + len(parts.packages)),
            "productKey": product,
            "destVersion": firmware.version,
            "module": module,
            "name": "rehearsal-stand-in",
            "sign": firmware.sha256,
            "signMethod": "SHA256",
            "size": firmware.size_bytes,
        }
        parts.packages.setdefault(f"{product}/{module}/{firmware.version}", package)
        runs = config.src_versions[0] if config.src_versions else BEFORE
        for targets in targets_of(rollout):
            for each in targets.devices:
                key = f"{product}/{each.id}"
                device: JsonObject = {"productKey": product, "deviceName": str(each.id), "versions": {}}
                entry = parts.product_devices.setdefault(key, device)
                entry["behaviour"] = assumed.behaviour(self, key, seed)
                versions = entry["versions"]
                if isinstance(versions, dict):
                    versions.setdefault(module, runs)
