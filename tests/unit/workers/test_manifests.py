"""What a worker runs when another worker has newer manifests, and what it leaves to others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from otactl.manifest import Reading
from otactl.workers.loading import LoadedSet, Loader
from otactl.workers.manifests import Manifests, NotHereError, State, key_of
from otactl.workers.readings import Loaded, Slice
from otactl.workers.schedule import LIVE, Urgency
from otactl.workers.sources import Snapshot, SourceError
from otactl.workers.store import Declared, Fetched
from tests.support.builders import ENVIRONMENT, rollout

OURS, THEIRS, PART = "a" * 40, "b" * 40, cast("Slice", "what prod-eu runs")


class DeadSource:
    """A source that does not answer."""

    name, shared, fetches = "git+ssh://git.example/fleet", True, 0

    def fetch(self) -> Snapshot:
        self.fetches += 1
        raise SourceError("git does not answer")

    def keep(self, _revisions: Collection[str]) -> None:
        """Keep all."""


class SharedStore:
    """What all workers know of the source."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self.declared: dict[str, Declared] = {}
        self.known: set[str] = set()
        self.good: dict[str, str] = {}

    async def now(self) -> float:
        return 100.0

    async def fetched(self, _source: str) -> Fetched:
        return Fetched(revision=self.revision, good_revision=self.revision, fetched_at=90.0)

    async def record_fetch(self, *_: object) -> bool:
        return True

    async def declare(self, _source: str, declared: Mapping[str, Declared], known: Collection[str]) -> tuple[str, ...]:
        self.declared, self.known = dict(declared), set(known)
        return tuple(declared)

    async def record_good(self, revision: str, environments: Collection[str]) -> None:
        self.good |= dict.fromkeys(environments, revision)

    async def good_revisions(self, _source: str) -> dict[str, str]:
        return self.good

    async def urgency(self, _name: str) -> Urgency:
        return Urgency(live=True)


class Asked:
    """What passes were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def ask(self, environment: str, priority: int) -> None:
        self.asked.append((environment, priority))


class Stage:
    """One worker's manifests over what it shares with others."""

    def __init__(self, newest: str, unfit: str = "") -> None:
        self.source, self.store, self.requests = DeadSource(), SharedStore(newest), Asked()
        self.manifests = Manifests(
            cast("Any", self.source),
            (".",),
            cast("Any", self.store),
            cast("Any", self.requests),
            cast("Any", None),
            lambda part: "its journal is a file" if part.environment.name == unfit else "",
            300,
        )
        self.manifests.state = State({"prod-eu": PART}, {}, OURS, 1.0, "")

    def current(self) -> Slice | None:
        return asyncio.run(self.manifests.current("prod-eu"))


def answers(monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    """Let the source answer with a revision that declares prod-eu."""
    reading = Reading((rollout(),), (ENVIRONMENT,), (), (), 1)

    async def fetch(_self: Loader) -> LoadedSet:
        loaded = Loaded(Snapshot(revision, Path(), revision), reading)
        return LoadedSet(loaded, loaded, {})

    monkeypatch.setattr(Loader, "fetch", fetch)


def test_a_worker_that_cannot_fetch_what_another_runs_runs_nothing() -> None:
    with pytest.raises(
        NotHereError, match=r"has revision bbbbbbbbbbbb of .*git does not answer.*no pass runs here"
    ) as refused:
        Stage(THEIRS).current()
    assert refused.value.outcome == "behind"


def test_a_worker_that_is_behind_does_not_fetch_for_each_job() -> None:
    stage = Stage(THEIRS)

    async def jobs() -> None:
        for _ in range(3):
            with pytest.raises(NotHereError):
                await stage.manifests.current("prod-eu")

    asyncio.run(jobs())
    assert stage.source.fetches == 1


def test_a_worker_with_the_newest_manifests_runs_them_while_its_source_does_not_answer() -> None:
    assert Stage(OURS).current() is PART


def test_a_source_that_hangs_delays_no_pass_of_a_worker_with_the_newest_manifests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, goes_on, hangs = Stage(OURS), threading.Event(), threading.Event()

    def hang() -> Snapshot:
        hangs.set()
        goes_on.wait()
        raise SourceError("git does not answer")

    monkeypatch.setattr(stage.source, "fetch", hang)

    async def job() -> Slice | None:
        refreshing = asyncio.create_task(stage.manifests.refresh())
        await asyncio.to_thread(hangs.wait)
        found = await asyncio.wait_for(stage.manifests.current("prod-eu"), 30)
        goes_on.set()
        await refreshing
        return found

    try:
        assert asyncio.run(job()) is PART
    finally:
        goes_on.set()


def test_what_a_job_finds_changed_is_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, THEIRS)
    stage = Stage(THEIRS)
    found = stage.current()

    assert found is not None
    assert found.snapshot.revision == THEIRS
    assert stage.requests.asked == [("prod-eu", LIVE)]
    assert stage.store.good == {"prod-eu": THEIRS}


def test_an_environment_that_cannot_run_here_stays_known_and_its_jobs_are_left_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, OURS)
    stage = Stage(OURS, unfit="prod-eu")
    asyncio.run(stage.manifests.refresh())

    assert (stage.store.declared, stage.store.known) == ({}, {"prod-eu"})
    assert "1 environment cannot run here: prod-eu" in stage.manifests.problem
    with pytest.raises(NotHereError, match="prod-eu cannot run here: its journal is a file") as refused:
        stage.current()
    assert refused.value.outcome == "unfit"


@pytest.mark.parametrize(
    ("paths", "key"),
    [((".",), "git+ssh://git.example/fleet"), (("us", "eu"), "git+ssh://git.example/fleet eu us")],
)
def test_workers_that_read_other_paths_of_a_source_do_not_share_its_environments(
    paths: tuple[str, ...], key: str
) -> None:
    assert key_of(DeadSource(), paths) == key
