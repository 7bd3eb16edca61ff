"""Fuzzes: `python -m tests.support.fuzz [run | cover | judge KIND FILE | record]`.

`run` goes on where it was stopped. Block n of a kind has the same inputs in every run, so the numbers it prints are
seeds. `cover` looks for inputs by the coverage of the code, and goes on from those that it kept. A failing input is
saved in the folder `failing`, and judged again with `judge`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.support.fuzz import by_coverage, recorded
from tests.support.fuzz.kinds import NAMES, every
from tests.support.fuzz.run import failure, load, run_block, save
from tests.support.paths import ROOT
from tests.support.postgres import PostgresServer, missing

FOLDER = ROOT / "build/fuzz"
SAVE_EVERY = 8  # blocks


def main(words: list[str]) -> int:
    """Run one command, and return the exit code: 1 when an input failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.fuzz", description=__doc__)
    parser.add_argument("command", choices=["run", "cover", "judge", "record"], nargs="?", default="run")
    parser.add_argument("input", nargs="*", help="of judge: the kind, and the file of an input")
    parser.add_argument("--only", action="append", choices=NAMES, help="this kind; may be given several times")
    parser.add_argument("--inputs", type=int, default=200_000, help="inputs of each kind, in all runs together")
    parser.add_argument("--minutes", type=float, default=600.0, help="stop after so many minutes")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args(words)
    if given.command == "record":
        recorded.write([load(given.folder, name) for name in NAMES if (given.folder / f"{name}.json").exists()])
        by_coverage.record(given.folder)
        return 0
    if given.command == "cover":
        return _cover(given.only or by_coverage.NAMES, given.inputs, given.folder)
    shared = Path("/dev/shm")  # noqa: S108 - memory, so that a damaged file costs no disk
    with ExitStack() as ends:
        folder = ends.enter_context(
            tempfile.TemporaryDirectory(prefix="otactl-fuzz-", dir=shared if shared.is_dir() else None)
        )
        kinds = every(Path(folder), lambda: ends.enter_context(PostgresServer()))
        if given.command == "judge":
            kind, file = given.input
            wrong = failure(kinds[kind], Path(file).read_bytes())
            print(wrong or "nothing is wrong")
            return 1 if wrong else 0
        until = time.time() + 60 * given.minutes
        failed = 0
        for name in given.only or NAMES:
            progress = load(given.folder, name)
            known = len(progress.failures)
            if name == "postgres-rows" and missing():
                print(f"{name}: left out: {missing()}")
                continue
            while progress.inputs < given.inputs // kinds[name].share and time.time() < until:
                run_block(kinds[name], progress, given.folder / "failing")
                if progress.blocks % SAVE_EVERY == 0:
                    save(given.folder, progress)
            save(given.folder, progress)
            print(recorded.line(progress), *progress.failures[known:], sep="\n", flush=True)
            failed += len(progress.failures)
        return 1 if failed else 0


def _cover(names: Sequence[str], inputs: int, folder: Path) -> int:
    if reason := by_coverage.missing():
        print(f"no input is looked for by coverage: {reason}")
        return 0
    failed = 0
    for name in names:
        found = by_coverage.run(name, folder, inputs)
        by_coverage.save(folder, found)
        print(by_coverage.line(found), *found.failures, sep="\n", flush=True)
        failed += len(found.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
