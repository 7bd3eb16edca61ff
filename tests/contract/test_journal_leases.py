"""Leases fear no clock, in every store: neither their holder's nor ours can hold an environment for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from otactl.errors import ConflictError, LeaseHeldError
from otactl.journal import AnyJournal, open_journal
from otactl.journal.leases import TERM, TOLERANCE
from otactl.journal.maintenance import check
from otactl.reconcile.leased_journal import LeasedJournal
from tests.support.journal_contract import ENVIRONMENT, NOW, at, change

AHEAD = TERM + TOLERANCE


@pytest.fixture
def journal(url: str) -> Iterator[AnyJournal]:
    with open_journal(url) as opened:
        yield opened


@pytest.mark.parametrize("skew", [TOLERANCE + timedelta(seconds=1), timedelta(days=1), timedelta(days=400)])
def test_a_lease_dated_further_ahead_than_it_lives_is_taken_over_and_reported(
    journal: AnyJournal, skew: timedelta
) -> None:
    old = journal.acquire(ENVIRONMENT, "wrong-clock", at(journal, NOW + skew))

    new = journal.acquire(ENVIRONMENT, "cron", at(journal, NOW))

    assert (new.holder, new.fencing, new.expires_at) == ("cron", 2, NOW + TERM)
    assert "over from wrong-clock (pid" in new.took_over
    assert "one of the two clocks is wrong" in new.took_over
    with pytest.raises(ConflictError, match="another process took over"):
        journal.commit((change(0),), old.fencing)
    assert journal.commit((change(0),), new.fencing) == {"soil": 1}


@pytest.mark.parametrize("skew", [timedelta(), TOLERANCE])
def test_a_clock_that_is_a_little_ahead_keeps_its_lease(journal: AnyJournal, skew: timedelta) -> None:
    journal.acquire(ENVIRONMENT, "cron-a", at(journal, NOW + skew))

    with pytest.raises(LeaseHeldError):
        journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW))
    assert journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW + AHEAD)).took_over == ""


@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(seconds=100), timedelta(days=1)])
def test_a_released_lease_holds_no_one_whatever_its_times(journal: AnyJournal, skew: timedelta) -> None:
    lease = journal.acquire(ENVIRONMENT, "cron-a", at(journal, NOW + skew))
    journal.release(lease, at(journal, NOW + skew + timedelta(seconds=1)))

    shown = journal.lease(ENVIRONMENT)
    new = journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW))

    assert shown is not None
    assert shown.released
    assert (new.fencing, new.took_over) == (2, "")


def test_a_lease_ended_by_hand_is_free_and_its_holder_can_commit_no_more(journal: AnyJournal) -> None:
    assert journal.end_lease(ENVIRONMENT, at(journal, NOW)) is None
    lease = journal.acquire(ENVIRONMENT, "cron-a", at(journal, NOW))

    assert journal.end_lease(ENVIRONMENT, at(journal, NOW)) == lease
    assert journal.end_lease(ENVIRONMENT, at(journal, NOW)) is None
    with pytest.raises(ConflictError):
        journal.commit((change(0),), lease.fencing)
    assert journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW)).fencing > lease.fencing + 1


@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(hours=-1), timedelta(seconds=TERM.seconds + 1)])
def test_a_lease_is_ended_by_hand_whatever_the_clock_of_the_person_says(journal: AnyJournal, skew: timedelta) -> None:
    """By a clock that is ahead the lease of a living run has expired: it holds all the same."""
    lease = journal.acquire(ENVIRONMENT, "cron-a", at(journal, NOW))

    assert journal.end_lease(ENVIRONMENT, at(journal, NOW + skew)) == lease
    with pytest.raises(ConflictError):
        journal.commit((change(0),), lease.fencing)
    assert journal.acquire(ENVIRONMENT, "cron-b", at(journal, NOW)).fencing > lease.fencing + 1


@pytest.mark.parametrize("skew", [timedelta(), timedelta(hours=1)])
def test_a_lease_that_was_given_back_is_not_ended_again(journal: AnyJournal, skew: timedelta) -> None:
    lease = journal.acquire(ENVIRONMENT, "cron-a", at(journal, NOW))
    journal.release(lease, at(journal, NOW))

    assert journal.end_lease(ENVIRONMENT, at(journal, NOW + skew)) is None


def test_the_check_tells_of_a_lease_that_a_wrong_clock_dated_and_of_no_other(journal: AnyJournal) -> None:
    lease = journal.acquire(ENVIRONMENT, "wrong-clock", at(journal, NOW + timedelta(days=1)))
    (found,) = check(journal, NOW, timedelta(hours=1))
    journal.release(lease, at(journal, NOW + timedelta(days=1)))
    (given_back,) = check(journal, NOW, timedelta(hours=1))
    journal.end_lease(ENVIRONMENT, at(journal, NOW))

    assert "gave it back, dated 2026-03-02T12:00:00Z" in given_back.message
    assert (found.severity, found.code, found.where) == ("warning", "lease_is_dated_ahead", f"lease of {ENVIRONMENT}")
    assert f"otactl journal release {ENVIRONMENT}" in found.hint
    assert check(journal, NOW, timedelta(hours=1)) == ()


def test_what_was_decided_on_records_that_another_run_came_between_is_not_written(journal: AnyJournal) -> None:
    """The records of one rollout may be unchanged, and those it was decided on with it are not."""
    slow = LeasedJournal(ENVIRONMENT, journal, "slow", lambda: at(journal, NOW))
    slow.check_free()
    slow.load()
    between = LeasedJournal(ENVIRONMENT, journal, "between", lambda: at(journal, NOW))
    between.check_free()
    between.commit((change(0, name="other"),))
    between.release()

    with pytest.raises(ConflictError, match="another process held it since its records were read"):
        slow.commit((change(0),))
    slow.load()
    slow.commit((change(0),))
    assert slow.stored["soil"].revision == 1


def test_what_came_of_calls_is_written_if_no_one_changed_the_record(journal: AnyJournal) -> None:
    clock = [NOW + timedelta(days=1)]
    ours = LeasedJournal(ENVIRONMENT, journal, "wrong-clock", lambda: at(journal, clock[0]))
    ours.check_free()
    ours.load()
    ours.commit((change(0),))
    other = LeasedJournal(ENVIRONMENT, journal, "other", lambda: at(journal, NOW))
    other.check_free()  # takes over: our lease is dated a day ahead
    other.load()

    ours.commit((change(1),), outcomes=True)
    assert ours.stored["soil"].revision == 2
    with pytest.raises(ConflictError):
        other.commit((change(1),))  # it looks again before it sends anything
    assert "took the lease of environment prod-eu over from wrong-clock" in other.notes[0]


def test_a_lease_given_back_by_a_wrong_clock_is_reported_and_costs_no_write(journal: AnyJournal) -> None:
    journal.release(
        journal.acquire(ENVIRONMENT, "wrong-clock", at(journal, NOW + timedelta(days=1))), NOW + timedelta(days=1)
    )
    before = journal.lease(ENVIRONMENT)
    ours = LeasedJournal(ENVIRONMENT, journal, "cron", lambda: at(journal, NOW))

    ours.check_free()

    assert "was given back by wrong-clock" in ours.notes[0]
    assert journal.lease(ENVIRONMENT) == before
