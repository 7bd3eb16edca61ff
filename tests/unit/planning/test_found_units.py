"""A unit found by its tags that may be a retry is not taken for the whole wave; a later wave tells of earlier ones."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import DeviceResult, Outcome, Record, Stage, Strategy, Unit, UnitPhase
from otactl.model.actions import UpdateUnit
from otactl.planning.assess import Assessment, finished
from otactl.state.lifecycle import SETTLE
from tests.support.builders import NOW, empty, look, record_of, rollout, seen, unit_of
from tests.support.plans import actions, holds

DECLARED = rollout()
STARTED = {"start_at": NOW - timedelta(hours=1)}
ONE = (DeviceResult(device="b", outcome=Outcome.SUCCEEDED),)
HELD = ["unit_may_be_a_retry"]


def retry(**changes: object) -> Unit:
    """The second unit of the canary, which does not hold the wave's group."""
    return unit_of(DECLARED, number=2, **({"members": (), "vendor_id": "t-2"} | changes))


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


def test_a_unit_of_a_later_wave_that_the_journal_created_tells_nothing_of_a_new_earlier_one() -> None:
    fleet = unit_of(DECLARED, "fleet")
    known: Record = record_of(DECLARED, fleet, Stage.OPEN, "fleet")

    assert "earlier_wave_is_unknown" not in holds(look(DECLARED, known, seen(fleet)))
