"""Workers on Fargate and their PostgreSQL of RDS on the real engine, in the order that docs/infra.md gives."""

from __future__ import annotations

from typing import Any

import pytest

from otactl_simulator.server import SimulatorServer
from tests.support.pulumi.cli import Project, Ran
from tests.support.pulumi.stacks import DATABASE, SMALL, WORKING

pytestmark = pytest.mark.thorough
STACK, OPTIONS = "prod-eu", "otactl:options"
IMAGE = f"{WORKING['image'].rpartition(':')[0]}:2"
STEPS: dict[str, dict[str, Any]] = {
    "neither": {},
    "no worker yet": {"database": DATABASE, "workers": {**WORKING, "count": 0}},
    "two workers": {"database": DATABASE, "workers": {**WORKING, "count": 2}},
    "the same again": {"database": DATABASE, "workers": {**WORKING, "count": 2}},
    "another image": {"database": DATABASE, "workers": {**WORKING, "count": 2, "image": IMAGE}},
    "workers taken away": {"database": DATABASE},
    "database taken away": {},
}


class Sequence:
    """Each step's print, and what the stack held after it: how many, and inputs by name of the resource."""

    def __init__(self, project: Project) -> None:
        self.ran, self.held, self.number = dict[str, Ran](), dict[str, dict[str, Any]](), dict[str, int]()
        project.stack(STACK, SMALL)
        for name, options in STEPS.items():
            project.configure(STACK, {**SMALL, OPTIONS: options})
            self.ran[name] = project.up(STACK, "--suppress-progress")
            resources = project.state(STACK)["checkpoint"]["latest"]["resources"]
            self.number[name] = len(resources)
            self.held[name] = {r["urn"].rpartition("::")[2]: r.get("inputs", {}) for r in resources if r["custom"]}


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory, plugins: Any, cloud: SimulatorServer) -> Sequence:
    """The sequence, run once."""
    cloud.app.reset()
    return Sequence(Project(tmp_path_factory.mktemp("workers") / "project", plugins, cloud.url))


def changed(ran: Ran) -> tuple[int, ...]:
    return (ran.exit_code, *(ran.count(what) for what in ("created", "updated", "replaced", "deleted")))


def test_the_option_adds_its_resources_and_replaces_none(sequence: Sequence) -> None:
    ran = sequence.ran["no worker yet"]
    added = sequence.number["no worker yet"] - sequence.number["neither"]

    assert changed(ran) == (0, added, 1, 0, 0), ran.output
    assert {"database", "workers-task", "workers-boot"} <= set(sequence.held["no worker yet"])
    assert sequence.held["no worker yet"]["workers-service"]["desiredCount"] == 0


def test_workers_start_by_one_update_in_place(sequence: Sequence) -> None:
    ran = sequence.ran["two workers"]

    assert changed(ran) == (0, 0, 1, 0, 0), ran.output
    assert sequence.held["two workers"]["workers-service"]["desiredCount"] == 2


def test_the_same_again_changes_nothing(sequence: Sequence) -> None:
    assert changed(sequence.ran["the same again"]) == (0, 0, 0, 0, 0), sequence.ran["the same again"].output


def test_another_image_is_another_revision_of_the_task_under_the_same_service(sequence: Sequence) -> None:
    ran = sequence.ran["another image"]

    assert changed(ran) == (0, 0, 1, 1, 0), ran.output
    assert IMAGE in sequence.held["another image"]["workers-task"]["containerDefinitions"]
    assert sequence.held["another image"]["workers-service"]["taskDefinition"].endswith("_workers:2")


def test_workers_taken_away_leave_the_database(sequence: Sequence) -> None:
    ran = sequence.ran["workers taken away"]

    assert (ran.exit_code, ran.count("replaced")) == (0, 0), ran.output
    assert [name for name in sequence.held["workers taken away"] if name.startswith("workers")] == []
    assert "database" in sequence.held["workers taken away"]


def test_a_database_taken_away_by_mistake_is_refused_and_stays(sequence: Sequence) -> None:
    ran = sequence.ran["database taken away"]

    assert ran.exit_code != 0
    assert "protected" in ran.output
    assert "database" in sequence.held["database taken away"]
