"""A journal under real processes: two at once, one killed while it holds the lease, one killed while it commits."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from subprocess import Popen

import pytest

from otactl.errors import LeaseHeldError
from otactl.journal import AnyJournal, open_journal
from otactl.ports import Stored
from tests.support.journal_contract import ENVIRONMENT, NOW, at, change, end, line, process, record, tell

HOLD = """
lease = journal.acquire("prod-eu", "cron", NOW)
print(lease.fencing, flush=True)
sys.stdin.readline()
"""
PAUSED = """
lease = journal.acquire("prod-eu", "cron-a", NOW)
print(lease.fencing, flush=True)
sys.stdin.readline()
record = Record(environment="prod-eu", name="soil", version="late")
try:
    journal.commit((Commit(record=record, expected_revision=0),), lease.fencing)
except ConflictError as error:
    print(error, flush=True)
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


def test_a_killed_process_that_no_one_waited_for_yet_is_dead_too(url: str) -> None:
    with running(url, HOLD) as child, open_journal(url) as journal:
        assert line(child) == "1"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and stays a zombie until `end`
        deadline = NOW + timedelta(seconds=1)
        assert journal.acquire(ENVIRONMENT, "other", at(journal, deadline)).fencing == 2


def test_a_process_that_was_paused_beyond_its_lease_can_no_longer_commit_when_it_wakes_up(url: str) -> None:
    with running(url, PAUSED) as child, open_journal(url) as journal:
        assert line(child) == "1"
        child.send_signal(signal.SIGSTOP)
        lease = journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW + timedelta(seconds=120)))
        assert journal.commit((change(0, "in time"),), lease.fencing) == {"soil": 1}
        tell(child, "go on")
        child.send_signal(signal.SIGCONT)
        assert "fencing number 1 was given, 2 is the newest" in line(child)
        assert journal.load(ENVIRONMENT, "soil").record == record()
        assert [e.message for e in journal.history(ENVIRONMENT, "soil")] == ["in time"]


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
def test_a_process_killed_while_committing_leaves_all_or_nothing_and_loses_nothing_that_it_confirmed(
    url: str, after: int
) -> None:
    with running(url, COMMIT) as child:
        reported = 0
        while reported < after:
            reported = int(line(child))
        child.kill()
        child.wait()
        assert child.stdout is not None
        reported = max([reported, *(int(text) for text in child.stdout.read().splitlines() if text)])
    with open_journal(url) as journal:
        found, messages = _one_moment(journal)
        revisions = {stored.revision for stored in found.values()}
        assert len(found) == 3
        assert revisions in ({reported}, {reported + 1})
        revision = revisions.pop()
        assert {stored.record.version for stored in found.values()} == {str(revision)}
        assert messages == {name: [str(n + 1) for n in range(revision)] for name in found}


def _one_moment(journal: AnyJournal) -> tuple[dict[str, Stored], dict[str, list[str]]]:
    """Records and events at one moment: what a killed process had put on the wire may still arrive at a service."""
    while True:
        found = journal.load_all(ENVIRONMENT)
        messages = {name: [e.message for e in journal.history(ENVIRONMENT, name)] for name in found}
        if journal.load_all(ENVIRONMENT) == found:
            return found, messages
