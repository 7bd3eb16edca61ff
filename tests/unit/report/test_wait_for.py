"""Whether waiting for a phase has come to an end, by table."""

from __future__ import annotations

import pytest

from otactl.model import Failure, Phase, Record, RecordedHold
from otactl.report.status_summary import RolloutLine, summarise
from otactl.report.wait_for import judge
from tests.support.report_values import NOW, record, stored


def line(found: Record) -> RolloutLine:
    return summarise(stored(found)).rollouts[0]


def hold(reason: str, *, stalled: bool = False) -> dict[str, object]:
    return {"holds": (RecordedHold(reason=reason, message="why", stalled=stalled, since=NOW),)}


def failure(reason: str) -> dict[str, object]:
    return {"failure": Failure(reason=reason, message="why", since=NOW), "phase": Phase.STALLED}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"phase": Phase.SUCCEEDED}, "reached"),
        ({"phase": Phase.PENDING}, "waiting"),
        ({"phase": Phase.PROGRESSING}, "waiting"),
        ({"phase": Phase.FAILED}, "never"),
        ({"phase": Phase.ABORTED}, "never"),
        ({"phase": Phase.ORPHANED}, "never"),
        ({"phase": Phase.REMOVED}, "never"),
        (hold("window_is_closed"), "waiting"),
        (hold("target_is_not_ready"), "waiting"),
        (hold("role_is_missing", stalled=True), "never"),
        (hold("approval_is_missing"), "never"),
        (hold("approval_is_outdated"), "never"),
        (hold("suspended"), "never"),
        (failure("Unavailable"), "waiting"),
        (failure("Conflict"), "waiting"),
        (failure("CallBudgetSpent"), "waiting"),
        (failure("NoCredentials"), "never"),
    ],
)
def test_waiting_ends_where_the_phase_is_reached_or_a_person_must_act(changes: dict[str, object], state: str) -> None:
    assert judge(line(record(**changes)), "soil", Phase.SUCCEEDED).state == state


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_can_be_waited_for(phase: Phase) -> None:
    assert judge(line(record(phase=phase)), "soil", phase).state == "reached"


def test_a_rollout_that_no_run_has_recorded_may_come() -> None:
    assert judge(None, "soil", Phase.SUCCEEDED).text == "soil is not recorded yet"


def test_the_answer_names_the_hold_and_its_message() -> None:
    found = judge(line(record(**hold("role_is_missing", stalled=True))), "soil", Phase.SUCCEEDED)

    assert found.text == "prod-eu/soil is Progressing, held until a person acts: role_is_missing: why"
