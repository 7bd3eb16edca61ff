"""A unit found by its tags that may be a retry is not taken for the whole wave; a later wave tells of earlier ones."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import (
    Abort,
    DeviceResult,
    Outcome,
    Reason,
    Record,
    Rollout,
    Stage,
    Strategy,
    Suspend,
    Unit,
    UnitPhase,
)
from otactl.model.actions import CreateUnit, UpdateUnit
from otactl.planning.assess import Assessment, finished
from otactl.planning.expected_state import carried_out, steps
from otactl.verdicts.deadlines import SETTLE
from tests.support.attempts import decided, made, many
from tests.support.builders import NOW, SHAPE, empty, look, record_of, rollout, seen, unit_of
from tests.support.plans import actions, holds

DECLARED = rollout()
STARTED = {"start_at": NOW - timedelta(hours=1)}
ONE = (DeviceResult(device="b", outcome=Outcome.SUCCEEDED),)
HELD = ["unit_may_be_a_retry"]


def retry(**changes: object) -> Unit:
    """The second unit of the canary, which does not hold the wave's group."""
    return unit_of(DECLARED, number=2, **({"members": (), "vendor_id": "t-2"} | changes))


def sent(result: Assessment) -> Record:
    """The record after the step of an assessment."""
    return carried_out(result, steps(result, SHAPE, SHAPE.lower), SHAPE, NOW)[0]


def adopted(unit: Unit) -> Assessment:
    return look(DECLARED, empty(DECLARED), seen(unit))


@pytest.mark.parametrize(
    "unit",
    [
        retry(),
        retry(members=("device:b",)),
        retry(phase=UnitPhase.SCHEDULED, **STARTED),
        retry(phase=UnitPhase.RUNNING, **STARTED),
        retry(phase=UnitPhase.FAILED, failure="no"),
    ],
)
def test_a_later_unit_without_the_targets_of_its_wave_is_held_and_not_changed(unit: Unit) -> None:
    result = adopted(unit)

    assert (actions(result), holds(result)) == ([], HELD)
    assert result.plan.holds[0].stalled


def test_what_a_later_unit_ended_with_lets_no_other_wave_begin() -> None:
    running = adopted(retry(phase=UnitPhase.RUNNING, **STARTED))

    ended = look(DECLARED, running.record, seen(retry(phase=UnitPhase.ENDED, results=ONE, **STARTED)))
    gone = look(DECLARED, ended.record, seen(), NOW + SETTLE)

    assert [(actions(r), holds(r)) for r in (ended, gone)] == [([], HELD)] * 2
    assert gone.record.waves[0].verdict is None


def test_a_rollout_has_not_succeeded_with_what_may_be_a_retry() -> None:
    last = rollout(strategy=Strategy(waves=DECLARED.strategy.waves[:1], gate=DECLARED.strategy.gate))
    unit = unit_of(last, number=2, members=(), phase=UnitPhase.RUNNING, **STARTED)
    running = look(last, empty(last), seen(unit))

    ended = look(last, running.record, seen(msgspec.structs.replace(unit, phase=UnitPhase.ENDED, results=ONE)))

    assert (holds(ended), ended.record.phase.value) == (HELD, "Stalled")
    assert not finished(last, ended.record)


def test_a_backup_from_before_the_retry_is_no_proof_of_its_purpose() -> None:
    first = unit_of(DECLARED)
    over = record_of(DECLARED, first, Stage.DELETED, ended_at=NOW, results=ONE, **STARTED)

    result = look(DECLARED, over, seen(retry()))

    assert (actions(result), holds(result)) == ([], HELD)


def test_the_hold_of_an_open_unit_has_the_command_that_deletes_it() -> None:
    (hold,) = adopted(retry()).plan.holds

    assert "restore a backup of the journal" in hold.message
    assert hold.message.endswith("delete it: aws iotwireless delete-fuota-task --id t-2")


def test_once_the_open_unit_is_deleted_the_wave_is_sent_to_as_a_whole() -> None:
    record = adopted(retry()).record
    missed = look(DECLARED, record, seen(), NOW + SETTLE)

    result = look(DECLARED, missed.record, seen(), NOW + 2 * SETTLE)

    assert actions(result) == ["createUnit"]


def test_another_revision_replaces_what_may_be_a_retry_and_does_not_rename_it() -> None:
    record = adopted(retry()).record
    other = rollout(firmware=msgspec.structs.replace(DECLARED.firmware, version="2.5.0", sha256="e" * 64))

    result = look(other, record, seen(retry()))

    assert actions(result) == ["deleteUnit"]
    assert not any(isinstance(a, UpdateUnit) for a in result.plan.actions)


def test_a_later_unit_that_holds_every_target_of_its_wave_goes_on() -> None:
    assert actions(adopted(retry(members=("group:g1",)))) == ["startUnit"]


def test_a_retry_that_the_journal_knows_goes_on() -> None:
    unit = retry(members=("device:b",))
    record = record_of(DECLARED, unit, Stage.OPEN, number=2, retry_targets=("device:b",), try_number=2)

    assert holds(look(DECLARED, record, seen(unit))) != HELD


@pytest.mark.parametrize(
    ("phase", "start_at"), [(UnitPhase.OPEN, None), (UnitPhase.SCHEDULED, NOW + timedelta(hours=1))]
)
def test_a_unit_of_a_later_wave_tells_that_an_earlier_one_was_sent(phase: UnitPhase, start_at: object) -> None:
    fleet = unit_of(DECLARED, "fleet", phase=phase, start_at=start_at)

    result = adopted(fleet)

    assert (actions(result), holds(result)) == ([], ["earlier_wave_is_unknown"])
    assert result.plan.holds[0].message == (
        "the journal does not know wave canary, and wave fleet of its revision was created after it; "
        "restore the journal, or remove the wave from the manifest if its devices have the image"
    )


def test_a_unit_of_a_later_wave_that_the_journal_created_tells_nothing_of_a_new_earlier_one() -> None:
    fleet = unit_of(DECLARED, "fleet")
    known: Record = record_of(DECLARED, fleet, Stage.OPEN, "fleet")

    assert "earlier_wave_is_unknown" not in holds(look(DECLARED, known, seen(fleet)))


HELD_BY = Suspend(reason="bad batch", owner="ada")
SOON = {"start_at": NOW + timedelta(hours=1)}
SUSPENDED, ABORTED = rollout(suspend=HELD_BY), rollout(abort=Abort(reason="no"))


@pytest.mark.parametrize("declared", [SUSPENDED, ABORTED], ids=["suspended", "aborted"])
def test_a_scheduled_unit_that_may_be_a_retry_is_withdrawn_and_does_not_come_back_by_itself(declared: Rollout) -> None:
    unit = retry(phase=UnitPhase.SCHEDULED, members=("device:b",), **SOON)
    stopped = look(declared, adopted(unit).record, seen(unit))
    record = sent(stopped)
    quiet = look(declared, record, seen())

    resumed = look(DECLARED, quiet.record, seen())

    assert actions(stopped) == ["deleteUnit"]
    assert (actions(quiet), holds(quiet)) == ([], ["suspended" if declared is SUSPENDED else "aborted"])
    assert "comes back" not in quiet.plan.holds[0].message
    assert (actions(resumed), holds(resumed)) == ([], HELD)
    assert "set strategy.resend: true" in resumed.plan.holds[0].message


def test_a_suspension_says_that_what_follows_a_withdrawn_unit_is_held() -> None:
    unit = retry(phase=UnitPhase.SCHEDULED, members=("device:b",), **SOON)
    record = sent(look(SUSPENDED, adopted(unit).record, seen(unit)))

    (hold,) = look(SUSPENDED, record, seen()).plan.holds

    assert f"{unit.unit_id} was withdrawn before its start; it may be a retry" in hold.message


def test_a_withdrawn_unit_that_may_be_a_retry_is_replaced_by_one_for_the_wave_when_a_person_says_so() -> None:
    unit = retry(phase=UnitPhase.SCHEDULED, members=("device:b",), **SOON)
    record = sent(look(SUSPENDED, adopted(unit).record, seen(unit)))

    asked = rollout(resend=True)
    at_once, later = (look(asked, record, seen(), NOW + timedelta(minutes=n)) for n in (0, 1))

    assert holds(at_once) == HELD, "it was set before the unit was found"
    (action,) = later.plan.actions
    assert isinstance(action, CreateUnit)
    assert (action.unit.only, action.unit.members) == ((), ("group:g1",))


def test_an_open_unit_that_may_be_a_retry_stays_under_a_suspension_and_goes_by_an_abort() -> None:
    record = adopted(retry()).record

    assert (actions(look(SUSPENDED, record, seen(retry()))), actions(look(ABORTED, record, seen(retry())))) == (
        [],
        ["deleteUnit"],
    )


def test_a_running_unit_that_may_be_a_retry_finishes_and_then_holds_what_follows() -> None:
    running = retry(phase=UnitPhase.RUNNING, **STARTED)
    held = look(SUSPENDED, adopted(running).record, seen(running))
    ended = look(SUSPENDED, held.record, seen(retry(phase=UnitPhase.ENDED, results=ONE, **STARTED)))

    resumed = look(DECLARED, ended.record, seen())

    assert [(actions(r), holds(r)) for r in (held, ended)] == [([], ["suspended"])] * 2
    assert f"{running.unit_id} has been on air since" in held.plan.holds[0].message
    assert (actions(resumed), holds(resumed)) == ([], HELD)


def test_things_that_a_suspension_took_out_of_what_may_be_a_retry_do_not_follow_by_themselves() -> None:
    declared, known = many("otaUpdate", made(), suspend=HELD_BY)
    canceled = DeviceResult(device="b", outcome=Outcome.FAILED, reason=Reason.CANCELED)
    attempt = msgspec.structs.replace(
        known.attempts[0],
        number=2,
        stage=Stage.ENDED,
        ended_at=NOW,
        found_by_tags=True,
        canceled_by_us=True,
        withdrawn=True,
        members=("device:b",),
        results=(canceled,),
        **STARTED,
    )
    record = known.with_wave(msgspec.structs.replace(known.waves[0], attempts=(attempt,), members=()))
    resumed = msgspec.structs.replace(declared, suspend=None)

    (hold,) = decided("otaUpdate", declared, record).plan.holds

    assert (
        f"{attempt.unit_id} was stopped; it may be a retry, so unit_may_be_a_retry holds what follows" in hold.message
    )
    assert holds(decided("otaUpdate", resumed, record)) == HELD
