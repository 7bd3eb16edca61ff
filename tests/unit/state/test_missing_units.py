"""A unit that is not shown is believed gone by two looks, and taken up again when it comes back."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.definition import OtaShape
from otactl.model import (
    Attempt,
    Cause,
    DeviceResult,
    DriftEntry,
    DriftStatus,
    Gate,
    Listed,
    Observation,
    Outcome,
    Phase,
    Record,
    Rollout,
    Stage,
    Survey,
    Unit,
    UnitPhase,
)
from otactl.model.actions import CancelUnit, DeleteUnit
from otactl.planning.assess import assess, finished
from otactl.verdicts.deadlines import SETTLE
from tests.support.builders import ENVIRONMENT, NOW, look, record_of, rollout, seen, unit_of
from tests.support.in_memory_cloud import Cloud, Memory, run

SOAKS = Gate(soak="1h")
STARTED = {"start_at": NOW - timedelta(hours=1), "started_by_us": True}


def _of(stage: Stage, **changes: object) -> tuple[Rollout, Record]:
    declared = rollout()
    return declared, record_of(declared, unit_of(declared), stage, **changes)


@pytest.mark.parametrize("stage", [Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING])
def test_one_look_that_misses_a_unit_changes_nothing_and_says_until_when_it_waits(stage: Stage) -> None:
    declared, record = _of(stage, **STARTED)

    first = look(declared, record, seen())
    between = look(declared, first.record, seen(), NOW + SETTLE - timedelta(seconds=1))

    for reported in (first, between):
        assert [a.stage for a in reported.record.attempts] == [stage]
        assert (reported.plan.actions, reported.plan.findings) == ((), ())
        assert [(h.reason, h.until) for h in reported.plan.holds] == [("change_not_visible_yet", NOW + SETTLE)]
    assert between.record.attempts == first.record.attempts


@pytest.mark.parametrize(
    ("shown", "never_shown"),
    [(UnitPhase.OPEN, False), (UnitPhase.SCHEDULED, False), (UnitPhase.DELETING, True), (UnitPhase.BROKEN, True)],
)
def test_only_a_read_that_shows_a_new_unit_whole_proves_that_it_was_created(
    shown: UnitPhase, never_shown: bool
) -> None:
    declared, record = _of(Stage.OPEN, never_shown=True)

    reported = look(declared, record, seen(unit_of(declared, phase=shown)))

    assert [a.never_shown for a in reported.record.attempts] == [never_shown]


@pytest.mark.parametrize("stage", [Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING])
def test_a_second_look_that_misses_it_believes_it_gone(stage: Stage) -> None:
    declared, record = _of(stage, **STARTED)

    first = look(declared, record, seen())
    second = look(declared, first.record, seen(), NOW + SETTLE)

    assert [a.stage for a in second.record.attempts] == [Stage.LOST]


def test_a_unit_that_is_shown_between_two_looks_that_miss_it_is_not_gone() -> None:
    declared, record = _of(Stage.RUNNING, **STARTED)
    shown = unit_of(declared, phase=UnitPhase.RUNNING, start_at=STARTED["start_at"])

    record = look(declared, record, seen()).record
    record = look(declared, record, seen(shown), NOW + timedelta(minutes=1)).record
    record = look(declared, record, seen(), NOW + timedelta(minutes=3)).record

    assert [a.stage for a in record.attempts] == [Stage.RUNNING]


def test_drift_of_a_unit_that_one_look_missed_stays_open() -> None:
    declared, record = _of(Stage.RUNNING, **STARTED)
    entry = DriftEntry(
        subject=record.attempts[0].unit_id,
        field="description",
        desired="a",
        observed="b",
        cause=Cause.OUT_OF_BAND_EDIT,
        first_seen=NOW,
        last_seen=NOW,
        status=DriftStatus.IMPOSSIBLE,
        action="reported: nothing can set it back",
    )

    reported = look(declared, msgspec.structs.replace(record, drift=(entry,)), seen())

    assert reported.record.drift == (entry,)


@pytest.mark.parametrize(
    ("phase", "stage"),
    [(UnitPhase.OPEN, Stage.OPEN), (UnitPhase.SCHEDULED, Stage.SCHEDULED), (UnitPhase.RUNNING, Stage.RUNNING)],
)
def test_a_lost_unit_that_is_shown_again_goes_on_where_it_stands(phase: UnitPhase, stage: Stage) -> None:
    declared, record = _of(Stage.LOST, missing_since=NOW - timedelta(days=1), **STARTED)

    reported = look(declared, record, seen(unit_of(declared, phase=phase)))

    assert [(a.stage, a.missing_since) for a in reported.record.attempts] == [(stage, None)]


def _replaced(declared: Rollout) -> Record:
    """A wave whose first attempt was taken for gone and whose second one is open."""
    record = record_of(declared, unit_of(declared), Stage.LOST, **STARTED)
    second = unit_of(declared, number=2, vendor_id="t-2", arn="arn:t-2")
    attempt = Attempt(
        number=2,
        generation=declared.generation,
        unit_id=second.unit_id,
        stage=Stage.OPEN,
        vendor_id="t-2",
        members=second.members,
        targets=second.members,
        created_at=NOW - timedelta(hours=1),
    )
    (wave,) = record.waves
    return record.with_wave(msgspec.structs.replace(wave, attempts=(*wave.attempts, attempt)))


def _both(declared: Rollout, phase: UnitPhase) -> tuple[Unit, Unit]:
    return unit_of(declared, phase=phase), unit_of(declared, number=2, vendor_id="t-2", arn="arn:t-2")


@pytest.mark.parametrize("phase", [UnitPhase.OPEN, UnitPhase.SCHEDULED])
def test_a_unit_that_comes_back_after_it_was_replaced_is_deleted_before_it_begins(phase: UnitPhase) -> None:
    declared = rollout()

    reported = look(declared, _replaced(declared), seen(*_both(declared, phase)))

    (action,) = reported.plan.actions
    assert isinstance(action, DeleteUnit)
    assert action.vendor_id == "t-1"


def test_a_unit_that_comes_back_on_air_holds_its_replacement() -> None:
    declared = rollout()

    reported = look(declared, _replaced(declared), seen(*_both(declared, UnitPhase.RUNNING)))

    assert reported.plan.actions == ()
    (hold,) = reported.plan.holds
    assert hold.reason == "another_wave_in_progress"
    assert hold.message.endswith("aws iotwireless delete-fuota-task --id t-1")


def test_a_running_update_that_comes_back_begins_no_more_devices() -> None:
    declared = rollout(backend=OtaUpdateConfig(document={"role": "r", "files": []}))
    (wave,) = _replaced(rollout()).waves
    attempts = tuple(msgspec.structs.replace(a, generation=declared.generation) for a in wave.attempts)
    waves = (msgspec.structs.replace(wave, attempts=attempts),)
    record = Record(
        environment="prod-eu", name="probe", backend="otaUpdate", generation=declared.generation, waves=waves
    )
    units = tuple(
        Unit(unit_id=a.unit_id, phase=UnitPhase.RUNNING, vendor_id=a.vendor_id or "") for a in record.attempts
    )

    reported = assess(ENVIRONMENT, declared, record, Observation(units=units), OtaShape(ENVIRONMENT), (), NOW)

    assert [(type(a), a.vendor_id) for a in reported.plan.actions if isinstance(a, CancelUnit)] == [(CancelUnit, "t-1")]


def test_a_finished_rollout_is_looked_at_again_when_a_lost_unit_is_listed() -> None:
    declared, record = _of(Stage.LOST)
    record = msgspec.structs.replace(record, phase=Phase.SUCCEEDED)
    there = Survey(account="1", listed=(Listed(vendor_id="t-1", name="acme-probe"),))

    assert not finished(declared, record, there)


@pytest.mark.parametrize(("known", "over"), [(frozenset(), False), (frozenset({"x-2"}), True)])
def test_a_finished_rollout_is_assessed_again_when_a_unit_with_its_name_is_listed_that_no_record_knows(
    known: frozenset[str], over: bool
) -> None:
    cloud, journal = Cloud(NOW), Memory()
    for _ in range(8):
        run(cloud, journal, rollout())
        cloud.advance(timedelta(hours=1))
    record = journal.load("prod-eu", "probe").record
    there = Survey(account="1", listed=(Listed(vendor_id="x-2", name="acme-probe-canary-9-00000000"),), known=known)

    assert finished(rollout(), record, Survey(account="1"))
    assert finished(rollout(), record, there) == over


def test_the_ledger_keeps_that_a_unit_was_deleted_by_hand_whose_wave_no_manifest_declares() -> None:
    declared = rollout()
    record = record_of(declared, unit_of(declared), Stage.RUNNING, wave="before", start_at=NOW)

    first = look(declared, record, seen()).record
    second = look(declared, first, seen(), NOW + SETTLE)
    third = look(declared, second.record, seen(), NOW + 2 * SETTLE)

    entries = [[(e.cause, e.observed, e.open) for e in found.drift] for found in (first, second.record, third.record)]
    assert entries == [[], [(Cause.DELETED, "deleted", True)], [(Cause.DELETED, "deleted", False)]]


def test_a_soak_is_not_over_while_one_look_alone_misses_the_unit_that_is_watched() -> None:
    declared = rollout()
    declared = msgspec.structs.replace(declared, strategy=msgspec.structs.replace(declared.strategy, gate=SOAKS))
    took = DeviceResult(device="d-1", outcome=Outcome.SUCCEEDED)
    record = record_of(declared, unit_of(declared), Stage.ENDED, results=(took,), ended_at=NOW, **STARTED)
    passed = look(declared, record, seen(unit_of(declared, phase=UnitPhase.ENDED)), NOW).record
    over = NOW + timedelta(hours=1)

    first = look(declared, passed, seen(), over)
    back = look(declared, first.record, seen(unit_of(declared, phase=UnitPhase.ENDED)), over + SETTLE)
    second = look(declared, first.record, seen(), over + SETTLE)

    assert [(w.attempts[0].stage, w.released) for w in first.record.waves[:1]] == [(Stage.ENDED, False)]
    assert [(w.attempts[0].missing_since, w.released) for w in back.record.waves[:1]] == [(None, True)]
    assert [(w.attempts[0].stage, w.released) for w in second.record.waves[:1]] == [(Stage.DELETED, True)]
