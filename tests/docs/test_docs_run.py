"""Every `otactl` command the documents show is run, in their order, against the simulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.cli import cli
from controller.cli.demo import Demo, only_loopback
from simulator.server import SimulatorServer
from tests.docs.test_docs import COMMANDS_IN_ORDER
from tests.tuya_desk import PACKED, environment, rollout
from tests.tuya_ground import PRODUCT

# What a command may answer besides 0: `plan` and `drift` say 2 when there is something.
MAY_SAY_2 = ("plan", "drift")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    kept = dict(os.environ)
    with SimulatorServer(seed=1) as server:
        only_loopback(server.url)
        monkeypatch.chdir(tmp_path)
        demo = Demo(server.url, tmp_path)
        demo.provision()
        demo.push()
        plugs(server, tmp_path / "rollouts")
        monkeypatch.setenv("TUYA_KEY", "AK1")
        monkeypatch.setenv("TUYA_SECRET", "s3cret")
        yield demo
    os.environ.clear()
    os.environ.update(kept)


def plugs(server: SimulatorServer, rollouts: Path) -> None:
    """A Tuya rollout beside the example's: plug-1, which the documents ask for, is offline."""
    (rollouts / "plug.yaml").write_text(rollout(environment="tuya-eu"))
    (rollouts / "environments" / "tuya-eu.yaml").write_text(environment("tuya-eu", server.url))
    devices = [
        {"productKey": PRODUCT, "deviceName": name, "versions": {"default": "2.4.0"}, "behaviour": behaviour}
        for name, behaviour in (("plug-1", "offline"), ("plug-2", ""))
    ]
    key, product = {"id": "AK1", "secret": "s3cret"}, {"productKey": PRODUCT}
    for service in server.world.services.values():
        service.load_fleet({"tuya": {"keys": [key], "products": [product], "devices": devices, "firmwares": [PACKED]}})


def test_every_otactl_command_of_the_documents_runs_as_told(stage: Demo) -> None:
    ran = 0
    for document, command in COMMANDS_IN_ORDER:
        words = command.split()
        if words[0] != "otactl":
            continue
        result = CliRunner().invoke(cli, words[1:])
        allowed = (0, 2) if words[1] in MAY_SAY_2 else (0,)
        assert result.exit_code in allowed, f"{document}: {command}: {result.output}"
        ran += 1

    assert ran > 6


def test_the_manifest_in_the_readme_is_valid(stage: Demo, tmp_path: Path) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    text = readme.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "rollouts" / "readme.yaml").write_text(text.replace("soil-probe-2-4-1}", "readme}"))

    result = CliRunner().invoke(cli, ["validate", "rollouts/readme.yaml"])

    assert result.exit_code == 0, result.output
