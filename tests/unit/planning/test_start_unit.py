"""When an open unit's start lies: ahead enough, and where its window opens."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from otactl.model import Stage, Window
from otactl.model.actions import StartUnit
from tests.support.builders import NOW, look, record_of, rollout, seen, unit_of

# A session of 9 min 1 s, and a window of ten minutes that opens an hour after NOW.
ONLY_JUST = rollout(windows=(Window(kind="allow", schedule="0 13 * * *", duration="10m", time_zone="UTC"),))


@pytest.mark.parametrize("asked", ["12:13:00", "12:13:01", "12:17:42", "12:24:59", "12:25:00"])
def test_a_session_that_only_just_fits_its_window_starts_when_it_opens(asked: str) -> None:
    unit = unit_of(ONLY_JUST)
    now = datetime.fromisoformat(f"2026-03-01T{asked}Z")

    result = look(ONLY_JUST, record_of(ONLY_JUST, unit, Stage.OPEN), seen(unit), now)

    (start,) = result.plan.actions
    assert isinstance(start, StartUnit)
    assert start.start_at == NOW + timedelta(hours=1)


def test_a_start_is_asked_for_no_earlier_than_in_reach_of_its_window() -> None:
    unit = unit_of(ONLY_JUST)

    early = look(ONLY_JUST, record_of(ONLY_JUST, unit, Stage.OPEN), seen(unit), NOW)
    (hold,) = early.plan.holds
    then = look(ONLY_JUST, record_of(ONLY_JUST, unit, Stage.OPEN), seen(unit), early.plan.requeue_at)

    assert (hold.reason, hold.until) == ("window_is_closed", NOW + timedelta(minutes=13))
    assert early.plan.requeue_at == hold.until
    assert [type(a) for a in then.plan.actions] == [StartUnit]


def test_a_start_that_came_too_late_for_its_window_waits_for_the_next_one() -> None:
    unit = unit_of(ONLY_JUST)

    late = look(ONLY_JUST, record_of(ONLY_JUST, unit, Stage.OPEN), seen(unit), NOW + timedelta(minutes=27))

    assert [h.reason for h in late.plan.holds] == ["window_ends_too_soon"]
