"""A fresh ground for each test; boto3 finds it by AWS_ENDPOINT_URL alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.cli.demo import only_loopback
from simulator.server import SimulatorServer
from tests.faults.ground import Ground


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    kept = dict(os.environ)
    with SimulatorServer(seed=3) as server:
        only_loopback(server.url)
        yield Ground(server, tmp_path)
    os.environ.clear()
    os.environ.update(kept)
