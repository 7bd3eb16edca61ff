"""Loads everything that the given paths declare, with every problem of every file; no other code reads manifests.

1. A document with an error yields no value; the others of its file do. Where the rest of it makes sense, the rules
   across fields are reported in the same run.
2. `require_environments` reports as errors what a deployment would lack: an environment, its outputs, a reference.
3. Environments are taken from the given files first, then from `environments/` folders above them.
4. What a file is about to hold can be read in its place (`instead`), so that an edit is judged before it is written.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from otactl import policies
from otactl.errors import Problem
from otactl.manifest import discovery
from otactl.manifest.document import Manifest, classify
from otactl.manifest.positions import at_field, problem
from otactl.manifest.repository import Places
from otactl.manifest.resolver import Resolver
from otactl.manifest.source import read_source
from otactl.manifest.unreadable import UnreadableDocument, broken_of
from otactl.model import Environment, Rollout


class Reading(NamedTuple):
    """What the paths declare. With errors, `rollouts` and `environments` are those that have none.

    `names` are the files the paths lead to, as messages show them; `files` counts them; `broken` are the manifests that
    the errors are about. `referred` are the files that each manifest's file refers to.
    """

    rollouts: tuple[Rollout, ...]
    environments: tuple[Environment, ...]
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    files: int
    names: tuple[str, ...] = ()
    broken: tuple[UnreadableDocument, ...] = ()
    referred: Mapping[str, frozenset[str]] = MappingProxyType({})


def read_paths(
    paths: Sequence[str],
    *,
    cwd: Path | None = None,
    require_environments: bool = False,
    instead: Mapping[Path, bytes] | None = None,
) -> Reading:
    """Read, check and resolve every manifest under the paths, which are relative to `cwd`. Raises nothing.

    `instead` has the bytes to read for a real path (rule 4), which need not be there.
    """
    with _no_collections():
        return _Reader(Path.cwd() if cwd is None else cwd, require_environments, instead or {}).read(paths)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Let Python search no cycles: a reading makes none, and its millions of objects are searched again and again."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


class _Reader:
    def __init__(self, cwd: Path, require_environments: bool, instead: Mapping[Path, bytes]) -> None:
        self.places = Places(cwd)
        self.instead = instead
        self.given: frozenset[str] = frozenset()
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self.read_files: dict[Path, str] = {}
        self.resolver = Resolver(self.places, self.errors, self.warnings, strict=require_environments)

    def read(self, paths: Sequence[str]) -> Reading:
        self.given = frozenset(paths)
        files, problems = discovery.find_files(paths, self.places, self.instead)
        self.errors.extend(problems)
        manifests = [manifest for file in files for manifest in self.load(file)]
        rollouts = [each for each in manifests if each.kind == "Rollout"]
        environments = [each for each in manifests if each.kind == "Environment"]
        environments += self.look_up(rollouts, environments, files)
        for each in environments:
            self.resolver.environment(each)
        manifests = self.drop_outputs(manifests)
        for each in rollouts:
            self.resolver.rollout(each)
        self.judge_together(environments, rollouts)
        unknown = [each for each in manifests if not each.kind]
        return Reading(
            rollouts=tuple(each.rollout for each in rollouts if each.rollout is not None and not each.failed),
            environments=tuple(
                each.environment for each in environments if each.environment is not None and not each.failed
            ),
            errors=_ordered(self.errors),
            warnings=_ordered(self.warnings),
            files=len(files),
            names=tuple(files),
            broken=broken_of((*rollouts, *environments, *unknown), self.errors, self.resolver.used_files),
            referred={file: frozenset(used) for file, used in self.resolver.referred.items()},
        )

    def load(self, file: str, kind: str | None = None) -> list[Manifest]:
        """Read one file's manifests; of `kind` only, if one is named (then others are no one's business)."""
        place = self.places.real(file)
        given = file in self.given
        data = self.instead[place] if place in self.instead else discovery.read_bytes(file, self.places, given)
        if isinstance(data, Problem):
            self.errors.append(data)
            return []
        self.read_files[place] = file
        source = read_source(file, data)
        self.errors.extend(source.problems)
        found = [classify(source, document) for document in source.documents]
        if kind is not None:
            found = [each for each in found if each.kind == kind]
        for each in found:
            each.failed = bool(source.problems)
            each.check(self.errors)
        return found

    def look_up(self, rollouts: list[Manifest], known: list[Manifest], files: list[str]) -> list[Manifest]:
        """Read the `environments/` folders for those that rollouts name and no one gave (rule 3)."""
        missing = {each.wanted_environment for each in rollouts} - {each.name for each in known} - {""}
        if not missing:
            return []
        found: list[Manifest] = []
        for file in discovery.environment_files(files, self.places):
            if self.places.real(file) in self.read_files:
                continue
            found.extend(self.load(file, "Environment"))
        used = [each for each in found if each.name in missing]
        unused = {each.source.file for each in found} - {each.source.file for each in used}
        self.errors[:] = [each for each in self.errors if each.file not in unused]
        return used

    def drop_outputs(self, manifests: list[Manifest]) -> list[Manifest]:
        """Drop the errors of stack-outputs files in a walked folder: they are no manifests."""
        outputs = self.resolver.outputs_files
        named = {shown for path, shown in self.read_files.items() if path in outputs}
        self.errors[:] = [each for each in self.errors if not (each.code == "not_a_manifest" and each.file in named)]
        return [each for each in manifests if each.source.file not in named]

    def judge_together(self, environments: list[Manifest], rollouts: list[Manifest]) -> None:
        """Check the rules between manifests; of two that collide neither yields a value."""
        sound = [each for each in (*environments, *rollouts) if each.value is not None and not each.failed]
        values = [each.value for each in sound if each.value is not None]
        for located in policies.between(values):
            violation, manifest = located.violation, sound[located.index]
            at, path = manifest.position(violation.pointer)
            message = at_field(path, violation.message)
            fault = problem(manifest.source.file, at, path, violation.code, message, violation.hint)
            if violation.severity == "error":
                manifest.failed = True
                sound[located.first].failed = True  # which of the two is meant no one knows
                sound[located.first].elsewhere.append(fault)
                self.errors.append(fault)
            else:
                self.warnings.append(fault)


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, by file in the order of reading, then by place."""
    files = {file: order for order, file in enumerate(dict.fromkeys(each.file for each in problems))}
    return tuple(sorted(dict.fromkeys(problems), key=lambda each: (files[each.file], each.line, each.column)))
