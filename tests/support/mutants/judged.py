"""Stages the sources for mutmut, names its mutants, runs it on some of them, and reads what it found."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.support.paths import ROOT

FOLDER = ROOT / "build/mutants"
STAGED = ("conftest.py", "pyproject.toml", "rollouts", "schemas", "tests")
KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeout"
STATES = {1: KILLED, 3: KILLED, 0: SURVIVED, 33: SURVIVED, 5: SURVIVED, 36: TIMEOUT, -24: TIMEOUT, 24: TIMEOUT}
"""Exit codes of mutmut's runs that are a judgement; 33 and 5 report that no test calls the function."""


class _Meta(msgspec.Struct):
    exit_code_by_key: dict[str, int | None]


def stage() -> None:
    """Lay out the repository as mutmut knows it: the sources below `src`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, source in [*((name, name) for name in STAGED), ("src", "controller")]:
        link = FOLDER / name
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(ROOT / source, FOLDER))


def names() -> list[str]:
    """Return the name of each mutant of the packages that `[tool.mutmut]` names."""
    with contextlib.chdir(FOLDER):
        return list(_names())


def _names() -> Iterator[str]:
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.file_utils import walk_mutatable_files
    from mutmut.utils.format_utils import get_mutant_name

    for path in walk_mutatable_files():
        known = Path("mutants", f"{path}.meta")
        if known.exists() and known.stat().st_mtime > path.stat().st_mtime:  # to create them takes a minute of CPU
            yield from msgspec.json.decode(known.read_bytes(), type=_Meta).exit_code_by_key
            continue
        for name in mutate_file_contents(str(path), path.read_text()).mutant_names:
            yield get_mutant_name(path, name)


def results() -> dict[str, str]:
    """Return how each mutant that was judged fared."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("mutants/src/otactl/*/*.meta")):
        for name, code in msgspec.json.decode(path.read_bytes(), type=_Meta).exit_code_by_key.items():
            if code is not None and code in STATES:
                found[name] = STATES[code]
    return found


def judge(wanted: Sequence[str]) -> int:
    """Run mutmut on mutants; what it has found stays when it is stopped."""
    shutil.rmtree(FOLDER / "mutants/tests", ignore_errors=True)  # mutmut adds files and removes none
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "2", *wanted]
    return subprocess.run(command, cwd=FOLDER, check=False, env={**os.environ, "CI": "1"}).returncode


def change(name: str) -> tuple[str, str]:
    """Return the line that a mutant changes, and what it changes it to."""
    with contextlib.chdir(FOLDER):
        from mutmut.mutation.diff_apply import get_diff_for_mutant

        diff = get_diff_for_mutant(name).splitlines()
    lines = [line for line in diff if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    before, after = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return " ".join(before), " ".join(after)
