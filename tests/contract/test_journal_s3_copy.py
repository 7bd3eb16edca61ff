"""A journal copied from one place to another tells the same; a copy that did not end is taken for nothing."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from pathlib import Path

import msgspec
import pytest

from otactl.errors import ConflictError, LeaseHeldError, UsageError
from otactl.journal import AnyJournal, S3Journal, open_journal
from otactl.journal.maintenance import check, contents, export
from otactl.journal.process_liveness import current
from otactl.journal.s3_format import Kept
from tests.support.journal_contract import ENVIRONMENT, NOW, STORES, at, change
from tests.support.postgres import PostgresServer
from tests.support.s3_faults import LONG, Killed, Wire, everything, filled

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("kinds", list(product(sorted(STORES), repeat=2)), ids="-".join)
def test_a_copy_tells_the_same_as_the_original_and_the_former_holder_is_held_off(
    stores: None, postgres: PostgresServer, tmp_path: Path, kinds: tuple[str, str]
) -> None:
    places = [STORES[kind](tmp_path / name) for kind, name in zip(kinds, ("from", "to"), strict=True)]
    with open_journal(filled(places[0])) as source, open_journal(places[1]) as target:
        source.acquire(ENVIRONMENT, "other", at(source, NOW + timedelta(seconds=130)))
        target.fill(contents(source))
        assert everything(target) == everything(source)
        assert check(target, NOW + timedelta(seconds=130), HOUR) == ()
        with pytest.raises(ConflictError, match="fencing number 1 was given, 2 is the newest"):
            target.commit((change(2, name="b"),), 1)
        assert target.acquire(ENVIRONMENT, "third", at(target, NOW + timedelta(seconds=260))).fencing == 3
        assert target.commit((change(2, "go on", name="b"), change(1, "on", name="a")), 3) == {"a": 2, "b": 3}
    with open_journal(places[1]) as again:
        assert [e.message for e in again.history(ENVIRONMENT, "a")] == [*LONG, "on"]


@pytest.mark.parametrize("kind", sorted(STORES))
@pytest.mark.parametrize("what", ["record", "lease"])
def test_a_copy_into_a_journal_with_anything_in_it_is_refused_and_changes_nothing(
    filled_place: str, postgres: PostgresServer, tmp_path: Path, kind: str, what: str
) -> None:
    with open_journal(STORES[kind](tmp_path / "to")) as target, open_journal(filled_place) as source:
        target.commit((change(0),), 0) if what == "record" else target.acquire(ENVIRONMENT, "cron", NOW)
        before = everything(target)
        with pytest.raises(UsageError, match="is not empty; a copy is written into an empty place"):
            target.fill(contents(source))
        assert everything(target) == before


# The place is looked at and marked; three environments with their objects and heads; the mark is taken away.
COPY_CALLS = 14
MARKED = 3


def copied_by(wire: Wire, source: AnyJournal, place: str) -> str:
    """Copy into a new place, calls counted and meddled with from there on."""
    meddling, target = wire.before, f"{place}-copy"
    wire.before = Wire().before
    journal = S3Journal(target, client=wire)
    wire.forget()
    wire.before = meddling
    journal.fill(contents(source))
    return target


def test_an_undisturbed_copy_makes_the_calls_at_which_it_is_killed_below(filled_place: str) -> None:
    wire = Wire()
    with open_journal(filled_place) as source, open_journal(copied_by(wire, source, filled_place)) as copy:
        assert everything(copy) == everything(source)
    assert (len(wire.seen), wire.seen[MARKED - 1], wire.seen[-1]) == (COPY_CALLS, "put journal", "put journal")


@pytest.mark.parametrize("number", range(1, COPY_CALLS + 1))
def test_a_copy_killed_at_any_call_is_never_taken_for_a_journal(filled_place: str, number: int) -> None:
    def kill(count: int, _operation: str) -> None:
        if count == number:
            raise Killed

    with open_journal(filled_place) as source:
        with pytest.raises(Killed):
            copied_by(Wire(before=kill), source, filled_place)
        if number > MARKED:
            with pytest.raises(UsageError, match="target of an unfinished copy"):
                open_journal(f"{filled_place}-copy")
            return
        with open_journal(f"{filled_place}-copy") as empty:
            empty.fill(contents(source))
            assert everything(empty) == everything(source)


def test_a_journal_someone_works_on_is_not_copied(filled_place: str) -> None:
    with open_journal(filled_place) as source:
        held = contents(source)
        for seconds in (-900, 0, 119, 239):  # by a clock that is behind, and by one that is two minutes ahead
            with pytest.raises(
                LeaseHeldError, match=r"is held by cron .* until 2026-03-01T12:02:00Z .*otactl journal release"
            ):
                held.must_be_at_rest(NOW + timedelta(seconds=seconds))
        held.must_be_at_rest(NOW + timedelta(seconds=240))


@pytest.mark.parametrize("kind", sorted(STORES))
def test_a_run_that_lives_after_all_commits_no_more_once_its_journal_is_copied(
    stores: None, postgres: PostgresServer, tmp_path: Path, kind: str
) -> None:
    far_ahead = NOW + timedelta(seconds=240)
    with open_journal(filled(STORES[kind](tmp_path / "from"))) as source:
        contents(source).fence(source, far_ahead)  # by a clock that is four minutes ahead its lease is over

        with pytest.raises(ConflictError, match="fencing number 1 was given, 2 is the newest"):
            source.commit((change(1, name="b"),), 1)
        found = contents(source)
        found.fence(source, far_ahead)
        assert contents(source) == found  # what was ended, or given back, is left as it is


def test_a_copy_of_a_journal_that_a_run_takes_meanwhile_is_refused(filled_place: str) -> None:
    later = NOW + timedelta(seconds=240)
    with open_journal(filled_place) as source:
        contents(source).fence(source, later)
        copied = contents(source)
        copied.must_be_unchanged(source, "to.db")
        source.acquire(ENVIRONMENT, "cron-b", later)

        with pytest.raises(ConflictError, match=r"cron-b .* took its lease\); delete to.db, stop cron, and copy again"):
            copied.must_be_unchanged(source, "to.db")


def test_a_journal_whose_run_died_on_this_machine_is_copied_at_once(filled_place: str) -> None:
    here = msgspec.structs.replace(current(), pid=2**30)
    with open_journal(filled_place) as source:
        held = contents(source)
        died = tuple(msgspec.structs.replace(lease, process=here) for lease in held.leases)
        held._replace(leases=died).must_be_at_rest(NOW)


def test_events_keep_their_revision_through_a_copy_there_and_back(filled_place: str, tmp_path: Path) -> None:
    with open_journal(filled_place) as one, open_journal(STORES["sqlite"](tmp_path)) as two:
        two.fill(contents(one))
        with open_journal(f"{filled_place}-back") as three:
            three.fill(contents(two))
            assert contents(three) == contents(one)
            assert list(export(three)) == list(export(one))


def test_an_event_is_stored_with_its_number_and_revision(filled_place: str) -> None:
    with S3Journal(filled_place, create=False) as journal:
        head = journal.store.look(ENVIRONMENT)
        home = head.segment_of("b")
        assert home is not None
        kept: tuple[Kept, ...] = journal.store.segments(ENVIRONMENT, (home,))[home]["b"].tail
    assert [(k.sequence, k.revision) for k in kept] == [(len(LONG) + 1, 1), (len(LONG) + 2, 2)]
