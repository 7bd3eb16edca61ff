"""Small rules about the next step: whose a unit is, which targets are next, what is stopped, when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import (
    Abort,
    Attempt,
    Cause,
    DeviceResult,
    DriftEntry,
    DriftStatus,
    Listed,
    Outcome,
    Reason,
    Record,
    Stage,
    Suspend,
    TargetFacts,
    Unit,
    UnitPhase,
    Verdict,
    WaveRecord,
)
from otactl.model.actions import CancelUnit, MarkUnit, UpdateUnit
from otactl.model.tags import TAG_ENVIRONMENT, TAG_OWNER
from otactl.planning.context import POLL
from otactl.planning.environment import _stranger
from otactl.planning.expected_state import _changed
from otactl.planning.next_targets import next_targets
from otactl.planning.outlook import _over
from otactl.planning.sent_content import SentContents, own_words
from otactl.planning.sent_elsewhere import _reached
from otactl.planning.start_waits import ReadyRule
from otactl.planning.units import declare
from tests.support.attempts import BEFORE, NAMES, SHAPES, decided, made, many
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, look, record_of, rollout, seen, unit_of

CAN = SHAPE.capabilities
OURS = f"{ENVIRONMENT.owner}-stray-canary-1-aaaaaaaa"
MARKS = {TAG_OWNER: ENVIRONMENT.owner, TAG_ENVIRONMENT: ENVIRONMENT.name}
REPORTED = DriftEntry(
    subject=OURS,
    field="unit",
    desired="declared",
    observed="carries our name",
    cause=Cause.ORPHAN,
    first_seen=NOW,
    last_seen=NOW,
    status=DriftStatus.IMPOSSIBLE,
    action="reported",
    manifest="m",
)


@pytest.mark.parametrize(
    ("name", "marks", "before", "cause"),
    [
        (OURS, MARKS, None, Cause.ORPHAN),
        (OURS, {}, None, Cause.FOREIGN),  # someone gave it our name
        (OURS, {**MARKS, TAG_OWNER: "other"}, None, Cause.FOREIGN),
        (OURS, None, None, None),  # its marks cannot be read yet
        (OURS, None, REPORTED, Cause.ORPHAN),  # as it was reported
        (f"{ENVIRONMENT.owner}-probe-canary-1-aaaaaaaa", {}, None, None),  # its rollout looks itself
        ("by-hand", {}, None, Cause.FOREIGN),
    ],
)
def test_a_unit_that_no_rollout_declares_is_reported_by_what_its_name_and_marks_tell(
    name: str, marks: Mapping[str, str] | None, before: DriftEntry | None, cause: Cause | None
) -> None:
    item = Listed(vendor_id="x-1", name=name, end_command="aws x")

    found = _stranger(item, ENVIRONMENT, CAN, {"probe"}, lambda: marks, before)

    assert (found.cause if found is not None else None) == cause


def test_a_change_of_a_unit_is_expected_to_rename_it_and_to_keep_what_it_does_not_name() -> None:
    declared = rollout()
    unit = replace(unit_of(declared), unit_id="old", fields={"kept": 1, "redundancyPercent": 3}, tags={"by": "hand"})
    wave = declared.strategy.waves[0]
    named = declare(declared, ENVIRONMENT, wave, 2, None)
    update = UpdateUnit(unit=named, vendor_id="t-1", fields=("redundancyPercent",), reason="r")

    changed = _changed(unit, update, SHAPE)
    marked = _changed(unit, MarkUnit(unit=named, arn="a", reason="r"), SHAPE)

    assert (changed.unit_id, changed.fields["kept"], changed.fields["redundancyPercent"]) == (named.unit_id, 1, 12)
    assert (marked.tags["by"], marked.tags[TAG_OWNER], marked.unit_id) == ("hand", ENVIRONMENT.owner, "old")


def test_a_retry_that_is_open_starts_the_devices_that_it_is_for_and_no_others() -> None:
    declared = rollout()
    unit = unit_of(declared, number=2, members=("device:d-1",))
    record = record_of(declared, unit, Stage.OPEN, number=2, retry_targets=("device:d-1",), try_number=2)

    found = next_targets(declared, record, (unit,), CAN)

    assert found is not None
    assert (found.keys, found.unit) == (("device:d-1",), unit)


@pytest.mark.parametrize(
    ("phases", "hours"),
    [
        ((), 0),
        ((UnitPhase.OPEN,), 0),
        ((UnitPhase.SCHEDULED,), 1),
        ((UnitPhase.SCHEDULED, UnitPhase.RUNNING), 2),
        ((UnitPhase.ENDED,), 0),
    ],
)
def test_sessions_are_expected_to_be_over_when_the_last_one_has_taken_its_length(
    phases: tuple[UnitPhase, ...], hours: int
) -> None:
    declared = rollout()
    length = declared.session_length()
    units = tuple(
        unit_of(declared, phase=phase, vendor_id=f"t-{n}", start_at=NOW + timedelta(hours=n))
        for n, phase in enumerate(phases, start=1)
    )

    over = _over(declared, seen(*units), NOW)

    assert length is not None
    assert over == (NOW + timedelta(hours=hours) + length if hours else NOW)


@pytest.mark.parametrize(
    ("percent", "ready", "requested", "enough"),
    [(100.0, 0, 0, False), (0.0, 0, 3, False), (0.0, 1, 3, True), (50.0, 1, 2, True), (50.1, 1, 2, False)],
)
def test_no_device_is_never_enough_to_start(percent: float, ready: int, requested: int, enough: bool) -> None:
    assert ReadyRule(percent=percent, limit=timedelta(days=2)).suffices(ready, requested) is enough


def test_an_answer_to_a_unit_without_a_known_start_may_be_one_to_a_later_unit() -> None:
    declared = rollout()
    well = DeviceResult(device="d-1", outcome=Outcome.SUCCEEDED, name="d-1", via="group:g1")
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=(well,), shared=("d-1",))
    mine = record_of(declared, unit, Stage.ENDED, devices=("d-1",))
    sent = record_of(declared, unit, Stage.DELETED, start_sent_at=NOW, start_at=NOW, devices=("d-1",), vendor_id="t-9")
    other = replace(sent, name="back")

    (found,) = own_words(seen(unit), mine, declared, SentContents({"probe": mine, "back": other})).units

    assert [(r.outcome, r.reason, r.silent) for r in found.results or ()] == [(Outcome.FAILED, Reason.TIMEOUT, True)]


@pytest.mark.parametrize(
    ("stage", "stopping", "image", "canceled"),
    [
        (Stage.RUNNING, False, True, True),
        (Stage.RUNNING, True, True, False),  # it starts no device any more
        (Stage.RUNNING, False, False, False),  # its successor could not be created
    ],
)
def test_a_running_job_of_another_revision_is_canceled_when_its_successor_can_be_created(
    stage: Stage, stopping: bool, image: bool, canceled: bool
) -> None:
    old, record = many("otaUpdate", made(stage=stage, devices=NAMES))
    (mine,) = record.attempts
    unit = Unit(unit_id=mine.unit_id, vendor_id="v-1", phase=UnitPhase.RUNNING, start_at=BEFORE, stopping=stopping)
    sha = old.firmware.sha256 if image else "ef" * 32
    newer = replace(old, firmware=replace(old.firmware, version="2.5.0", sha256=sha))

    found = [a for a in decided("otaUpdate", newer, record, unit).plan.actions if isinstance(a, CancelUnit)]

    reasons = [(a.vendor_id, a.why, a.reason) for a in found]
    assert reasons == ([("v-1", "superseded", "the manifest declares another revision now")] if canceled else [])


@pytest.mark.parametrize(("shown", "canceled"), [(True, True), (False, False)])
def test_a_suspension_cancels_the_job_that_its_service_shows(shown: bool, canceled: bool) -> None:
    declared, record = many("otaUpdate", made(devices=NAMES), suspend=Suspend(owner="ana", reason="heat"))
    (mine,) = record.attempts
    unit = Unit(unit_id=mine.unit_id, vendor_id="v-1", phase=UnitPhase.RUNNING, start_at=BEFORE)

    actions = decided("otaUpdate", declared, record, *((unit,) if shown else ())).plan.actions

    assert [(a.why, a.reason) for a in actions if isinstance(a, CancelUnit)] == (
        [("suspended", "suspended by ana: heat")] if canceled else []
    )


def test_a_unit_of_a_wave_that_was_removed_is_an_orphan_with_the_command_that_removes_it() -> None:
    declared = rollout()
    unit = unit_of(declared, "fleet", phase=UnitPhase.RUNNING, start_at=NOW)
    record = record_of(declared, unit, Stage.RUNNING, "fleet", start_at=NOW, started_by_us=True)
    smaller = replace(declared, strategy=replace(declared.strategy, waves=declared.strategy.waves[:1]))

    found = [f for f in look(smaller, record, seen(unit)).plan.findings if f.field == "unit"]

    command = CAN.end_command.format(id="t-1")
    assert [(f.subject, f.cause, f.observed) for f in found] == [
        (unit.unit_id, Cause.ORPHAN, f"present; to remove it: {command}")
    ]


@pytest.mark.parametrize(("live", "back"), [(True, NOW + POLL), (False, None)])
def test_an_abort_comes_back_while_something_of_it_goes_on(live: bool, back: Any) -> None:
    stage = Stage.RUNNING if live else Stage.SUPERSEDED
    declared, record = many("otaUpdate", made(stage=stage, devices=NAMES), abort=Abort(reason="bad"))
    (mine,) = record.attempts
    unit = Unit(unit_id=mine.unit_id, vendor_id="v-1", phase=UnitPhase.RUNNING, start_at=BEFORE, stopping=True)

    found = decided("otaUpdate", declared, record, *((unit,) if live else ())).plan

    assert (found.actions, found.requeue_at) == ((), back)


def test_what_a_unit_would_reach_are_the_devices_of_its_groups_and_not_those_of_others() -> None:
    declared = rollout()
    unit = declare(declared, ENVIRONMENT, declared.strategy.waves[1], 1, None)
    two = TargetFacts(key="group:g2", exists=True, vendor_id="g2", members=("d-2",))
    three = TargetFacts(key="group:g3", exists=True, vendor_id="g3")

    known = _reached(unit, seen(targets=(two, three), devices=("d-2", "d-9")))
    unknown = _reached(unit, seen(targets=(three,), devices=("d-9",)))

    assert known == {"device:d-2": False, "group:g2": True, "group:g3": False}
    assert unknown == {"device:d-9": False, "group:g2": True, "group:g3": True}


def test_a_wave_that_no_unit_is_for_yet_starts_its_declared_targets() -> None:
    declared, _ = many("otaUpdate")
    bare = Record(environment="prod-eu", name="probe", backend="otaUpdate", waves=(WaveRecord(name="all"),))

    found = next_targets(declared, bare, (), SHAPES["otaUpdate"][0].capabilities)

    assert found is not None
    assert (found.keys, found.unit, found.waits) == (tuple(f"device:{n}" for n in NAMES), None, False)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [({}, True), ({"phase": UnitPhase.SCHEDULED}, False), ({"retry": True}, False), ({"judged": True}, False)],
    ids=["open", "scheduled", "a retry", "its content was judged"],
)
def test_an_open_unit_of_another_revision_is_renamed_where_an_update_makes_it_the_declared_one(
    changes: dict[str, Any], fits: bool
) -> None:
    old = rollout()
    newer = replace(old, firmware=replace(old.firmware, version="2.5.0"))
    unit = unit_of(old, phase=changes.get("phase", UnitPhase.OPEN), start_at=None)
    record = record_of(old, unit, Stage.OPEN, retry_targets=("device:d-1",) if changes.get("retry") else ())
    if changes.get("judged"):
        failed = DeviceResult(device="d-1", outcome=Outcome.FAILED, reason=Reason.INTEGRITY)
        verdict = Verdict(passed=False, succeeded=0, failed=1, total=1, needed_percent=90.0, at=NOW, reason="x")
        before = Attempt(number=1, generation=newer.generation, unit_id="first", stage=Stage.DELETED, results=(failed,))
        wave = record.waves[0]
        wave = replace(wave, attempts=(before, *wave.attempts), verdict=verdict, verdict_generation=newer.generation)
        record = record.with_wave(wave)

    (action, *_) = look(newer, record, seen(unit)).plan.actions

    assert isinstance(action, UpdateUnit) is fits
