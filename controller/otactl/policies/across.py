"""Checks manifests against each other: names that are taken, targets that two rollouts claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otactl.model import Environment, Rollout, Value
from otactl.model.violation import Violation


class Located(Value, frozen=True, kw_only=True):
    """A violation of one of the manifests given: `index` says which, `first` the one it collides with."""

    index: int
    first: int
    violation: Violation


def between(manifests: Sequence[Rollout | Environment]) -> tuple[Located, ...]:
    """Check all manifests of a run against one another."""
    return (*_names(manifests), *_renamed(manifests), *_overlaps(manifests))


def _names(manifests: Sequence[Rollout | Environment]) -> Iterator[Located]:
    taken: dict[tuple[str, ...], int] = {}
    for index, manifest in enumerate(manifests):
        if isinstance(manifest, Rollout):
            kind, where = "rollout", f" of environment {manifest.environment}"
        else:
            kind, where = "environment", ""
        first = taken.setdefault((kind, where, manifest.name), index)
        if first == index:
            continue
        message = f"the name {manifest.name}{where} is taken by {manifests[first].source.file}"
        code = f"duplicate_{kind}"
        found = Violation(pointer="/metadata/name", code=code, message=message, hint="give it its own name")
        yield Located(index=index, first=first, violation=found)


def _renamed(manifests: Sequence[Rollout | Environment]) -> Iterator[Located]:
    """Check that a record moves to one rollout, and not while its own is declared."""
    rollouts = [(i, m) for i, m in enumerate(manifests) if isinstance(m, Rollout)]
    names = {(m.environment, m.name): i for i, m in reversed(rollouts)}
    takers: dict[tuple[str, str], int] = {}
    for index, rollout in rollouts:
        if rollout.renamed_from is None:
            continue
        key = (rollout.environment, rollout.renamed_from)
        first = names.get(key)
        message = f"rollout {rollout.renamed_from} is declared, so it was not renamed"
        hint = "remove renamedFrom, or the manifest of the old name; to swap two names, give one a name not used before"
        if first is None:
            first = takers.setdefault(key, index)
            message = f"rollout {rollout.renamed_from} was renamed to {manifests[first].name} already"
            hint = "one record moves to one rollout: take renamedFrom out of the other"
        if first != index or key == (rollout.environment, rollout.name):
            found = Violation(
                pointer="/metadata/renamedFrom", code="renamed_from_is_declared", message=message, hint=hint
            )
            yield Located(index=index, first=first, violation=found)


def _overlaps(manifests: Sequence[Rollout | Environment]) -> Iterator[Located]:
    """Check that no device is in two tasks at a time: the second rollout's devices would report a conflict."""
    owners: dict[tuple[str, str, str], int] = {}
    for index, manifest in enumerate(manifests):
        if not isinstance(manifest, Rollout) or manifest.abort is not None:
            continue
        shared: dict[int, list[str]] = {}
        for key in sorted({key for wave in manifest.strategy.waves for key in manifest.targets_of(wave).keys}):
            first = owners.setdefault((manifest.environment, manifest.backend_kind, key), index)
            if first != index:
                shared.setdefault(first, []).append(key)
        for first, keys in shared.items():
            other = manifests[first]
            more = f" and {len(keys) - 1} more targets" if len(keys) > 1 else ""
            message = f"{keys[0]}{more} is also in rollout {other.name} ({other.source.file})"
            found = Violation(
                pointer="/spec/strategy/waves",
                code="targets_overlap",
                message=message,
                hint="the second one waits until the session of the first has ended; remove the older one",
                severity="warning",
            )
            yield Located(index=index, first=first, violation=found)
