"""What becomes of a job that a worker takes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from procrastinate.exceptions import ConnectorException

from otactl.workers import jobs
from otactl.workers.figures import Figures
from otactl.workers.jobs import MOST_REFUSALS, Jobs
from otactl.workers.manifests import NotHereError
from otactl.workers.passes import Ended
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


class LostStore(Store):
    """A database that is lost while a pass runs, and answers again later."""

    def __init__(self, lost: BaseException) -> None:
        self.lost: BaseException | None = lost
        self.limit = 0.0
        self.ended: list[tuple[str, str]] = []

    async def is_running(self, _environment: str) -> bool:
        return False

    async def start_run(self, *_about: object) -> None:
        self.limit = cast("float", _about[-1])

    async def end_run(self, _run: str, environment: str, ended: Any, *_: object) -> None:
        if self.lost is not None:
            raise self.lost
        self.ended.append((environment, ended.outcome))


PART = SimpleNamespace(environment=SimpleNamespace(name="prod-eu"), snapshot=SimpleNamespace(revision="a" * 40))
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
    queue, counted, manifests = taken(PART)
    assert queue.back == []
    assert counted == {"busy": 1}
    assert manifests.used == [1, -1]


@pytest.mark.parametrize("lost", [ConnectorException(), asyncio.CancelledError()], ids=["no answer", "cancelled"])
def test_the_end_of_a_pass_that_the_database_missed_is_recorded_once_when_it_answers_again(lost: BaseException) -> None:
    store = LostStore(lost)

    async def story() -> None:
        with ThreadPoolExecutor(1) as threads:
            child = SimpleNamespace(ended=lambda _seconds: Ended(None, "crashed", "its process ended with code 1"))
            processes = SimpleNamespace(threads=threads, start=lambda *_: child)
            settings = SimpleNamespace(name="w", pass_timeout=600.0)
            work = Jobs(cast("Any", settings), cast("Any", processes), Figures(1), asyncio.Event(), cast("Any", None))
            job = Taken(environment="prod-eu", since=90.0, priority=7, refusals=0)
            nothing, lists = cast("Any", None), cast("Any", Manifests(PART))
            with pytest.raises(type(lost)):
                await work.take(job, lists, cast("Any", store), nothing, nothing)
            with pytest.raises(type(lost)):
                await work.tell(cast("Any", store))
            store.lost = None
            await work.tell(cast("Any", store))
            await work.tell(cast("Any", store))

    asyncio.run(story())
    assert store.ended == [("prod-eu", "crashed")]
    assert store.limit > 600
