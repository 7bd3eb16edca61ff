"""What holds for every test: nothing leaves loopback, and the SDK's models are read once."""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import botocore.loaders
import pytest

from controller.cli.demo import only_loopback
from simulator.server import SimulatorServer
from tests.ground import Ground
from tests.ota_ground import OtaGround
from tests.tuya_ground import TuyaGround


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A simulator with bucket, role, image and fleet; boto3 finds it by AWS_ENDPOINT_URL alone."""
    kept = dict(os.environ)
    with SimulatorServer(seed=3) as server:
        only_loopback(server.url)
        yield Ground(server, tmp_path)
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[OtaGround]:
    """The same with things, an OTA service role and the clients of AWS IoT."""
    kept = dict(os.environ)
    with SimulatorServer(seed=3) as server:
        only_loopback(server.url)
        yield OtaGround(server, tmp_path)
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[TuyaGround]:
    """The same with Tuya's gateway: a product, a package, plugs."""
    kept = dict(os.environ)
    with SimulatorServer(seed=3) as server:
        only_loopback(server.url)
        yield TuyaGround(server, tmp_path)
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture(autouse=True, scope="session")
def sdk_models_are_read_once() -> Iterator[None]:
    """Every fresh boto3 session parses 2 MB of JSON, two thirds of a scenario's time; sessions only read it."""
    loader, all_of_them = botocore.loaders.JSONFileLoader, botocore.loaders.Loader
    plain, first = loader.load_file, all_of_them.__init__
    read_once = functools.cache(lambda path: plain(loader(), path))
    loader.load_file = lambda _self, path: read_once(path)
    known: dict[object, object] = {}

    def shared(self: botocore.loaders.Loader, *given: object, **named: object) -> None:
        first(self, *given, **named)
        self._cache = known  # which services and versions there are: a third of a client's making, by the file system

    all_of_them.__init__ = shared
    yield
    loader.load_file, all_of_them.__init__ = plain, first


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
