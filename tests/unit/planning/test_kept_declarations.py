"""What a record keeps of a rollout between passes: its declaration, its checks, and since when an error is there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from otactl.model import (
    Attempt,
    Listed,
    Observation,
    Record,
    Stage,
    Survey,
    UnitPhase,
    VersionCheck,
    VersionConfirm,
    VersionProof,
)
from otactl.model.actions import DeleteUnit, StartUnit
from otactl.planning.assess import _declaration, _listed_again, failed, proving
from otactl.planning.context import Plan, PlanContext
from otactl.planning.start_context import of_unit
from otactl.planning.units import declare
from otactl.planning.wave_context import UnitContext
from otactl.state.lifecycle import advance
from tests.support.attempts import SHAPES, made, many
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, look, of_wave, record_of, rollout, seen, unit_of

NOTHING = Plan(rollout="probe", environment="prod-eu")


@pytest.mark.parametrize(
    ("stage", "cleanup", "kept"),
    [
        (Stage.RUNNING, "afterResults", True),
        (Stage.LOST, "afterResults", True),
        (Stage.ENDED, "afterResults", True),
        (Stage.ENDED, "never", False),
        (Stage.DELETED, "afterResults", False),
        (Stage.SUPERSEDED, "afterResults", False),
    ],
)
def test_the_declaration_is_kept_while_a_unit_of_it_is_there_or_may_come_back(
    stage: Stage, cleanup: str, kept: bool
) -> None:
    declared = replace(rollout(), cleanup=cleanup)
    record = record_of(declared, unit_of(declared), stage)

    assert bool(_declaration(declared, record, NOTHING, SHAPE)) is kept


def test_the_declaration_is_kept_for_what_is_about_to_be_sent_and_not_for_what_a_service_keeps_by_itself() -> None:
    declared, record = many("tuya", made(stage=Stage.ENDED))
    shape = SHAPES["tuya"][0]
    delete = DeleteUnit(unit_id="u", vendor_id="v", backend="tuya", why="replace", reason="r")

    assert shape.capabilities.keeps_ended
    assert _declaration(declared, record, NOTHING, shape) == ""
    assert _declaration(declared, record, replace(NOTHING, actions=(delete,)), shape) != ""


@pytest.mark.parametrize(
    ("vendor_id", "leftover_of", "found"),
    [("t-1", "", True), ("t-2", "", False), ("t-1", "an OTA update", False), ("t-2", "an OTA update", False)],
)
def test_a_lost_unit_is_listed_again_by_its_own_id(vendor_id: str, leftover_of: str, found: bool) -> None:
    declared = rollout()
    survey = Survey(account="1", listed=(Listed(vendor_id=vendor_id, name="n", leftover_of=leftover_of),))

    def again(stage: Stage) -> bool:
        return _listed_again(record_of(declared, unit_of(declared), stage), survey)

    assert (again(Stage.LOST), again(Stage.RUNNING)) == (found, False)


@pytest.mark.parametrize(
    ("stage", "shown", "kept"),
    [
        (Stage.RUNNING, None, VersionCheck(since=NOW)),
        (Stage.RUNNING, VersionCheck(since=NOW + timedelta(hours=1)), VersionCheck(since=NOW + timedelta(hours=1))),
        (Stage.DELETED, None, None),
        (Stage.DELETED, VersionCheck(since=NOW), None),
    ],
)
def test_a_check_of_versions_is_kept_until_its_unit_is_deleted(
    stage: Stage, shown: VersionCheck | None, kept: VersionCheck | None
) -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.RUNNING, version_check=shown)
    record = record_of(declared, unit, stage, version_check=VersionCheck(since=NOW))

    (attempt,) = proving(record, Observation(units=(unit,))).attempts

    assert attempt.version_check == kept


def test_an_error_keeps_its_age_while_it_stays_the_same() -> None:
    later = NOW + timedelta(hours=1)
    first, _ = failed(Record(environment="prod-eu", name="probe", backend="fuota"), "Unavailable", "no answer", NOW)
    same, _ = failed(first, "Unavailable", "no answer", later)
    other, _ = failed(first, "Throttled", "no answer", later)

    since = [r.failure.since for r in (first, same, other) if r.failure is not None]
    assert since == [NOW, NOW, later]


def test_a_target_that_left_the_manifest_after_the_start_of_its_wave_is_reported() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.RUNNING, start_at=NOW)
    record = record_of(declared, unit, Stage.RUNNING, start_at=NOW, started_by_us=True)
    record = record.with_wave(replace(record.waves[0], members=("group:g0", "group:g1")))

    found = look(declared, record, seen(unit)).plan.findings

    targets = [(f.field, f.desired, f.observed) for f in found if f.field.startswith("targets.")]
    assert targets == [("targets.group:g0", False, True)]
    assert not any(isinstance(a, StartUnit) for a in look(declared, record, seen(unit)).plan.actions)


def test_a_unit_is_for_the_members_that_its_wave_started_with() -> None:
    declared = rollout()
    record = record_of(declared, unit_of(declared), Stage.RUNNING, start_at=NOW)
    known = replace(record.waves[0], members=("group:g0", "group:g1"))
    wave = declared.strategy.waves[0]

    assert declare(declared, ENVIRONMENT, wave, 2, known).members == ("group:g0", "group:g1")
    assert declare(declared, ENVIRONMENT, wave, 1, None).members == ("group:g1",)


def test_the_start_of_a_unit_is_checked_with_what_its_wave_has_recorded() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.OPEN)
    at = PlanContext(rollout=declared, environment=ENVIRONMENT, record=record, seen=seen(unit), now=NOW)
    ctx = of_wave(at)
    assert isinstance(ctx, UnitContext)

    assert (of_unit(ctx).known, of_unit(ctx).start_at) == (record.waves[0], NOW)


@pytest.mark.parametrize(("there", "stage"), [(True, Stage.RUNNING), (False, Stage.DELETED)])
def test_an_attempt_that_was_not_waited_for_goes_on_while_its_unit_is_there(there: bool, stage: Stage) -> None:
    confirm = VersionConfirm(version=VersionProof(attribute="v"))
    base = rollout()
    declared = replace(base, strategy=replace(base.strategy, confirm=confirm))
    unit = unit_of(declared, phase=UnitPhase.RUNNING, start_at=NOW)
    record = record_of(declared, unit, Stage.ENDED, start_at=NOW, ended_at=NOW, hurried=True, started_by_us=True)
    never = Attempt(number=1, generation="another", unit_id="other", stage=Stage.SUPERSEDED)
    record = record.with_wave(replace(record.waves[0], attempts=(*record.attempts, never)))

    after, _ = advance(record, declared, seen(*((unit,) if there else ())), NOW)

    newest = after.waves[0].attempts[-1]
    assert (newest.unit_id, newest.stage) == (unit.unit_id, stage)
