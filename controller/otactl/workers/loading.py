"""Fetches snapshots of a source and reads them, each in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import NamedTuple

from otactl.manifest import Reading
from otactl.workers import readings
from otactl.workers.passes import Ended, Processes
from otactl.workers.readings import Loaded, ReadRequest, Slice, concerning
from otactl.workers.sources import Snapshot, Source, SourceError
from otactl.workers.store import Store

READ_SECONDS = 180.0
_LOG = logging.getLogger("otactl.workers")


class LoadedSet(NamedTuple):
    """The newest snapshot, the newest one without any error, and what environments had last without one about them."""

    newest: Loaded
    good: Loaded | None
    own: dict[str, Loaded]

    @property
    def all(self) -> tuple[Loaded, ...]:
        """Return every snapshot, each once."""
        found = (self.newest, *((self.good,) if self.good is not None else ()), *self.own.values())
        return tuple({each.snapshot.revision: each for each in reversed(found)}.values())


class Loader:
    """Loads what a source has; a snapshot that was read before is not read again."""

    def __init__(self, source: Source, key: str, paths: tuple[str, ...], store: Store, processes: Processes) -> None:
        """`key` names the source among all workers, with the paths below it."""
        self._source, self._key, self._paths = source, key, paths
        self._store, self._processes = store, processes
        self._known: LoadedSet | None = None

    def take_over(self, other: Loader) -> None:
        """Know what another knew."""
        self._known = other._known

    async def fetch(self) -> LoadedSet:
        """Return what the source has now. Raises: OtactlError where it cannot be fetched or read."""
        newest = await self._loaded(await asyncio.to_thread(self._source.fetch))
        if not newest.problem:
            return LoadedSet(newest, newest, {})
        known = self._known
        if not self._source.shared:
            return LoadedSet(newest, known.good if known is not None else None, dict(known.own) if known else {})
        shared = await self._store.fetched(self._key)
        good = await self._at(shared.good_revision if shared is not None else "")
        wanted = {
            name: revision
            for name, revision in (await self._store.good_revisions(self._key)).items()
            if concerning(newest.reading, name)
        }
        earlier = {revision: await self._at(revision) for revision in sorted(set(wanted.values()))}
        own = {name: each for name, revision in wanted.items() if (each := earlier[revision]) is not None}
        return LoadedSet(newest, good or (known.good if known is not None else None), own)

    async def use(self, loaded: LoadedSet, found: Mapping[str, Slice], more: Collection[str]) -> None:
        """Count what was loaded, and divided, as known; remove all snapshots but its own and some more revisions."""
        own = {name: loaded.own.get(name) if each.reading.broken else loaded.newest for name, each in found.items()}
        self._known = loaded._replace(own={name: each for name, each in own.items() if each is not None})
        await asyncio.to_thread(self._source.keep, (*(each.snapshot.revision for each in loaded.all), *more))

    async def _at(self, revision: str) -> Loaded | None:
        """Return the snapshot of an earlier revision, of which other workers know; None where it cannot be had."""
        if not revision:
            return None
        snapshot = await asyncio.to_thread(self._source.at, revision)
        if snapshot is None:
            _LOG.warning("earlier manifests cannot be fetched any more", extra={"revision": revision[:12]})
            return None
        try:
            return await self._loaded(snapshot)
        except SourceError:
            return None

    async def _loaded(self, snapshot: Snapshot) -> Loaded:
        for known in self._known.all if self._known is not None else ():
            if known.snapshot.revision == snapshot.revision:
                return known
        request = ReadRequest(str(snapshot.root), self._paths)
        loop = asyncio.get_running_loop()

        def run() -> Ended[Reading]:
            return self._processes.start(readings.read, request).ended(READ_SECONDS)

        ended = await loop.run_in_executor(self._processes.threads, run)
        if ended.answer is None:
            raise SourceError(f"the manifests of {snapshot.revision[:12]} could not be read: {ended.text}")
        return Loaded(snapshot, ended.answer)
