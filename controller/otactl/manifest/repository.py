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
    inside, base = str(where), str(ground).rstrip(os.sep)
    if inside != (base or os.sep) and not inside.startswith(base + os.sep):
        return f"{OUTSIDE} {ground}"
    if f"{os.sep}.git{os.sep}" in f"{inside.removeprefix(base)}{os.sep}":
        return "lies in .git"
    return ""


def read_inside(
    path: str | Path, ground: Path, limit: int, follow: Callable[[str | Path], Path] | None = None
) -> bytes | str:
    """Return the bytes of a named file, at most one more than `limit`; else the reason, as `refusal` says it.

    `follow` follows the links of the path.
    """
    where = follow(path) if follow is not None else real(Path(path))
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
    """Where the paths of one reading lead: the links of a folder are followed once for all its files.

    Paths are text here and joined as text: a `Path` for each step costs more than the file's bytes.
    """

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self._base = str(cwd)
        self._folders: dict[str, str] = {}
        self._found: dict[str, Path] = {}
        self._grounds: dict[str, Path] = {}
        self._roots: dict[str, Path | None] = {}

    def real(self, path: str | Path) -> Path:
        """Follow every link of a path from the working folder, as `real` does."""
        named = os.fspath(path)
        if (known := self._found.get(named)) is None:
            known = self._found[named] = self._follow(f"{self._base}{os.sep}{named}" if named[:1] != os.sep else named)
        return known

    def _follow(self, path: str) -> Path:
        folder, _, name = path.rpartition(os.sep)
        if name in ("", ".", "..") or not folder:
            return real(Path(path))
        if (base := self._folders.get(folder)) is None:
            base = self._folders[folder] = os.path.realpath(folder)
        where = Path(base, name)
        try:
            linked = where.is_symlink()
        except OSError:  # a name longer than any file's, a folder that may not be searched
            linked = True
        return real(where) if linked else where

    def at(self, file: str) -> str:
        """Return the absolute path of a file, by its name alone: `..` takes away what is before it."""
        if ".." in file:
            return os.path.normpath(self.cwd / file)
        return file if file[:1] == os.sep else f"{self._base}{os.sep}{file}"

    def ground_of(self, manifest: str) -> Path:
        """Return the folder that the files named in a manifest must not leave."""
        folder = _folder_of(self.at(manifest))
        if (found := self._grounds.get(folder)) is None:
            found = self._grounds[folder] = ground_of(Path(folder, "manifest"), self.cwd)
        return found

    def name_of(self, file: str) -> str:
        """Name a file the same from every working folder: relative to its repository's root, absolute without one."""
        place = self.at(file)
        folder, where = _folder_of(place), self.real(place)
        if folder not in self._roots:
            self._roots[folder] = root_of(Path(folder))
        root = self._roots[folder]
        return where.relative_to(root).as_posix() if root is not None and where.is_relative_to(root) else str(where)


def _folder_of(path: str) -> str:
    return path.rpartition(os.sep)[0] or os.sep
