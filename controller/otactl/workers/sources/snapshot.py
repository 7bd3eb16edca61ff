"""Defines what a source gives, and unpacks archives of files into a folder of a revision."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from otactl.errors import OtactlError

MOST_BYTES = 512 * 1024 * 1024
MOST_FILES = 200_000
_MARK = ".git"


class SourceError(OtactlError):
    """A source could not be fetched; the last snapshot is kept."""


class Snapshot(NamedTuple):
    """Manifests as they were at a revision, below `root`; `commit` is that of Git, if there is one."""

    revision: str
    root: Path
    commit: str = ""


class Source(Protocol):
    """Where manifests come from; `name` shows it without secrets, `shared` tells whether all workers see the same."""

    name: str
    shared: bool

    def fetch(self) -> Snapshot:
        """Return the newest snapshot. Raises: SourceError."""
        ...

    def at(self, revision: str) -> Snapshot | None:
        """Return the snapshot of an earlier revision; None where it cannot be had."""
        ...

    def keep(self, revisions: Sequence[str]) -> None:
        """Remove the snapshots of all other revisions."""
        ...


class Snapshots:
    """Folders of revisions below a cache; a source that is stored remotely has one."""

    def __init__(self, cache: Path, name: str) -> None:
        self.folder = cache / hashlib.sha256(name.encode()).hexdigest()[:16]

    def of(self, revision: str) -> Path | None:
        """Return the folder of a revision that is there."""
        found = self.folder / revision
        return found if found.is_dir() else None

    @contextmanager
    def filling(self, revision: str) -> Iterator[Path]:
        """Give an empty folder, which becomes that of a revision when the block ends without an error."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=".filling-", dir=self.folder))
        except OSError as error:
            raise SourceError(f"cannot write to {self.folder}: {error.strerror}; choose another --cache") from error
        try:
            yield fresh
            # A manifest's place is named from its repository's root: the same in each snapshot.
            (fresh / _MARK).mkdir(exist_ok=True)
            target = self.folder / revision
            if not target.exists():
                fresh.rename(target)
        except OSError as error:
            raise SourceError(f"cannot write to {self.folder}: {error.strerror}; free some space") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def keep(self, revisions: Sequence[str]) -> None:
        """Remove the folders of all other revisions."""
        if not self.folder.is_dir():
            return
        for each in self.folder.iterdir():
            if each.is_dir() and not each.name.startswith(".") and each.name not in revisions:
                shutil.rmtree(each, ignore_errors=True)


class Allowance:
    """Counts the files and bytes of a snapshot. Raises: SourceError beyond what one may have."""

    def __init__(self, name: str) -> None:
        self._name, self._files, self._bytes = name, 0, 0

    def take(self, size: int) -> None:
        """Count one file."""
        self._files += 1
        self._bytes += size
        if self._files > MOST_FILES or self._bytes > MOST_BYTES:
            limits = f"{MOST_FILES} files or {MOST_BYTES // 1024**2} MiB"
            raise SourceError(f"{self._name} has more than {limits}; name the folder of the manifests alone")


def inside(root: Path, name: str) -> Path | None:
    """Return the place of a file below a folder; None for a name that leads out of it or into `.git`."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or any(part in ("..", _MARK) or "\0" in part or "\\" in part for part in parts):
        return None
    return root.joinpath(*parts)


def write(place: Path, copy: Callable[[int], None]) -> None:
    """Create a regular file and fill it through its descriptor."""
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        copy(descriptor)
    finally:
        os.close(descriptor)
