"""How one observation changes the attempts of a record: their stages, results, and what their units show."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import (
    Attempt,
    Baseline,
    Cause,
    Device,
    DeviceResult,
    DriftEntry,
    DriftStatus,
    Event,
    Intent,
    Observation,
    Outcome,
    Reason,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    Strategy,
    Targets,
    Unit,
    UnitPhase,
    Wave,
)
from otactl.model.tags import TAG_ATTEMPT, TAG_ENVIRONMENT, TAG_ROLLOUT, TAG_WAVE
from otactl.state.lifecycle import advance
from otactl.verdicts.deadlines import SETTLE
from tests.support.attempts import judged, made, many
from tests.support.builders import FACTS_IMAGE, NOW, empty, record_of, rollout, seen, unit_of

LONG_AGO, JUST_NOW = NOW - timedelta(days=30), NOW - timedelta(seconds=1)
CALL = RecordedCall(service="iotwireless", operation="CreateFuotaTask", parameters={})
STARTED = {"start_at": LONG_AGO, "started_by_us": True}


def intent(unit_id: str, action: str, **changes: Any) -> Intent:
    return replace(Intent(action=action, unit_id=unit_id, key=f"{action}/k", call=CALL, at=NOW), **changes)


def moved(
    stage: Stage, *units: Unit, intents: tuple[Intent, ...] = (), now: datetime = NOW, **attempt: Any
) -> tuple[Attempt, Record, list[Event]]:
    """The only attempt after an observation, the record and the events."""
    declared = rollout()
    record = replace(record_of(declared, unit_of(declared), stage, **attempt), intents=intents)
    after, events = advance(record, declared, seen(*units), now)
    (found,) = after.attempts
    return found, after, [*events]


def shown(phase: UnitPhase = UnitPhase.RUNNING, **changes: Any) -> Unit:
    return unit_of(rollout(), phase=phase, **changes)


NAME = shown().unit_id
OTHER = {"vendor_id": None, "arn": None}


@pytest.mark.parametrize(
    ("reason", "start_at", "stage", "started", "withdrawn"),
    [
        ("cleanup", LONG_AGO, Stage.DELETED, LONG_AGO, False),
        ("superseded", LONG_AGO, Stage.SUPERSEDED, LONG_AGO, False),
        ("superseded", NOW + SETTLE, Stage.SUPERSEDED, None, False),  # deleted before its start
        ("suspended", NOW + SETTLE, Stage.SUPERSEDED, None, True),
        ("suspended", JUST_NOW, Stage.SUPERSEDED, None, True),  # the deletion was sent before the start
    ],
)
@pytest.mark.parametrize("phase", [None, UnitPhase.DELETING])
def test_a_unit_that_is_missing_while_we_were_deleting_it_was_deleted_by_us(
    reason: str, start_at: datetime, stage: Stage, started: datetime | None, withdrawn: bool, phase: UnitPhase | None
) -> None:
    sent = intent(NAME, "deleteUnit", reason=reason, at=NOW - timedelta(minutes=1))
    units = (shown(phase, start_at=None),) if phase is not None else ()

    attempt, _, events = moved(Stage.SCHEDULED, *units, intents=(sent,), start_at=start_at)

    assert (attempt.stage, attempt.start_at, attempt.withdrawn) == (stage, started, withdrawn)
    assert [e.message for e in events if e.kind == "stage"] == [f"attempt 1 is {stage.value}"]


def test_a_unit_that_is_still_there_was_not_deleted() -> None:
    attempt, _, _ = moved(Stage.RUNNING, shown(), intents=(intent(NAME, "deleteUnit", reason="cleanup"),), **STARTED)

    assert attempt.stage is Stage.RUNNING


@pytest.mark.parametrize(
    ("since", "stage"), [(None, Stage.RUNNING), (JUST_NOW, Stage.RUNNING), (NOW - SETTLE, Stage.LOST)]
)
def test_a_broken_unit_is_lost_once_two_looks_show_it_broken(since: datetime | None, stage: Stage) -> None:
    attempt, _, _ = moved(Stage.RUNNING, shown(UnitPhase.BROKEN), missing_since=since, **STARTED)

    assert (attempt.stage, attempt.missing_since) == (stage, since or NOW)
    assert attempt.lost_at == (NOW if stage is Stage.LOST else None)


@pytest.mark.parametrize(("before", "failed"), [(Stage.OPEN, ["no such role"]), (Stage.FAILED, [])])
def test_a_creation_that_failed_is_an_event_once(before: Stage, failed: list[str]) -> None:
    attempt, _, events = moved(before, shown(UnitPhase.FAILED, failure="no such role"))

    assert (attempt.stage, attempt.failure) == (Stage.FAILED, "no such role")
    assert [e.message for e in events if e.kind == "failed"] == failed


KNOWN = Baseline(image="version=0", role="role-0")


@pytest.mark.parametrize(
    ("created_with", "changes", "expected"),
    [
        (Baseline(), {}, Baseline(image="version=1", role="role-1")),
        (KNOWN, {}, KNOWN),
        (Baseline(), {"image": None}, Baseline()),
        (Baseline(), {"role": None}, Baseline()),
    ],
)
def test_a_failed_unit_found_without_a_journal_counts_as_created_with_what_is_there_now(
    created_with: Baseline, changes: dict[str, Any], expected: Baseline
) -> None:
    declared = rollout()
    record = record_of(declared, shown(), Stage.OPEN, created_with=created_with)

    after, _ = advance(record, declared, seen(shown(UnitPhase.FAILED), **changes), NOW)

    assert FACTS_IMAGE.fingerprint == "version=1"
    assert after.attempts[0].created_with == expected


WELL = (DeviceResult(device="a", outcome=Outcome.SUCCEEDED), DeviceResult(device="b", outcome=Outcome.SUCCEEDED))
LATE = (WELL[0], DeviceResult(device="b", outcome=Outcome.FAILED, reason=Reason.VERSION))
UNKNOWN = (WELL[0], DeviceResult(device="b", outcome=Outcome.UNKNOWN))


@pytest.mark.parametrize(
    ("stage", "phase", "results", "expected", "says"),
    [
        (Stage.RUNNING, UnitPhase.ENDED, WELL, (Stage.ENDED, WELL), "2 of 2 devices succeeded"),
        (Stage.RUNNING, UnitPhase.ENDED, UNKNOWN, (Stage.RUNNING, ()), ""),
        (Stage.RUNNING, UnitPhase.ENDED, None, (Stage.RUNNING, ()), ""),
        (Stage.RUNNING, UnitPhase.RUNNING, WELL, (Stage.RUNNING, ()), ""),
        (
            Stage.ENDED,
            UnitPhase.ENDED,
            LATE,
            (Stage.ENDED, LATE),
            "1 device answered late, or otherwise than before: b",
        ),
        (Stage.ENDED, UnitPhase.ENDED, WELL, (Stage.ENDED, WELL), ""),
        (Stage.ENDED, UnitPhase.ENDED, UNKNOWN, (Stage.ENDED, WELL), ""),
        (Stage.DELETED, UnitPhase.ENDED, LATE, (Stage.DELETED, WELL), ""),
    ],
)
def test_results_are_recorded_when_a_unit_has_ended_and_again_when_devices_answer_late(
    stage: Stage,
    phase: UnitPhase,
    results: tuple[DeviceResult, ...] | None,
    expected: tuple[Stage, tuple[DeviceResult, ...]],
    says: str,
) -> None:
    had = {"results": WELL, "ended_at": LONG_AGO} if stage is not Stage.RUNNING else {}

    attempt, _, events = moved(stage, shown(phase, results=results), **STARTED, **had)

    assert (attempt.stage, attempt.results) == expected
    assert [e.message for e in events if e.kind == "results"] == ([says] if says else [])


@pytest.mark.parametrize(
    ("unit", "field", "before", "after"),
    [
        ({"job_id": "j-1"}, "job_id", "", "j-1"),
        ({"job_id": ""}, "job_id", "j-0", "j-0"),
        ({"ids_by_call": {"2": "p-2"}}, "ids_by_call", {"1": "p-1"}, {"1": "p-1", "2": "p-2"}),
        ({"data_rates": {"group:g1": 3}}, "data_rates", {}, {"group:g1": 3}),
        ({"data_rates": {}}, "data_rates", {"group:g1": 3}, {"group:g1": 3}),  # read once
        ({"failure": "timed out"}, "failure", "", "timed out"),
        ({"failure": ""}, "failure", "timed out", "timed out"),
        ({"success_cleared": ("a",)}, "already_succeeded", ("a", "b"), ("b",)),
        ({}, "already_succeeded", ("a", "b"), ("a", "b")),
        ({"updated_uncounted": ("c", "a")}, "updated_uncounted", ("b",), ("a", "b", "c")),
        ({"progress": {"sending": 1}}, "progress", {"queued": 1}, {"sending": 1}),
        ({"tags": {"otactl:journal": "0123456789abcdef"}}, "journal_id", "", "0123456789abcdef"),
        ({"tags": {"otactl:journal": "by hand"}}, "journal_id", "", ""),
        ({"canceled_by_us": True}, "canceled_by_us", False, True),
        ({"withdrawn": True}, "withdrawn", False, True),
        ({"leftovers": ("stream s-1",)}, "leftovers", (), ("stream s-1",)),
    ],
)
def test_what_a_unit_shows_is_recorded_and_what_it_stops_showing_is_kept(
    unit: dict[str, Any], field: str, before: object, after: object
) -> None:
    declared = rollout()
    record = record_of(declared, shown(), Stage.RUNNING, **STARTED, **{field: before})
    observed = seen(shown(**unit), leftovers=("stream s-1",))

    found, _ = advance(record, declared, observed, NOW)

    assert getattr(found.attempts[0], field) == after


@pytest.mark.parametrize(
    ("intents", "expected"),
    [
        ((), (NAME, 1, ())),
        ((intent("probe-canary-2-12345678", "updateUnit"),), ("probe-canary-2-12345678", 2, (NAME,))),
        ((intent("probe-canary-2-12345678", "markUnit"),), (NAME, 1, ())),
    ],
)
def test_a_unit_has_a_new_name_once_an_update_of_ours_that_renamed_it_is_shown(
    intents: tuple[Intent, ...], expected: tuple[str, int, tuple[str, ...]]
) -> None:
    renamed = shown(UnitPhase.OPEN, unit_id="probe-canary-2-12345678")

    attempt, _, _ = moved(Stage.OPEN, renamed, intents=intents, generation="before", rollout="old-name")

    assert (attempt.unit_id, attempt.number, attempt.previous_unit_ids) == expected
    assert (attempt.generation == rollout().generation) is bool(expected[2])
    assert (attempt.rollout == "") is bool(expected[2])


MARKS = {TAG_ROLLOUT: "probe", TAG_WAVE: "canary", TAG_ENVIRONMENT: "prod-eu", TAG_ATTEMPT: "7"}


def copy_entry(subject: str, **changes: Any) -> DriftEntry:
    entry = DriftEntry(
        subject=subject,
        field="unit",
        desired="absent",
        observed="present",
        cause=Cause.FOREIGN,
        first_seen=LONG_AGO,
        last_seen=LONG_AGO,
        status=DriftStatus.WAITING,
    )
    return replace(entry, **changes)


@pytest.mark.parametrize(
    ("tags", "phase", "drift", "adopted"),
    [
        ({}, UnitPhase.RUNNING, (), True),
        ({TAG_ROLLOUT: "another"}, UnitPhase.RUNNING, (), False),
        ({TAG_WAVE: "another"}, UnitPhase.RUNNING, (), False),
        ({TAG_ENVIRONMENT: "another"}, UnitPhase.RUNNING, (), False),
        ({TAG_ATTEMPT: "seven"}, UnitPhase.RUNNING, (), False),
        ({TAG_ATTEMPT: ""}, UnitPhase.RUNNING, (), False),
        ({}, UnitPhase.DELETING, (), False),
        ({}, UnitPhase.RUNNING, (copy_entry("t-7"),), False),  # it was reported as a copy
        ({}, UnitPhase.RUNNING, (copy_entry("t-7", closed_at=NOW),), True),
        ({}, UnitPhase.RUNNING, (copy_entry("t-7", cause=Cause.ORPHAN),), True),
    ],
)
def test_a_unit_that_no_record_knows_is_adopted_by_its_tags_alone(
    tags: dict[str, str], phase: UnitPhase, drift: tuple[DriftEntry, ...], adopted: bool
) -> None:
    declared = rollout()
    unit = Unit(unit_id="probe-canary-7-x", vendor_id="t-7", phase=phase, tags=MARKS | tags)
    record = replace(empty(declared), drift=drift)

    after, events = advance(record, declared, seen(unit), NOW)

    assert [a.number for a in after.attempts] == ([7] if adopted else [])
    assert [e.subject for e in events if e.kind == "adopted"] == ([unit.unit_id] if adopted else [])


def test_of_several_units_with_the_tags_of_a_wave_one_is_adopted() -> None:
    declared = rollout()
    both = (Unit(unit_id=f"u-{n}", vendor_id=f"t-{n}", phase=UnitPhase.OPEN, tags=MARKS) for n in (1, 2))

    after, _ = advance(empty(declared), declared, seen(*both), NOW)

    assert [a.unit_id for a in after.attempts] == ["u-1"]


def of_devices(*names: str) -> Strategy:
    return Strategy(waves=(Wave(name="all", targets=Targets(things=tuple(Device(id=n) for n in names))),))


@pytest.mark.parametrize(
    ("declared_now", "changes", "ended"),
    [
        (("a",), {}, True),
        (("a", "c"), {}, False),  # one of its devices is still declared
        (("a",), {"stage": Stage.RUNNING, "vendor_id": "v-2", "start_at": JUST_NOW}, False),
        (("a",), {"start_at": JUST_NOW}, False),
        (("a",), {"retry_targets": ()}, False),
    ],
)
def test_a_retry_that_was_not_created_ends_when_none_of_its_devices_is_declared(
    declared_now: tuple[str, ...], changes: dict[str, Any], ended: bool
) -> None:
    never = {"stage": Stage.SUPERSEDED, "vendor_id": None, "start_at": None, "retry_targets": ("device:b", "device:c")}
    declared, record = many("otaUpdate", judged(None, Reason.DOWNLOAD, Reason.DOWNLOAD), made(2, **(never | changes)))

    after, events = advance(record, replace(declared, strategy=of_devices(*declared_now)), Observation(), NOW)

    newest = after.attempts[-1]
    assert (newest.stage is Stage.ENDED) is ended
    assert newest.ended_at == (NOW if ended else None)
    said = "attempt 2 was for devices that the manifest does not declare any more"
    assert ((newest.unit_id, said) in [(e.subject, e.message) for e in events]) is ended


@pytest.mark.parametrize(
    ("action", "of_it", "pending"),
    [("createUnit", True, True), ("createUnit", False, False), ("cancelUnit", True, False), ("", True, False)],
)
def test_a_retry_whose_create_is_pending_is_not_ended(action: str, of_it: bool, pending: bool) -> None:
    never = {"stage": Stage.DECLARED, "vendor_id": None, "start_at": None, "retry_targets": ("device:c",)}
    declared, record = many("otaUpdate", judged(None, None, Reason.DOWNLOAD), made(2, **never))
    sent = intent(record.attempts[-1].unit_id if of_it else "another", action, start_at=NOW)
    record = replace(record, intents=(sent,) if action else ())

    after, _ = advance(record, replace(declared, strategy=of_devices("a", "b")), Observation(), NOW)

    assert (after.attempts[-1].stage is Stage.ENDED) is not pending


def declared_as(version: str) -> Rollout:
    return rollout(firmware=replace(rollout().firmware, version=version, sha256=version[-1] * 64))


@pytest.mark.parametrize(
    ("pending", "stage"),
    [((), Stage.SUPERSEDED), (("createUnit",), Stage.DECLARED), (("deleteUnit",), Stage.SUPERSEDED)],
)
def test_an_attempt_that_was_never_created_is_superseded_by_another_revision_unless_its_create_is_pending(
    pending: tuple[str, ...], stage: Stage
) -> None:
    record = record_of(declared_as("2.4.0"), unit_of(declared_as("2.4.0")), Stage.DECLARED, **OTHER)
    name = record.attempts[0].unit_id
    record = replace(record, intents=tuple(intent(name, action) for action in pending))

    after, events = advance(record, declared_as("2.4.1"), seen(), NOW)

    assert after.attempts[0].stage is stage
    assert events[0].message == "the manifest declares a new revision"
