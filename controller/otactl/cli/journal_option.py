"""Resolves the journal of a command: the same one from every working folder.

1. `--journal`, else `OTACTL_JOURNAL`, else `spec.journal` of the environment, else the default place. An empty name is
   an error: it would be a memory that no one chose.
2. The default place is `.otactl/journal.db` in the repository's root. Without a repository it is that of the nearest
   folder from the manifests upwards that has one (up to the first folder of another user); where none has, it is
   in the folder that the first PATH lies in.
3. A journal is created by `make` alone, which `otactl journal init` and `otactl init` call: a pass over a fresh memory
   would send everything again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from otactl.errors import JournalMissingError, StalledError, UsageError
from otactl.journal import AnyJournal, is_file, open_journal, path_of, shown_of
from otactl.journal.postgres.address import is_on_postgres, must_be_a_manifests
from otactl.manifest.repository import real, root_of
from otactl.model import Environment
from otactl.report.journals_used import UsedJournal

VARIABLE = "OTACTL_JOURNAL"
FOLDER, FILE = ".otactl", "journal.db"
MANIFESTS = "rollouts"

journal_option = click.option(
    "--journal",
    metavar="URL",
    help="The journal: a path, sqlite:///…, s3://BUCKET/PREFIX or postgresql://HOST/DATABASE."
    "  [default: OTACTL_JOURNAL, else spec.journal of the"
    " environment, else .otactl/journal.db in the repository's root]",
)


class Place(NamedTuple):
    """Where a journal is, as `open_journal` takes it, and who says so; `origin` is "" for the default place."""

    url: str
    origin: str = ""

    @property
    def shown(self) -> str:
        """Return the place for people: short where it is below the working folder."""
        return _short(path_of(self.url)) if is_file(self.url) else shown_of(self.url)

    def used(self, environment: str = "") -> UsedJournal:
        """Return the place as reports show it."""
        whole = str(path_of(self.url).absolute()) if is_file(self.url) else self.shown
        return UsedJournal(environment=environment, place=whole, shown=self.shown, origin=self.origin)


def overridden(option: str | None) -> Place | None:
    """Return the journal that the command line names, or the process's environment; None where neither does.

    Raises: UsageError when one of them is empty.
    """
    if option is not None:
        if not option.strip():
            raise UsageError("--journal is empty; name a journal, or omit the option")
        return Place(option, "--journal")
    named = os.environ.get(VARIABLE)
    if named is None:
        return None
    if not named.strip():
        text = f"{VARIABLE} is set and empty, so it names no journal"
        raise UsageError(f"{text}; set it to the journal's path or URL, or unset it")
    return Place(named, VARIABLE)


def place_for(environment: Environment, paths: Sequence[str], option: str | None) -> Place:
    """Return where the memory of an environment is that was read from these paths."""
    named = overridden(option)
    if named is not None:
        return named
    if environment.journal is not None:
        if is_on_postgres(environment.journal):
            must_be_a_manifests(environment.journal, os.environ)
        return _beneath(environment.journal, "spec.journal")
    return default_place(paths)


def default_place(paths: Sequence[str]) -> Place:
    """Return the default journal (rule 2); without paths, as seen from the working folder."""
    first = paths[0] if paths else MANIFESTS if Path(MANIFESTS).is_dir() else ""
    start = real(Path(first or "."))
    folder = start if start.is_dir() else start.parent
    root = root_of(folder)
    if root is None:
        fresh = start.parent if Path(first).name not in ("", "..") else start
        root = next((each for each in _own(folder) if (each / FOLDER / FILE).is_file()), fresh)
    return _beneath(f"sqlite:///{root / FOLDER / FILE}", "")


def make(place: Place) -> tuple[AnyJournal, bool]:
    """Open the journal at a place for writing, create it if there is none; return whether it was created."""
    try:
        return open_journal(place.url, must_exist=True, write=True), False
    except JournalMissingError:
        pass
    except StalledError as error:
        if error.reason != "JournalNeedsUpgrade":
            raise
    opened = open_journal(place.url)
    if is_file(place.url):
        _keep_out_of_git(path_of(place.url).parent)
    return opened, True


def _keep_out_of_git(folder: Path) -> None:
    """Write a .gitignore: a journal that is committed would be two journals in two clones."""
    note = folder / ".gitignore"
    if folder.name != FOLDER or note.exists():
        return
    try:
        note.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {note}: {error.strerror}; write a line with * into it") from error


def _own(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it, up to the first of another user, who could put any journal there."""
    owner = folder.stat().st_uid if folder.exists() else None
    for each in (folder, *folder.parents):
        if owner is not None and each.stat().st_uid != owner:
            return
        yield each


def _beneath(url: str, origin: str) -> Place:
    """Return a place whose file is named from the working folder where it is below that."""
    return Place(f"sqlite:///{_short(path_of(url))}" if is_file(url) else url, origin)


def _short(path: Path) -> str:
    here = real(Path.cwd())
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
