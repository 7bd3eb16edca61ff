"""What a step is expected to leave, and which steps cannot be undone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from otactl.backends.tuya.statuses import TO_CONFIRM
from otactl.model import Observation, Outcome, Stage, Unit, UnitPhase
from otactl.model.actions import (
    Action,
    AddMembers,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    Placeholder,
    RemoveMembers,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
)
from otactl.planning.assess import Assessment
from otactl.planning.context import Plan
from otactl.planning.expected_state import Step, carried_out, starts_devices, steps, time_passes
from otactl.planning.units import declare
from tests.support.attempts import SHAPES
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, empty, look, record_of, rollout, seen, unit_of

DECLARED = rollout()
UNIT: UnitDeclaration = declare(DECLARED, ENVIRONMENT, DECLARED.strategy.waves[0], 1, None)
TUYA = SHAPES["tuya"][0].capabilities
CAN = SHAPE.capabilities


@pytest.mark.parametrize(
    ("action", "irrevocable"),
    [
        (CreateUnit(unit=UNIT, reason="r"), False),
        (CreateUnit(unit=UNIT, reason="r", start_at=NOW), True),
        (StartUnit(unit=UNIT, vendor_id="t-1", start_at=NOW, reason="r"), True),
        (UpdateUnit(unit=UNIT, vendor_id="t-1", fields=("redundancyPercent",), reason="r"), False),
        (UpdateUnit(unit=UNIT, vendor_id="t-1", fields=(TO_CONFIRM,), reason="r"), True),
        (AddMembers(unit=UNIT, vendor_id="t-1", members=("group:g1",), reason="r"), False),
        (DeleteUnit(unit_id="u", vendor_id="t-1", backend="fuota", why="cleanup", reason="r"), False),
        (CancelUnit(unit_id="u", vendor_id="t-1", backend="fuota", why="aborted", reason="r"), False),
    ],
)
def test_only_what_lets_devices_start_is_irrevocable(action: Action, irrevocable: bool) -> None:
    assert starts_devices(action, TUYA) is irrevocable


def after(action: Action, unit: Unit | None = None) -> Observation:
    """What is expected after one action on the open unit `t-1`."""
    of = unit if unit is not None else unit_of(DECLARED)
    record = record_of(DECLARED, of, Stage.OPEN)
    plan = Plan(rollout="probe", environment="prod-eu", actions=(action,))
    found = Assessment(record=record, plan=plan, seen=seen(of))
    _, expected = carried_out(found, [Step(action=action, calls=())], SHAPE, NOW)
    return expected


def the_unit(observation: Observation) -> Unit:
    (unit,) = observation.units
    return unit


def test_every_action_leaves_what_it_asks_for() -> None:
    other = replace(UNIT, backend=replace(DECLARED.backend, redundancy_percent=30))
    update = UpdateUnit(unit=other, vendor_id="t-1", fields=("redundancyPercent",), reason="r")
    add = AddMembers(unit=UNIT, vendor_id="t-1", members=("group:g9",), reason="r")
    remove = RemoveMembers(unit=UNIT, vendor_id="t-1", members=("group:g1",), reason="r")
    mark = MarkUnit(unit=UNIT, arn="arn:t-1", remove=("otactl:old",), reason="r")
    start = StartUnit(unit=UNIT, vendor_id="t-1", start_at=NOW + timedelta(hours=1), reason="r")
    cancel = CancelUnit(unit_id="u", vendor_id="t-1", backend="fuota", why="aborted", reason="r")
    delete = DeleteUnit(unit_id="u", vendor_id="t-1", backend="fuota", why="cleanup", reason="r")
    tagged = replace(unit_of(DECLARED), tags={"otactl:old": "x"})

    assert the_unit(after(update)).fields["redundancyPercent"] == 30
    assert the_unit(after(add)).members == ("group:g1", "group:g9")
    assert the_unit(after(remove)).members == ()
    assert "otactl:old" not in the_unit(after(mark, tagged)).tags
    assert the_unit(after(mark, tagged)).tags["otactl:rollout"] == "probe"
    assert (the_unit(after(start)).phase, the_unit(after(start)).start_at) == (UnitPhase.SCHEDULED, start.start_at)
    assert the_unit(after(cancel)).stopping
    assert after(delete).units == ()
    assert after(update).expected


def test_a_unit_that_is_created_is_open_and_has_placeholders_for_its_ids() -> None:
    first = look(DECLARED, empty(DECLARED), seen())
    ready = steps(first, SHAPE, SHAPE.lower)

    record, expected = carried_out(first, ready, SHAPE, NOW)
    second = look(DECLARED, record, expected)

    assert [s.irrevocable for s in ready] == [False]
    assert the_unit(expected).phase is UnitPhase.OPEN
    (add,) = steps(second, SHAPE, SHAPE.lower)
    assert add.calls[0].parameters["Id"] == Placeholder(of="id")


def test_the_missing_parts_of_a_unit_are_there_after_its_creation() -> None:
    part = replace(unit_of(DECLARED), missing_targets=("group:g1",))

    assert the_unit(after(CreateUnit(unit=UNIT, reason="r"), part)).missing_targets == ()


def test_time_lets_sessions_end_well_and_groups_become_ready() -> None:
    running = replace(unit_of(DECLARED), phase=UnitPhase.RUNNING, members=("device:a", "group:g1"))

    ended = time_passes(seen(running, ready=1), endless=False)
    going = time_passes(seen(running), endless=True)

    assert [(r.device, r.outcome) for r in the_unit(ended).results or ()] == [
        ("a", Outcome.SUCCEEDED),
        ("group:g1", Outcome.SUCCEEDED),
    ]
    assert {t.ready == t.requested for t in ended.targets} == {True}
    assert the_unit(going).phase is UnitPhase.RUNNING
