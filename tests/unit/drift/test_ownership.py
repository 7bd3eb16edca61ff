"""A unit says which journal made it, and one of another journal holds the environment."""

from __future__ import annotations

import msgspec
import pytest

from otactl.drift.ownership import holds, is_anothers, to_be_named, without_anothers
from otactl.model import Attempt, Environment, Observation, Record, Unit, UnitPhase, WaveRecord
from otactl.model.tags import TAG_JOURNAL
from tests.support.builders import SOURCE

OURS, THEIRS, LOST = "a" * 16, "b" * 16, "c" * 16
HERE = Environment(
    name="prod-eu", owner="acme", account="1", region="eu-west-1", source=SOURCE, journal_id=OURS, replaces=(LOST,)
)


def unit(tag: str | None, record: str = "", name: str = "probe-all-1-0") -> Unit:
    marks = {} if tag is None else {TAG_JOURNAL: tag}
    return Unit(unit_id=name, phase=UnitPhase.RUNNING, vendor_id=f"id-{name}", tags=marks, journal_id=record)


@pytest.mark.parametrize(
    ("tag", "record", "theirs"),
    [
        (None, "", False),  # made before there were ids
        (OURS, "", False),
        (THEIRS, "", True),
        (LOST, "", False),  # taken over from
        ("edited by hand", "", False),  # drift, and set back
        (None, THEIRS, True),  # the tag was taken off
        (OURS, THEIRS, False),  # taken over and tagged again
        (THEIRS, OURS, True),  # taken over from us
    ],
)
def test_a_unit_is_anothers_by_its_tag_and_without_one_by_its_record(
    tag: str | None, record: str, theirs: bool
) -> None:
    assert is_anothers(unit(tag, record), HERE) is theirs


def test_a_run_without_a_journal_owns_no_unit_that_names_one() -> None:
    nowhere = msgspec.structs.replace(HERE, journal_id="", replaces=())

    assert [is_anothers(unit(tag), nowhere) for tag in (OURS, None)] == [True, False]


def test_one_unit_of_another_journal_holds_the_environment_and_says_what_to_type() -> None:
    here = msgspec.structs.replace(HERE, journal="/srv/my firmware/.otactl/journal.db")
    looks = [("ours", Observation(units=(unit(OURS),))), ("theirs", Observation(units=(unit(THEIRS), unit(THEIRS))))]

    (hold,) = holds(here, looks)

    assert (hold.reason, hold.stalled) == ("another_journal_is_in_use", True)
    assert f"probe-all-1-0 of rollout theirs (and 1 more units) was created by journal {THEIRS}" in hold.message
    assert hold.message.endswith(f"otactl journal init '/srv/my firmware/.otactl/journal.db' --replaces {THEIRS}")
    assert holds(here, looks[:1]) == ()


def test_a_unit_of_another_journal_is_not_there_to_be_adopted_unless_our_record_knows_it() -> None:
    seen = Observation(units=(unit(THEIRS), unit(OURS, name="probe-all-2-0")))
    known = Attempt(number=1, generation="g", unit_id="probe-all-1-0")
    empty = Record(environment="prod-eu", name="probe")
    ours = msgspec.structs.replace(empty, waves=(WaveRecord(name="all", attempts=(known,)),))

    assert [u.unit_id for u in without_anothers(seen, empty, HERE).units] == ["probe-all-2-0"]
    assert without_anothers(seen, ours, HERE) == seen


@pytest.mark.parametrize(
    ("tag", "once", "named"),
    [(None, "", True), (None, OURS, False), (LOST, LOST, True), ("edited", OURS, False), ("edited", "", False)],
)
def test_an_id_that_was_never_there_is_written_and_one_that_was_taken_off_is_drift(
    tag: str | None, once: str, named: bool
) -> None:
    attempt = Attempt(number=1, generation="g", unit_id="probe-all-1-0", journal_id=once)

    assert to_be_named(TAG_JOURNAL, attempt, unit(tag)) is named
    assert not to_be_named("otactl:owner", attempt, unit(tag))
