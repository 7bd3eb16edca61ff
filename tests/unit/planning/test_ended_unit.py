"""What follows an attempt that has ended: one row for each rule of `ENDED_RULES`, and the holds of a gate."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import (
    Baseline,
    Cause,
    DeviceResult,
    DriftPolicy,
    Gate,
    Ignore,
    Observation,
    Outcome,
    Reason,
    Retry,
    Stage,
    TargetFacts,
    Unit,
    UnitPhase,
    Verdict,
)
from otactl.model.actions import Finding, name_of
from otactl.planning.context import POLL, Plan, PlanContext
from otactl.planning.ended_unit import ENDED_RULES
from otactl.planning.wave_context import AttemptContext, first
from otactl.planning.wave_holds import gate_hold
from otactl.verdicts.retry import retry_plan
from tests.support.attempts import BEFORE, NAMES, SHAPES, made, many
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE, NOW, of_wave

FACTS = tuple(TargetFacts(key=f"device:{n}", exists=True, vendor_id=n) for n in NAMES)
GOOD = tuple(DeviceResult(device=n, outcome=Outcome.SUCCEEDED) for n in NAMES)
BAD = tuple(DeviceResult(device=n, outcome=Outcome.FAILED, reason=Reason.DOWNLOAD) for n in NAMES)
SILENT = tuple(replace(r, silent=True, detail="offline since Monday") for r in BAD)


def context(
    attempt: dict[str, Any],
    phase: UnitPhase | None = None,
    verdict: dict[str, Any] | None = None,
    **strategy: Any,
) -> AttemptContext:
    """An attempt at the only wave, its unit in a phase, and the verdict of the wave."""
    of, record = many("otaUpdate", made(**attempt))
    drift = strategy.pop("drift", of.drift)
    of = replace(of, drift=drift, strategy=replace(of.strategy, **strategy))
    (wave,) = record.waves
    if verdict is not None:
        given = {"passed": False, "at": NOW, "succeeded": 0, "failed": 3, "total": 3, "needed_percent": 90.0}
        wave = replace(wave, verdict=Verdict(**(given | verdict)), verdict_generation=of.generation)
    record = replace(record, waves=(wave,))
    (mine,) = wave.attempts
    units = (Unit(unit_id=mine.unit_id, vendor_id="v-1", phase=phase),) if phase is not None else ()
    seen = Observation(units=units, targets=FACTS, image=FACTS_IMAGE, role=FACTS_ROLE)
    at = PlanContext(rollout=of, environment=ENVIRONMENT, record=record, seen=seen, now=NOW)
    found = of_wave(at, shape=SHAPES["otaUpdate"][0])
    assert isinstance(found, AttemptContext)
    return found


def reported(plan: Plan) -> list[str]:
    return [*(name_of(a) for a in plan.actions), *(h.reason for h in plan.holds)]


LOST, FAILED = {"stage": Stage.LOST}, {"stage": Stage.FAILED, "failure": "no such role"}
NEVER_STARTED = LOST | {"start_at": None}


@pytest.mark.parametrize(
    ("attempt", "phase", "changes", "expected"),
    [
        (LOST, None, {}, ["unit_was_deleted"]),
        (NEVER_STARTED, None, {}, ["createUnit"]),
        (NEVER_STARTED | {"never_shown": True}, None, {}, ["unit_was_deleted"]),
        (NEVER_STARTED, UnitPhase.FAILED, {}, ["deleteUnit"]),
        (NEVER_STARTED, None, {"drift": DriftPolicy(mode="report")}, ["unit_was_deleted"]),
        (FAILED, None, {}, ["change_not_visible_yet"]),
        (FAILED, UnitPhase.FAILED, {}, ["unit_creation_failed"]),
        (FAILED | {"created_with": Baseline(role="another")}, UnitPhase.FAILED, {}, ["deleteUnit"]),
        (FAILED | {"annotation_digest": "another"}, UnitPhase.FAILED, {}, ["deleteUnit"]),
        ({"stage": Stage.SUPERSEDED}, None, {}, ["createUnit"]),
        ({"stage": Stage.SUPERSEDED, "withdrawn": True}, None, {}, ["createUnit"]),
    ],
)
def test_the_first_rule_that_applies_says_what_follows(
    attempt: dict[str, Any], phase: UnitPhase | None, changes: dict[str, Any], expected: list[str]
) -> None:
    assert reported(first(ENDED_RULES, context(attempt, phase, **changes))) == expected


ENDED = {"stage": Stage.ENDED, "ended_at": BEFORE}


@pytest.mark.parametrize(
    ("results", "verdict", "strategy", "expected"),
    [
        (BAD, {"reason": "success_rate_is_too_low"}, {}, "success_rate_is_too_low"),
        (BAD, {"reason": "too_few_reported"}, {}, "too_few_reported"),
        (GOOD, {"passed": True}, {"gate": Gate(soak="2h")}, "soak_is_running"),
        ((), None, {}, "waiting_for_devices"),
        (BAD, {}, {"retry": Retry(attempts=2, on=("download",), backoff="3h")}, "waiting_for_retry"),
    ],
)
def test_the_hold_of_a_gate_names_what_the_wave_waits_for(
    results: tuple[DeviceResult, ...], verdict: dict[str, Any] | None, strategy: dict[str, Any], expected: str
) -> None:
    assert gate_hold(context(ENDED | {"results": results}, None, verdict, **strategy)).reason == expected


def test_devices_that_failed_are_tried_again_when_their_backoff_is_over() -> None:
    again = {"retry": Retry(attempts=2, on=("download",))}

    (action,) = first(ENDED_RULES, context(ENDED | {"results": BAD}, None, {}, **again)).actions

    assert action.reason.startswith("try 2 for 3 devices that failed")


def test_a_failed_gate_says_why_its_service_heard_nothing() -> None:
    hold = gate_hold(context(ENDED | {"results": SILENT}, None, {}))

    assert "3 count as silent: offline since Monday" in hold.message


@pytest.mark.parametrize(("on_failure", "expected"), [("pause", "success_rate_is_too_low"), ("abort", "aborted")])
def test_a_failed_gate_pauses_or_aborts_as_declared(on_failure: str, expected: str) -> None:
    found = first(ENDED_RULES, context(ENDED | {"results": BAD}, None, {}, on_failure=on_failure))

    assert reported(found) == [expected]
    assert [h.stalled for h in found.holds] == [True]


def test_a_soak_is_checked_again_when_it_is_over() -> None:
    found = first(ENDED_RULES, context(ENDED | {"results": GOOD}, None, {"passed": True}, gate=Gate(soak="2h")))

    assert found.requeue_at == NOW + timedelta(hours=2)
    assert found.requeue_at > NOW + POLL


def test_the_verdict_of_an_earlier_revision_holds_no_wave_and_lets_no_retry_go_before_the_answers() -> None:
    silent = (GOOD[0], BAD[1], SILENT[2])
    given = {"stage": Stage.ENDED, "results": silent, "ended_at": BEFORE}
    retry = Retry(attempts=2, on=("download",))
    of = context(given, verdict={"passed": True}, gate=Gate(silence_after="24h"), retry=retry)
    known = replace(of.known, verdict_generation="another")
    ctx = dataclasses.replace(of, known=known)

    assert gate_hold(ctx).reason == "waiting_for_devices"
    assert retry_plan(ctx.at.rollout, known) is None


@pytest.mark.parametrize(
    ("subject", "field", "words"),
    [
        ("mine", "unit", "give field unit in spec.drift.ignore another reason"),
        ("another", "unit", "accept the loss (spec.drift.ignore with field unit and a reason)"),
        ("mine", "job", "accept the loss (spec.drift.ignore with field unit and a reason)"),
    ],
)
def test_the_way_to_accept_a_loss_depends_on_its_own_finding_alone(subject: str, field: str, words: str) -> None:
    accepted = DriftPolicy(ignore=(Ignore(field="unit", reason="old"), Ignore(field="job", reason="old")))
    ctx = context(LOST, drift=accepted)
    unit_id = ctx.attempt.unit_id if subject == "mine" else subject
    finding = Finding(
        subject=unit_id, field=field, desired="present", observed="deleted", cause=Cause.DELETED, correctable=False
    )

    (hold,) = first(ENDED_RULES, dataclasses.replace(ctx, findings=(finding,))).holds

    assert words in hold.message
