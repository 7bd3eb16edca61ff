"""Stages whose buckets and roles are the program's; the program runs once for each stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pulumi.provisioned_stack import (
    ProvisionedFuotaStage,
    ProvisionedOtaStage,
    ProvisionedTuyaStage,
    Registered,
    loopback,
    registered,
)
from tests.support.pulumi.stacks import GATEWAYS, PLUGS, PROVING, SMALL


@pytest.fixture(scope="session")
def small_stack() -> Registered:
    """The smallest stack."""
    return registered(SMALL)


@pytest.fixture(scope="session")
def gateway_stack() -> Registered:
    """It with OTA updates."""
    return registered(GATEWAYS)


@pytest.fixture(scope="session")
def plugs_stack() -> Registered:
    """It with Tuya's secret."""
    return registered(PLUGS)


@pytest.fixture(scope="session")
def proving_stack() -> Registered:
    """It with proof by version."""
    return registered(PROVING)


@pytest.fixture
def provisioned_proving(tmp_path: Path, proving_stack: Registered) -> Iterator[ProvisionedFuotaStage]:
    """Devices with things, on the stack with proof by version."""
    with loopback() as server:
        yield ProvisionedFuotaStage(server, tmp_path, proving_stack)


@pytest.fixture
def provisioned_fuota(tmp_path: Path, small_stack: Registered) -> Iterator[ProvisionedFuotaStage]:
    """Multicast groups and devices, on the smallest stack."""
    with loopback() as server:
        yield ProvisionedFuotaStage(server, tmp_path, small_stack)


@pytest.fixture
def provisioned_ota(tmp_path: Path, gateway_stack: Registered) -> Iterator[ProvisionedOtaStage]:
    """Things, on the stack with OTA updates."""
    with loopback() as server:
        yield ProvisionedOtaStage(server, tmp_path, gateway_stack)


@pytest.fixture
def provisioned_tuya(tmp_path: Path, plugs_stack: Registered) -> Iterator[ProvisionedTuyaStage]:
    """Plugs of Tuya's, on the stack with the secret."""
    with loopback() as server:
        yield ProvisionedTuyaStage(server, tmp_path, plugs_stack)
