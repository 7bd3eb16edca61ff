"""Reads manifests where they are: a folder that something else refreshes.

The revision names what `stat` says of the files, so that an unchanged folder is not read again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from otactl.manifest.repository import root_of
from otactl.workers.sources.snapshot import Snapshot, SourceError

ENVIRONMENTS = "environments"


class FolderSource:
    """A folder; `paths` are the manifests below it."""

    shared = False

    def __init__(self, root: Path, paths: Sequence[str]) -> None:
        self._root, self._paths = root, tuple(paths)
        self.name = str(root)

    def fetch(self) -> Snapshot:
        """Return the folder as it is. Raises: SourceError where a path is missing."""
        digest = hashlib.sha256()
        for path in self._paths:
            if not (self._root / path).exists():
                raise SourceError(f"{self._root / path} is missing; correct PATHS")
        for file in sorted(self._files()):
            try:
                seen = Path(file).stat()
            except OSError:
                continue
            digest.update(f"{file}\0{seen.st_size}\0{seen.st_mtime_ns}\0{seen.st_ino}\n".encode(errors="replace"))
        return Snapshot(digest.hexdigest()[:12], self._root)

    def at(self, revision: str) -> Snapshot | None:  # noqa: ARG002 - a folder has no earlier state
        """Return None: a folder keeps no earlier revision."""
        return None

    def keep(self, revisions: Sequence[str]) -> None:
        """Keep the folder: it is not ours."""

    def _files(self) -> Iterator[str]:
        top = root_of(self._root) or self._root
        starts = {self._root / path for path in self._paths}
        for start in list(starts):
            folder = start if start.is_dir() else start.parent
            starts |= {above / ENVIRONMENTS for above in (folder, *folder.parents) if above.is_relative_to(top)}
        for start in starts:
            if start.is_file():
                yield str(start)
            for folder_name, folders, files in os.walk(start):
                folders[:] = [each for each in folders if each not in (".git", ".otactl")]
                yield from (f"{folder_name}/{each}" for each in files)
