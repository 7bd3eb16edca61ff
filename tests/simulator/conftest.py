"""One simulator for each test file, empty for each test; its clock stands still unless a test moves it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.clock import Clock
from simulator.server import SimulatorServer
from tests.simulator.stage import Stage


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[SimulatorServer, Stage]]:
    """The running server and its clients, which are dear to make."""
    with SimulatorServer(seed=3, clock=Clock(freeze=True)) as server:
        yield server, Stage(server.url)


@pytest.fixture
def stage(house: tuple[SimulatorServer, Stage]) -> Stage:
    """The simulator, empty."""
    house[1].reset()
    return house[1]
