"""The comment of a plan fits a pull request, whatever the number of rollouts; what matters most comes first."""

from __future__ import annotations

import msgspec
import pytest

from otactl.model import Observation
from otactl.model.actions import CreateUnit, Hold
from otactl.planning.expected_state import Step
from otactl.planning.units import declare
from otactl.report.plan import hold_of, step_of
from otactl.report.plan_markdown import LIMIT, MARKER, as_markdown
from otactl.report.plan_values import PlannedRollout, PlanReport, PlanVerdict
from tests.support.builders import ENVIRONMENT, SHAPE, rollout

GITHUB_TAKES = 65_536


def touched(name: str, *, changed: bool | None = True, calls: int = 1) -> PlannedRollout:
    declared = rollout(name=name)
    unit = declare(declared, ENVIRONMENT, declared.strategy.waves[0], 1, None)
    action = CreateUnit(unit=unit, reason="wave canary is next")
    step = step_of(Step(action=action, calls=SHAPE.lower(action, Observation())))
    call = step.calls[0]
    step = msgspec.structs.replace(step, calls=tuple(call for _ in range(calls)))
    return PlannedRollout(
        name=name, environment="prod-eu", verdict=PlanVerdict.WILL_CREATE, changed=changed, next=(step,), why="new"
    )


def idle(name: str) -> PlannedRollout:
    return PlannedRollout(name=name, environment="prod-eu", verdict=PlanVerdict.NOTHING_TO_DO, changed=False)


def comment(*rollouts: PlannedRollout, **report: object) -> str:
    return as_markdown(PlanReport(offline=False, rollouts=rollouts, **report))  # type: ignore[arg-type]


def test_a_plan_of_a_thousand_rollouts_with_twenty_touched_fits_one_comment() -> None:
    text = comment(*(idle(f"idle-{n}") for n in range(980)), *(touched(f"new-{n}") for n in range(20)))

    assert len(text) < LIMIT < GITHUB_TAKES
    assert text.count("#### `prod-eu/new-") == 20
    assert text.count("#### ") == 20
    assert text.index("prod-eu/new-19") < text.index("prod-eu/idle-0")
    rows = text.count("| `prod-eu/idle-")
    assert rows > 100
    assert f"… and {980 - rows} more rollouts" in text


def test_no_number_of_touched_rollouts_makes_a_comment_too_long() -> None:
    text = comment(*(touched(f"new-{n}", calls=50) for n in range(400)))

    assert len(text) < LIMIT
    assert text.count("#### ") + text.count("| `prod-eu/new-") < 400
    assert "more rollouts, which this comment has no room for" in text


def test_one_rollout_with_thousands_of_calls_keeps_its_details_and_counts_the_calls() -> None:
    text = comment(touched("large", calls=2000))

    assert len(text) < LIMIT
    assert "#### `prod-eu/large`: will create" in text
    assert "exact calls of the next run: 2000" in text
    assert "more calls: `otactl plan -o json` shows all" in text


def test_without_a_limit_everything_is_there() -> None:
    report = PlanReport(offline=False, rollouts=tuple(touched(f"new-{n}", calls=50) for n in range(40)))

    whole = as_markdown(report, limit=None)

    assert len(whole) > GITHUB_TAKES
    assert whole.count("#### ") == 40
    assert "no room" not in whole


def test_what_is_left_out_is_named_with_its_place() -> None:
    report = PlanReport(offline=False, rollouts=(touched("new"), idle("idle")))

    assert "The whole plan is in plan.md." in as_markdown(report, whole="plan.md")


def test_the_first_line_is_the_marker_by_which_the_comment_is_found() -> None:
    assert comment(touched("new")).splitlines()[0] == MARKER


def test_an_error_is_in_the_comment_even_where_nothing_could_be_planned() -> None:
    text = comment(errors=("rollouts/a.yaml:3:1: not_yaml: this is <b>no</b> YAML",))

    assert "- **Error:** rollouts/a.yaml:3:1: not\\_yaml: this is \\<b\\>no\\</b\\> YAML" in text


def test_many_long_errors_leave_room_for_the_rollouts() -> None:
    text = comment(*(touched(f"new-{n}") for n in range(5)), errors=tuple("x" * 3000 for _ in range(300)))

    assert len(text) < LIMIT
    assert text.count("#### ") == 5
    assert "and 280 more errors" in text


@pytest.mark.parametrize("changed", [True, None])
def test_a_rollout_that_cannot_be_planned_comes_before_one_that_can(changed: bool | None) -> None:
    broken = PlannedRollout(
        name="broken", environment="prod-eu", verdict=PlanVerdict.CANNOT_BE_PLANNED, changed=changed, error="no role"
    )

    text = comment(touched("fine", changed=changed), broken)

    assert text.index("prod-eu/broken`: cannot be planned: no role") < text.index("prod-eu/fine")


def test_a_name_in_code_closes_no_code() -> None:
    hold = hold_of(Hold(reason="a`|b", message="x"))
    text = comment(PlannedRollout(name="p`|<b>", environment="e", verdict=PlanVerdict.HELD, holds=(hold,)))

    assert "`e/p'/<b>`" in text
    assert "**hold** `a'/b`" in text


def test_calls_are_shown_as_they_are_sent() -> None:
    assert '"operation": "CreateFuotaTask"' in comment(touched("new"))
