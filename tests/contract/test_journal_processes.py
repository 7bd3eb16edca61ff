"""A journal under real processes: two at once, one killed while it holds the lease, one killed while it commits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from subprocess import Popen

import pytest

from controller.errors import LeaseHeldError
from controller.journal import open_journal
from tests.contract.journal_kit import ENVIRONMENT, NOW, STORES, end, line, process, tell

HOLD = """
lease = journal.acquire("prod-eu", "cron", NOW)
print(lease.fencing, flush=True)
sys.stdin.readline()
"""
RACE = """
print("ready", flush=True)
sys.stdin.readline()
won = 0
for revision in range(40):
    record = Record(environment="prod-eu", name="soil", version=sys.argv[2])
    try:
        journal.commit((Commit(record=record, expected_revision=revision),), 0)
        won += 1
    except ConflictError:
        pass
print(won, flush=True)
"""
COMMIT = """
for n in range(1, 100000):
    commits = tuple(
        Commit(record=Record(environment="prod-eu", name=name, version=str(n), source="x" * 20000),
               expected_revision=n - 1, events=(Event(at=NOW, kind="note", subject=name, message=str(n)),))
        for name in ("a", "b", "c"))
    journal.commit(commits, 0)
    print(n, flush=True)
"""
CREATE = """
print("opened", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(params=sorted(STORES))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return STORES[request.param](tmp_path)


@contextmanager
def running(url: str, script: str, *arguments: str) -> Iterator[Popen[str]]:
    child = process(url, script, *arguments)
    try:
        yield child
    finally:
        end(child)


def test_a_lease_of_a_live_process_is_refused_and_of_a_killed_one_taken_over_at_once(url: str) -> None:
    with running(url, HOLD) as child, open_journal(url) as journal:
        assert line(child) == "1"
        with pytest.raises(LeaseHeldError, match=rf"cron \(pid {child.pid} on "):
            journal.acquire(ENVIRONMENT, "cron", NOW)
        child.kill()
        child.wait()
        assert journal.acquire(ENVIRONMENT, "cron", NOW).fencing == 2


def test_a_killed_process_that_nobody_waited_for_yet_is_dead_too(url: str) -> None:
    with running(url, HOLD) as child, open_journal(url) as journal:
        assert line(child) == "1"
        child.kill()
        assert line(child) == ""  # its end of the pipe is closed, so it is dead; it stays a zombie until `end`
        deadline = NOW + timedelta(seconds=1)
        assert journal.acquire(ENVIRONMENT, "other", deadline).fencing == 2


def test_of_two_processes_committing_the_same_revisions_each_revision_goes_to_one(url: str) -> None:
    open_journal(url).close()
    with running(url, RACE, "one") as one, running(url, RACE, "two") as two:
        assert (line(one), line(two)) == ("ready", "ready")
        tell(one, "go")
        tell(two, "go")
        won = int(line(one)) + int(line(two))
    with open_journal(url) as journal:
        assert journal.load(ENVIRONMENT, "soil").revision == won == 40


def test_processes_that_make_a_new_journal_at_the_same_moment_all_get_it(url: str) -> None:
    with ExitStack() as stack:
        children = [stack.enter_context(running(url, CREATE)) for _ in range(4)]
        assert [line(child) for child in children] == ["opened"] * 4


@pytest.mark.parametrize("after", [1, 2, 5, 9, 14])
def test_a_process_killed_while_committing_leaves_all_or_nothing_and_loses_nothing_it_was_told_is_kept(
    url: str, after: int
) -> None:
    with running(url, COMMIT) as child:
        told = 0
        while told < after:
            told = int(line(child))
        child.kill()
        child.wait()
        assert child.stdout is not None
        told = max([told, *(int(text) for text in child.stdout.read().splitlines() if text)])
    with open_journal(url) as journal:
        found = journal.load_all(ENVIRONMENT)
        revisions = {stored.revision for stored in found.values()}
        assert len(found) == 3
        assert revisions in ({told}, {told + 1})
        revision = revisions.pop()
        assert {stored.record.version for stored in found.values()} == {str(revision)}
        for name in found:
            assert [e.message for e in journal.history(ENVIRONMENT, name)] == [str(n + 1) for n in range(revision)]
