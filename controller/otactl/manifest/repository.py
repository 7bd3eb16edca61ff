"""Reads files that a manifest names: regular, of bounded size, inside its repository after links are followed.

1. A repository is the folder with `.git` above a manifest. Without one it is the working folder if the manifest lies
   below it, else the manifest's own folder (of `environments/`: the folder that holds it).
2. What lies outside is refused before its existence is checked; so is all of `.git`, which may hold tokens.
3. A file is opened without waiting (a FIFO has no end), must be a regular one, and is read up to its limit.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

OUTSIDE = "leads out of the repository"


def real(path: Path) -> Path:
    """Follow every link of a path, also where it leads nowhere or in circles."""
    return Path(os.path.realpath(path))


def root_of(folder: Path) -> Path | None:
    """Return the repository's root: the nearest folder with `.git`, from this one upwards; None without."""
    here = real(folder)
    for above in (here, *here.parents):
        try:
            if (above / ".git").exists():
                return above
        except OSError:
            continue
    return None


def ground_of(manifest: Path, cwd: Path) -> Path:
    """Return the folder that the files named in a manifest must not leave (rule 1); `manifest` is its absolute path."""
    folder = real(manifest.parent)
    return shared_ground(folder, cwd) or (folder.parent if folder.name == "environments" else folder)


def shared_ground(folder: Path, cwd: Path) -> Path | None:
    """Return the repository that a folder is part of, or the working folder above it; None if it is part of neither."""
    here, base = real(folder), real(cwd)
    root = root_of(here)
    if root is None and here.is_relative_to(base) and base != Path(base.anchor):
        return base
    return root


def refusal(path: Path, ground: Path) -> str:
    """Return why a manifest here may not use a path, in words that follow its name; empty if it may."""
    return _refusal(real(path), ground)


def _refusal(where: Path, ground: Path) -> str:
    if not where.is_relative_to(ground):
        return f"{OUTSIDE} {ground}"
    if ".git" in where.relative_to(ground).parts:
        return "lies in .git"
    return ""


def read_inside(path: Path, ground: Path, limit: int, follow: Callable[[Path], Path] = real) -> bytes | str:
    """Return the bytes of a named file, at most one more than `limit`; else the reason, as `refusal` says it.

    `follow` follows the links of the path.
    """
    where = follow(path)
    return _refusal(where, ground) or read_regular(where, limit)


def read_regular(path: Path, limit: int) -> bytes | str:
    """Return the bytes of a regular file, at most one more than `limit`; else why it cannot be read."""
    try:
        # Without O_NONBLOCK, opening a FIFO waits for whoever writes to it.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)  # of a folder no file object can be made
        return "is no regular file"
    with os.fdopen(opened, "rb") as file:
        try:
            return file.read(limit + 1)
        except OSError as error:
            return f"cannot be read: {error.strerror or type(error).__name__}"


class Places:
    """Where the paths of one reading lead: the links of a folder are followed once for all its files."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self._folders: dict[str, str] = {}
        self._found: dict[Path, Path] = {}
        self._grounds: dict[Path, Path] = {}
        self._roots: dict[Path, Path | None] = {}

    def real(self, path: Path) -> Path:
        """Follow every link of a path, as `real` does."""
        if (known := self._found.get(path)) is None:
            known = self._found[path] = self._follow(path)
        return known

    def _follow(self, path: Path) -> Path:
        folder, name = os.path.split(path)
        if name in ("", "..") or not folder:
            return real(path)
        if (base := self._folders.get(folder)) is None:
            base = self._folders[folder] = os.path.realpath(folder)
        where = Path(base, name)
        return real(where) if where.is_symlink() else where

    def ground_of(self, manifest: Path) -> Path:
        """Return the folder that the files named in a manifest must not leave."""
        folder = manifest.parent
        if (found := self._grounds.get(folder)) is None:
            found = self._grounds[folder] = ground_of(manifest, self.cwd)
        return found

    def name_of(self, file: Path) -> str:
        """Name a file the same from every working folder: relative to its repository's root, absolute without one."""
        folder = file.parent
        if folder not in self._roots:
            self._roots[folder] = root_of(folder)
        root, where = self._roots[folder], self.real(file)
        return where.relative_to(root).as_posix() if root is not None and where.is_relative_to(root) else str(where)
