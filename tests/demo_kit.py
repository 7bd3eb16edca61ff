"""The demo's stage, on which the verbs have something real to tell of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.cli._loopback import kept_environment, only_loopback
from controller.cli.demo import Demo
from simulator.server import SimulatorServer


@contextmanager
def set_stage(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """Provision the stand-in clouds and push the images; the block's working folder holds the example manifests."""
    with kept_environment(), SimulatorServer(seed=1) as server:
        only_loopback(server.url)
        monkeypatch.chdir(place)
        stage = Demo(server.url, place)
        stage.provision()
        stage.push()
        yield stage
