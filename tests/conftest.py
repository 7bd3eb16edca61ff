"""What holds for every test: nothing leaves loopback, and the SDK's models are read once."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otactl.cli.commands.demo import only_loopback
from otactl_simulator.clock import Clock
from otactl_simulator.server import SimulatorServer
from tests.support.fuota_stage import FuotaStage
from tests.support.ota_stage import OtaStage
from tests.support.postgres import PostgresServer, missing
from tests.support.sdk_models import read_once
from tests.support.toy_stage import ToyStage, forget_backends, install
from tests.support.tuya_stage import TuyaStage
from tests.support.worker_stage import WorkerStage

# Where a stage's time stands until a test moves it: starts are rounded to whole minutes, and with a time of day
# that differs in each run a session would end a second before or after the test reads it.
NOON = datetime(2025, 3, 3, 12, 0, 20, tzinfo=UTC)


@pytest.fixture(scope="session")
def simulator_server() -> Iterator[SimulatorServer]:
    """The one simulator of a worker's stages: clients are kept as long as its address, and they are dear to make."""
    with SimulatorServer(seed=3, clock=Clock(freeze=True, at=NOON)) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The one PostgreSQL of a worker; a test that needs its own database asks for `postgres_database`."""
    if missing():
        pytest.skip(missing())
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """A new, empty database, as a connection string for psycopg."""
    name = postgres_server.create_database()
    yield postgres_server.conninfo(name)
    postgres_server.drop_database(name)


@pytest.fixture
def empty_simulator(simulator_server: SimulatorServer) -> Iterator[SimulatorServer]:
    """A simulator with nothing in it, at NOON, which boto3 finds by AWS_ENDPOINT_URL alone."""
    kept = dict(os.environ)
    simulator_server.app.reset()
    only_loopback(simulator_server.url)
    yield simulator_server
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def fuota_stage(empty_simulator: SimulatorServer, tmp_path: Path) -> FuotaStage:
    """A simulator with bucket, role, image and fleet."""
    return FuotaStage(empty_simulator, tmp_path)


@pytest.fixture
def ota_stage(empty_simulator: SimulatorServer, tmp_path: Path) -> OtaStage:
    """The same with things, an OTA service role and the clients of AWS IoT."""
    return OtaStage(empty_simulator, tmp_path)


@pytest.fixture
def tuya_stage(empty_simulator: SimulatorServer, tmp_path: Path) -> TuyaStage:
    """The same with Tuya's gateway: a product, a package, plugs; its time is real, as that of what signs for it."""
    empty_simulator.world.clock.set(datetime.now(UTC).replace(second=NOON.second, microsecond=0))
    return TuyaStage(empty_simulator, tmp_path)


@pytest.fixture
def worker_stage(empty_simulator: SimulatorServer, postgres_database: str, tmp_path: Path) -> Iterator[WorkerStage]:
    """A folder of environments with a database of workers, which are killed at the end."""
    empty_simulator.world.apply_settings({"callsPerSecond": 0})
    with WorkerStage(empty_simulator.url, tmp_path, postgres_database) as stage:
        yield stage


@pytest.fixture(autouse=True, scope="session")
def sdk_models_are_read_once() -> Iterator[None]:
    """Every fresh boto3 session parses 2 MB of JSON, two thirds of a scenario's time; sessions only read it."""
    with read_once():
        yield


@pytest.fixture(autouse=True, scope="session")
def only_loopback_is_reachable() -> Iterator[None]:
    """A test that would reach another host fails at its connect, and says where it went."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            host = str(address[0])
            if host != "localhost" and not ipaddress.ip_address(host.split("%")[0]).is_loopback:
                raise AssertionError(f"a test connects to {address}; only loopback is allowed")
        connect(self, address)

    socket.socket.connect = guarded
    yield
    socket.socket.connect = connect


@pytest.fixture
def toy_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyStage]:
    """A stage of a backend that the product does not know, installed for one test."""
    stage = ToyStage(tmp_path)
    install(monkeypatch, tmp_path, stage.office)
    yield stage
    monkeypatch.undo()
    forget_backends()
