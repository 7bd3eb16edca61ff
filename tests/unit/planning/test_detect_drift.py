"""Which differences of a rollout are drift, and which are changes of the manifest or reads that lag."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from otactl.drift.diff import digest_of
from otactl.model import (
    Attempt,
    Cause,
    DriftEntry,
    DriftStatus,
    Intent,
    Observation,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    Unit,
    UnitPhase,
    WaveRecord,
)
from otactl.model.actions import Finding
from otactl.planning.context import PlanContext
from otactl.planning.detect_drift import findings, just_lost, unit_drift
from otactl.planning.units import declare
from otactl.planning.wave_context import AttemptContext, of_rollout
from otactl.verdicts.deadlines import SETTLE
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, NOW, SHAPE, of_wave, record_of, rollout, seen, unit_of

LONG_AGO, JUST_NOW = NOW - timedelta(hours=1), NOW - timedelta(seconds=1)
STARTED = {"start_at": LONG_AGO, "started_by_us": True}


def detected(declared: Rollout, record: Record, observed: Observation) -> list[Finding]:
    at = PlanContext(rollout=declared, environment=ENVIRONMENT, record=record, seen=observed, now=NOW)
    return list(findings(of_rollout(at, SHAPE)))


def fields(found: list[Finding]) -> list[str]:
    return [f.field for f in found]


def entry(subject: str, **changes: object) -> DriftEntry:
    known = DriftEntry(
        subject=subject,
        field="redundancyPercent",
        desired=12,
        observed=3,
        cause=Cause.OUT_OF_BAND_EDIT,
        first_seen=LONG_AGO,
        last_seen=LONG_AGO,
        status=DriftStatus.WAITING,
    )
    return replace(known, **changes)


def edited(unit: Unit) -> Unit:
    """The unit with one field that another actor has changed."""
    return replace(unit, fields={**unit.fields, "redundancyPercent": 3})


@pytest.mark.parametrize(
    ("stage", "phase", "attempt", "changes", "found"),
    [
        (Stage.OPEN, UnitPhase.OPEN, {}, {}, ["redundancyPercent"]),
        (Stage.RUNNING, UnitPhase.RUNNING, STARTED, {}, ["redundancyPercent"]),
        (Stage.SCHEDULED, UnitPhase.OPEN, STARTED, {}, []),  # the read does not show our start yet
        (Stage.OPEN, UnitPhase.OPEN, {}, {"offline": True}, []),
        # A change of ours may not be visible yet; what can no longer be set is not ours.
        (Stage.OPEN, UnitPhase.OPEN, {"last_write_at": JUST_NOW}, {}, []),
        (Stage.OPEN, UnitPhase.OPEN, {"last_write_at": NOW - SETTLE}, {}, ["redundancyPercent"]),
        (Stage.RUNNING, UnitPhase.RUNNING, {**STARTED, "last_write_at": JUST_NOW}, {}, ["redundancyPercent"]),
    ],
)
def test_a_field_that_another_actor_changed_is_drift_once_the_reads_show_our_own_calls(
    stage: Stage, phase: UnitPhase, attempt: dict[str, object], changes: dict[str, bool], found: list[str]
) -> None:
    declared = rollout()
    unit = unit_of(declared, phase=phase, start_at=attempt.get("start_at"))

    observed = seen(edited(unit), **changes)

    assert fields(detected(declared, record_of(declared, unit, stage, **attempt), observed)) == found


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ({}, ["redundancyPercent"]),
        ({"closed_at": LONG_AGO}, []),
        ({"subject": "another-unit"}, []),
        ({"field": "fragmentIntervalMs"}, []),
    ],
)
def test_a_difference_that_the_ledger_has_open_stays_drift_after_our_write(
    known: dict[str, object], found: list[str]
) -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.OPEN, last_write_at=JUST_NOW)
    record = replace(record, drift=(entry(**{"subject": unit.unit_id, **known}),))

    assert fields(detected(declared, record, seen(edited(unit)))) == found


@pytest.mark.parametrize(
    ("written", "phase", "found"),
    [
        ("now", UnitPhase.RUNNING, [("description", Cause.OUT_OF_BAND_EDIT)]),
        ("before", UnitPhase.RUNNING, [("description", Cause.DECLARED_LATE)]),
        ("before", UnitPhase.OPEN, []),  # it is updated
    ],
)
def test_a_description_that_the_manifest_changed_is_reported_where_it_cannot_be_set_any_more(
    written: str, phase: UnitPhase, found: list[tuple[str, Cause]]
) -> None:
    declared = rollout(backend=replace(rollout().backend, description="new"))
    before = rollout(backend=replace(rollout().backend, description="old"))
    unit = unit_of(before, phase=phase)
    digests = {
        name: digest_of(value) for name, value in unit_of(declared if written == "now" else before).fields.items()
    }
    record = record_of(declared, unit, Stage.RUNNING, **STARTED, field_digests=digests)
    observed = seen(replace(unit, start_at=LONG_AGO))
    at = PlanContext(rollout=declared, environment=ENVIRONMENT, record=record, seen=observed, now=NOW)
    ctx = of_wave(at)
    assert isinstance(ctx, AttemptContext)

    result = unit_drift(ctx)

    assert [(f.field, f.cause) for f in result] == found
    assert all(not f.correctable for f in result)


@pytest.mark.parametrize(
    ("written", "found"), [(("description", "redundancyPercent"), ["description"]), (("redundancyPercent",), [])]
)
def test_a_field_that_is_not_declared_any_more_is_drift_only_where_the_journal_knows_that_we_wrote_it(
    written: tuple[str, ...], found: list[str]
) -> None:
    declared = rollout()
    unit = unit_of(rollout(backend=replace(rollout().backend, description="old")), phase=UnitPhase.RUNNING)
    digests = {name: digest_of(unit.fields[name]) for name in written}  # the unit shows both, written or a default
    record = record_of(declared, unit, Stage.RUNNING, **STARTED, field_digests=digests)

    assert fields(detected(declared, record, seen(replace(unit, start_at=LONG_AGO)))) == found


@pytest.mark.parametrize(
    ("digest", "tags", "found"),
    [
        ("", {"team": "edited"}, ["tags.team"]),
        ("same", {"team": "edited"}, ["tags.team"]),
        ("another", {"team": "edited"}, []),  # the manifest has changed since it was written
        ("another", {"otactl:wave": "edited"}, ["tags.otactl:wave"]),  # our own tags are no part of it
    ],
)
def test_a_declared_tag_that_differs_is_drift_unless_the_manifest_has_changed_since(
    digest: str, tags: dict[str, str], found: list[str]
) -> None:
    declared = rollout(backend=replace(rollout().backend, tags={"team": "blue"}))
    unit = unit_of(declared)
    target = declare(declared, ENVIRONMENT, declared.strategy.waves[0], 1, None)
    written = target.annotations if digest == "same" else digest
    record = record_of(declared, unit, Stage.OPEN, annotation_digest=written)

    result = detected(declared, record, seen(replace(unit, tags={**unit.tags, **tags})))

    assert fields(result) == found


def test_a_tag_that_differs_is_drift_beside_the_fields_that_do() -> None:
    declared = rollout(backend=replace(rollout().backend, tags={"team": "blue"}))
    unit = unit_of(declared)
    edited = replace(unit, fields={**unit.fields, "redundancyPercent": 3}, tags={**unit.tags, "team": "red"})

    result = detected(declared, record_of(declared, unit, Stage.OPEN), seen(edited))

    assert fields(result) == ["redundancyPercent", "tags.team"]


UNSEEN = {"annotation_digest": "known", "start_at": LONG_AGO, "ended_at": NOW}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ["members.group:g1", "startTime"]),
        ({"started_by_us": True}, []),
        ({"annotation_digest": ""}, []),  # of a unit found without a journal no one knows who started it
        ({"ended_at": LONG_AGO}, []),  # it was reported when it ended
    ],
)
def test_a_session_of_another_actor_that_ended_between_two_passes_is_reported_with_its_targets(
    changes: dict[str, object], found: list[str]
) -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.ENDED, start_at=LONG_AGO, members=())

    result = detected(declared, record_of(declared, unit, Stage.ENDED, **(UNSEEN | changes)), seen(unit))

    assert fields(result) == found


@pytest.mark.parametrize(
    ("missed", "changes", "found"),
    [
        (True, {}, [("redundancyPercent", True)]),
        (True, {"status": DriftStatus.IMPOSSIBLE}, [("redundancyPercent", False)]),
        (True, {"closed_at": LONG_AGO}, []),
        (True, {"subject": "another-unit"}, []),
        (False, {}, []),  # it is shown again, and differs no more
    ],
)
def test_the_drift_of_a_unit_that_one_pass_missed_is_as_the_ledger_has_it(
    missed: bool, changes: dict[str, object], found: list[tuple[str, bool]]
) -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.OPEN)
    record = replace(record, drift=(entry(**{"subject": unit.unit_id, **changes}),))

    result = detected(declared, record, seen() if missed else seen(unit))

    assert [(f.field, f.correctable) for f in result] == found


@pytest.mark.parametrize(
    ("stage", "phase", "found"),
    [
        (Stage.OPEN, UnitPhase.OPEN, ["image.sha256"]),
        (Stage.SCHEDULED, UnitPhase.SCHEDULED, ["image.sha256"]),
        (Stage.RUNNING, UnitPhase.RUNNING, []),
    ],
)
def test_the_image_is_compared_until_the_session_starts(stage: Stage, phase: UnitPhase, found: list[str]) -> None:
    declared = rollout()
    unit = unit_of(declared, phase=phase, start_at=None if stage is Stage.OPEN else LONG_AGO)
    started = {} if stage is Stage.OPEN else STARTED
    observed = seen(unit, image=replace(FACTS_IMAGE, sha256="cd" * 32))

    assert fields(detected(declared, record_of(declared, unit, stage, **started), observed)) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ["image.sha256"]),
        ({"cause": Cause.ROLE}, []),
        ({"closed_at": LONG_AGO}, []),
        ({"subject": "another-unit"}, []),
    ],
)
def test_an_image_that_differed_at_the_session_stays_reported_until_the_gate_has_passed(
    changes: dict[str, object], found: list[str]
) -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.RUNNING, start_at=LONG_AGO)
    record = record_of(declared, unit, Stage.RUNNING, **STARTED)
    image = entry(**{"subject": unit.unit_id, "field": "image.sha256", "cause": Cause.IMAGE_BYTES, **changes})

    assert fields(detected(declared, replace(record, drift=(image,)), seen(unit))) == found


def call_of(unit_id: str) -> Intent:
    call = RecordedCall(service="iotwireless", operation="CreateFuotaTask", parameters={})
    return Intent(action="createUnit", unit_id=unit_id, key="k", call=call, at=NOW)


@pytest.mark.parametrize(
    ("copy", "intents", "changes", "found"),
    [
        ({}, (), {}, ["t-9"]),
        ({}, (), {"offline": True}, []),
        ({"phase": UnitPhase.DELETING}, (), {}, []),
        ({"unit_id": "probe-canary-0-old"}, (), {}, []),  # a name our unit had
        ({"vendor_id": "t-1", "unit_id": "renamed"}, (), {}, []),  # our unit under another name
        ({}, (call_of("probe-canary-9-copy"),), {}, []),  # it may be what we have just created
    ],
)
def test_a_unit_with_our_tags_that_we_did_not_create_is_reported_as_a_copy(
    copy: dict[str, object], intents: tuple[Intent, ...], changes: dict[str, bool], found: list[str]
) -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.OPEN, previous_unit_ids=("probe-canary-0-old",))
    other = replace(unit, **{"vendor_id": "t-9", "unit_id": "probe-canary-9-copy", **copy})

    result = detected(declared, replace(record, intents=intents), seen(unit, other, **changes))

    assert [f.subject for f in result if f.cause is Cause.FOREIGN] == found


def test_what_a_failed_creation_left_behind_is_an_orphan_until_it_is_deleted() -> None:
    declared = rollout()
    unit = unit_of(declared)
    record = record_of(declared, unit, Stage.ENDED, leftovers=("stream s-1", "job j-1"))

    result = detected(declared, record, seen())

    assert [(f.field, f.cause, f.correctable) for f in result] == [
        ("leftover.stream s-1", Cause.ORPHAN, False),
        ("leftover.job j-1", Cause.ORPHAN, False),
    ]


@pytest.mark.parametrize(
    ("attempts", "found"),
    [
        (("failed", "newest"), ["deleted"]),
        (("well", "newest"), []),
    ],
)
def test_an_earlier_unit_that_its_service_could_not_delete_stays_reported(
    attempts: tuple[str, str], found: list[str]
) -> None:
    declared = rollout()
    unit = unit_of(declared)
    newest = record_of(declared, unit, Stage.OPEN).attempts[0]
    failure = "the stream is in use" if attempts[0] == "failed" else ""
    earlier = replace(newest, unit_id="probe-canary-0-old", vendor_id="t-0", stage=Stage.ENDED, failure=failure)
    record = replace(
        record_of(declared, unit, Stage.OPEN), waves=(WaveRecord(name="canary", attempts=(earlier, newest)),)
    )
    old = replace(unit, unit_id="probe-canary-0-old", vendor_id="t-0", phase=UnitPhase.ENDED)

    result = detected(declared, record, seen(unit, old))

    assert [f.desired for f in result] == found


@pytest.mark.parametrize(
    ("stage", "lost_at", "found"),
    [(Stage.LOST, NOW, True), (Stage.LOST, LONG_AGO, False), (Stage.LOST, None, False), (Stage.OPEN, NOW, False)],
)
def test_a_unit_of_a_removed_wave_is_reported_lost_in_the_pass_that_found_it(
    stage: Stage, lost_at: object, found: bool
) -> None:
    declared = rollout()
    record = record_of(declared, unit_of(declared), stage, wave="removed", lost_at=lost_at)
    attempt: Attempt = record.attempts[0]

    result = detected(declared, record, seen())

    assert just_lost(attempt, NOW) is found
    assert [f.field for f in result if f.cause is Cause.DELETED] == (["unit"] if found else [])


OLD = rollout(firmware=replace(rollout().firmware, version="2.4.0", sha256="cd" * 32))
WRITTEN = {"version": "2.4.0", "field_digests": {name: digest_of(value) for name, value in unit_of(OLD).fields.items()}}


@pytest.mark.parametrize(
    ("stage", "phase", "correctable"),
    [
        (Stage.OPEN, UnitPhase.OPEN, True),
        (Stage.SCHEDULED, UnitPhase.SCHEDULED, False),
        (Stage.RUNNING, UnitPhase.RUNNING, False),
    ],
)
def test_a_field_and_a_tag_that_another_actor_changed_on_a_unit_of_the_revision_before_are_drift(
    stage: Stage, phase: UnitPhase, correctable: bool
) -> None:
    attempt = WRITTEN | ({} if stage is Stage.OPEN else {"start_at": LONG_AGO, "started_by_us": True})
    unit = replace(unit_of(OLD), phase=phase, start_at=attempt.get("start_at"))
    record = record_of(OLD, unit, stage, **attempt)
    unmoved = detected(rollout(), record, seen(unit))
    tampered = replace(edited(unit), tags={**unit.tags, "otactl:wave": "other", "otactl:strange": "x"})

    found = detected(rollout(), record, seen(tampered))

    assert fields(unmoved) == []
    assert [(f.field, f.correctable) for f in found] == [
        ("redundancyPercent", correctable),
        ("tags.otactl:wave", correctable),
        ("tags.otactl:strange", correctable),
    ]


def test_the_tags_of_a_unit_are_not_compared_where_its_revision_is_not_recorded() -> None:
    unit = replace(unit_of(OLD), phase=UnitPhase.RUNNING, start_at=LONG_AGO)
    record = record_of(OLD, unit, Stage.RUNNING, **(STARTED | {"version": ""}))

    assert detected(rollout(), record, seen(replace(unit, tags={}))) == []
