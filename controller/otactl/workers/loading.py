"""Fetches snapshots of a source and reads them, each in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import NamedTuple

from otactl.manifest import Reading
from otactl.workers import readings
from otactl.workers.passes import Ended, Processes
from otactl.workers.readings import Loaded, ReadRequest
from otactl.workers.sources import Snapshot, Source, SourceError
from otactl.workers.store import Store

READ_SECONDS = 180.0
_LOG = logging.getLogger("otactl.workers")


class LoadedPair(NamedTuple):
    """The newest snapshot, and the newest one without an error."""

    newest: Loaded
    good: Loaded | None


class Loader:
    """Loads what a source has; a snapshot that was read before is not read again."""

    def __init__(self, source: Source, key: str, paths: tuple[str, ...], store: Store, processes: Processes) -> None:
        """`key` names the source among all workers, with the paths below it."""
        self._source, self._key, self._paths = source, key, paths
        self._store, self._processes = store, processes
        self._known: LoadedPair | None = None

    def take_over(self, other: Loader) -> None:
        """Know what another knew."""
        self._known = other._known

    async def fetch(self) -> LoadedPair:
        """Return what the source has now. Raises: OtactlError where it cannot be fetched or read."""
        snapshot = await asyncio.to_thread(self._source.fetch)
        newest = await self._loaded(snapshot)
        return LoadedPair(newest, await self._last_good(newest))

    async def use(self, pair: LoadedPair, more: Collection[str]) -> None:
        """Count a pair as known, and remove all snapshots but its own and those of some more revisions."""
        self._known = pair
        own = tuple(each.snapshot.revision for each in pair if each is not None)
        await asyncio.to_thread(self._source.keep, (*own, *more))

    async def _last_good(self, newest: Loaded) -> Loaded | None:
        """Return the newest snapshot without an error: this one, the one known, or the one that other workers use."""
        if not newest.problem:
            return newest
        known = self._known.good if self._known is not None else None
        if not self._source.shared:
            return known
        shared = await self._store.fetched(self._key)
        revision = shared.good_revision if shared is not None else ""
        if not revision or (known is not None and known.snapshot.revision == revision):
            return known
        snapshot = await asyncio.to_thread(self._source.at, revision)
        if snapshot is None:
            _LOG.warning("the last good manifests cannot be fetched any more", extra={"revision": revision[:12]})
            return known
        try:
            return await self._loaded(snapshot)
        except SourceError:
            return known

    async def _loaded(self, snapshot: Snapshot) -> Loaded:
        for known in self._known or ():
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
