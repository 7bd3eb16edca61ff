"""Loads manifests for the verbs that drive rollouts: refuses wrong ones, sorts the others by environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from otactl.errors import ManifestError, UsageError
from otactl.manifest import Reading, read_paths
from otactl.manifest.repository import Places, root_of
from otactl.model import Environment, Record, Rollout
from otactl.report.sanitize import plain

environment_option = click.option("--environment", metavar="NAME", help="Only this environment; all by default.")
strict_option = click.option(
    "--strict", is_flag=True, help="Do nothing at all when one manifest has an error.  [default: the others go on]"
)


def read_all(paths: tuple[str, ...], *, offline: bool = False, strict: bool = True) -> Reading:
    """Read every manifest. Warnings go to stderr.

    Raises `ManifestError` with all problems when one is wrong and `strict`, or when nothing is left to continue with.
    """
    if not paths:
        raise UsageError("name at least one manifest file or folder, such as `rollouts/`")
    reading = read_paths(paths, require_environments=not offline)
    if reading.errors and (strict or not (reading.rollouts or reading.environments)):
        raise ManifestError(reading.errors)
    for problem in reading.warnings:
        text = f"{problem.file}:{problem.line}:{problem.column}: {problem.code}: {problem.message}"
        click.echo(plain(text), err=True)
    return reading


def by_environment(reading: Reading, only: str | None = None) -> Iterable[tuple[Environment, tuple[Rollout, ...]]]:
    """Return each environment with the rollouts that go there: what is aborted first, then by name.

    Raises UsageError when there is none of that name, also none with an error.
    """
    names = {e.name for e in reading.environments}
    known = sorted(names | {b.name for b in reading.broken if b.kind == "Environment" and b.name})
    if only is not None and only not in known:
        raise UsageError(f"no environment {only} in these paths; there are: {', '.join(known) or 'none'}")
    chosen = [
        (
            environment,
            tuple(
                sorted(
                    (r for r in reading.rollouts if r.environment == environment.name),
                    key=lambda r: (r.abort is None, r.name),
                )
            ),
        )
        for environment in reading.environments
        if only is None or environment.name == only
    ]
    return sorted(chosen, key=lambda each: (not any(r.abort for r in each[1]), each[0].name))


def covers(paths: tuple[str, ...], reading: Reading) -> Callable[[Record], bool]:
    """Return whether the place of a manifest was read: only then a rollout that nothing declares any more has left Git.

    The place is a file that was read (its rollout was renamed or removed), or one that was deleted from a folder that
    was read. It is searched in the repositories of what was read, never by the path that named it once: in
    another working folder that means another file.
    """
    places = Places(Path.cwd())
    real = places.real

    folders = [real(p) for p in paths if Path(p).is_dir()]
    broken = {real(each.file) for each in reading.broken}  # the content of these is unknown
    files = {real(name) for name in reading.names} - broken
    roots = {root_of(f) or places.cwd for f in {*folders, *(f.parent for f in files)}}

    def read(place: Path) -> bool:
        if place in broken:
            return False
        return place in files or (not place.exists() and any(f in place.parents for f in folders))

    def inside(record: Record) -> bool:
        if not record.manifest_path:  # written by a version that did not know it
            return bool(record.source) and read(real(record.source))
        return any(read(real(root / record.manifest_path)) for root in roots)

    return inside
