"""How things stand: the age of holds, when a wait is too long, conditions and the reason of a phase."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otactl.model import Failure, Phase, RecordedHold, Verdict, WaveRecord
from otactl.model.actions import Hold
from otactl.state.status_conditions import (
    LIMITS,
    alike,
    conditions,
    newly_overdue,
    overdue_event,
    phase_event,
    remember,
    shown_phase,
)
from tests.support.builders import NOW

DAY = timedelta(days=1)
BUSY = Hold(reason="target_is_busy", message="group g1 is held")
FAILURE = Failure(reason="PermissionDenied", message="iot:CreateOTAUpdate was refused", since=NOW)


def after(span: timedelta, *holds: Hold, first: Hold = BUSY) -> tuple[RecordedHold, ...]:
    return remember(remember((), (first,), NOW), holds, NOW + span)


def test_a_hold_keeps_its_age_while_its_reason_stays_whatever_its_message_says() -> None:
    (seen,) = after(3 * DAY, Hold(reason="target_is_busy", message="group g2 is held"))

    assert (seen.since, seen.message) == (NOW, "group g2 is held")


def test_a_hold_of_another_reason_begins_again() -> None:
    assert [h.since for h in after(DAY, BUSY, Hold(reason="suspended", message="lab"))] == [NOW, NOW + DAY]


@pytest.mark.parametrize(
    ("hold", "span", "overdue_since"),
    [
        (BUSY, LIMITS["target_is_busy"] - timedelta(seconds=1), None),
        (BUSY, 9 * DAY, NOW + 7 * DAY),
        (Hold(reason="target_is_busy", message="x", limit=2 * DAY), 3 * DAY, NOW + 2 * DAY),
        (Hold(reason="any", message="x", limit=DAY), 1.5 * DAY, NOW + DAY),
        (Hold(reason="any", message="x", overdue_since=NOW + DAY), DAY / 2, None),
        (Hold(reason="any", message="x", overdue_since=NOW + DAY), 2 * DAY, NOW + DAY),
        (Hold(reason="soak_is_running", message="x", until=NOW + DAY), 1.5 * DAY, None),
        (Hold(reason="soak_is_running", message="x", until=NOW + DAY), 3 * DAY, NOW + 2 * DAY),
        (Hold(reason="approval_is_missing", message="x"), 400 * DAY, None),
        (Hold(reason="target_is_busy", message="x", stalled=True), 400 * DAY, None),
    ],
)
def test_a_hold_is_overdue_once_it_lasts_longer_than_its_limit(hold, span, overdue_since) -> None:
    (seen,) = after(span, hold, first=hold)

    assert seen.overdue_since == overdue_since


def test_a_hold_becomes_overdue_once_and_says_so_in_the_history() -> None:
    before = remember((), (BUSY,), NOW)
    late = remember(before, (BUSY,), NOW + 8 * DAY)
    later = remember(late, (BUSY,), NOW + 30 * DAY)

    assert [h.reason for h in newly_overdue(before, late)] == ["target_is_busy"]
    assert newly_overdue(late, later) == ()
    assert later[0].overdue_since == NOW + 7 * DAY
    assert overdue_event(late[0], "probe", NOW).message == (
        "target_is_busy lasts longer than its limit (since 2026-03-01T12:00:00Z): group g1 is held"
    )


def test_an_overdue_hold_is_a_condition_of_its_own_and_does_not_stall() -> None:
    holds = remember(remember((), (BUSY,), NOW), (BUSY,), NOW + 8 * DAY)

    reported = {c.type: (c.status, c.reason) for c in conditions(Phase.PROGRESSING, holds, None, (), NOW)}

    assert reported == {
        "Ready": (False, "Progressing"),
        "Reconciling": (True, "TargetIsBusy"),
        "Stalled": (False, "No"),
        "Overdue": (True, "TargetIsBusy"),
    }


def test_a_condition_keeps_its_since_while_status_and_reason_stay() -> None:
    first = conditions(Phase.PENDING, (), FAILURE, (), NOW)
    again = conditions(Phase.PENDING, (), FAILURE, first, NOW + DAY)
    over = conditions(Phase.PENDING, (), None, again, NOW + 2 * DAY)

    assert [c.since for c in again] == [NOW] * 3
    assert {c.type: c.since for c in over} == {"Ready": NOW, "Reconciling": NOW + 2 * DAY, "Stalled": NOW + 2 * DAY}


@pytest.mark.parametrize(
    ("phase", "failure", "shown"),
    [
        (Phase.PROGRESSING, FAILURE, Phase.STALLED),
        (Phase.SUSPENDED, FAILURE, Phase.STALLED),
        (Phase.FAILED, FAILURE, Phase.FAILED),
        (Phase.SUCCEEDED, FAILURE, Phase.SUCCEEDED),
        (Phase.PROGRESSING, None, Phase.PROGRESSING),
    ],
)
def test_an_error_stalls_what_is_not_over(phase, failure, shown) -> None:
    assert shown_phase(phase, failure) is shown


@pytest.mark.parametrize(
    ("before", "now", "holds", "failure", "reported"),
    [
        (Phase.PENDING, Phase.PENDING, (), None, []),
        (
            Phase.PENDING,
            Phase.STALLED,
            (),
            FAILURE,
            ["Pending -> Stalled: PermissionDenied: iot:CreateOTAUpdate was refused"],
        ),
        (Phase.PENDING, Phase.PROGRESSING, (), None, ["Pending -> Progressing: WaveInProgress: a wave is in progress"]),
        (
            Phase.PROGRESSING,
            Phase.ORPHANED,
            (),
            None,
            ["Progressing -> Orphaned: ManifestRemoved: its manifest was removed from Git, and its units exist"],
        ),
        (Phase.STALLED, Phase.ABORTED, (), None, ["Stalled -> Aborted: AbortDeclared: spec.abort stopped it"]),
        (
            Phase.PROGRESSING,
            Phase.SUCCEEDED,
            (),
            None,
            ["Progressing -> Succeeded: AllWavesPassed: every wave passed its gate"],
        ),
        (
            Phase.PROGRESSING,
            Phase.FAILED,
            (BUSY, Hold(reason="success_rate_is_too_low", message="50 %", stalled=True)),
            None,
            ["Progressing -> Failed: SuccessRateIsTooLow: 50 %"],
        ),
        (
            Phase.PROGRESSING,
            Phase.ORPHANED,
            (Hold(reason="manifest_removed", message="p-1 may have been made"),),
            None,
            ["Progressing -> Orphaned: ManifestRemoved: p-1 may have been made"],
        ),
    ],
)
def test_history_gives_the_reason_of_a_phase(before, now, holds, failure, reported) -> None:
    events = phase_event(before, now, remember((), holds, NOW), failure, "probe", NOW)

    assert [e.message for e in events] == reported


def test_history_gives_the_figures_of_a_gate_that_failed_in_a_look_without_holds() -> None:
    verdict = Verdict(passed=False, succeeded=1, failed=3, total=4, needed_percent=90, at=NOW)
    waves = (WaveRecord(name="lab"), WaveRecord(name="canary", verdict=verdict))

    (event,) = phase_event(Phase.PROGRESSING, Phase.FAILED, (), None, "probe", NOW, waves)

    text = "SuccessRateIsTooLow: wave canary: 25.0 % of 4 devices, 90 % needed, 3 failed"
    assert (event.message, event.data["reason"]) == (f"Progressing -> Failed: {text}", "SuccessRateIsTooLow")


def test_ids_and_counts_make_no_other_error_and_another_permission_does() -> None:
    assert alike("timed out after 4 attempts (request 0a1b-2)", "timed out after 3 attempts (request 9c9c-7)")
    assert not alike("iot:CreateOTAUpdate was refused", "sts:GetCallerIdentity was refused")


@pytest.mark.parametrize(("phase", "message"), [(Phase.SUCCEEDED, "every wave passed"), (Phase.PROGRESSING, "")])
def test_a_rollout_is_ready_when_every_wave_passed(phase: Phase, message: str) -> None:
    ready, reconciling, stalled = conditions(phase, (), None, (), NOW)

    assert (ready.type, ready.status, ready.reason, ready.message) == ("Ready", bool(message), phase.value, message)
    assert (reconciling.type, reconciling.status, reconciling.message) == ("Reconciling", not message, "")
    assert (stalled.type, stalled.status, stalled.reason, stalled.message) == ("Stalled", False, "No", "")
