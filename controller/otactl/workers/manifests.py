"""Keeps the manifests of a worker up to date: fetches its source, reads it in a process of its own, divides it.

1. The newest snapshot that any worker fetched counts: a worker never runs an older one, so two workers do not undo each
   other. It compares before each pass, fetches when another was quicker, and runs nothing where it cannot.
2. A fetch that fails, and manifests with an error, leave the last good snapshot in use (`readings`), and are reported.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from otactl.errors import OtactlError
from otactl.manifest import Reading
from otactl.workers import readings
from otactl.workers.passes import Ended, Processes
from otactl.workers.readings import Loaded, ReadRequest, Slice
from otactl.workers.schedule import seconds_of, slot_at
from otactl.workers.sources import Snapshot, Source, SourceError
from otactl.workers.store import Declared, Store

READ_SECONDS = 180.0
_LOG = logging.getLogger("otactl.workers")


class State(NamedTuple):
    """What a worker knows of its manifests."""

    slices: dict[str, Slice]
    revision: str
    fetched_at: float
    problem: str


class BehindError(OtactlError):
    """Another worker runs newer manifests than this one has."""


class Manifests:
    """The manifests of one worker."""

    def __init__(
        self,
        source: Source,
        paths: tuple[str, ...],
        store: Store,
        processes: Processes,
        check: Callable[[Slice], str],
        every: float,
    ) -> None:
        """Take as `check` what says why an environment cannot run here; empty if it can.

        `every` is how often an environment runs that does not say so itself, in seconds.
        """
        self._source, self._paths, self._store, self._processes = source, paths, store, processes
        self._check, self._every = check, every
        self._newest: Loaded | None = None
        self._good: Loaded | None = None
        self._in_use: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self.state: State | None = None
        self.problem = ""

    def take_over(self, other: Manifests) -> None:
        """Know what another knew: after the database was lost, nothing is read again."""
        self._newest, self._good, self._in_use = other._newest, other._good, other._in_use
        self.state, self.problem = other.state, other.problem

    async def refresh(self) -> tuple[str, ...]:
        """Fetch the source; return the environments that are new or changed, which are named to this worker alone."""
        async with self._lock:
            return await self._refresh()

    async def current(self, environment: str) -> Slice | None:
        """Return what an environment runs by now; None where no manifest declares it.

        Raises: BehindError where another worker has newer manifests that this one cannot get.
        """
        async with self._lock:
            if await self._behind():
                await self._refresh()
                if newest := await self._behind():
                    why = f" ({self.problem})" if self.problem else ""
                    raise BehindError(
                        f"another worker has revision {newest[:12]} of {self._source.name}, which this one could not "
                        f"fetch{why}; no pass runs here until it can, since older manifests would undo newer ones"
                    )
            return self.state.slices.get(environment) if self.state is not None else None

    async def _behind(self) -> str:
        """Return the revision that another worker fetched later than ours; empty where ours counts."""
        if not self._source.shared or self.state is None:
            return ""
        shared = await self._store.fetched(self._source.name)
        return shared.revision if shared is not None and shared.revision != self.state.revision else ""

    def using(self, revision: str, change: int) -> None:
        """Count the passes that run by a snapshot: its files stay as long."""
        self._in_use[revision] = self._in_use.get(revision, 0) + change

    async def _refresh(self) -> tuple[str, ...]:
        at = await self._store.now()
        try:
            snapshot = await asyncio.to_thread(self._source.fetch)
            loaded = await self._loaded(snapshot, self._newest)
        except OtactlError as error:
            self._tell(str(error))
            if self.state is not None:
                self.state = self.state._replace(problem=self.problem)
            return ()
        good = await self._last_good(loaded)
        if self._source.shared:
            good_revision = good.snapshot.revision if good is not None else ""
            if not await self._store.record_fetch(
                self._source.name, snapshot.revision, good_revision, loaded.problem, at
            ):
                _LOG.info("another worker fetched the source later; it is fetched again at the next refresh")
                return ()
        self._newest, self._good = loaded, good
        self._tell(loaded.problem)
        found = readings.slices(loaded, good)
        unfit = {name: problem for name, each in found.items() if (problem := self._check(each))}
        if unfit:
            first = next(iter(unfit))
            self._tell(f"{len(unfit)} environments cannot run here: {first}: {unfit[first]}")
        found = {name: each for name, each in found.items() if name not in unfit}
        if self.state is None or self.state.revision != snapshot.revision:
            _LOG.info("%d environments are declared", len(found), extra={"revision": snapshot.revision[:12]})
        self.state = State(found, snapshot.revision, at, self.problem)
        used = {revision for revision, count in self._in_use.items() if count > 0}
        await asyncio.to_thread(
            self._source.keep, (*readings.revisions(tuple(found.values())), snapshot.revision, *self._good_one(), *used)
        )
        return await self._store.declare(
            self._source.name,
            {name: self._declared(name, each, at) for name, each in found.items()},
        )

    def _declared(self, name: str, part: Slice, now: float) -> Declared:
        every = seconds_of(part.environment.every, self._every)
        return Declared(digest=part.digest, every=every, slot=slot_at(name, every, now))

    def _good_one(self) -> tuple[str, ...]:
        return (self._good.snapshot.revision,) if self._good is not None else ()

    async def _last_good(self, loaded: Loaded) -> Loaded | None:
        """Return the newest snapshot without an error: this one, the one known, or the one that other workers use."""
        if not loaded.problem:
            return loaded
        if not self._source.shared:
            return self._good
        shared = await self._store.fetched(self._source.name)
        revision = shared.good_revision if shared is not None else ""
        if not revision or (self._good is not None and self._good.snapshot.revision == revision):
            return self._good
        snapshot = await asyncio.to_thread(self._source.at, revision)
        if snapshot is None:
            _LOG.warning("the last good manifests cannot be fetched any more", extra={"revision": revision[:12]})
            return self._good
        try:
            return await self._loaded(snapshot, None)
        except SourceError:
            return self._good

    async def _loaded(self, snapshot: Snapshot, known: Loaded | None) -> Loaded:
        """Read a snapshot; one that was read before is not read again."""
        if known is not None and known.snapshot.revision == snapshot.revision:
            return known
        request = ReadRequest(str(snapshot.root), self._paths)
        loop = asyncio.get_running_loop()

        def run() -> Ended[Reading]:
            return self._processes.start(readings.read, request).ended(READ_SECONDS)

        ended = await loop.run_in_executor(self._processes.threads, run)
        if ended.answer is None:
            raise SourceError(f"the manifests of {snapshot.revision[:12]} could not be read: {ended.text}")
        return Loaded(snapshot, ended.answer)

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            _LOG.warning("the newest manifests are not used, or not by all: %s", problem, extra={"problem": problem})
        elif self.problem and not problem:
            _LOG.info("the newest manifests are used by all environments again")
        self.problem = problem
