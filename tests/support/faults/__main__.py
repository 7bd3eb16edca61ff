"""Plays the fault product over HTTP: `play` goes on where it was stopped, `case` plays one, `record` writes the page.

The last line is the summary. `record` writes what `play` has reached into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.support.faults import recorded, work
from tests.support.faults.cases import SHARES, cases, settings
from tests.support.faults.judge import FAILED, Result, play
from tests.support.sdk_models import read_once

FOLDER = Path(".otactl/faults")


def main(words: list[str]) -> int:
    """Run one command; 1 when a case fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.faults", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    playing = commands.add_parser("play", help="the product, share by share")
    playing.add_argument("--folder", type=Path, default=FOLDER)
    playing.add_argument("--shares", type=int, default=SHARES, help="play so many shares of each setting")
    playing.add_argument("--of", type=int, default=SHARES, help="divide the cases of a setting into so many")
    playing.add_argument("--minutes", type=float, default=24 * 60.0, help="stop after so long")
    playing.add_argument("--workers", type=int, default=2)
    playing.add_argument(
        "--only", action="append", default=[], help="the settings whose names start so, as fuota/waves/sqlite/correct"
    )
    one = commands.add_parser("case", help="one case, by the name that a failure is printed with")
    one.add_argument("name")
    recording = commands.add_parser("record", help="the tables of docs/reliability.md, from the cases that were played")
    recording.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args(words)
    if given.command == "play":
        return _play(given)
    if given.command == "case":
        return _case(given.name)
    recorded.write(recorded.figures(work.results(given.folder)))
    return 0


def _play(given: argparse.Namespace) -> int:
    given.folder.mkdir(parents=True, exist_ok=True)
    until = time.time() + 60 * given.minutes
    done = 0
    for found in work.run(work.jobs(given.folder, given.only, given.shares, given.of), given.workers, until):
        for result in found:
            _show(result)
        done += len(found)
        if found and time.time() < until:
            print(f"{done:,} cases played", flush=True)
    every = work.results(given.folder)
    print(recorded.summary(every))
    return 1 if any(r.outcome == FAILED for r in every) else 0


def _show(result: Result) -> None:
    if result.outcome == FAILED:
        held = f" ({', '.join(result.codes)})" if result.codes else ""
        print(f"{result.case}{held}: {result.detail}", flush=True)


def _case(name: str) -> int:
    setting = next(s for s in settings() if name.startswith(f"{s.name}@"))
    with read_once():
        scouted = work.scout_of(setting)
        (case,) = (c for c in cases(setting, scouted.boundaries) if c.name == name)
        (result,) = play(setting, lambda _cases: [case], scouted)
    print(f"{case.boundary.kind.value} {case.boundary.operation}")
    _show(result)
    print(recorded.summary([result]))
    return 1 if result.outcome == FAILED else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
