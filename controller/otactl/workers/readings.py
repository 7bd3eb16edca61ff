"""Divides what was read of a source by environment, so that a pass gets the manifests of its own alone.

1. An environment runs by the newest snapshot if none of its manifests has an error there.
2. Otherwise it keeps the last good snapshot of its own, which it ran by; where that is not known, the newest one
   without any error. The rollouts that a manifest with an error is about are left alone all the same, because a wrong
   edit may have been meant to stop them, and what stops in the manifests that are sound is obeyed (`stops`).
3. Without a good snapshot it runs as `otactl reconcile` does over the newest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from otactl.manifest import Reading, read_paths
from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import Environment, Rollout
from otactl.model.values import canonical_digest
from otactl.workers.sources.snapshot import Snapshot
from otactl.workers.stops import left_alone, stopped_environment, stopped_rollouts


class ReadRequest(NamedTuple):
    """What a process is asked to read."""

    root: str
    paths: tuple[str, ...]


class Loaded(NamedTuple):
    """A snapshot with what its manifests say."""

    snapshot: Snapshot
    reading: Reading

    @property
    def problem(self) -> str:
        """Return what is wrong with the manifests, in one line; empty when nothing is."""
        errors = self.reading.errors
        if not errors:
            return "" if self.reading.environments else "no environment was found in the manifests"
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return f"{first.file}:{first.line}:{first.column}: {first.code}: {first.message}{more}"


class Slice(NamedTuple):
    """One environment with its rollouts; `reading` is about it alone, `sharers` counts those at its place."""

    environment: Environment
    reading: Reading
    snapshot: Snapshot
    digest: str
    aborts: frozenset[str]
    sharers: int
    kept_back: str
    """Why it does not run by the newest snapshot; empty if it does."""
    commit: str
    """The commit that what it does is recorded with: the newest one where something of that stops it."""


def read(request: ReadRequest) -> Reading:
    """Read manifests, in a process of its own: they are untrusted, and may be many."""
    found = read_paths(request.paths, cwd=Path(request.root), require_environments=True)
    return found._replace(referred={})


def slices(newest: Loaded, good: Loaded | None, own: Mapping[str, Loaded] = MappingProxyType({})) -> dict[str, Slice]:
    """Return every environment that can run, by name; `own` has the last good snapshots of environments (rule 2)."""
    chosen: dict[str, tuple[Loaded, tuple[UnreadableDocument, ...]]] = {
        each.name: (newest, concerning(newest.reading, each.name)) for each in newest.reading.environments
    }
    earlier = {each.name: good for each in good.reading.environments} if good is not None else {}
    for name, loaded in {**earlier, **own}.items():
        broken = concerning(newest.reading, name)
        if broken and loaded.snapshot.revision != newest.snapshot.revision and name in _environments(loaded.reading):
            chosen[name] = (loaded, broken)
    places: dict[tuple[str, str], int] = {}
    for name, (loaded, _) in chosen.items():
        where = _place(_environment(loaded.reading, name))
        places[where] = places.get(where, 0) + 1
    return {name: _slice(name, *each, newest, places) for name, each in sorted(chosen.items())}


def concerning(reading: Reading, environment: str) -> tuple[UnreadableDocument, ...]:
    """Return the manifests with an error that may be about an environment."""
    return tuple(
        each
        for each in reading.broken
        if (each.name if each.kind == "Environment" else each.environment) in ("", environment)
    )


def _slice(
    name: str,
    loaded: Loaded,
    broken: tuple[UnreadableDocument, ...],
    newest: Loaded,
    places: dict[tuple[str, str], int],
) -> Slice:
    kept = loaded is not newest
    environment = _environment(loaded.reading, name)
    rollouts = _rollouts(loaded.reading, name)
    commit = loaded.snapshot.commit
    if kept:
        before = (environment, rollouts)
        sound = _rollouts(newest.reading, name)
        environment = stopped_environment(environment, _environments(newest.reading).get(name))
        rollouts = stopped_rollouts(rollouts, sound, broken)
        commit = commit if before == (environment, rollouts) else newest.snapshot.commit
        rollouts = _without(rollouts, broken, {name for each in sound for name in (each.name, each.renamed_from)})
        broken = (*broken, *left_alone(before[1], sound, broken))
    reading = Reading(
        rollouts=rollouts,
        environments=(environment,),
        errors=(),
        warnings=(),
        files=loaded.reading.files,
        names=loaded.reading.names,
        broken=broken,
        referred={},
    )
    said = [environment, [(r.name, r.source.digest, r) for r in rollouts], [each.text for each in broken]]
    return Slice(
        environment=environment,
        reading=reading,
        snapshot=loaded.snapshot,
        digest=canonical_digest(said),
        aborts=frozenset(r.name for r in rollouts if r.abort is not None),
        sharers=places[_place(environment)],
        kept_back=broken[0].text if kept else "",
        commit=commit,
    )


def _without(
    rollouts: tuple[Rollout, ...], broken: tuple[UnreadableDocument, ...], sound: Set[str | None]
) -> tuple[Rollout, ...]:
    """Return the rollouts that no manifest with an error can be about.

    One without a name may be about every rollout that is not among the sound ones, wherever that was read from.
    """
    files = {each.file for each in broken}
    names = {name for each in broken if each.kind == "Rollout" for name in (each.name, each.renamed_from)}
    named = all(each.is_named for each in broken)
    return tuple(
        each
        for each in rollouts
        if each.name not in names and (each.name in sound or (named and each.source.file not in files))
    )


def _rollouts(reading: Reading, environment: str) -> tuple[Rollout, ...]:
    return tuple(each for each in reading.rollouts if each.environment == environment)


def _environments(reading: Reading) -> dict[str, Environment]:
    return {each.name: each for each in reading.environments}


def _environment(reading: Reading, name: str) -> Environment:
    return _environments(reading)[name]


def _place(environment: Environment) -> tuple[str, str]:
    return environment.account, environment.region
