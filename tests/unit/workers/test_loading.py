"""What a worker loads: the newest snapshot, and earlier ones for environments that a wrong manifest is about."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from otactl.errors import Problem
from otactl.manifest import Reading
from otactl.manifest.unreadable import UnreadableDocument
from otactl.workers import readings
from otactl.workers.loading import LoadedSet, Loader
from otactl.workers.passes import Ended
from otactl.workers.readings import Loaded, ReadRequest, slices
from otactl.workers.sources import Snapshot
from otactl.workers.store import Fetched
from tests.support.builders import ENVIRONMENT, rollout

WRONG = Problem(file="other.yaml", line=1, column=1, pointer="", code="wrong", message="wrong")


def reading(*, broken: bool) -> Reading:
    documents = (UnreadableDocument("other.yaml", "Rollout", "other", "prod-eu", (WRONG,)),) if broken else ()
    return Reading((rollout(),), (ENVIRONMENT,), (WRONG,) if broken else (), (), 1, (), documents)


class History:
    """A source with revisions, of which some cannot be had any more; the last is the newest."""

    name = "git+ssh://git.example/fleet"

    def __init__(self, *revisions: str, shared: bool = True) -> None:
        self.shared, self.revisions, self.lost, self.kept = shared, list(revisions), set[str](), set[str]()

    def fetch(self) -> Snapshot:
        return Snapshot(self.revisions[-1], Path(self.revisions[-1]))

    def at(self, revision: str) -> Snapshot | None:
        return Snapshot(revision, Path(revision)) if revision not in self.lost else None

    def keep(self, revisions: Collection[str]) -> None:
        self.kept = set(revisions)


class Known:
    """What all workers know."""

    def __init__(self) -> None:
        self.good, self.own = "", dict[str, str]()

    async def fetched(self, _key: str) -> Fetched:
        return Fetched(revision="", good_revision=self.good, fetched_at=0)

    async def good_revisions(self, _key: str) -> dict[str, str]:
        return self.own


class Stage:
    """A loader whose source has errors in revisions that end with `!`; `read` notes what was read."""

    def __init__(self, *revisions: str, shared: bool = True) -> None:
        self.source, self.store, self.read = History(*revisions, shared=shared), Known(), list[str]()
        processes = SimpleNamespace(start=self._start, threads=None)
        self.loader = Loader(cast("Any", self.source), "key", (".",), cast("Any", self.store), cast("Any", processes))

    def _start(self, run: object, request: ReadRequest) -> SimpleNamespace:
        assert run is readings.read
        self.read.append(request.root)
        return SimpleNamespace(ended=lambda _seconds: Ended(reading(broken=request.root.endswith("!"))))

    def load(self) -> LoadedSet:
        async def once() -> LoadedSet:
            found = await self.loader.fetch()
            await self.loader.use(found, slices(*found), ())
            return found

        return asyncio.run(once())


def revision(loaded: Loaded | None) -> str:
    return loaded.snapshot.revision if loaded is not None else ""


def test_a_snapshot_that_was_read_is_not_read_again() -> None:
    stage = Stage("c1")
    stage.load()
    stage.load()
    assert stage.read == ["c1"]


def test_an_environment_gets_the_revision_that_all_workers_know_as_its_own_last_good_one() -> None:
    stage = Stage("c3!")
    stage.store.good, stage.store.own = "c1", {"prod-eu": "c2", "prod-us": "c1"}
    found = stage.load()

    assert (revision(found.good), {name: revision(each) for name, each in found.own.items()}) == (
        "c1",
        {"prod-eu": "c2"},  # nothing is wrong about prod-us
    )
    assert stage.source.kept == {"c1", "c2", "c3!"}


def test_a_revision_that_cannot_be_had_any_more_leaves_the_one_that_is_good_for_all() -> None:
    stage = Stage("c3!")
    stage.store.good, stage.store.own = "c1", {"prod-eu": "c2"}
    stage.source.lost = {"c2"}
    found = stage.load()
    assert (revision(found.good), found.own) == ("c1", {})


@pytest.mark.parametrize("shared", [True, False])
def test_without_a_good_revision_there_is_none(shared: bool) -> None:
    found = Stage("c1!", shared=shared).load()
    assert (found.good, found.own) == (None, {})


def test_a_folder_has_no_earlier_files_so_what_was_read_of_it_is_kept() -> None:
    stage = Stage("c1", shared=False)
    stage.load()
    stage.source.revisions.append("c2!")
    found = stage.load()
    assert (revision(found.good), revision(found.own["prod-eu"])) == ("c1", "c1")
    assert revision(stage.load().own["prod-eu"]) == "c1"
