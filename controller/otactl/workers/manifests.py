"""Keeps the manifests of a worker up to date: fetches its source, divides what it reads, declares the environments.

1. The newest snapshot that any worker fetched counts: a worker never runs an older one, so two workers do not undo each
   other. It compares before each pass, fetches when another was quicker, and runs nothing where it cannot.
2. A fetch that fails, and manifests with an error, leave the last good snapshot in use (`readings`), and are reported.
3. What changed runs at once, whoever noticed it.
4. An environment that cannot run here stays declared, for workers that can run it; its jobs are left to them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from otactl.errors import OtactlError
from otactl.wording import count
from otactl.workers import readings
from otactl.workers.loading import LoadedSet, Loader
from otactl.workers.passes import Processes
from otactl.workers.readings import Slice
from otactl.workers.requests import Requests
from otactl.workers.schedule import priority_of, seconds_of, slot_at
from otactl.workers.sources import Source
from otactl.workers.store import Declared, Store

AGAIN_SECONDS = 5.0
"""How long a worker that is behind waits after a fetch that failed."""
_LOG = logging.getLogger("otactl.workers")


class State(NamedTuple):
    """What a worker knows of its manifests; `unfit` says why environments cannot run here."""

    slices: dict[str, Slice]
    unfit: dict[str, str]
    revision: str
    fetched_at: float
    problem: str


class NotHereError(OtactlError):
    """An environment cannot run on this worker; `outcome` names why, as metrics do."""

    def __init__(self, outcome: str, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


class Manifests:
    """The manifests of one worker."""

    def __init__(
        self,
        source: Source,
        paths: tuple[str, ...],
        store: Store,
        requests: Requests,
        processes: Processes,
        check: Callable[[Slice], str],
        every: float,
    ) -> None:
        """Take as `check` what says why an environment cannot run here; empty if it can.

        `every` is how often an environment runs that does not say so itself, in seconds.
        """
        self._source, self._store, self._requests = source, store, requests
        self._check, self._every = check, every
        self._key = key_of(source, paths)
        self._loader = Loader(source, self._key, paths, store, processes)
        self._in_use: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self.state: State | None = None
        self.problem = ""
        self._failed_at = float("-inf")

    def take_over(self, other: Manifests) -> None:
        """Know what another knew: after the database was lost, nothing is read again."""
        self._loader.take_over(other._loader)
        self._in_use = other._in_use
        self.state, self.problem = other.state, other.problem

    async def refresh(self) -> None:
        """Fetch the source, and ask for a pass of each environment that is new or changed."""
        async with self._lock:
            await self._refresh()

    async def current(self, environment: str) -> Slice | None:
        """Return what an environment runs by now; None where no manifest declares it.

        Raises: NotHereError where another worker has newer manifests that this one cannot get, or it cannot run here.
        """
        if await self._behind():
            await self._catch_up()
        if self.state is None:
            return None
        if environment in self.state.unfit:
            raise NotHereError("unfit", f"{environment} cannot run here: {self.state.unfit[environment]}")
        return self.state.slices.get(environment)

    async def _catch_up(self) -> None:
        """Fetch what another worker has; not again and again where that failed. Raises: NotHereError."""
        async with self._lock:
            if await self._behind() and time.monotonic() - self._failed_at > AGAIN_SECONDS:
                await self._refresh()
            if newest := await self._behind():
                why = f" ({self.problem})" if self.problem else ""
                raise NotHereError(
                    "behind",
                    f"another worker has revision {newest[:12]} of {self._source.name}, which this one could not "
                    f"fetch{why}; no pass runs here until it can, since older manifests would undo newer ones",
                )

    async def _behind(self) -> str:
        """Return the revision that another worker fetched later than ours; empty where ours counts."""
        if not self._source.shared or self.state is None:
            return ""
        shared = await self._store.fetched(self._key)
        return shared.revision if shared is not None and shared.revision != self.state.revision else ""

    def using(self, revision: str, change: int) -> None:
        """Count the passes that run by a snapshot: its files stay as long."""
        self._in_use[revision] = self._in_use.get(revision, 0) + change

    async def _refresh(self) -> None:
        at = await self._store.now()
        try:
            loaded = await self._loader.fetch()
        except OtactlError as error:
            self._failed_at = time.monotonic()
            self._tell(str(error))
            if self.state is not None:
                self.state = self.state._replace(problem=self.problem)
            return
        if not await self._is_newest(loaded, at):
            _LOG.info("another worker fetched the source later; it is fetched again at the next refresh")
            return
        found = self._divide(loaded, at)
        used = {revision for revision, passes in self._in_use.items() if passes > 0}
        await self._loader.use(loaded, found, used)
        await self._declare(at, [name for name, each in found.items() if not each.reading.broken])

    async def _is_newest(self, loaded: LoadedSet, at: float) -> bool:
        """Record what was fetched; return whether no other worker fetched later."""
        if not self._source.shared:
            return True
        good = loaded.good.snapshot.revision if loaded.good is not None else ""
        newest = loaded.newest
        return await self._store.record_fetch(self._key, newest.snapshot.revision, good, newest.problem, at)

    def _divide(self, loaded: LoadedSet, at: float) -> dict[str, Slice]:
        """Divide what was loaded by environment, and count it as what is known; return all that can run somewhere."""
        found = readings.slices(*loaded)
        unfit = {name: problem for name, each in found.items() if (problem := self._check(each))}
        problem = loaded.newest.problem
        if unfit:
            first = next(iter(unfit))
            problem = f"{count(len(unfit), 'environment')} cannot run here: {first}: {unfit[first]}"
        self._tell(problem)
        revision = loaded.newest.snapshot.revision
        if self.state is None or self.state.revision != revision:
            _LOG.info("%d environments are declared", len(found), extra={"revision": revision[:12]})
        fit = {name: each for name, each in found.items() if name not in unfit}
        self.state = State(fit, unfit, revision, at, self.problem)
        return found

    async def _declare(self, at: float, sound: Collection[str]) -> None:
        """Declare the environments, and ask for a pass of those that are new or changed.

        About those that are `sound` the newest manifests have no error.
        """
        if self.state is None:
            return
        slices = self.state.slices
        declared = {name: self._declared(name, each, at) for name, each in slices.items()}
        new = await self._store.declare(self._key, declared, {*slices, *self.state.unfit})
        await self._store.record_good(self.state.revision, sound)
        for name in new:
            urgency = await self._store.urgency(name)
            await self._requests.ask(name, priority_of(urgency, slices[name].aborts))

    def _declared(self, name: str, part: Slice, now: float) -> Declared:
        every = seconds_of(part.environment.every, self._every)
        return Declared(digest=part.digest, every=every, slot=slot_at(name, every, now))

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            _LOG.warning("the newest manifests are not used, or not by all: %s", problem, extra={"problem": problem})
        elif self.problem and not problem:
            _LOG.info("the newest manifests are used by all environments again")
        self.problem = problem


def key_of(source: Source, paths: tuple[str, ...]) -> str:
    """Return what names a source among all workers: those that read other paths of it declare other environments."""
    below = " ".join(sorted(path for path in paths if path != "."))
    return f"{source.name} {below}".rstrip()
