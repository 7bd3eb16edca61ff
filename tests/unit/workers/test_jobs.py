"""What becomes of a job that a worker takes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from otactl.workers import jobs
from otactl.workers.figures import Figures
from otactl.workers.jobs import MOST_REFUSALS, Jobs
from otactl.workers.manifests import NotHereError
from otactl.workers.queue import Taken


class Queue:
    """Notes what is put back."""

    def __init__(self) -> None:
        self.back: list[Taken] = []

    async def put_back(self, job: Taken) -> None:
        self.back.append(job)


class Store:
    """A database in which an environment runs already."""

    async def now(self) -> float:
        return 100.0

    async def is_running(self, _environment: str) -> bool:
        return True


class Manifests:
    """Manifests that have an environment, none, or newer ones elsewhere."""

    def __init__(self, found: object) -> None:
        self._found = found
        self.used: list[int] = []

    async def current(self, _environment: str) -> object:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    def using(self, _revision: str, change: int) -> None:
        self.used.append(change)


BEHIND = NotHereError("behind", "another worker has revision b")


def taken(found: object, refusals: int = 0) -> tuple[Queue, dict[str, float], Manifests]:
    """Take one job; return what the queue and the figures have then."""
    figures, queue, manifests = Figures(1), Queue(), Manifests(found)
    settings, processes = cast("Any", None), cast("Any", None)
    work = Jobs(settings, processes, figures, asyncio.Event(), cast("Any", None))
    job = Taken(environment="prod-eu", since=90.0, priority=7, refusals=refusals)
    asyncio.run(work.take(job, cast("Any", manifests), cast("Any", Store()), cast("Any", queue), cast("Any", None)))
    family = next(each for each in figures.collect() if each.name == "otactl_worker_passes")
    return queue, {s.labels["outcome"]: s.value for s in family.samples if s.value}, manifests


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "REFUSED_SECONDS", 0.0)


@pytest.mark.parametrize("outcome", ["behind", "unfit"])
def test_a_job_that_cannot_run_here_is_put_back_for_another_worker(outcome: str) -> None:
    queue, counted, _ = taken(NotHereError(outcome, "not here"))
    assert [(each.environment, each.since, each.priority) for each in queue.back] == [("prod-eu", 90.0, 7)]
    assert counted == {outcome: 1}


def test_a_job_that_no_worker_can_run_is_dropped_in_the_end() -> None:
    assert len(taken(BEHIND, MOST_REFUSALS - 1)[0].back) == 1
    assert taken(BEHIND, MOST_REFUSALS)[0].back == []


def test_a_job_of_an_environment_that_no_manifest_declares_is_dropped() -> None:
    queue, counted, _ = taken(None)
    assert queue.back == []
    assert counted == {"undeclared": 1}


def test_a_job_of_an_environment_that_runs_already_is_dropped_and_its_files_are_free_again() -> None:
    part = SimpleNamespace(environment=SimpleNamespace(name="prod-eu"), snapshot=SimpleNamespace(revision="a" * 40))
    queue, counted, manifests = taken(part)
    assert queue.back == []
    assert counted == {"busy": 1}
    assert manifests.used == [1, -1]
