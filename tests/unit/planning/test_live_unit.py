"""What is next while a unit is with its service: one row for each rule of `LIVE_RULES`."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from otactl.backends.tuya.calls import lower
from otactl.backends.tuya.config import TuyaConfig
from otactl.model import (
    Approval,
    Attempt,
    BackendConfig,
    Cause,
    DeviceResult,
    Gate,
    Intent,
    Observation,
    Outcome,
    Reason,
    Record,
    RecordedCall,
    Requires,
    ServiceFinding,
    Stage,
    TargetFacts,
    Unit,
    UnitPhase,
    Verdict,
    WaveRecord,
)
from otactl.model.actions import UpdateUnit, name_of
from otactl.planning.context import POLL, Plan, PlanContext
from otactl.planning.live_unit import LIVE_RULES
from otactl.planning.membership import approval_digest
from otactl.planning.sent_content import SentContents
from otactl.planning.wave_context import AttemptContext, UnitContext, first
from tests.support.attempts import BEFORE, LATER, NAMES, SHAPES, made, many
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE, NOW, of_wave

KEYS = tuple(f"device:{n}" for n in NAMES)
FACTS = tuple(TargetFacts(key=k, exists=True, vendor_id=k[7:]) for k in KEYS)


def context(
    unit: dict[str, Any] | None = None,
    attempt: dict[str, Any] | None = None,
    kind: str = "otaUpdate",
    record: dict[str, Any] | None = None,
    **declared: object,
) -> AttemptContext:
    """An attempt at the only wave, and its unit as it is declared but for `unit`; without it nothing is shown."""
    of, known = many(kind, made(**({"stage": Stage.RUNNING} | (attempt or {}))))
    of = replace(of, **declared)
    known = replace(known, **(record or {}))
    at = PlanContext(rollout=of, environment=ENVIRONMENT, record=known, seen=Observation(), now=NOW)
    bare = of_wave(at, shape=SHAPES[kind][0])
    assert isinstance(bare, AttemptContext)
    if unit is None:
        return bare
    shown = Unit(
        **{
            "unit_id": bare.attempt.unit_id,
            "vendor_id": "v-1",
            "phase": UnitPhase.RUNNING,
            "members": KEYS,
            "fields": bare.fields,
            "tags": bare.tags,
        }
        | unit
    )
    seen = Observation(units=(shown,), targets=FACTS, image=FACTS_IMAGE, role=FACTS_ROLE)
    found = of_wave(replace(at, seen=seen), shape=SHAPES[kind][0])
    assert isinstance(found, AttemptContext)
    return found


def reported(plan: Plan) -> list[str]:
    return [*(name_of(a) for a in plan.actions), *(h.reason for h in plan.holds)]


SILENT = DeviceResult(device="a", outcome=Outcome.UNKNOWN)
DOUBT = ServiceFinding(field="job", desired="there", observed="deleted", cause=Cause.DELETED)
STRICT = {"min_success_percent": 100.0}


@pytest.mark.parametrize(
    ("unit", "attempt", "expected"),
    [
        ({"phase": UnitPhase.UNKNOWN}, {}, ["unit_status_is_unknown"]),
        (None, {}, ["change_not_visible_yet"]),
        ({"phase": UnitPhase.BROKEN}, {}, ["change_not_visible_yet"]),
        ({"phase": UnitPhase.OPEN}, {"stage": Stage.SCHEDULED}, ["change_not_visible_yet"]),
        ({"missing_targets": ("device:c",)}, {}, ["createUnit"]),
        ({"missing_targets": ("device:c",), "findings": (DOUBT,)}, {}, ["drift_is_open"]),
        ({"phase": UnitPhase.ENDED, "results": (SILENT,)}, {}, ["device_result_is_unknown"]),
        ({"stopping": True}, {"withdrawn": True, "canceled_by_us": True}, ["withdrawn_devices_wait"]),
        ({"stopping": False}, {"withdrawn": True, "canceled_by_us": True}, []),
        ({"stopping": True}, {"canceled_by_us": True}, ["previous_revision_running"]),
        ({"overdue": "a waits since yesterday"}, {}, ["devices_are_overdue"]),
        ({"tags": {}}, {}, ["markUnit"]),
        ({"tags": {}}, {"invisible_changes": {"tags": 3}}, ["change_is_not_shown"]),
        ({"tags": {}, "readable": False}, {}, []),
        ({}, {}, []),
    ],
)
def test_the_first_rule_that_applies_says_what_is_next(
    unit: dict[str, Any] | None, attempt: dict[str, Any], expected: list[str]
) -> None:
    assert reported(first(LIVE_RULES, context(unit, attempt))) == expected


def test_a_start_that_was_sent_and_is_not_shown_is_waited_for() -> None:
    of = context({}).attempt.unit_id
    call = RecordedCall(service="s", operation="o", parameters={})
    sent = Intent(action="startUnit", unit_id=of, key="k", call=call, at=NOW)

    assert reported(first(LIVE_RULES, context({}, record={"intents": (sent,)}))) == ["change_not_visible_yet"]


def test_the_rest_of_a_unit_is_not_created_when_its_gate_cannot_be_met() -> None:
    attempt = {"tally": {Outcome.FAILED: 2, Outcome.SUCCEEDED: 0}, "failures": {Reason.DOWNLOAD: 2}}
    strategy = replace(many("tuya", made())[0].strategy, gate=Gate(**STRICT))

    found = first(LIVE_RULES, context({"missing_targets": ("device:c",)}, attempt, "tuya", strategy=strategy))

    assert reported(found) == ["success_rate_is_too_low"]
    assert found is not None
    assert found.holds[0].message.endswith(
        ": 2 of 3 devices failed, so its gate cannot be met; the rest of it is not created; "
        "change spec.firmware, or the gate, by pull request"
    )


def with_verdict(passed: bool) -> AttemptContext:
    """A live unit whose wave has a verdict."""
    plain = context({})
    verdict = Verdict(
        passed=passed,
        needed_percent=90,
        at=NOW,
        succeeded=2,
        failed=1,
        total=3,
        reason="" if passed else "too_few_succeeded",
    )
    known = replace(plain.known, verdict=verdict, verdict_generation=plain.at.rollout.generation)
    return context({}, record={"waves": (known,)})


def test_a_wave_that_passed_with_devices_still_at_it_soaks() -> None:
    found = first(LIVE_RULES, with_verdict(passed=True))

    assert reported(found) == ["soak_is_running"]


def test_a_wave_that_failed_with_devices_still_at_it_stalls() -> None:
    found = first(LIVE_RULES, with_verdict(passed=False))

    assert [h.stalled for h in found.holds] == [True]
    assert found.requeue_at == NOW + POLL


@pytest.mark.parametrize(
    ("stage", "start", "back"), [(Stage.SCHEDULED, LATER, LATER), (Stage.RUNNING, BEFORE, NOW + POLL)]
)
def test_a_unit_that_runs_as_declared_is_checked_again_at_its_start_or_in_a_minute(
    stage: Stage, start: object, back: object
) -> None:
    phase = UnitPhase.SCHEDULED if stage is Stage.SCHEDULED else UnitPhase.RUNNING

    found = first(LIVE_RULES, context({"phase": phase}, {"stage": stage, "start_at": start}))

    assert (reported(found), found.requeue_at) == ([], back)


def test_a_check_is_never_asked_for_in_the_past() -> None:
    found = first(LIVE_RULES, context({}, {"stage": Stage.SCHEDULED, "start_at": NOW}))

    assert found.requeue_at is not None
    assert found.requeue_at >= NOW + timedelta(seconds=1)


CONFIRMS = TuyaConfig(document={"productKey": "p", "needConfirm": True, "confirmWaves": ["all"]})


def after_confirming(ids: list[str], times: dict[str, int]) -> Plan:
    """What is next when tasks wait for a confirmation, some of which were confirmed before."""
    sent = {f"toConfirm of {each}": number for each, number in times.items()}
    shown = {"fields": {**context(kind="tuya", backend=CONFIRMS).fields, "toConfirm": ids}}
    return first(LIVE_RULES, context(shown, {"invisible_changes": sent}, "tuya", backend=CONFIRMS))


def test_a_task_that_waits_still_after_three_confirmations_is_held_by_its_id() -> None:
    (hold,) = after_confirming(["t-1"], {"t-1": 3}).holds

    assert hold.reason == "change_is_not_shown"
    assert "toConfirm of t-1" in hold.message


def test_tasks_that_begin_to_wait_later_are_confirmed_without_those_given_up() -> None:
    plan = after_confirming(["t-1", "t-2"], {"t-1": 3})

    (action,) = plan.actions
    (call,) = lower(action, Observation())
    assert (plan.holds, call.parameters) == ((), {"TaskId": ["t-2"]})


def test_a_confirmation_says_what_it_confirms() -> None:
    (action,) = after_confirming(["t-1"], {}).actions

    assert isinstance(action, UpdateUnit)
    assert (action.fields, action.reason) == (("toConfirm",), "drift: toConfirm")


@pytest.mark.parametrize(
    ("approved", "expected"), [(CONFIRMS, ["updateUnit"]), (SHAPES["tuya"][1], ["approval_is_outdated"])]
)
def test_no_task_is_confirmed_under_an_approval_of_other_content(approved: BackendConfig, expected: list[str]) -> None:
    declared = many("tuya", made())[0]
    wave = replace(declared.strategy.waves[0], requires=Requires(approval="owners"))
    strategy = replace(declared.strategy, waves=(wave,))
    digest = approval_digest(replace(declared, backend=approved, strategy=strategy), wave)
    approval = Approval(wave="all", role="owners", by="ada", digest=digest, at=NOW)
    given = {"backend": CONFIRMS, "strategy": strategy, "approvals": (approval,)}
    shown = {"fields": {**context(kind="tuya", **given).fields, "toConfirm": ["t-1"]}}

    assert reported(first(LIVE_RULES, context(shown, {}, "tuya", **given))) == expected


def test_no_task_is_confirmed_while_a_device_reports_a_newer_version() -> None:
    shown = {"fields": {**context(kind="tuya", backend=CONFIRMS).fields, "toConfirm": ["t-1"]}}
    found = context(shown, {}, "tuya", backend=CONFIRMS)
    assert isinstance(found, UnitContext)
    newer = TargetFacts(key="device:a", exists=True, vendor_id="a", version="9.0.0")
    at = replace(found.at, seen=replace(found.at.seen, targets=(newer, *FACTS[1:])))

    assert reported(first(LIVE_RULES, dataclasses.replace(found, at=at))) == ["downgrade_not_allowed"]


def of_another(sent: datetime, sha256: str) -> Record:
    """Another rollout, which sent an image to a device of the wave."""
    attempt = Attempt(
        number=1,
        generation="other",
        unit_id="other-all-1-0",
        stage=Stage.ENDED,
        vendor_id="j-9",
        start_at=sent,
        start_sent_at=sent,
        members=("device:a",),
        devices=("a",),
        image_sha256=sha256,
    )
    waves = (WaveRecord(name="all", attempts=(attempt,)),)
    return Record(environment="prod-eu", name="other", backend="tuya", waves=waves)


@pytest.mark.parametrize(
    ("since", "same", "resend", "expected"),
    [
        (True, True, False, ["content_was_sent_already"]),
        (True, True, True, ["updateUnit"]),
        (True, False, False, ["updateUnit"]),
        (False, True, False, ["updateUnit"]),
    ],
)
def test_no_task_is_confirmed_once_another_rollout_sent_its_content(
    since: bool, same: bool, resend: bool, expected: list[str]
) -> None:
    """A batch may wait for its confirmation for days; what is confirmed then is sent then."""
    given: dict[str, object] = {"backend": CONFIRMS, "resend_since": NOW if resend else None}
    shown = {"fields": {**context(kind="tuya", **given).fields, "toConfirm": ["t-1"]}}
    times = {"start_at": BEFORE, "start_sent_at": BEFORE, "members": ("device:a",), "devices": ("a",)}
    found = context(shown, times, "tuya", **given)
    sent = BEFORE + (timedelta(minutes=1) if since else -timedelta(minutes=1))
    sha256 = found.at.rollout.firmware.sha256 if same else "e" * 64
    records = {"other": of_another(sent, sha256), found.at.rollout.name: found.at.record}
    at = replace(found.at, sendings=SentContents(records))

    assert reported(first(LIVE_RULES, dataclasses.replace(found, at=at))) == expected


def test_the_records_of_other_environments_are_read_before_a_confirmation() -> None:
    plan = after_confirming(["t-1"], {})

    assert ([name_of(a) for a in plan.actions], plan.begins) == (["updateUnit"], True)
