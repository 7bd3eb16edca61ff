"""The mark a run leaves: when it is written, what it says, and what it adds to the history."""

from __future__ import annotations

from datetime import datetime, timedelta

from otactl.model import LastRun, Record
from otactl.planning.environment import NAME
from otactl.ports import Commit, Stored
from otactl.reconcile.run_marks import error_of, mark
from otactl.reconcile.run_report import RolloutState, RunError
from tests.support.builders import NOW, rollout

DENIED = RunError(reason="PermissionDenied", message="sts:GetCallerIdentity was refused")


def stored(run: LastRun | None) -> Stored:
    return Stored(record=Record(environment="prod-eu", name=NAME, last_run=run), revision=4)


def marked(run: LastRun | None, error: RunError | None, at: datetime) -> Commit | None:
    return mark("prod-eu", stored(run) if run is not None else None, "ci/7", error, at)


def run_of(run: LastRun | None, error: RunError | None, at: datetime) -> LastRun:
    commit = marked(run, error, at)
    assert commit is not None
    assert commit.record.last_run is not None
    return commit.record.last_run


def test_every_run_with_an_error_is_recorded_with_since_when_it_is_so() -> None:
    good = run_of(None, None, NOW)
    first = run_of(good, DENIED, NOW + timedelta(minutes=5))
    second = run_of(first, DENIED, NOW + timedelta(minutes=6))

    assert (second.at, second.since, second.by) == (NOW + timedelta(minutes=6), NOW + timedelta(minutes=5), "ci/7")
    assert (second.reason, second.error, second.last_good) == (DENIED.reason, DENIED.message, NOW)


def test_another_error_begins_again() -> None:
    first = run_of(None, DENIED, NOW)
    other = RunError(reason="PermissionDenied", message="iot:ListJobs was refused")

    assert run_of(first, other, NOW + timedelta(hours=1)).since == NOW + timedelta(hours=1)


def test_a_run_without_an_error_is_recorded_once_an_hour_and_at_once_after_one_with_an_error() -> None:
    good = run_of(None, None, NOW)
    bad = run_of(good, DENIED, NOW)

    assert marked(good, None, NOW + timedelta(minutes=59)) is None
    assert run_of(good, None, NOW + timedelta(minutes=60)).since == NOW
    assert run_of(bad, None, NOW + timedelta(seconds=1)).since == NOW + timedelta(seconds=1)


def test_history_tells_when_the_errors_began_and_when_they_were_over() -> None:
    good = run_of(None, None, NOW)
    bad = run_of(good, DENIED, NOW + timedelta(minutes=5))
    reported = [
        [e.message for e in commit.events] if (commit := marked(run, error, NOW + timedelta(hours=2))) else None
        for run, error in ((None, None), (good, None), (good, DENIED), (bad, DENIED), (bad, None))
    ]

    assert reported == [
        [],
        [],
        ["the run by ci/7 failed: PermissionDenied: sts:GetCallerIdentity was refused"],
        [],
        ["the run by ci/7 had no error; runs had failed since 2026-03-01T12:05:00Z: PermissionDenied"],
    ]


def test_a_run_is_summed_up_by_the_environments_error_else_by_its_rollouts() -> None:
    fresh = stored(None)
    wrong = RolloutState(rollout(), fresh, error="TargetMissing: group g1", reason="TargetMissing")
    other = RolloutState(rollout(name="other"), fresh, error="no answer", reason="Unavailable")

    assert error_of([], [RolloutState(rollout(), fresh)]) is None
    assert error_of([DENIED], [wrong]) == DENIED
    assert error_of([], [wrong]) == RunError(reason="TargetMissing", message="probe: group g1")
    assert error_of([], [wrong, other]) == RunError(
        reason="RolloutsFailed", message="probe: group g1 (and 1 more rollouts)"
    )
