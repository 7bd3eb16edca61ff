"""Which pending calls one observation answers, and which may still become visible."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from otactl.drift.diff import digest_of
from otactl.model import Abort, AmbiguousCreate, Intent, Observation, Record, RecordedCall, Stage, Unit, UnitPhase
from otactl.model.actions import Call, CreateUnit
from otactl.planning.assess import intended
from otactl.state.lifecycle import advance, describe_intent
from otactl.verdicts.deadlines import SETTLE
from tests.support.attempts import made, many
from tests.support.builders import NOW, SHAPE, empty, look, record_of, rollout, seen, unit_of

JUST_NOW = NOW - timedelta(seconds=1)
CALL = RecordedCall(service="iotwireless", operation="CreateFuotaTask", parameters={})
UNIT = unit_of(rollout())
NEVER = {"stage": Stage.DECLARED, "vendor_id": None, "start_at": None}


def intent(action: str, unit_id: str = UNIT.unit_id, **changes: Any) -> Intent:
    return replace(Intent(action=action, unit_id=unit_id, key=f"{action}/k", call=CALL, at=NOW), **changes)


@pytest.mark.parametrize(
    ("action", "age", "phase", "kept"),
    [
        ("startUnit", timedelta(seconds=1), UnitPhase.OPEN, True),  # the read lags
        ("startUnit", timedelta(seconds=1), UnitPhase.SCHEDULED, False),
        ("startUnit", SETTLE, UnitPhase.OPEN, False),
        ("startUnit", SETTLE, None, True),  # whether it was carried out no read can tell any more
        ("startUnit", SETTLE, UnitPhase.BROKEN, True),
        ("updateUnit", timedelta(seconds=1), None, True),  # the new name is not shown yet
        ("updateUnit", timedelta(seconds=1), UnitPhase.OPEN, False),
        ("updateUnit", SETTLE, None, False),
        ("addMembers", timedelta(seconds=1), UnitPhase.OPEN, False),
        ("addMembers", timedelta(seconds=1), None, False),
        ("deleteUnit", timedelta(seconds=1), UnitPhase.RUNNING, False),
        ("createUnit", timedelta(days=9), None, True),  # it is sent again, identical
        ("createUnit", timedelta(seconds=1), UnitPhase.OPEN, False),
        ("resendCreate", timedelta(seconds=1), UnitPhase.OPEN, False),
    ],
)
def test_a_pending_call_is_kept_while_its_effect_may_still_become_visible(
    action: str, age: timedelta, phase: UnitPhase | None, kept: bool
) -> None:
    units = (replace(UNIT, phase=phase),) if phase is not None else ()
    record = replace(record_of(rollout(), UNIT, Stage.OPEN), intents=(intent(action, at=NOW - age),))

    after, _ = advance(record, rollout(), seen(*units), NOW)

    assert [i.action for i in after.intents] == ([action] if kept else [])


@pytest.mark.parametrize(("asked_for", "ours"), [(timedelta(0), True), (timedelta(seconds=7), False)])
def test_a_start_is_ours_only_where_it_is_the_time_that_a_lost_call_asked_for(asked_for: timedelta, ours: bool) -> None:
    start = NOW + timedelta(minutes=40)
    lost = intent("startUnit", at=JUST_NOW, start_at=start - asked_for)
    record = replace(record_of(rollout(), UNIT, Stage.OPEN), intents=(lost,))

    after, _ = advance(record, rollout(), seen(replace(UNIT, phase=UnitPhase.SCHEDULED, start_at=start)), NOW)

    assert [(a.start_at, a.started_by_us) for w in after.waves for a in w.attempts] == [(start, ours)]


@pytest.mark.parametrize(
    ("start_in", "may_have_started"),
    [(timedelta(minutes=-5), True), (timedelta(0), True), (timedelta(minutes=5), False)],
)
@pytest.mark.parametrize(
    ("gone", "believed_after"), [(None, SETTLE), (UnitPhase.BROKEN, SETTLE), (UnitPhase.DELETING, timedelta(0))]
)
def test_a_unit_that_vanished_after_a_start_without_an_answer_counts_as_started_once_that_time_has_come(
    gone: UnitPhase | None, believed_after: timedelta, start_in: timedelta, may_have_started: bool
) -> None:
    lost = intent("startUnit", at=NOW - timedelta(minutes=40), start_at=NOW + believed_after + start_in)
    record = replace(record_of(rollout(), UNIT, Stage.OPEN), intents=(lost,))
    units = (replace(UNIT, phase=gone),) if gone is not None else ()

    for at in (NOW, NOW + SETTLE):
        record, _ = advance(record, rollout(), seen(*units), at)

    (attempt,) = record.attempts
    assert attempt.stage is Stage.LOST
    assert attempt.start_at == (lost.start_at if may_have_started else None)
    after, _ = advance(record, rollout(), seen(*units), NOW + 2 * SETTLE)
    assert after.intents == ()


@pytest.mark.parametrize(
    ("ids", "key", "kept"),
    [
        ({}, "createUnit/k", False),
        ({"createUnit/k": "p-1"}, "createUnit/k", False),
        ({"createUnit/k": "p-1"}, "createUnit/k/2", True),  # another part of the unit
    ],
)
def test_a_create_in_parts_is_pending_until_its_own_part_is_shown(ids: dict[str, str], key: str, kept: bool) -> None:
    pending = intent("createUnit", key=key)
    record: Record = replace(record_of(rollout(), UNIT, Stage.OPEN), intents=(pending,))

    after, _ = advance(record, rollout(), seen(replace(UNIT, ids_by_call=ids)), NOW)

    assert after.intents == ((pending,) if kept else ())


@pytest.mark.parametrize(
    ("age", "ambiguous", "since", "expected"),
    [
        (timedelta(seconds=1), "", None, "pending"),
        (timedelta(days=2), "", None, "not found"),
        (timedelta(days=2), "", JUST_NOW, "pending"),
        (timedelta(days=2), "", NOW - SETTLE, "dropped"),
        (timedelta(days=2), "one of two", NOW - SETTLE, "pending"),  # a person has to decide
    ],
)
def test_a_create_that_starts_is_given_up_once_two_looks_after_its_settle_time_miss_it(
    age: timedelta, ambiguous: str, since: datetime | None, expected: str
) -> None:
    declared, record = many("tuya", made(**NEVER))
    name = record.attempts[0].unit_id
    pending = intent("createUnit", name, at=NOW - age, start_at=NOW - age, not_found_since=since)

    unclear = (AmbiguousCreate(unit_id=name, message=ambiguous),) if ambiguous else ()

    after, _ = advance(replace(record, intents=(pending,)), declared, Observation(ambiguous=unclear), NOW)

    left = {"pending": (pending,), "not found": (replace(pending, not_found_since=NOW),), "dropped": ()}
    assert after.intents == left[expected]


@pytest.mark.parametrize(
    ("removed", "age", "kept"),
    [(False, timedelta(days=30), True), (True, timedelta(days=30), False), (True, timedelta(seconds=1), True)],
)
def test_a_create_that_does_not_start_is_given_up_only_where_nothing_declares_it_any_more(
    removed: bool, age: timedelta, kept: bool
) -> None:
    declared, record = many("tuya", made(**NEVER), removed=removed)
    pending = intent("createUnit", record.attempts[0].unit_id, at=NOW - age, not_found_since=NOW - SETTLE)

    after, _ = advance(replace(record, intents=(pending,)), declared, Observation(), NOW)

    assert after.intents == ((pending,) if kept else ())


def test_a_create_whose_answer_is_lost_leaves_in_the_record_what_it_declared() -> None:
    planned = look(rollout(), empty(rollout()), seen())
    (action,) = planned.plan.actions
    assert isinstance(action, CreateUnit)
    call = Call(key="createUnit/k", service="iotwireless", operation="CreateFuotaTask", parameters={})
    sent = intended(planned, [(action, (call,))], SHAPE, NOW)
    shown = replace(UNIT, fields={**UNIT.fields, "descriptor": "a default of the service"})

    after, _ = advance(sent, rollout(), seen(shown), NOW)

    (attempt,) = after.attempts
    assert (attempt.vendor_id, after.intents) == (UNIT.vendor_id, ())
    assert attempt.declared == tuple(sorted(UNIT.fields))
    assert attempt.field_digests == {name: digest_of(value) for name, value in UNIT.fields.items()}
    assert attempt.annotation_digest == action.unit.annotations


def test_an_intent_is_described_by_its_call_and_time() -> None:
    assert (
        describe_intent(intent("createUnit", "u-1"))
        == "createUnit u-1: iotwireless:CreateFuotaTask at 2026-03-01T12:00:00Z"
    )


def test_a_create_that_an_abort_forbids_to_send_again_is_dropped_once_no_late_copy_of_it_can_act() -> None:
    declared = rollout(abort=Abort(reason="bad batch"))
    pending = intent("createUnit", at=NOW - timedelta(days=2))
    record = replace(record_of(declared, UNIT, Stage.DECLARED, vendor_id=None, members=()), intents=(pending,))

    first, _ = advance(record, declared, seen(), NOW)
    second, _ = advance(first, declared, seen(), NOW + SETTLE)

    assert (len(first.intents), first.attempts[0].stage) == (1, Stage.DECLARED)
    assert (second.intents, second.attempts[0].stage, second.under_way) == ((), Stage.SUPERSEDED, False)


@pytest.mark.parametrize(
    ("age", "stopping", "canceled", "kept"),
    [
        (timedelta(seconds=1), False, False, True),  # the read lags, or the run died before the call
        (SETTLE, False, False, False),  # it was never carried out
        (timedelta(seconds=1), True, True, False),
    ],
)
def test_a_pending_cancel_counts_only_where_the_unit_shows_that_it_stops(
    age: timedelta, stopping: bool, canceled: bool, kept: bool
) -> None:
    declared, record = many("otaUpdate", made())
    (attempt,) = record.attempts
    record = replace(record, intents=(intent("cancelUnit", attempt.unit_id, reason="suspended", at=NOW - age),))
    unit = Unit(unit_id=attempt.unit_id, phase=UnitPhase.RUNNING, vendor_id="v-1", stopping=stopping)

    after, _ = advance(record, declared, Observation(units=(unit,)), NOW)

    assert (after.attempts[0].canceled_by_us, after.attempts[0].withdrawn) == (canceled, canceled)
    assert bool(after.intents) is kept
