"""What becomes of a session that is scheduled when a freeze, or a window, is declared over its start."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from otactl.model import Stage, Suspend, UnitPhase, Window
from otactl.model.actions import DeleteUnit
from otactl.planning.assess import Assessment, assess
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, record_of, rollout, seen, unit_of
from tests.support.windows import allow, deny

START = NOW + timedelta(hours=6)


def daily(opens: datetime, hours: int, kind: str = "deny") -> Window:
    schedule = f"{opens.minute} {opens.hour} * * *"
    return deny(schedule, f"{hours}h") if kind == "deny" else allow(schedule, f"{hours}h")


def session(
    *freezes: Window,
    windows: tuple[Window, ...] = (),
    phase: UnitPhase = UnitPhase.SCHEDULED,
    start: datetime = START,
    ours: bool = True,
    suspended: Suspend | None = None,
) -> Assessment:
    """A session whose start was permitted when it was requested."""
    declared = rollout(windows=windows, suspend=suspended)
    unit = unit_of(declared, phase=phase, start_at=start)
    stage = Stage.RUNNING if phase is UnitPhase.RUNNING else Stage.SCHEDULED
    sent = NOW - timedelta(minutes=10)
    record = record_of(
        declared,
        unit,
        stage,
        start_at=start,
        started_by_us=ours,
        start_sent_at=sent,
        targets=unit.members,
        members=unit.members,
    )
    frozen = msgspec.structs.replace(ENVIRONMENT, freezes=freezes)
    return assess(frozen, declared, record, seen(unit), SHAPE, (), NOW)


@pytest.mark.parametrize(
    ("freezes", "windows", "says"),
    [
        ((deny("0 0 * * *", "1d"),), (), "freeze"),
        ((daily(START - timedelta(hours=1), 2),), (), "freeze"),
        ((daily(START + timedelta(minutes=5), 2),), (), "freeze"),
        ((), (daily(START - timedelta(hours=1), 2),), "deny"),
        ((), (daily(NOW - timedelta(hours=1), 3, "allow"),), "window"),
    ],
    ids=["every day", "over its start", "begins in the session", "a deny window", "its window is another now"],
)
def test_a_scheduled_session_of_ours_is_withdrawn_when_its_start_is_forbidden(
    freezes: tuple[Window, ...], windows: tuple[Window, ...], says: str
) -> None:
    (action,) = session(*freezes, windows=windows).plan.actions

    assert isinstance(action, DeleteUnit)
    assert (action.why, action.not_after) == ("suspended", START)
    assert action.reason.startswith("its start at ")
    assert says in action.reason


@pytest.mark.parametrize(
    ("freezes", "windows"),
    [
        ((daily(NOW, 2),), ()),
        ((daily(START + timedelta(hours=8), 2),), ()),
        ((), (daily(START - timedelta(minutes=5), 7, "allow"),)),
    ],
    ids=["the freeze ends before it", "the freeze begins after it", "its window opens for it"],
)
def test_a_session_whose_start_is_permitted_waits_for_it(
    freezes: tuple[Window, ...], windows: tuple[Window, ...]
) -> None:
    plan = session(*freezes, windows=windows).plan

    assert (plan.actions, plan.holds) == ((), ())


@pytest.mark.parametrize(
    ("phase", "start"),
    [
        (UnitPhase.RUNNING, NOW - timedelta(minutes=1)),
        (UnitPhase.SCHEDULED, NOW - timedelta(seconds=1)),
        (UnitPhase.SCHEDULED, NOW),
    ],
)
def test_a_session_that_is_on_air_is_not_deleted(phase: UnitPhase, start: datetime) -> None:
    assert session(deny("0 0 * * *", "1d"), phase=phase, start=start).plan.actions == ()


def test_a_session_that_another_actor_scheduled_is_reported_with_the_command_that_ends_it() -> None:
    plan = session(deny("0 0 * * *", "1d"), ours=False).plan

    (hold,) = plan.holds
    assert (plan.actions, hold.reason) == ((), "scheduled_start_is_forbidden")
    assert "delete-fuota-task --id t-1" in hold.message
    assert "is to start at" in hold.message


def test_a_session_that_a_suspension_lets_finish_is_withdrawn_all_the_same() -> None:
    lenient = Suspend(reason="lab", owner="ada", running="finish")

    (action,) = session(deny("0 0 * * *", "1d"), suspended=lenient).plan.actions

    assert isinstance(action, DeleteUnit)
