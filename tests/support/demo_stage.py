"""The demo's stage, on which the verbs have something real to tell of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otactl.cli.commands.demo import Demo
from otactl.rehearsal.loopback import kept_environment, only_loopback
from otactl_simulator.server import SimulatorServer

RATES = 'callRates: {"iotwireless:*": 10, "iot:*": 10, "tuya:*": 5}'
SERVICES = ("iotwireless", "iot", "iot-data", "s3", "iam", "sts", "tuya")


@contextmanager
def set_stage(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SimulatorServer, Demo]]:
    """Provision the stand-in clouds and push the images; the block's working folder holds the example manifests.

    Their call rates are as good as none: by those of the examples a run waits a second or more of real time.
    """
    with kept_environment(), SimulatorServer(seed=1) as server:
        only_loopback(server.url)
        monkeypatch.chdir(place)
        stage = Demo(server.url, place)
        stage.provision()
        environment = place / "rollouts" / "environments" / "prod-eu.yaml"
        text = environment.read_text()
        assert RATES in text
        rates = ", ".join(f'"{service}:*": 1000' for service in SERVICES)
        environment.write_text(text.replace(RATES, f"callRates: {{{rates}}}"))
        server.world.apply_settings({"callsPerSecond": 0})
        stage.push()
        yield server, stage
