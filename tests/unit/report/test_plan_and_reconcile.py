"""A plan and a run for people and machines: no text of a service acts on the terminal or on the pull request."""

from __future__ import annotations

import json

import pytest

from otactl.backends.fuota.definition import FuotaShape
from otactl.model import Cause, Observation
from otactl.model.actions import CreateUnit, Finding, Hold
from otactl.planning.expected_state import Step
from otactl.planning.units import declare
from otactl.reconcile.run_report import RolloutReport
from otactl.report import reconcile
from otactl.report.plan import as_json, finding_of, hold_of, step_of
from otactl.report.plan_markdown import as_markdown
from otactl.report.plan_text import as_text
from otactl.report.plan_values import PlannedRollout, PlanReport
from tests.support.builders import ENVIRONMENT, rollout
from tests.support.report_values import HOSTILE

UNSAFE = {"\x1b", "\x9b", "\u202e", "\r"}


def step() -> Step:
    unit = declare(rollout(), ENVIRONMENT, rollout().strategy.waves[0], 1, None)
    action = CreateUnit(unit=unit, reason=HOSTILE)
    return Step(action=action, calls=FuotaShape().lower(action, Observation()))


def planned() -> PlanReport:
    finding = Finding(
        subject=HOSTILE,
        field="description",
        desired="a",
        observed=HOSTILE,
        cause=Cause.OUT_OF_BAND_EDIT,
        correctable=True,
    )
    one = PlannedRollout(
        name="probe",
        environment="prod-eu",
        digest="d" * 64,
        next=(step_of(step()),),
        drift=(finding_of(finding),),
        holds=(hold_of(Hold(reason="suspended", message=HOSTILE)),),
        notes=(HOSTILE,),
        error=HOSTILE,
    )
    return PlanReport(offline=False, rollouts=(one,), errors=(HOSTILE,))


@pytest.mark.parametrize("render", [as_text, as_markdown, as_json])
def test_no_rendering_of_a_plan_acts_on_a_terminal(render) -> None:
    shown = render(planned())

    assert not UNSAFE & set(shown)
    assert "soil" in shown


def test_a_plans_markdown_neither_mentions_a_team_nor_opens_a_tag() -> None:
    outside = as_markdown(planned()).split("```json")[0]

    assert "@acme" not in outside
    assert "<b>" not in outside


def test_a_plans_json_keeps_what_the_service_said() -> None:
    document = json.loads(as_json(planned()))

    assert document["rollouts"][0]["holds"][0]["message"] == HOSTILE
    assert document["rollouts"][0]["next"][0]["calls"][0]["operation"] == "CreateFuotaTask"


@pytest.mark.parametrize("render", [reconcile.as_text, reconcile.as_json])
def test_no_rendering_of_a_run_acts_on_a_terminal(render) -> None:
    one = RolloutReport(
        name="probe",
        environment="prod-eu",
        phase="Stalled",
        error=HOSTILE,
        holds=(Hold(reason="suspended", message=HOSTILE),),
    )

    shown = render(reconcile.ReconcileReport(rollouts=(one,), lease_held_by=HOSTILE))

    assert not UNSAFE & set(shown)
    assert "Stalled" in shown
