"""What could not be read of a rollout holds it, suspended or not, until a person acts."""

from __future__ import annotations

import pytest

from otactl.model import Abort, AmbiguousCreate, Suspend
from tests.support.builders import empty, look, rollout, seen
from tests.support.plans import actions, holds

TWO_UNITS = AmbiguousCreate(unit_id="soil-canary-1-00000000", message="two tasks may be ours")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unreadable": ("iotwireless:GetFuotaTask is missing",)}, ["observation_is_incomplete"]),
        ({"ambiguous": (TWO_UNITS,)}, ["lost_create_is_ambiguous"]),
        ({"unreadable": ("a", "b")}, ["observation_is_incomplete", "observation_is_incomplete"]),
        ({"unreadable": ("a",), "ambiguous": (TWO_UNITS,)}, ["observation_is_incomplete", "lost_create_is_ambiguous"]),
    ],
)
@pytest.mark.parametrize(
    ("declares", "also"),
    [
        ({}, []),
        ({"suspend": Suspend(reason="freeze", owner="ops")}, ["suspended"]),
        ({"abort": Abort(reason="bad batch")}, []),  # nothing is ended on facts that were not read
    ],
)
def test_every_fact_that_could_not_be_read_holds_the_rollout_by_name(
    declares: dict[str, Suspend | Abort], also: list[str], changes: dict[str, object], expected: list[str]
) -> None:
    declared = rollout(**declares)

    result = look(declared, empty(declared), seen(**changes))

    assert actions(result) == []
    assert holds(result) == [*also, *expected]
    assert all(h.stalled for h in result.plan.holds if h.reason in expected)
