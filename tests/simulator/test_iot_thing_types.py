"""Thing types, and the hierarchy of thing groups, by unmodified boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.iot_fleet import Floor, arn
from tests.support.simulator.stage import SimulatorStage, refusal

REFUSED = (400, "InvalidRequestException")
MISSING = (404, "ResourceNotFoundException")


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    return Floor(stage)


def test_a_thing_type_is_read_back_as_it_was_made(floor: Floor) -> None:
    properties = {"thingTypeDescription": "soil", "searchableAttributes": ["site"]}
    made = floor.iot.create_thing_type(thingTypeName="probe", thingTypeProperties=properties)
    again = floor.iot.create_thing_type(thingTypeName="probe", thingTypeProperties=properties)

    shown = floor.iot.describe_thing_type(thingTypeName="probe")

    assert again["thingTypeId"] == made["thingTypeId"] == shown["thingTypeId"]
    assert (shown["thingTypeArn"], shown["thingTypeProperties"]) == (arn("thingtype/probe"), properties)
    assert shown["thingTypeMetadata"]["deprecated"] is False
    said = refusal(floor.iot.create_thing_type, thingTypeName="probe")
    assert said[:2] == (409, "ResourceAlreadyExistsException")


def test_thing_types_are_listed_by_the_start_of_their_name_page_by_page(floor: Floor) -> None:
    for name in ("gate", "probe", "probe-2"):
        floor.iot.create_thing_type(thingTypeName=name)

    def names(**given: Any) -> list[str]:
        pages = floor.iot.get_paginator("list_thing_types").paginate(**given)
        return [each["thingTypeName"] for page in pages for each in page["thingTypes"]]

    assert names(PaginationConfig={"PageSize": 2}) == ["gate", "probe", "probe-2"]
    assert names(thingTypeName="probe") == ["probe", "probe-2"]


def test_a_thing_is_of_a_type_that_is_there_and_not_deprecated(floor: Floor) -> None:
    floor.iot.create_thing_type(thingTypeName="probe")
    floor.iot.create_thing(thingName="t", thingTypeName="probe")
    floor.iot.deprecate_thing_type(thingTypeName="probe")

    assert floor.iot.describe_thing_type(thingTypeName="probe")["thingTypeMetadata"]["deprecated"] is True
    assert refusal(floor.iot.create_thing, thingName="u", thingTypeName="probe")[:2] == REFUSED
    assert refusal(floor.iot.update_thing, thingName="t", thingTypeName="probe")[:2] == REFUSED
    assert refusal(floor.iot.create_thing, thingName="u", thingTypeName="x")[:2] == MISSING
    floor.iot.deprecate_thing_type(thingTypeName="probe", undoDeprecate=True)
    floor.iot.create_thing(thingName="u", thingTypeName="probe")


def test_a_thing_type_is_deleted_after_five_minutes_of_deprecation(floor: Floor) -> None:
    floor.iot.create_thing_type(thingTypeName="probe")
    assert refusal(floor.iot.delete_thing_type, thingTypeName="probe")[:2] == REFUSED
    floor.iot.deprecate_thing_type(thingTypeName="probe")
    assert refusal(floor.iot.delete_thing_type, thingTypeName="probe")[:2] == REFUSED
    floor.stage.advance(300)
    floor.iot.delete_thing_type(thingTypeName="probe")
    assert refusal(floor.iot.describe_thing_type, thingTypeName="probe")[:2] == MISSING


def tree(floor: Floor) -> None:
    """Groups root > north > field, and root > south."""
    for name, parent in (("root", None), ("north", "root"), ("south", "root"), ("field", "north")):
        floor.iot.create_thing_group(thingGroupName=name, **({"parentGroupName": parent} if parent else {}))


def test_a_group_tells_its_ancestors_from_the_root(floor: Floor) -> None:
    tree(floor)

    metadata = floor.iot.describe_thing_group(thingGroupName="field")["thingGroupMetadata"]

    assert metadata["parentGroupName"] == "north"
    assert [each["groupName"] for each in metadata["rootToParentThingGroups"]] == ["root", "north"]
    assert set(floor.iot.describe_thing_group(thingGroupName="root")["thingGroupMetadata"]) == {"creationDate"}
    said = refusal(floor.iot.create_thing_group, thingGroupName="field", parentGroupName="south")
    assert said[:2] == (409, "ResourceAlreadyExistsException")
    assert refusal(floor.iot.create_thing_group, thingGroupName="g", parentGroupName="x")[:2] == MISSING


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["root", "north", "south", "field"]),
        ({"recursive": False}, ["root"]),
        ({"parentGroup": "root"}, ["north", "south", "field"]),
        ({"parentGroup": "root", "recursive": False}, ["north", "south"]),
        ({"parentGroup": "root", "namePrefixFilter": "f"}, ["field"]),
        ({"parentGroup": "field"}, []),
    ],
)
def test_groups_are_listed_by_their_parent(floor: Floor, given: dict[str, Any], names: list[str]) -> None:
    tree(floor)

    assert [each["groupName"] for each in floor.iot.list_thing_groups(**given)["thingGroups"]] == names


def test_a_group_with_children_cannot_be_deleted(floor: Floor) -> None:
    tree(floor)
    assert refusal(floor.iot.delete_thing_group, thingGroupName="north")[:2] == REFUSED
    floor.iot.delete_thing_group(thingGroupName="field")
    floor.iot.delete_thing_group(thingGroupName="north")


def test_a_job_for_a_group_is_for_the_things_in_its_child_groups_too(floor: Floor) -> None:
    tree(floor)
    floor.things("t", "late", behaviour="manual")
    floor.iot.add_thing_to_thing_group(thingGroupName="field", thingName="t")
    things = floor.iot.list_things_in_thing_group

    floor.job("j", "thinggroup/root", targetSelection="CONTINUOUS")
    floor.iot.add_thing_to_thing_group(thingGroupName="south", thingName="late")

    assert floor.statuses() == {"t": "QUEUED", "late": "QUEUED"}
    assert things(thingGroupName="root")["things"] == []
    assert sorted(things(thingGroupName="root", recursive=True)["things"]) == ["late", "t"]
    floor.iot.remove_thing_from_thing_group(thingGroupName="south", thingName="late")
    assert floor.statuses() == {"t": "QUEUED", "late": "REMOVED"}
