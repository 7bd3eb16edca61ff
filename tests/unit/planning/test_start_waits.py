"""Waits before and after a start: a share of a group that suffices, and sessions that should be over."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import Rollout, Stage, StartWhenReady, UnitPhase, VersionCheck
from otactl.model.actions import name_of
from tests.support.builders import NOW, look, record_of, rollout, seen, unit_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ENOUGH = StartWhenReady(percent=60, after="24h")


def with_share(share: StartWhenReady | None) -> Rollout:
    return rollout(strategy=msgspec.structs.replace(rollout().strategy, start_when_ready=share))


@pytest.mark.parametrize(
    ("share", "ready", "since", "starts"),
    [
        (None, 2, 30 * DAY, False),
        (ENOUGH, 2, 23 * HOUR, False),
        (ENOUGH, 2, 24 * HOUR, True),
        (ENOUGH, 1, 30 * DAY, False),
        (ENOUGH, 0, 30 * DAY, False),
        (ENOUGH, 3, HOUR, True),
        (ENOUGH, 3, 24 * HOUR, True),
        (StartWhenReady(percent=66.7, after="24h"), 2, 30 * DAY, False),
    ],
)
def test_a_group_starts_when_all_are_ready_or_the_declared_share_is_after_its_time(
    share: StartWhenReady | None, ready: int, since: timedelta, starts: bool
) -> None:
    declared = with_share(share)
    unit = unit_of(declared)
    observed = seen(unit)
    targets = tuple(msgspec.structs.replace(t, requested=3, ready=ready) for t in observed.targets)
    record = record_of(declared, unit, Stage.OPEN, created_at=NOW - since)

    result = look(declared, record, msgspec.structs.replace(observed, targets=targets))

    assert [name_of(a) for a in result.plan.actions] == (["startUnit"] if starts else [])
    assert [h.reason for h in result.plan.holds] == ([] if starts else ["target_is_not_ready"])


def test_a_group_that_is_not_ready_names_its_devices_the_ways_out_and_its_limit() -> None:
    declared = with_share(None)
    unit = unit_of(declared)
    observed = seen(unit)
    names = {"id-3": "70b3d57ed0000003"}
    facts = msgspec.structs.replace(
        observed.targets[0], requested=3, ready=2, waiting=("id-3",), names=names, removal_command="aws x"
    )

    result = look(declared, record_of(declared, unit, Stage.OPEN), msgspec.structs.replace(observed, targets=(facts,)))

    (hold,) = result.plan.holds
    assert "waiting for 70b3d57ed0000003; to start with those that are ready" in hold.message
    assert "strategy.startWhenReady" in hold.message
    assert hold.message.endswith("take a device out: aws x")
    assert hold.limit == 2 * DAY


@pytest.mark.parametrize(
    ("phase", "since", "held"),
    [
        (UnitPhase.SCHEDULED, timedelta(minutes=59), False),
        (UnitPhase.SCHEDULED, timedelta(minutes=61), True),
        (UnitPhase.RUNNING, HOUR, False),
        (UnitPhase.RUNNING, 30 * DAY, True),
        (UnitPhase.RUNNING, timedelta(hours=5), False),
    ],
)
def test_a_session_that_should_have_started_or_ended_long_ago_is_held_with_its_command(
    phase: UnitPhase, since: timedelta, held: bool
) -> None:
    declared = rollout()
    start = NOW - since
    unit = msgspec.structs.replace(unit_of(declared), phase=phase, start_at=start)
    stage = Stage.SCHEDULED if phase is UnitPhase.SCHEDULED else Stage.RUNNING
    record = record_of(declared, unit, stage, start_at=start, started_by_us=True, start_sent_at=start)

    holds = look(declared, record, seen(unit)).plan.holds

    assert [h.reason for h in holds] == (["session_is_overdue"] if held else [])
    assert all("delete-fuota-task --id t-1" in h.message and h.overdue_since is not None for h in holds)


def test_a_session_whose_devices_are_waited_for_with_their_versions_is_not_reported_as_on_air() -> None:
    declared = rollout()
    start = NOW - 30 * DAY
    check = VersionCheck(since=NOW - DAY)
    unit = msgspec.structs.replace(unit_of(declared), phase=UnitPhase.RUNNING, start_at=start, version_check=check)
    record = record_of(declared, unit, Stage.RUNNING, start_at=start, started_by_us=True, version_check=check)

    assert look(declared, record, seen(unit)).plan.holds == ()


def test_a_session_whose_length_no_one_can_tell_may_take_a_week() -> None:
    spec = msgspec.structs.replace(rollout().backend, rf_region=None)
    declared = rollout(backend=spec)

    def holds(since: timedelta) -> list[str]:
        unit = msgspec.structs.replace(unit_of(declared), phase=UnitPhase.RUNNING, start_at=NOW - since)
        record = record_of(declared, unit, Stage.RUNNING, start_at=NOW - since, started_by_us=True)
        return [h.reason for h in look(declared, record, seen(unit)).plan.holds]

    assert (holds(6 * DAY), holds(8 * DAY)) == ([], ["session_is_overdue"])
