"""A simulator stage for Tuya: a product, a package, six devices, a rollout of two waves."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from otactl.backends.aws.client import AwsClient
from otactl.backends.tuya.config import TuyaAccess, TuyaConfig
from otactl.model import Device, Environment, Gate, Rollout, Strategy, Targets, Wave
from otactl.reconcile.run_report import RunReport
from otactl_simulator.server import SimulatorServer
from tests.support.fuota_stage import DIGEST, IMAGE, Around, FuotaStage, declared, environment
from tests.support.simulator.tuya_client import TuyaRequests as Hand

SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tuya-AbCdEf"
STORED = json.dumps({"accessKeyId": "AK1", "accessKeySecret": "s3cret"})
PRODUCT, PACKAGE = "a1b2c3d4e5", "1001"
PLUGS = tuple(f"plug-{n}" for n in range(1, 7))


def block(**changes: object) -> TuyaConfig:
    """The backend block; None takes a field out."""
    document: dict[str, object] = {"productKey": PRODUCT, "timeoutInMinutes": 30} | changes
    return TuyaConfig(document={k: v for k, v in document.items() if v is not None})


def plugs(**changes: object) -> Rollout:
    """Two waves: two plugs, then four."""
    waves = tuple(
        Wave(name=name, targets=Targets(devices=tuple(Device(id=d) for d in names)))
        for name, names in (("canary", PLUGS[:2]), ("fleet", PLUGS[2:]))
    )
    base = declared(name="plug", backend=block(), strategy=Strategy(waves=waves, gate=Gate(min_success_percent=90)))
    return msgspec.structs.replace(base, **changes)


def package(**changes: object) -> dict[str, object]:
    """The package of the rollout, changed."""
    return {
        "firmwareId": PACKAGE,
        "productKey": PRODUCT,
        "destVersion": "2.4.1",
        "name": "plug",
        "sign": DIGEST,
        "signMethod": "SHA256",
        "size": len(IMAGE),
        **changes,
    }


class TuyaStage(FuotaStage):
    """One stage; `tuya` is the gateway's state."""

    def __init__(self, server: SimulatorServer, folder: Path) -> None:
        super().__init__(server, folder)
        self._hand = Hand(self, "by-hand-")
        os.environ |= {"TUYA_KEY": "AK1", "TUYA_SECRET": "s3cret"}
        self.access = TuyaAccess(endpoint=server.url, access_key_id_env="TUYA_KEY", access_key_secret_env="TUYA_SECRET")

    def _populate(self) -> None:
        super()._populate()
        self.cloud(keys=[{"id": "AK1", "secret": "s3cret"}], products=[{"productKey": PRODUCT}], firmwares=[package()])
        self.behave()

    def cloud(self, **document: object) -> None:
        """Change what the gateway holds."""
        self.fleet(tuya=document)

    def key_from_secret(self, **entry: object) -> None:
        """Let the key be in a secret and nowhere else; `entry` is of the secret, which is right without it."""
        for name in ("TUYA_KEY", "TUYA_SECRET"):
            os.environ.pop(name, None)
        self.access = TuyaAccess(endpoint=self.server.url, secret_arn=SECRET_ARN)
        self.fleet(secrets=[{"arn": SECRET_ARN, **(entry if "binary" in entry else {"text": STORED, **entry})}])

    def asked(self, service: str) -> list[dict[str, Any]]:
        """What a service was asked, as the log of requests has it."""
        return [r for r in self.server.world.requests if r["service"] == service]

    def behave(self, **behaviours: str) -> None:
        """Set how plugs behave; `plug_1="offline"`. The others are normal."""
        reported = {name.replace("_", "-"): behaviour for name, behaviour in behaviours.items()}
        devices = [
            {"productKey": PRODUCT, "deviceName": d, "behaviour": reported.get(d, ""), "versions": {"default": "2.4.0"}}
            for d in PLUGS
        ]
        self.cloud(devices=devices)

    def behaviours(self, **behaviours: str) -> None:
        """Set how plugs behave from now on, whatever they run."""
        reported = {name.replace("_", "-"): behaviour for name, behaviour in behaviours.items()}
        self.cloud(
            devices=[{"productKey": PRODUCT, "deviceName": d, "behaviour": reported.get(d, "")} for d in PLUGS],
        )

    def environment(self) -> Environment:
        """The environment, with Tuya."""
        return environment(access={"tuya": self.access})

    def transport(self, around: Around | None = None, **changes: object) -> AwsClient:
        """A fresh transport of an environment with Tuya."""
        return super().transport(around, access={"tuya": self.access}, **changes)

    def run(self, *rollouts: Rollout, **given: Any) -> RunReport:
        """One `reconcile`."""
        return super().run(*(rollouts or (plugs(),)), access={"tuya": self.access}, **given)

    def cron(self, *rollouts: Rollout, rounds: int = 8, minutes: float = 10, covers: bool = False) -> RunReport:
        """Cron: run, some minutes later run again."""
        for _ in range(rounds):
            report = self.run(*rollouts, covers=covers)
            self.advance(60 * minutes)
        return report

    def by_hand(self, action: str, **parameters: Any) -> dict[str, Any]:
        """What another actor does at the gateway with the same key; gives the answer."""
        answer = self._hand.ask(action, {"ProductKey": PRODUCT, **parameters})
        assert answer.body["success"] is True, answer.body
        return answer.body

    def foreign_batch(self, *names: str, version: str = "2.3.9") -> str:
        """A batch of another actor's package; its id."""
        self.cloud(firmwares=[package(firmwareId="1002", destVersion=version, name="other")])
        made = self.by_hand(
            "CreateOTAStaticUpgradeJob", FirmwareId="1002", TargetSelection="SPECIFIC", TargetDeviceName=list(names)
        )
        return str(made["data"]["jobId"])

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return self.server.url

    def now(self) -> datetime:
        """The gateway's time."""
        return self.server.world.clock.now()

    def post(self, name: str, **document: Any) -> None:
        """Change the fleet."""
        assert name == "fleet"
        self.fleet(**document)

    def batches(self) -> list[dict[str, Any]]:
        """Every batch the gateway made."""
        return list(self.snapshot()["tuya"]["jobs"])

    def installs(self) -> dict[str, int]:
        """How many images each plug installed."""
        devices = self.snapshot()["tuya"]["devices"]
        return {d["deviceName"]: sum(d["installs"].values()) for d in devices}
