"""Finds the files that a command's paths mean, and the folders of environments.

1. A file is read whatever its name; a folder is walked for `*.yaml`, `*.yml` and `*.json` in either case, hidden
   folders, links to folders and `*.outputs.json` left out. 2. Every file is read once, however many paths lead to it.
3. An environment not among them is searched for in `environments/` of each folder up to the repository's root (the one
   with `.git`).
4. A file in a repository that leads out of it by a link is not read, and one found in a folder must be a regular file:
   a pull request may have put it there.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from otactl.errors import Problem
from otactl.manifest.phrases import printable
from otactl.manifest.positions import MAX_BYTES, problem
from otactl.manifest.repository import Places, read_inside, real, shared_ground

_SUFFIXES = (".yaml", ".yml", ".json")
_OUTPUTS = ".outputs.json"


def find_files(paths: Sequence[str], places: Places, coming: Container[Path] = ()) -> tuple[list[str], list[Problem]]:
    """Name every file to read, as messages show them, in a stable order; a path that leads nowhere is a problem.

    `coming` are real paths of files that need not be there yet.
    """
    found: dict[Path, str] = {}
    problems: list[Problem] = []
    cwd = places.cwd
    for path in paths:
        where = cwd / path
        if is_there(where) and where.is_dir():
            inside = list(_walk(path, where))
            if not inside:
                text = "the folder holds no *.yaml, *.yml or *.json file"
                problems.append(
                    problem(path, (1, 1), (), "nothing_to_read", text, "name the folder or file with the manifests")
                )
            for name in inside:
                found.setdefault(places.real(name), name)
        elif is_there(where) or places.real(path) in coming:
            found.setdefault(places.real(path), path)
        else:
            problems.append(
                problem(
                    path, (1, 1), (), "path_not_found", f"there is no {printable(path)}", f"paths are read from {cwd}"
                )
            )
    names = list(found.values())
    problems.extend(_unnameable(name) for name in names if not name.isascii() and not _is_text(name))
    return [name for name in names if _is_text(name)], problems


def is_there(path: Path) -> bool:
    """Return whether a path leads to something; one too long or not permitted leads nowhere."""
    try:
        return path.exists()
    except OSError:
        return False


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _unnameable(name: str) -> Problem:
    return problem(printable(name), (1, 1), (), "name_not_utf8", "the file's name is not UTF-8", "rename the file")


def read_bytes(file: str, places: Places, given: bool = False) -> bytes | Problem:
    """Read a file, one byte more than allowed: enough to refuse it, whatever its size.

    One that is `given` by name and part of no repository need not be regular (`/dev/stdin`), nor where its name is.
    """
    place = places.at(file)
    ground = shared_ground(Path(place).parent, places.cwd) if given else places.ground_of(file)
    found = read_inside(place, ground, MAX_BYTES, places.real) if ground is not None else _read(Path(place))
    if isinstance(found, bytes):
        return found
    return problem(file, (1, 1), (), "unreadable", f"the file {found}", "check the file and its permissions")


def _read(place: Path) -> bytes | str:
    try:
        with place.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror or type(error).__name__}"


def environment_files(files: Sequence[str], places: Places) -> list[str]:
    """Name the files in `environments/` of every folder above the given files, nearest first."""
    found: dict[str, None] = {}
    cwd = places.cwd
    folders = dict.fromkeys(places.real(file).parent for file in files)
    for folder in dict.fromkeys(above for each in folders for above in _upwards(each, real(cwd))):
        place = folder / "environments"
        if is_there(place) and place.is_dir():
            found.update(dict.fromkeys(_walk(_shown(place, cwd), place)))
    return list(found)


def _walk(shown: str, folder: Path) -> Iterator[str]:
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(base).relative_to(folder)
        for name in sorted(files):
            plain = name.lower()
            if plain.endswith(_SUFFIXES) and not plain.endswith(_OUTPUTS) and not name.startswith("."):
                yield os.path.normpath(Path(shown) / inside / name)


def _upwards(folder: Path, cwd: Path) -> Iterator[Path]:
    chain = [folder, *folder.parents]
    root = next((above for above in chain if is_there(above / ".git")), None)
    if root is None:
        root = cwd if cwd in chain else chain[-1]
    yield from chain[: chain.index(root) + 1]


def _shown(place: Path, cwd: Path) -> str:
    base = real(cwd)
    return str(place.relative_to(base)) if place.is_relative_to(base) else str(place)
