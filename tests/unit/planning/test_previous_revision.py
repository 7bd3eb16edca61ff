"""What is next while a unit of another revision is in the place of the declared one: a table of its states."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from otactl.drift.diff import digest_of
from otactl.model import (
    Cause,
    DriftEntry,
    DriftPolicy,
    DriftStatus,
    Ignore,
    Observation,
    Record,
    Rollout,
    Stage,
    Unit,
    UnitPhase,
)
from otactl.model.actions import name_of
from otactl.planning import detect_drift
from otactl.planning.context import Plan, PlanContext
from otactl.planning.previous_revision import PREVIOUS_RULES, lost_revision_may_return
from otactl.planning.wave_context import AttemptContext, first
from otactl.verdicts.deadlines import SETTLE
from tests.support.attempts import decided, made, many
from tests.support.builders import ENVIRONMENT, NOW, SHA, of_wave, record_of, rollout, seen, unit_of

OLD = rollout(firmware=replace(rollout().firmware, version="2.4.0", sha256="cd" * 32))
STARTED = {"start_at": NOW - timedelta(minutes=30), "started_by_us": True}


def context(
    stage: Stage, phase: UnitPhase | None, declared: Rollout | None = None, image: str = SHA, **attempt: object
) -> AttemptContext:
    """A wave whose attempt is of the version before the declared one; without a `phase` its unit is not shown."""
    unit = unit_of(OLD)
    record: Record = record_of(OLD, unit, stage, **attempt)
    shown: Observation = seen(replace(unit, phase=phase)) if phase is not None else seen()
    assert shown.image is not None
    shown = replace(shown, image=replace(shown.image, sha256=image))
    at = PlanContext(rollout=declared or rollout(), environment=ENVIRONMENT, record=record, seen=shown, now=NOW)
    found = of_wave(at)
    assert isinstance(found, AttemptContext)
    assert found.of_another_revision
    return found


def outcome(plan: Plan) -> list[str]:
    return [*(name_of(a) for a in plan.actions), *(h.reason for h in plan.holds)]


@pytest.mark.parametrize(
    ("stage", "phase", "attempt", "expected"),
    [
        (Stage.OPEN, UnitPhase.OPEN, {}, ["updateUnit", "markUnit"]),
        (Stage.OPEN, None, {}, ["change_not_visible_yet"]),
        (Stage.SCHEDULED, UnitPhase.SCHEDULED, STARTED, ["change_not_visible_yet"]),
        (Stage.RUNNING, UnitPhase.RUNNING, STARTED, ["previous_revision_running"]),
        (
            Stage.RUNNING,
            UnitPhase.RUNNING,
            {"start_at": NOW - timedelta(days=8)},
            ["previous_revision_running", "session_is_overdue"],
        ),
        (Stage.DECLARED, None, {}, ["change_not_visible_yet"]),
    ],
)
def test_what_follows_a_unit_of_another_revision(
    stage: Stage, phase: UnitPhase | None, attempt: dict[str, object], expected: list[str]
) -> None:
    assert outcome(first(PREVIOUS_RULES, context(stage, phase, **attempt))) == expected


def test_a_scheduled_one_stays_while_its_successor_could_not_be_created() -> None:
    found = context(Stage.SCHEDULED, UnitPhase.SCHEDULED, image="ef" * 32, **STARTED)

    assert outcome(first(PREVIOUS_RULES, found)) == ["image_digest_differs"]


@pytest.mark.parametrize(
    ("kind", "way_out"), [("otaUpdate", "cancel-job --job-id AFR_OTA-"), ("tuya", "fails at the batch's time-out")]
)
def test_a_stopped_one_whose_device_stays_silent_says_what_ends_the_wait(kind: str, way_out: str) -> None:
    declared, record = many(kind, made(stage=Stage.RUNNING, canceled_by_us=True))
    (attempt,) = record.attempts
    unit = Unit(unit_id=attempt.unit_id, phase=UnitPhase.RUNNING, vendor_id=attempt.vendor_id or "", stopping=True)

    again = replace(declared, firmware=replace(declared.firmware, version="9.9.9", sha256="cd" * 32))
    found = decided(kind, again, record, unit)

    (hold,) = (h for h in found.plan.holds if h.reason == "previous_revision_running")
    assert way_out in hold.message


LOST = {**STARTED, "lost_at": NOW - timedelta(seconds=30)}


@pytest.mark.parametrize(
    ("phase", "attempt", "until"),
    [
        (None, LOST, NOW - timedelta(seconds=30) + SETTLE),
        (UnitPhase.RUNNING, LOST, None),
        (UnitPhase.RUNNING, STARTED, None),
    ],
)
def test_one_that_was_deleted_after_its_start_is_waited_for(
    phase: UnitPhase | None, attempt: dict[str, object], until: object
) -> None:
    plan = lost_revision_may_return(context(Stage.LOST, phase, **attempt))

    assert plan is not None
    assert outcome(plan) == ["previous_revision_running"]
    assert plan.holds[0].until == until


@pytest.mark.parametrize(
    ("stage", "attempt"),
    [
        (Stage.LOST, {**STARTED, "lost_at": NOW - SETTLE}),
        (Stage.LOST, STARTED),
        (Stage.LOST, {"lost_at": NOW}),
        (Stage.RUNNING, STARTED),
    ],
    ids=["long ago", "unknown when", "before its start", "not lost"],
)
def test_one_that_cannot_come_back_is_not_waited_for(stage: Stage, attempt: dict[str, object]) -> None:
    assert lost_revision_may_return(context(stage, None, **attempt)) is None


def test_a_loss_that_a_person_accepts_is_not_waited_for() -> None:
    accepted = DriftPolicy(ignore=(Ignore(field="unit", reason="seen"),))
    declared = replace(rollout(drift=accepted), source=replace(rollout().source, digest="e" * 64))
    found = context(Stage.LOST, None, declared, **LOST)
    assert lost_revision_may_return(found) is not None

    found = with_open_loss(found)

    assert lost_revision_may_return(found) is None


def with_open_loss(found: AttemptContext) -> AttemptContext:
    """The same, its loss recorded by a run that had another manifest."""
    entry = DriftEntry(
        subject=found.attempt.unit_id,
        field="unit",
        desired="present",
        observed="absent",
        cause=Cause.DELETED,
        first_seen=NOW,
        last_seen=NOW,
        status=DriftStatus.WAITING,
        action="",
        manifest="d" * 64,
    )
    at = replace(found.at, record=replace(found.at.record, drift=(entry,)))
    return dataclasses.replace(
        found, at=at, findings=detect_drift.findings(dataclasses.replace(found, at=at, findings=()))
    )


@pytest.mark.parametrize(("since", "waits"), [(timedelta(seconds=1), True), (SETTLE, False)])
def test_an_open_one_with_a_difference_is_not_updated_before_the_difference_can_be_recorded(
    since: timedelta, waits: bool
) -> None:
    fields = {"redundancyPercent": digest_of(99)}

    found = context(Stage.OPEN, UnitPhase.OPEN, field_digests=fields, last_write_at=NOW - since)

    assert detect_drift.unsettled(found) is False  # 12 was not written last: the manifest's, not another actor's
    tampered = context(
        Stage.OPEN, UnitPhase.OPEN, field_digests={"redundancyPercent": digest_of(12)}, last_write_at=NOW - since
    )
    assert tampered.unit is not None
    tampered = dataclasses.replace(
        tampered, unit=replace(tampered.unit, fields={**tampered.unit.fields, "redundancyPercent": 99})
    )
    expected = ["change_not_visible_yet"] if waits else ["updateUnit", "markUnit"]
    assert outcome(first(PREVIOUS_RULES, tampered)) == expected
