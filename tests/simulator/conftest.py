"""One simulator for each test file, empty for each test; its clock stands still unless a test moves it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otactl_simulator.clock import Clock
from otactl_simulator.server import SimulatorServer
from tests.support.simulator.stage import SimulatorStage


@pytest.fixture(scope="module")
def simulator_server() -> Iterator[tuple[SimulatorServer, SimulatorStage]]:
    """The running server and its clients, which are dear to make."""
    with SimulatorServer(seed=3, clock=Clock(freeze=True)) as server:
        yield server, SimulatorStage(server.url)


@pytest.fixture
def stage(simulator_server: tuple[SimulatorServer, SimulatorStage]) -> SimulatorStage:
    """The simulator, empty."""
    simulator_server[1].reset()
    return simulator_server[1]
