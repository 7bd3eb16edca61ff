"""What is wrong in a plan, for code scanning and test reports: the errors of its exit code, each with its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from otactl import explanations
from otactl.errors import ManifestError, OtactlError, Problem, StalledError, TransientError, UsageError
from otactl.model.actions import Hold
from otactl.report.plan import hold_of
from otactl.report.plan_problems import as_junit, as_sarif, of_error
from otactl.report.plan_values import PlannedRollout, PlanReport, PlanVerdict
from tests.support.report_formats import junit_suite, sarif_run
from tests.support.report_values import HOSTILE

replace = msgspec.structs.replace
IDLE = PlannedRollout(name="plug", environment="prod-eu", file="rollouts/plug.yaml", line=4)
LOST = replace(IDLE, verdict=PlanVerdict.CANNOT_BE_PLANNED, error="AccountDiffers: the account is 1")
NO_CODE = replace(LOST, error="environment prod-eu was not found; name its file")
BROKEN = Problem(file="rollouts/a b.yaml", line=9, column=5, pointer="/spec", code="bad_format", message="no number")
UNREAD = replace(
    LOST, file=BROKEN.file, line=None, error="ManifestInvalid: rollouts/a b.yaml:9:5: bad_format: no number"
)


def held(*reasons: str, stalled: bool = True, then: bool = False) -> PlannedRollout:
    holds = tuple(hold_of(Hold(reason=r, message=f"wave canary: {r}", stalled=stalled)) for r in reasons)
    plan = replace(IDLE, verdict=PlanVerdict.HELD)
    return replace(plan, run_holds=holds) if then else replace(plan, holds=holds)


def report(*rollouts: PlannedRollout, **more: Any) -> PlanReport:
    return PlanReport(offline=False, rollouts=rollouts, **more)


def results(plan: PlanReport) -> list[tuple[str, str, str]]:
    """Return level, code and message of each result."""
    return [(r["level"], r["ruleId"], r["message"]["text"]) for r in sarif_run(as_sarif(plan))["results"]]


def failures(plan: PlanReport) -> dict[str, list[str]]:
    """Return the codes of the failures of each case."""
    return {case.name: [each.type for each in case.result] for case in junit_suite(as_junit(plan))}


@pytest.mark.parametrize(
    ("plan", "level", "code", "message"),
    [
        (LOST, "error", "AccountDiffers", "prod-eu/plug: the account is 1"),
        (NO_CODE, "error", "RunFailed", "prod-eu/plug: environment prod-eu was not found; name its file"),
        (held("image_is_missing"), "error", "image_is_missing", "prod-eu/plug: wave canary: image_is_missing"),
        (held("role_is_missing", then=True), "error", "role_is_missing", "prod-eu/plug: wave canary: role_is_missing"),
        (held("drift_is_open"), "warning", "drift_is_open", "prod-eu/plug: wave canary: drift_is_open"),
    ],
)
def test_what_is_wrong_with_a_rollout_is_a_result_at_its_line(
    plan: PlannedRollout, level: str, code: str, message: str
) -> None:
    ((found, rule, text),) = results(report(plan))
    (result,) = sarif_run(as_sarif(report(plan)))["results"]

    assert (found, rule) == (level, code)
    assert text.startswith(message)
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "rollouts/plug.yaml"}, "region": {"startLine": 4, "startColumn": 1}}
    assert failures(report(plan)) == {"prod-eu/plug": [code] if level == "error" else []}


@pytest.mark.parametrize(
    "plan", [IDLE, held("window_is_closed"), held("image_is_missing", stalled=False), held("needs_approval")]
)
def test_what_fails_no_check_is_no_result_and_a_case_that_passes(plan: PlannedRollout) -> None:
    assert results(report(plan)) == []
    assert failures(report(plan)) == {"prod-eu/plug": []}


def test_each_error_fails_the_check_and_each_failure_of_the_check_is_an_error() -> None:
    for plan in (IDLE, LOST, held("image_is_missing"), held("drift_is_open"), held("role_is_missing", then=True)):
        errors = [level for level, _, _ in results(report(plan)) if level == "error"]
        assert bool(errors) == plan.is_red == bool(failures(report(plan))["prod-eu/plug"])


def test_a_rule_has_the_text_of_explain_as_its_help() -> None:
    run = sarif_run(as_sarif(report(held("image_is_missing"))))
    (rule,) = run["tool"]["driver"]["rules"]
    ((_, _, text),) = explanations.find("image_is_missing")

    assert rule["fullDescription"]["text"] == text.means
    assert rule["help"]["text"].endswith(f"What to do: {text.fix}")


def test_a_hold_twice_in_one_rollout_is_one_result() -> None:
    assert len(results(report(replace(held("image_is_missing"), run_holds=held("image_is_missing").holds)))) == 1


def test_a_manifest_with_an_error_is_one_result_and_fails_its_rollout() -> None:
    plan = report(UNREAD, problems=(BROKEN,))

    assert results(plan) == [("error", "bad_format", "no number")]
    assert failures(plan) == {"prod-eu/plug": ["ManifestInvalid"]}


def test_a_manifest_of_no_known_rollout_is_a_case_of_its_own() -> None:
    text = "rollouts/a b.yaml:9:5: bad_format: no number (and 1 more)"
    plan = report(IDLE, problems=(BROKEN,), errors=(text,))

    assert failures(plan) == {"prod-eu/plug": [], "rollouts/a b.yaml": ["bad_format"]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such revision"), "RunFailed"),
        (UsageError("JournalMissing: no journal at x"), "JournalMissing"),
        (TransientError("timed out"), "Unavailable"),
        (StalledError("NoRegion", "no Region"), "NoRegion"),
    ],
)
def test_a_plan_that_failed_is_a_notification_and_a_failed_case(error: OtactlError, code: str) -> None:
    plan = report(problems=of_error(error))
    run = sarif_run(as_sarif(plan))
    (invocation,) = run["invocations"]

    assert run["results"] == []
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["associatedRule"] == {"id": code}
    assert failures(plan) == {"otactl plan": [code]}


def test_a_plan_that_no_manifest_allows_has_every_problem_at_its_place() -> None:
    assert of_error(ManifestError((BROKEN,))) == (BROKEN,)


def test_a_rollout_that_drift_holds_says_so_in_the_output_of_its_case() -> None:
    (case,) = junit_suite(as_junit(report(held("drift_is_open"))))

    assert "warning: drift_is_open: wave canary: drift_is_open; way out: " in str(case.system_out)


def test_nothing_of_a_message_is_markup_or_acts_on_a_terminal() -> None:
    plan = report(replace(LOST, name=HOSTILE, error=f"AccountDiffers: {HOSTILE} ]]> &"))

    for text in (as_sarif(plan), as_junit(plan)):
        assert all(character not in text for character in "\x1b\u202e\x9b")
    assert results(plan)
    assert list(failures(plan).values()) == [["AccountDiffers"]]
