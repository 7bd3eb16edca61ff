"""The outlook repeats the planner over expected states, so it tells the whole road and invents no step."""

from __future__ import annotations

import msgspec

from otactl.model import Requires, Stage
from otactl.model.actions import Hold, Placeholder, name_of
from otactl.planning.outlook import outlook
from otactl.state.intents import recorded
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, empty, look, record_of, rollout, seen, unit_of

WAVE = ["createUnit", "addMembers", "startUnit", "deleteUnit"]


def road(declared, record, observed, refused: tuple[Hold, ...] = ()) -> list[str]:
    first = look(declared, record, observed, refused=refused)
    later = outlook(ENVIRONMENT, declared, first, SHAPE, SHAPE.lower, refused, NOW).steps
    return [name_of(r.action) for r in later]


def test_the_outlook_of_a_new_rollout_is_every_later_step_of_every_wave() -> None:
    declared = rollout()

    assert road(declared, empty(declared), seen()) == [*WAVE[1:], *WAVE]


def test_the_outlook_writes_ids_the_service_gives_as_placeholders() -> None:
    declared = rollout()
    first = look(declared, empty(declared), seen())

    add = outlook(ENVIRONMENT, declared, first, SHAPE, SHAPE.lower, (), NOW).steps[0]

    assert add.calls[0].parameters == {"Id": Placeholder(of="id"), "MulticastGroupId": "g1"}
    assert recorded(add.calls[0]).parameters == {"Id": "<id>", "MulticastGroupId": "g1"}


def test_the_outlook_goes_on_from_the_middle() -> None:
    declared = rollout()
    unit = unit_of(declared)

    assert road(declared, record_of(declared, unit, Stage.OPEN), seen(unit)) == ["deleteUnit", *WAVE]


def test_a_group_that_is_not_ready_is_expected_to_become_so() -> None:
    declared = rollout()
    unit = unit_of(declared)

    assert road(declared, record_of(declared, unit, Stage.OPEN), seen(unit, ready=1)) == [*WAVE[2:], *WAVE]


def test_the_hold_that_ends_the_outlook_is_reported_with_it() -> None:
    first_wave, second_wave = rollout().strategy.waves
    asking = msgspec.structs.replace(second_wave, requires=Requires(approval="owners"))
    declared = rollout(strategy=msgspec.structs.replace(rollout().strategy, waves=(first_wave, asking)))
    unit = unit_of(declared)
    first = look(declared, record_of(declared, unit, Stage.OPEN), seen(unit))

    ahead = outlook(ENVIRONMENT, declared, first, SHAPE, SHAPE.lower, (), NOW)

    assert [h.reason for h in ahead.holds] == ["approval_is_missing"]


def test_a_hold_that_needs_a_human_ends_the_outlook() -> None:
    declared = rollout()

    assert road(declared, empty(declared), seen(), (Hold(reason="x", message="y", stalled=True),)) == []
