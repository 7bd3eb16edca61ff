"""What holds for every test: nothing leaves loopback, and the SDK's models are read once."""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Iterator

import botocore.loaders
import pytest


@pytest.fixture(autouse=True, scope="session")
def sdk_models_are_read_once() -> Iterator[None]:
    """Every fresh boto3 session parses 2 MB of JSON, two thirds of a scenario's time; sessions only read it."""
    loader = botocore.loaders.JSONFileLoader
    plain = loader.load_file
    read_once = functools.cache(lambda path: plain(loader(), path))
    loader.load_file = lambda _self, path: read_once(path)
    yield
    loader.load_file = plain


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
