"""The real engine: its plugins once for a session, a project and a simulator for each test or file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otactl_simulator.server import SimulatorServer
from tests.support.pulumi.cli import Project, find, home

HERE = str(Path(__file__).parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip this folder's tests, with the reason, where there is no engine."""
    reason = find()[1]
    for item in items:
        if reason and str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the CLI with language host and provider."""
    return home(tmp_path_factory.mktemp("pulumi") / "home")


@pytest.fixture(scope="module")
def cloud() -> Iterator[SimulatorServer]:
    """The simulator of a file's tests."""
    with SimulatorServer(seed=3) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, plugins: Path, cloud: SimulatorServer) -> Project:
    """An empty project on an empty cloud."""
    cloud.app.reset()
    return Project(tmp_path / "project", plugins, cloud.url)
