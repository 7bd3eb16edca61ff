"""Finds the environments of the working folder, for verbs without PATH that need the journal.

1. `--manifests` says where; else the repository is searched, or, without one, the working folder and three
   folders down. Links to folders and hidden folders are left out, as everywhere.
2. Only files that may hold an `Environment` are read, and what is wrong in them stops no verb: it is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from otactl.errors import ManifestError, UsageError
from otactl.manifest import read_paths
from otactl.manifest.phrases import did_you_mean
from otactl.manifest.positions import MAX_BYTES
from otactl.manifest.repository import real, root_of
from otactl.model import Environment
from otactl.report.sanitize import plain

ENOUGH = 50_000
DEPTH = 3
_SUFFIXES = (".yaml", ".yml", ".json")
_MANY = ("node_modules", "__pycache__", "site-packages")

manifests_option = click.option(
    "--manifests",
    metavar="PATH",
    multiple=True,
    help="Where to read the environments, which say where the journal is. Repeatable.  [default: the repository]",
)


def environments_near(manifests: Sequence[str] = ()) -> tuple[Environment, ...]:
    """Read the environments (rules 1 and 2); raises `ManifestError` where the manifests were named and are wrong."""
    if manifests:
        reading = read_paths(manifests)
        if reading.errors:
            raise ManifestError(reading.errors)
        return reading.environments
    files = list(_candidates())
    if not files:
        return ()
    reading = read_paths(files)
    for file in dict.fromkeys(each.file for each in reading.errors if _names_a_journal(Path(each.file))):
        text = f"{file} is not valid (run `otactl validate`), so the journal it names is not read"
        click.echo(plain(text), err=True)
    return reading.environments


def environment_named(name: str, manifests: Sequence[str]) -> Environment:
    """Return an environment by its name or its manifest file. Raises: UsageError where there is none, or several."""
    if Path(name).is_file():
        return _of_file(name)
    declared = {each.name: each for each in environments_near(manifests)}
    if name in declared:
        return declared[name]
    hint = did_you_mean(name, declared) or "name the folder of its manifest with --manifests"
    raise UsageError(f"no manifest here declares an environment {name!a}; {hint}")


def _of_file(file: str) -> Environment:
    reading = read_paths([file])
    if reading.errors:
        first = reading.errors[0]
        raise UsageError(f"{first.file}:{first.line}:{first.column}: {first.code}: {first.message}")
    if len(reading.environments) != 1:
        raise UsageError(f"{file} holds {len(reading.environments)} environments; name a file with one")
    return reading.environments[0]


def _candidates() -> Iterator[str]:
    here = real(Path.cwd())
    root = root_of(here)
    start, deepest = (root, None) if root is not None else (here, DEPTH)
    seen = 0
    for base, folders, files in os.walk(start):
        deep = len(Path(base).relative_to(start).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _MANY)
        if deepest is not None and deep >= deepest:
            folders.clear()
        for name in sorted(files):
            seen += 1
            place = Path(base) / name
            if name.endswith(_SUFFIXES) and not name.startswith(".") and _may_hold_one(place):
                yield str(place.relative_to(here)) if place.is_relative_to(here) else str(place)
        if seen > ENOUGH:
            text = f"{start} holds more than {ENOUGH} files, so not all were searched for environments; add --manifests"
            click.echo(plain(text), err=True)
            return


def _may_hold_one(place: Path) -> bool:
    text = _start_of(place)
    return b"Environment" in text and b"otactl.dev/" in text


def _names_a_journal(place: Path) -> bool:
    return b"journal" in _start_of(place)


def _start_of(place: Path) -> bytes:
    try:
        if not place.is_file():
            return b""
        with place.open("rb") as opened:
            return opened.read(MAX_BYTES)
    except OSError:
        return b""
