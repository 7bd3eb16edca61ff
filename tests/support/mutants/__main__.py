"""Judges a sample of mutants: `run` goes on where it was stopped, `record` writes docs/reliability.md.

`run --again` judges those that survived or took too long a second time; `survivors` prints them.
"""

from __future__ import annotations

import argparse
import sys

from tests.support.mutants import judged, recorded
from tests.support.mutants.sample import COUNT, SEED, sample


def main(words: list[str]) -> int:
    """Run one command; 1 when fewer are killed than are required."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.mutants", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="judge the mutants that are not judged yet")
    running.add_argument("--again", action="store_true", help="and those that survived, or took too long")
    commands.add_parser("survivors", help="print the mutants that no test noticed")
    commands.add_parser("record", help="write the page")
    given = parser.parse_args(words)
    judged.stage()
    every = judged.names()
    wanted = sample(every)
    found = {name: state for name, state in judged.results().items() if name in set(wanted)}
    if given.command == "run":
        again = {judged.SURVIVED, judged.TIMEOUT} if given.again else set()
        todo = [name for name in wanted if name not in found or found[name] in again]
        if todo and judged.judge(todo):
            return 1
        found = {name: state for name, state in judged.results().items() if name in set(wanted)}
    survivors = [name for name, state in found.items() if state == judged.SURVIVED]
    changes = {name: judged.change(name) for name in survivors}
    record = recorded.recorded(SEED, every, found, changes)
    if given.command == "survivors":
        for each in record.survivors:
            print(f"{each.function}\n  {each.before}\n  {each.after}\n  {each.reason or 'no reason'}")
    if given.command == "record":
        if record.total < COUNT:
            print(f"{record.total} of {COUNT} mutants are judged: run `make mutants` first")
            return 1
        recorded.write(record)
    if not record.total:
        print("no mutant is judged")
        return 1
    print(f"{100 * record.share_killed:.1f} % of {record.total} mutants killed, {len(survivors)} survived")
    return 0 if record.share_killed >= recorded.LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
