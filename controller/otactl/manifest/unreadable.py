"""Decides which rollouts a manifest with an error may concern, so that only those stop.

A file that could not be read to its end may declare anything, besides what was found in it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from otactl.errors import Problem
from otactl.manifest.document import Manifest
from otactl.manifest.positions import Path


class UnreadableDocument(NamedTuple):
    """A manifest with an error. `kind`, `name`, `environment` and `renamed_from` are empty where it has none.

    `may_rename` tells that it may rename any rollout: what it says of that is wrong itself.
    """

    file: str
    kind: str
    name: str
    environment: str
    problems: tuple[Problem, ...]
    renamed_from: str = ""
    may_rename: bool = False

    @property
    def is_named(self) -> bool:
        """Return whether it says what it is about; one that does not may be about anything."""
        return bool(self.kind and self.name) and not self.may_rename

    @property
    def text(self) -> str:
        """Return its first problem in one line, and how many more there are."""
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return f"{first.file}:{first.line}:{first.column}: {first.code}: {first.message}{more}"


def broken_of(
    manifests: Sequence[Manifest], errors: Sequence[Problem], used: Collection[str]
) -> tuple[UnreadableDocument, ...]:
    """Return what the errors of a run concern; `used` are files that only manifests name, such as device lists."""
    by_file: dict[str, list[Problem]] = {}
    for error in errors:
        by_file.setdefault(error.file, []).append(error)
    found: list[UnreadableDocument] = []
    for each in (m for m in manifests if m.failed):
        own = dict.fromkeys((*by_file.get(each.source.file, ()), *each.elsewhere))
        name = _given(each, ("metadata", "name"), each.name)
        home = _given(each, ("spec", "environment"), each.wanted_environment)
        former = _given(each, ("metadata", "renamedFrom"), each.former_name)
        any_other = not former and _may_rename(each)
        found.append(UnreadableDocument(each.source.file, each.kind, name, home, tuple(own), former, any_other))
    failing = {m.source.file for m in manifests if m.failed and not m.source.problems}
    for file, problems in by_file.items():
        if file not in failing and file not in used:
            found.append(UnreadableDocument(file, "", "", "", tuple(problems)))
    return tuple(each for each in found if each.problems)


def _given(manifest: Manifest, path: Path, text: str) -> str:
    """Return a text of the manifest, unless an error is at its place: then it may be anything."""
    return "" if any(path[: len(blocked)] == blocked for blocked in manifest.blocked) else text


def _may_rename(manifest: Manifest) -> bool:
    """Return whether a rollout's `renamedFrom`, or a field that may be meant as that, has an error."""
    wrong = {path[1:2] for path in manifest.blocked if path[:1] == ("metadata",)}
    return manifest.kind == "Rollout" and bool(wrong - {("name",), ("labels",)})
