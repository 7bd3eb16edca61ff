"""What could not be read of a rollout holds it, suspended or not, until a person acts."""

from __future__ import annotations

import msgspec
import pytest

from otactl.model import Abort, AmbiguousCreate, Failure, Observation, Stage, Suspend, Unit, UnitPhase
from otactl.model.actions import Hold
from otactl.planning.assess import assess, unlooked
from tests.support.attempts import SHAPES, made, many
from tests.support.builders import ENVIRONMENT, NOW, empty, look, record_of, rollout, seen, unit_of
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
        ({"abort": Abort(reason="bad batch")}, ["aborted"]),
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


@pytest.mark.parametrize("known", [False, True])
def test_an_error_that_stops_an_assessment_is_held_by_name_and_recorded_with_its_time(known: bool) -> None:
    declared = rollout()
    before = record_of(declared, unit_of(declared), Stage.OPEN) if known else empty(declared)

    result = unlooked(declared, before, "Unavailable", "no answer", NOW)

    assert [(h.reason, h.message, h.stalled) for h in result.plan.holds] == [("Unavailable", "no answer", True)]
    assert result.record.failure == Failure(reason="Unavailable", message="no answer", since=NOW)
    assert (result.seen, result.plan.rollout, result.plan.environment) == (Observation(), "probe", "prod-eu")
    assert result.record.version == ("" if known else "2.4.1")


def test_a_rollout_whose_service_changed_stalls_until_the_unit_of_the_other_has_ended() -> None:
    declared = rollout()
    before = msgspec.structs.replace(record_of(declared, unit_of(declared), Stage.RUNNING), backend="otaUpdate")

    result = look(declared, before, seen())

    assert actions(result) == []
    assert [(h.reason, h.stalled) for h in result.plan.holds] == [("service_changed", True)]


@pytest.mark.parametrize("stop", [{"abort": Abort(reason="bad")}, {"suspend": Suspend(reason="bad", owner="ops")}])
@pytest.mark.parametrize("doubt", ["another journal", "a create that is not found", "a unit that is not read"])
@pytest.mark.parametrize("kind", SHAPES)
def test_what_is_known_to_run_is_stopped_beside_what_is_in_doubt(
    kind: str, doubt: str, stop: dict[str, Abort | Suspend]
) -> None:
    declared, record = many(kind, made(members=("device:a",), devices=("a",)))
    attempt = record.attempts[0]
    running = Unit(unit_id=attempt.unit_id, phase=UnitPhase.RUNNING, vendor_id="v-1", members=("device:a",))
    facts = {
        "a create that is not found": {"ambiguous": (AmbiguousCreate(unit_id="u-2", message="two may be it"),)},
        "a unit that is not read": {"unreadable": ("a read is refused",)},
    }
    another = Hold(reason="another_journal_is_in_use", message="use that one", stalled=True)
    refused = (another,) if doubt == "another journal" else ()
    stopped = msgspec.structs.replace(declared, **stop)
    running_on, over = (msgspec.structs.replace(running, stopping=stopping) for stopping in (False, True))

    first, then = (
        assess(
            ENVIRONMENT, stopped, record, Observation(units=(u,), **facts.get(doubt, {})), SHAPES[kind][0], refused, NOW
        )
        for u in (running_on, over)
    )

    assert actions(first) == ["cancelUnit"]
    assert actions(then) == []
    reasons = holds(then)
    assert reasons[0] == ("aborted" if "abort" in stop else "suspended")
    assert len(reasons) == 2, "what is in doubt is still named"
