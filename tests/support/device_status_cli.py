"""A user's folder with manifests for Tuya's gateway, and `otactl status --device` run in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from otactl.backends.registry import transport_for
from otactl.backends.tuya.connection import connect
from otactl.cli import cli
from otactl.manifest.schema import failures
from tests.support.fuota_stage import BUCKET, DIGEST, IMAGE, KEY
from tests.support.tuya_stage import PRODUCT, TuyaStage

READS = ("ListOTAUnfinishedTaskByDevice", "ListOTAModuleVersionsByDevice")
ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {{name: {name}}}
spec:
  owner: acme
  account: "123456789012"
  region: eu-west-1
  callRates: {{"tuya:*": 1000, "sts:*": 1000}}
"""
GATEWAY = """\
  tuya: {{endpoint: "{url}", accessKeyIdEnv: TUYA_KEY, accessKeySecretEnv: TUYA_SECRET}}
"""
ROLLOUT = """\
apiVersion: otactl.dev/v1
kind: Rollout
metadata: {{name: {name}}}
spec:
  environment: {environment}
  firmware:
    version: "2.4.1"
    image: s3://{bucket}/{key}
    sha256: {digest}
    sizeBytes: {size}
  tuya: {{productKey: {product}, timeoutInMinutes: 30{more}}}
  strategy:
    waves: [{{name: canary, targets: {{devices: [{{id: plug-1}}, {{id: plug-2}}]}}}}]
"""


def environment(name: str, url: str) -> str:
    """An environment's manifest; without a gateway if there is no URL."""
    return ENVIRONMENT.format(name=name) + (GATEWAY.format(url=url) if url else "")


def rollout(name: str = "plug", environment: str = "prod-eu", product: str = PRODUCT, more: str = "") -> str:
    """A rollout's manifest: plug-1 and plug-2, in one wave; `more` goes into its `tuya` block."""
    given = {"bucket": BUCKET, "key": KEY, "digest": DIGEST, "size": len(IMAGE)}
    return ROLLOUT.format(name=name, environment=environment, product=product, more=more, **given)


def open_status_cli(tuya_stage: TuyaStage, place: Path, monkeypatch: pytest.MonkeyPatch) -> DeviceStatusCli:
    """A command line in a folder of its own, which is the working folder from now on."""
    folder = place / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return DeviceStatusCli(tuya_stage, folder)


class DeviceStatusCli:
    """A user's folder with manifests for the gateway, and the command."""

    def __init__(self, tuya_stage: TuyaStage, folder: Path) -> None:
        self.tuya_stage, self.folder = tuya_stage, folder
        self.declare()
        self.write("rollouts/environments/prod-eu.yaml", self.environment("prod-eu"))

    def environment(self, name: str, *, gateway: bool = True, url: str = "") -> str:
        """An environment's manifest; with a gateway, the simulator's or that of a URL."""
        return environment(name, (url or self.tuya_stage.server.url) if gateway else "")

    def declare(self, more: str = "", name: str = "plug", product: str = PRODUCT) -> None:
        """A rollout's manifest."""
        self.write(f"rollouts/{name}.yaml", rollout(name, product=product, more=more))

    def write(self, name: str, text: str) -> None:
        """A file of the user's."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def reconcile(self) -> None:
        """Cron, once."""
        for words in (["journal", "init"], ["reconcile", "rollouts"]):
            ran = CliRunner().invoke(cli, words)
            assert ran.exit_code == 0, ran.output

    def status(self, *words: str, device: str = "plug-1", code: int = 0) -> Result:
        """`otactl status --device`."""
        before = len(self.asked())
        ran = CliRunner().invoke(cli, ["status", "--device", device, *words])
        assert ran.exit_code == code, ran.output
        assert "s3cret" not in ran.output
        assert {r["operation"] for r in self.asked()[before:]} <= {*READS}, "status wrote, or called another service"
        return ran

    def live(self, *words: str, **given: Any) -> list[dict[str, Any]]:
        """The gateways' answers, from JSON that is as its schema says."""
        ran = self.status(*words, "-o", "json", **given)
        found = json.loads(ran.stdout)
        assert [str(f) for f in failures("status", found)] == []
        return list(found["device"]["live"])

    def asked(self) -> list[dict[str, Any]]:
        """Every call the stand-in clouds saw."""
        return list(self.tuya_stage.server.world.requests)

    def foreign(self, device: str, version: str = "1.9", module: str = "default", **more: object) -> str:
        """A batch that another actor makes by hand; its id."""
        package = {"firmwareId": f"x{version}", "productKey": PRODUCT, "destVersion": version, "module": module}
        self.tuya_stage.cloud(products=[{"productKey": PRODUCT, "modules": ["ble"]}], firmwares=[package])
        wanted = {"FirmwareId": f"x{version}", "ProductKey": PRODUCT, "TargetSelection": "SPECIFIC"}
        here = self.tuya_stage.environment()
        with connect(here, transport_for(here)) as transport:
            made = transport.call(
                "CreateOTAStaticUpgradeJob", {**wanted, "TargetDeviceName": [device], **more}, repeatable=False
            )
        return str(made["data"]["jobId"])  # type: ignore[index]
