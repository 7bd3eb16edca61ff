"""The planner decides one step at a time, or says by name why not."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.fuota.config import FuotaConfig
from otactl.model import (
    DeviceResult,
    DriftPolicy,
    Firmware,
    Ignore,
    Observation,
    Outcome,
    Phase,
    Reason,
    Stage,
    Suspend,
    UnitPhase,
)
from otactl.model.actions import (
    AddMembers,
    CreateUnit,
    DeleteUnit,
    Hold,
    MarkUnit,
    RemoveMembers,
    StartUnit,
    UpdateUnit,
)
from otactl.verdicts.deadlines import SETTLE
from tests.support.builders import FACTS_IMAGE, FACTS_ROLE, NOW, SHA, empty, look, record_of, rollout, seen, unit_of
from tests.support.plans import actions, holds

GOOD = (DeviceResult(device="a", outcome=Outcome.SUCCEEDED), DeviceResult(device="b", outcome=Outcome.SUCCEEDED))
BAD = (GOOD[0], DeviceResult(device="b", outcome=Outcome.FAILED, reason=Reason.MISSING_FRAGMENTS))


def test_a_new_rollout_begins_with_the_unit_of_its_first_wave_alone() -> None:
    result = look(rollout(), empty(rollout()), seen())

    (action,) = result.plan.actions
    assert isinstance(action, CreateUnit)
    assert (action.unit.wave, action.unit.attempt, action.unit.members) == ("canary", 1, ("group:g1",))
    assert action.unit.unit_id.startswith("probe-canary-1-")


def test_an_open_unit_without_its_members_is_filled_before_anything_else() -> None:
    declared = rollout()
    unit = unit_of(declared, members=())

    result = look(declared, record_of(declared, unit, Stage.OPEN, members=()), seen(unit))

    (action,) = result.plan.actions
    assert isinstance(action, AddMembers)
    assert action.members == ("group:g1",)
    assert result.plan.findings == ()  # work left, not drift


def test_a_full_and_checked_unit_is_started_far_enough_ahead_on_a_whole_minute() -> None:
    declared = rollout()
    unit = unit_of(declared)

    result = look(declared, record_of(declared, unit, Stage.OPEN), seen(unit), NOW + timedelta(seconds=17))

    (action,) = result.plan.actions
    assert isinstance(action, StartUnit)
    assert action.start_at - NOW >= timedelta(minutes=31)
    assert action.start_at.second == 0


def test_several_differences_of_an_open_unit_are_one_step() -> None:
    declared = rollout()
    unit = unit_of(declared)
    strange = msgspec.structs.replace(
        unit,
        fields={**unit.fields, "redundancyPercent": 3},
        tags={**unit.tags, "otactl:wave": "other", "otactl:extra": "x"},
        members=("group:g9",),
    )

    result = look(declared, record_of(declared, unit, Stage.OPEN), seen(strange))

    assert [type(a) for a in result.plan.actions] == [UpdateUnit, MarkUnit, RemoveMembers, AddMembers]
    assert {f.field for f in result.plan.findings} == {
        "redundancyPercent",
        "tags.otactl:wave",
        "tags.otactl:extra",
        "members.group:g1",
        "members.group:g9",
    }


def test_in_report_mode_drift_of_an_open_unit_holds_the_start_and_sends_nothing() -> None:
    declared = rollout(drift=DriftPolicy(mode="report"))
    unit = unit_of(declared)
    edited = msgspec.structs.replace(unit, fields={**unit.fields, "redundancyPercent": 3})

    result = look(declared, record_of(declared, unit, Stage.OPEN), seen(edited))

    assert actions(result) == []
    assert holds(result) == ["drift_needs_decision"]


def test_an_ignored_drift_is_neither_corrected_nor_in_the_way_until_it_expires() -> None:
    ignore = Ignore(field="redundancyPercent", reason="support raised it", until=NOW + timedelta(hours=1))
    declared = rollout(drift=DriftPolicy(ignore=(ignore,)))
    unit = unit_of(declared)
    edited = msgspec.structs.replace(unit, fields={**unit.fields, "redundancyPercent": 30})
    record = record_of(declared, unit, Stage.OPEN)

    assert actions(look(declared, record, seen(edited))) == ["startUnit"]
    assert actions(look(declared, record, seen(edited), NOW + timedelta(hours=2))) == ["updateUnit"]


def test_a_scheduled_unit_is_waited_for_until_its_start() -> None:
    declared = rollout()
    start = NOW + timedelta(minutes=20)
    unit = unit_of(declared, phase=UnitPhase.SCHEDULED, start_at=start)
    record = record_of(declared, unit, Stage.SCHEDULED, start_at=start, started_by_us=True)

    result = look(declared, record, seen(unit))

    assert actions(result) == []
    assert result.plan.requeue_at == start
    assert result.plan.findings == ()


def test_a_unit_that_ended_well_is_judged_cleaned_up_and_the_next_wave_begins() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=GOOD)
    judged = look(declared, record_of(declared, unit, Stage.RUNNING), seen(unit))

    assert actions(judged) == ["deleteUnit"]
    assert judged.record.waves[0].verdict is not None
    assert judged.record.waves[0].verdict.passed
    after = look(declared, judged.record, seen())
    (action,) = after.plan.actions
    assert isinstance(action, CreateUnit)
    assert action.unit.wave == "fleet"


def test_a_wave_below_its_gate_stops_the_rollout() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=BAD)
    judged = look(declared, record_of(declared, unit, Stage.RUNNING), seen(unit))
    after = look(declared, judged.record, seen())

    assert actions(after) == []
    assert holds(after) == ["success_rate_is_too_low"]
    assert after.record.phase is Phase.FAILED


def test_a_done_unit_in_which_no_one_answered_does_not_pass() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=())

    judged = look(declared, record_of(declared, unit, Stage.RUNNING), seen(unit))

    assert judged.record.waves[0].verdict is not None
    assert not judged.record.waves[0].verdict.passed


def test_a_device_result_no_one_knows_holds_instead_of_being_guessed() -> None:
    declared = rollout()
    odd = DeviceResult(device="x", outcome=Outcome.UNKNOWN, reason=Reason.UNKNOWN)
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=(*GOOD, odd))

    result = look(declared, record_of(declared, unit, Stage.RUNNING), seen(unit))

    assert holds(result) == ["device_result_is_unknown"]
    assert result.record.waves[0].verdict is None


def test_a_unit_status_no_one_knows_holds() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.UNKNOWN)

    assert holds(look(declared, record_of(declared, unit, Stage.OPEN), seen(unit))) == ["unit_status_is_unknown"]


def test_a_unit_without_a_journal_is_rebuilt_from_its_owner_mark() -> None:
    declared = rollout()
    unit = unit_of(declared)

    result = look(declared, empty(declared), seen(unit))

    assert actions(result) == ["startUnit"]
    assert result.record.attempts[0].unit_id == unit.unit_id
    assert [e.kind for e in result.events if e.kind == "adopted"] == ["adopted"]


def test_a_unit_deleted_before_its_start_is_made_again_as_the_next_attempt() -> None:
    declared = rollout()
    unit = unit_of(declared)

    result = look(declared, record_of(declared, unit, Stage.OPEN, missing_since=NOW - SETTLE), seen())

    (action,) = result.plan.actions
    assert isinstance(action, CreateUnit)
    assert action.unit.attempt == 2
    assert [(f.field, f.observed) for f in result.plan.findings] == [("unit", "deleted")]


def test_a_unit_deleted_after_its_start_waits_for_a_human() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.RUNNING, start_at=NOW, started_by_us=True, missing_since=NOW - SETTLE)

    result = look(declared, record, seen())

    assert actions(result) == []
    assert holds(result) == ["unit_was_deleted"]


def test_a_unit_made_a_moment_ago_that_is_not_to_be_seen_is_not_taken_for_deleted() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.OPEN, created_at=NOW - timedelta(seconds=5))

    result = look(declared, record, seen())

    assert holds(result) == ["change_not_visible_yet"]
    assert result.plan.findings == ()


def test_a_start_sent_a_moment_ago_is_not_sent_again_on_a_stale_read() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(
        declared, unit, Stage.SCHEDULED, start_at=NOW + timedelta(minutes=35), started_by_us=True, start_sent_at=NOW
    )

    assert holds(look(declared, record, seen(unit))) == ["change_not_visible_yet"]


def test_a_start_by_another_actor_is_reported_and_followed_to_its_end() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.SCHEDULED, start_at=NOW + timedelta(hours=1))

    result = look(declared, record_of(declared, unit, Stage.OPEN), seen(unit))

    assert [f.field for f in result.plan.findings] == ["startTime"]
    assert not result.plan.findings[0].correctable
    assert actions(result) == []


def test_edits_after_the_start_are_recorded_and_not_corrected() -> None:
    declared = rollout()
    start = NOW - timedelta(minutes=1)
    unit = unit_of(declared, phase=UnitPhase.RUNNING, start_at=start)
    edited = msgspec.structs.replace(unit, fields={**unit.fields, "redundancyPercent": 3})
    record = record_of(declared, unit, Stage.SCHEDULED, start_at=start, started_by_us=True)

    result = look(declared, record, seen(edited))

    assert actions(result) == []
    assert [(f.field, f.correctable) for f in result.plan.findings] == [("redundancyPercent", False)]


def newer(**changes: object):
    spec = rollout().backend
    assert isinstance(spec, FuotaConfig)
    return rollout(backend=msgspec.structs.replace(spec, **changes))


def test_changed_content_updates_an_open_unit_in_place_under_its_new_name() -> None:
    old, new = rollout(), newer(redundancy_percent=20)
    unit = unit_of(old)

    result = look(new, record_of(old, unit, Stage.OPEN), seen(unit))

    update, mark = result.plan.actions
    assert isinstance(update, UpdateUnit)
    assert update.fields == ("name", "redundancyPercent")
    assert update.vendor_id == unit.vendor_id
    assert isinstance(mark, MarkUnit)
    assert result.plan.findings == ()  # a change of mind is not drift


def test_a_field_taken_out_of_the_manifest_cannot_be_cleared_so_the_unit_is_made_again() -> None:
    old, new = newer(description="first"), rollout()
    unit = unit_of(old)
    record = record_of(old, unit, Stage.OPEN)

    deleting = look(new, record, seen(unit))
    (action,) = deleting.plan.actions
    assert isinstance(action, DeleteUnit)
    assert action.why == "superseded"


@pytest.mark.parametrize(("phase", "does"), [(UnitPhase.SCHEDULED, ["deleteUnit"]), (UnitPhase.RUNNING, [])])
def test_changed_content_ends_a_unit_that_waits_and_lets_one_on_air_end(phase: UnitPhase, does: list[str]) -> None:
    old = rollout()
    firmware = Firmware(version="2.4.2", image=f"s3://b/{SHA}/y.bin", sha256=SHA, size_bytes=6000)
    unit = unit_of(old, phase=phase, start_at=NOW)
    record = record_of(old, unit, Stage.SCHEDULED, start_at=NOW, started_by_us=True)

    assert actions(look(rollout(firmware=firmware), record, seen(unit))) == does


@pytest.mark.parametrize("stage", [Stage.OPEN, Stage.SCHEDULED])
def test_changed_content_ends_no_unit_whose_status_no_one_knows(stage: Stage) -> None:
    old = rollout()
    unit = unit_of(old, phase=UnitPhase.UNKNOWN)

    result = look(newer(redundancy_percent=40), record_of(old, unit, stage), seen(unit))

    assert actions(result) == []
    assert "unit_status_is_unknown" in holds(result)


def test_a_done_unit_whose_status_no_one_knows_any_more_is_left_alone() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.UNKNOWN)
    record = record_of(declared, unit, Stage.ENDED, results=GOOD, ended_at=NOW)

    assert "deleteUnit" not in actions(look(declared, record, seen(unit)))


def test_a_suspended_rollout_sends_nothing_and_says_who_holds_it() -> None:
    declared = rollout(suspend=Suspend(reason="bad batch", owner="ana"))

    result = look(declared, empty(declared), seen())

    assert actions(result) == []
    assert "ana" in result.plan.holds[0].message
    assert result.record.phase is Phase.SUSPENDED


def test_what_is_not_driven_yet_is_refused_by_name() -> None:
    refused = (Hold(reason="windows_is_not_driven", message="spec.windows", stalled=True),)

    result = look(rollout(), empty(rollout()), seen(), refused=refused)

    assert actions(result) == []
    assert holds(result) == ["windows_is_not_driven"]
    assert result.record.phase is Phase.STALLED


def test_with_cleanup_never_a_done_unit_is_left_alone() -> None:
    declared = rollout(cleanup="never")
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=GOOD)

    result = look(declared, record_of(declared, unit, Stage.RUNNING), seen(unit))

    assert [type(a) for a in result.plan.actions] == [CreateUnit]


def test_the_same_look_twice_changes_nothing_the_second_time() -> None:
    declared = rollout()
    start = NOW + timedelta(minutes=20)
    unit = unit_of(declared, phase=UnitPhase.SCHEDULED, start_at=start)
    first = look(declared, record_of(declared, unit, Stage.SCHEDULED, start_at=start, started_by_us=True), seen(unit))
    second = look(declared, first.record, seen(unit), NOW + timedelta(seconds=30))

    assert second.record == first.record
    assert second.events == ()


def test_an_image_replaced_after_the_wave_was_first_seen_is_drift() -> None:
    declared = rollout()
    start = NOW + timedelta(minutes=20)
    unit = unit_of(declared, phase=UnitPhase.SCHEDULED, start_at=start)
    other = msgspec.structs.replace(FACTS_IMAGE, sha256="cd" * 32)
    record = record_of(declared, unit, Stage.SCHEDULED, start_at=start, started_by_us=True)

    result = look(declared, record, Observation(units=(unit,), image=other, role=FACTS_ROLE))

    assert [(f.field, f.cause) for f in result.plan.findings] == [("image.sha256", "image bytes")]


def test_a_task_renamed_by_hand_to_another_of_our_names_is_still_the_same_unit() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.OPEN)
    renamed = msgspec.structs.replace(unit, unit_id="other", fields={**unit.fields, "name": "acme-other"})

    result = look(declared, record, seen(renamed))

    assert [(f.subject, f.field) for f in result.plan.findings] == [(unit.unit_id, "name")]
    assert actions(result) == ["updateUnit"]


def test_drift_that_nothing_can_set_back_holds_the_start_until_it_is_accepted() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.OPEN)
    off = msgspec.structs.replace(FACTS_IMAGE, versioning=False)
    accepted = rollout(drift=DriftPolicy(ignore=(Ignore(field="image.bucketVersioning", reason="known"),)))

    assert holds(look(declared, record, seen(unit, image=off))) == ["drift_is_open"]
    assert actions(look(accepted, record, seen(unit, image=off))) == ["startUnit"]
