"""The laws of a journal, the same for every store: compare-and-set, all or none, fencing, order, leases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from otactl.errors import ConflictError, LeaseHeldError, StalledError
from otactl.journal import AnyJournal, open_journal
from tests.support.journal_contract import ENVIRONMENT, NOW, at, change, record


@pytest.fixture
def journal(url: str) -> Iterator[AnyJournal]:
    with open_journal(url) as opened:
        yield opened


def test_an_unknown_rollout_is_empty_at_revision_0(journal: AnyJournal) -> None:
    stored = journal.load(ENVIRONMENT, "soil")
    assert (stored.revision, stored.record) == (0, record())
    assert journal.load_all(ENVIRONMENT) == {}
    assert journal.history(ENVIRONMENT, "soil") == ()
    assert journal.environments() == ()


def test_a_commit_gives_the_next_revision_and_is_what_load_gives_back(journal: AnyJournal) -> None:
    assert journal.commit((change(0, version="1"),), 0) == {"soil": 1}
    assert journal.commit((change(1, version="2"),), 0) == {"soil": 2}
    stored = journal.load(ENVIRONMENT, "soil")
    assert (stored.revision, stored.record.version) == (2, "2")


def test_the_size_of_a_journal_grows_with_what_is_written(journal: AnyJournal) -> None:
    before = journal.size_bytes()
    names = [f"r{n:03}" for n in range(200)]
    journal.commit(tuple(change(0, *(f"{name} {n}" for n in range(5)), name=name) for name in names), 0)

    assert journal.size_bytes() > before > 0


@pytest.mark.parametrize(("committed", "expected"), [(0, 1), (1, 0), (2, 1), (1, 2)])
def test_a_revision_that_moved_is_a_conflict_naming_key_expected_and_found(
    journal: AnyJournal, committed: int, expected: int
) -> None:
    for revision in range(committed):
        journal.commit((change(revision, version="kept"),), 0)
    before = journal.load(ENVIRONMENT, "soil")
    with pytest.raises(ConflictError, match=rf"prod-eu/soil: expected revision {expected}, found {committed}"):
        journal.commit((change(expected, "lost", version="lost"),), 0)
    assert journal.load(ENVIRONMENT, "soil") == before
    assert journal.history(ENVIRONMENT, "soil") == ()


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_one_conflict_among_many_commits_writes_none_of_them(journal: AnyJournal, bad: int) -> None:
    names = ("a", "b", "c")
    commits = tuple(change(7 if i == bad else 0, f"event of {n}", name=n) for i, n in enumerate(names))
    with pytest.raises(ConflictError, match=f"prod-eu/{names[bad]}"):
        journal.commit(commits, 0)
    assert journal.load_all(ENVIRONMENT) == {}
    assert [journal.history(ENVIRONMENT, n) for n in names] == [(), (), ()]


def test_a_record_that_cannot_be_json_stops_the_whole_commit(journal: AnyJournal) -> None:
    with pytest.raises(StalledError, match="prod-eu/b cannot be written") as caught:
        journal.commit((change(0, name="a"), change(0, name="b", version="\ud800")), 0)
    assert caught.value.reason == "RecordIsNotStorable"
    assert journal.load_all(ENVIRONMENT) == {}


def test_many_records_are_committed_together_and_loaded_by_name(journal: AnyJournal) -> None:
    revisions = journal.commit(tuple(change(0, name=f"r{i:02}") for i in range(50)), 0)
    assert set(revisions.values()) == {1}
    assert list(journal.load_all(ENVIRONMENT)) == sorted(revisions)


def test_one_record_may_be_committed_twice_in_one_commit(journal: AnyJournal) -> None:
    assert journal.commit((change(0, "1"), change(1, "2", version="2")), 0) == {"soil": 2}
    assert journal.load(ENVIRONMENT, "soil").record.version == "2"
    assert [e.message for e in journal.history(ENVIRONMENT, "soil")] == ["1", "2"]


@pytest.mark.parametrize("at_once", [1, 7, 100])
def test_a_long_history_keeps_its_order(journal: AnyJournal, at_once: int) -> None:
    messages = [str(n) for n in range(200)]
    for revision, first in enumerate(range(0, 200, at_once)):
        journal.commit((change(revision, *messages[first : first + at_once]),), 0)
    assert [e.message for e in journal.history(ENVIRONMENT, "soil")] == messages


def test_a_commit_of_two_environments_is_a_mistake_of_the_caller(journal: AnyJournal) -> None:
    elsewhere = msgspec.structs.replace(change(0), record=msgspec.structs.replace(record(), environment="prod-us"))
    with pytest.raises(ValueError, match="one environment"):
        journal.commit((change(0), elsewhere), 0)


def test_nothing_to_commit_is_nothing_written(journal: AnyJournal) -> None:
    assert journal.commit((), 0) == {}


def test_environments_do_not_see_each_other(journal: AnyJournal) -> None:
    journal.commit((change(0, "here", version="eu"),), 0)
    there = msgspec.structs.replace(record(version="us"), environment="prod-us")
    journal.commit((msgspec.structs.replace(change(0, "there"), record=there),), 0)
    assert journal.environments() == ("prod-eu", "prod-us")
    assert journal.load("prod-us", "soil").record.version == "us"
    assert [e.message for e in journal.history("prod-eu", "soil")] == ["here"]


def test_events_come_back_in_the_order_they_were_committed(journal: AnyJournal) -> None:
    journal.commit((change(0, "1", "2"), change(0, "x", name="other")), 0)
    journal.commit((change(1, "3"),), 0)
    journal.commit((change(2, "4", "5"),), 0)
    assert [e.message for e in journal.history(ENVIRONMENT, "soil")] == ["1", "2", "3", "4", "5"]


def test_what_was_committed_is_there_after_reopening(url: str) -> None:
    with open_journal(url) as first:
        first.commit((change(0, "kept", version="2.4.1"),), 0)
        lease = first.acquire(ENVIRONMENT, "cron", NOW)
    with open_journal(url) as second:
        assert second.load(ENVIRONMENT, "soil").record.version == "2.4.1"
        assert [e.message for e in second.history(ENVIRONMENT, "soil")] == ["kept"]
        assert second.lease(ENVIRONMENT) == lease


def test_two_open_journals_see_each_others_commits_and_conflict(url: str) -> None:
    with open_journal(url) as one, open_journal(url) as two:
        one.commit((change(0, version="one"),), 0)
        assert two.load(ENVIRONMENT, "soil").record.version == "one"
        with pytest.raises(ConflictError):
            two.commit((change(0, version="two"),), 0)
        two.commit((change(1, version="two"),), 0)
        assert one.load(ENVIRONMENT, "soil").record.version == "two"


def test_a_journal_that_was_open_all_along_does_not_refuse_on_old_news(url: str) -> None:
    with open_journal(url) as one, open_journal(url) as two:
        held = one.acquire(ENVIRONMENT, "cron-a", NOW)
        one.commit((change(0),), held.fencing)
        two.load_all(ENVIRONMENT)
        two.lease(ENVIRONMENT)
        one.commit((change(1),), held.fencing)
        one.release(held, NOW)
        lease = two.acquire(ENVIRONMENT, "cron-b", NOW)
        assert lease.fencing == 2
        one.commit((change(2),), lease.fencing)
        assert two.commit((change(3),), lease.fencing) == {"soil": 4}
        two.release(lease, NOW)
        assert one.acquire(ENVIRONMENT, "cron-a", NOW).fencing == 3


def test_no_one_holds_an_environment_at_first(journal: AnyJournal) -> None:
    assert journal.lease(ENVIRONMENT) is None


def test_a_lease_lasts_120_seconds_and_names_its_holder(journal: AnyJournal) -> None:
    lease = journal.acquire(ENVIRONMENT, "cron-a", NOW)
    assert (lease.holder, lease.fencing, lease.expires_at) == ("cron-a", 1, NOW + timedelta(seconds=120))
    assert journal.lease(ENVIRONMENT) == lease


def test_the_same_holder_renews_and_keeps_its_fencing_number(journal: AnyJournal) -> None:
    journal.acquire(ENVIRONMENT, "cron-a", NOW)
    renewed = journal.acquire(ENVIRONMENT, "cron-a", at(journal, NOW + timedelta(seconds=100)))
    assert (renewed.fencing, renewed.expires_at) == (1, NOW + timedelta(seconds=220))


@pytest.mark.parametrize("seconds", [0, 119])
def test_another_live_holder_is_refused_with_who_and_until_when(journal: AnyJournal, seconds: int) -> None:
    lease = journal.acquire(ENVIRONMENT, "cron-a", NOW)
    with pytest.raises(LeaseHeldError, match=r"cron-a \(pid \d+ on .*\) until 2026-03-01T12:02:00Z"):
        journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW + timedelta(seconds=seconds)))
    assert journal.lease(ENVIRONMENT) == lease


def test_an_expired_lease_goes_to_the_next_holder_with_the_next_fencing_number(journal: AnyJournal) -> None:
    journal.acquire(ENVIRONMENT, "cron-a", NOW)
    lease = journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW + timedelta(seconds=120)))
    assert (lease.holder, lease.fencing) == ("cron-b", 2)


def test_a_released_lease_is_free_at_once_and_its_fencing_number_is_not_given_again(journal: AnyJournal) -> None:
    journal.release(journal.acquire(ENVIRONMENT, "cron-a", NOW), NOW)
    lease = journal.acquire(ENVIRONMENT, "cron-b", NOW)
    assert (lease.holder, lease.fencing) == ("cron-b", 2)


def test_releasing_a_lease_another_holds_by_now_changes_nothing(journal: AnyJournal) -> None:
    old = journal.acquire(ENVIRONMENT, "cron-a", NOW)
    new = journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW + timedelta(seconds=130)))
    journal.release(old, at(journal, NOW + timedelta(seconds=131)))
    assert journal.lease(ENVIRONMENT) == new


def test_leases_of_environments_are_independent(journal: AnyJournal) -> None:
    journal.acquire("prod-eu", "cron-a", NOW)
    assert journal.acquire("prod-us", "cron-b", NOW).fencing == 1


def test_the_former_holder_can_no_longer_commit(journal: AnyJournal) -> None:
    old = journal.acquire(ENVIRONMENT, "cron-a", NOW)
    journal.commit((change(0),), old.fencing)
    new = journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW + timedelta(seconds=130)))
    with pytest.raises(ConflictError, match=r"fencing number 1 was given, 2 is the newest"):
        journal.commit((change(1, "late"),), old.fencing)
    assert journal.history(ENVIRONMENT, "soil") == ()
    assert journal.commit((change(1, "in time"),), new.fencing) == {"soil": 2}
