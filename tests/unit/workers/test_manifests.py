"""What a worker runs when another worker has newer manifests."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from otactl.workers.manifests import BehindError, Manifests, State
from otactl.workers.readings import Slice
from otactl.workers.sources import SourceError
from otactl.workers.store import Fetched

OURS, PART = "a" * 40, cast("Slice", "what prod-eu runs")


class DeadSource:
    """A source that does not answer."""

    name, shared = "git+ssh://git.example/fleet", True

    def fetch(self) -> None:
        raise SourceError("git does not answer")


class SharedStore:
    """What all workers know of the source."""

    def __init__(self, revision: str) -> None:
        self.revision = revision

    async def now(self) -> float:
        return 100.0

    async def fetched(self, _source: str) -> Fetched:
        return Fetched(revision=self.revision, good_revision=self.revision, fetched_at=90.0)


def manifests(newest: str) -> Manifests:
    made = Manifests(
        cast("Any", DeadSource()), (), cast("Any", SharedStore(newest)), cast("Any", None), lambda _: "", 300
    )
    made.state = State({"prod-eu": PART}, OURS, 1.0, "")
    return made


def test_a_worker_that_cannot_fetch_what_another_runs_runs_nothing() -> None:
    with pytest.raises(BehindError, match=r"has revision bbbbbbbbbbbb of .*git does not answer.*no pass runs here"):
        asyncio.run(manifests("b" * 40).current("prod-eu"))


def test_a_worker_with_the_newest_manifests_runs_them_while_its_source_does_not_answer() -> None:
    assert asyncio.run(manifests(OURS).current("prod-eu")) is PART
