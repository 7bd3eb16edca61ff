"""The registry by unmodified boto3: things, groups, and the search over them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.iot_fleet import Floor, arn
from tests.support.simulator.stage import SimulatorStage, refusal


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    return Floor(stage)


def test_a_thing_is_read_back_as_it_was_made(floor: Floor) -> None:
    floor.iot.create_thing_type(thingTypeName="probe")
    made = floor.iot.create_thing(
        thingName="t", thingTypeName="probe", attributePayload={"attributes": {"site": "a", "none": ""}}
    )
    assert made["thingArn"] == arn("thing/t")
    shown = floor.iot.describe_thing(thingName="t")
    assert {k: v for k, v in shown.items() if k != "ResponseMetadata"} == {
        "thingName": "t",
        "thingArn": arn("thing/t"),
        "thingId": made["thingId"],
        "thingTypeName": "probe",
        "defaultClientId": "t",
        "attributes": {"site": "a"},
        "version": 1,
    }


def test_a_thing_is_made_twice_only_if_it_is_the_same(floor: Floor) -> None:
    first = floor.iot.create_thing(thingName="t", attributePayload={"attributes": {"site": "a"}})
    again = floor.iot.create_thing(thingName="t", attributePayload={"attributes": {"site": "a"}})
    assert again["thingId"] == first["thingId"]
    said = refusal(floor.iot.create_thing, thingName="t", attributePayload={"attributes": {"site": "b"}})
    assert said[:2] == (409, "ResourceAlreadyExistsException")


@pytest.mark.parametrize(
    ("merge", "given", "left"),
    [
        (True, {"b": "3", "c": "4"}, {"a": "1", "b": "3", "c": "4"}),
        (True, {"a": ""}, {"b": "2"}),
        (False, {"c": "4"}, {"c": "4"}),
        (False, {}, {}),
    ],
)
def test_attributes_are_replaced_or_merged(
    floor: Floor, merge: bool, given: dict[str, str], left: dict[str, str]
) -> None:
    floor.things("t", attributes={"a": "1", "b": "2"})
    floor.iot.update_thing(thingName="t", attributePayload={"attributes": given, "merge": merge})
    shown = floor.iot.describe_thing(thingName="t")
    assert (shown["attributes"], shown["version"]) == (left, 2)


def test_a_thing_whose_version_is_another_is_neither_changed_nor_deleted(floor: Floor) -> None:
    floor.things("t")
    for call in (floor.iot.update_thing, floor.iot.delete_thing):
        assert refusal(call, thingName="t", expectedVersion=7)[:2] == (409, "VersionConflictException")
    floor.iot.delete_thing(thingName="t", expectedVersion=1)
    assert refusal(floor.iot.describe_thing, thingName="t")[:2] == (404, "ResourceNotFoundException")
    floor.iot.delete_thing(thingName="t")


def test_things_are_listed_by_attribute_and_type_page_by_page(floor: Floor) -> None:
    floor.things("a1", "a2", "a3", attributes={"site": "north"}, thingType="probe")
    floor.things("b1", attributes={"site": "northwest"})

    def names(**given: Any) -> list[str]:
        pages = floor.iot.get_paginator("list_things").paginate(**given)
        return [thing["thingName"] for page in pages for thing in page["things"]]

    assert names(PaginationConfig={"PageSize": 2}) == ["a1", "a2", "a3", "b1"]
    assert names(attributeName="site", attributeValue="northwest") == ["b1"]
    assert len(names(attributeName="site", attributeValue="north", usePrefixAttributeValue=True)) == 4
    assert names(thingTypeName="probe") == ["a1", "a2", "a3"]
    assert len(floor.iot.list_things(maxResults=3)["things"]) == 3
    assert refusal(floor.iot.list_things, nextToken="!")[:2] == (400, "InvalidRequestException")


def test_a_group_holds_things_by_name_and_by_arn(floor: Floor) -> None:
    floor.things("t1", "t2", "t3")
    made = floor.iot.create_thing_group(
        thingGroupName="g", thingGroupProperties={"thingGroupDescription": "first"}, tags=[{"Key": "k", "Value": "v"}]
    )
    floor.iot.add_thing_to_thing_group(thingGroupName="g", thingName="t1")
    floor.iot.add_thing_to_thing_group(thingGroupArn=made["thingGroupArn"], thingArn=arn("thing/t2"))
    floor.iot.add_thing_to_thing_group(thingGroupName="g", thingName="t2")
    assert floor.iot.list_things_in_thing_group(thingGroupName="g")["things"] == ["t1", "t2"]
    shown = floor.iot.describe_thing_group(thingGroupName="g")
    assert shown["thingGroupProperties"]["thingGroupDescription"] == "first"
    assert shown["thingGroupId"] == made["thingGroupId"]
    listed = {"groupName": "g", "groupArn": arn("thinggroup/g")}
    assert floor.iot.list_thing_groups_for_thing(thingName="t1")["thingGroups"] == [listed]
    assert floor.iot.list_thing_groups(namePrefixFilter="g")["thingGroups"] == [listed]
    assert floor.iot.list_thing_groups(namePrefixFilter="x")["thingGroups"] == []
    floor.iot.remove_thing_from_thing_group(thingGroupName="g", thingName="t1")
    assert floor.iot.list_things_in_thing_group(thingGroupName="g")["things"] == ["t2"]
    floor.iot.delete_thing(thingName="t2")
    assert floor.iot.list_things_in_thing_group(thingGroupName="g")["things"] == []


def test_a_groups_properties_are_changed(floor: Floor) -> None:
    floor.iot.create_thing_group(thingGroupName="g")
    change = {"thingGroupDescription": "gates", "attributePayload": {"attributes": {"site": "north"}}}
    assert floor.iot.update_thing_group(thingGroupName="g", thingGroupProperties=change)["version"] == 2
    shown = floor.iot.describe_thing_group(thingGroupName="g")["thingGroupProperties"]
    assert shown == change
    said = refusal(floor.iot.update_thing_group, thingGroupName="g", thingGroupProperties=change, expectedVersion=1)
    assert said[:2] == (409, "VersionConflictException")


def test_a_thing_changes_groups_in_one_call(floor: Floor) -> None:
    floor.things("t", group="g")
    floor.things(group="h")
    change = floor.iot.update_thing_groups_for_thing
    said = refusal(change, thingName="t", thingGroupsToAdd=["h"], thingGroupsToRemove=["x"])
    assert said[:2] == (404, "ResourceNotFoundException")
    change(thingName="t", thingGroupsToAdd=["h"], thingGroupsToRemove=["g"])
    groups = floor.iot.list_thing_groups_for_thing(thingName="t")["thingGroups"]
    assert [group["groupName"] for group in groups] == ["h"]


def test_groups_refuse_what_is_not_there(floor: Floor) -> None:
    floor.things("t", group="g")
    missing = (404, "ResourceNotFoundException")
    add = floor.iot.add_thing_to_thing_group
    assert refusal(add, thingGroupName="x", thingName="t")[:2] == missing
    assert refusal(add, thingGroupName="g", thingName="x")[:2] == missing
    assert refusal(add, thingGroupName="g")[:2] == (400, "InvalidRequestException")
    assert refusal(floor.iot.describe_thing_group, thingGroupName="x")[:2] == missing
    floor.iot.delete_thing_group(thingGroupName="x")
    floor.iot.delete_thing_group(thingGroupName="g")
    assert refusal(floor.iot.describe_thing_group, thingGroupName="g")[:2] == missing


QUERIES = {
    "thingName:t*": ["t1", "t2", "t3"],
    "thingName:t1": ["t1"],
    "thingName:*": ["t1", "t2", "t3", "u1"],
    "attributes.site:north": ["t1", "t2"],
    'attributes.site:"far south"': ["t3"],
    "attributes.firmwareVersion:1.0.0": ["t1"],
    "shadow.reported.firmware.version:1.*": ["t1", "t2"],
    'shadow.reported.firmware.version:"1.*"': [],
    "thingGroupNames:g AND NOT thingName:t1": ["t2"],
    "thingName:u1 OR thingName:t3": ["t3", "u1"],
    "(thingName:u1 OR thingName:t3) AND NOT attributes.site:*": ["u1"],
    "thingName:u1 OR thingName:t3 AND attributes.site:*": ["t3", "u1"],
    "NOT (thingName:t1 OR thingName:t2)": ["t3", "u1"],
    "shadow.name.net.reported.up:true": ["t2"],
    "thingTypeName:gate": ["u1"],
    "shadow.desired.mode:eco": ["t3"],
    "*": ["t1", "t2", "t3", "u1"],
    "t1": ["t1"],
    "far": ["t3"],
    "eco": ["t3"],
    "thingName:T1": ["t1"],
    "thingName:?1": ["t1", "u1"],
    "thingName:*1": ["t1", "u1"],
    "thingName:t1 attributes.site:north": ["t1"],
    "thingName:(t* AND -t2)": ["t1", "t3"],
    "thingName:t* -attributes.site:south": ["t1", "t2"],
    "attributes.site:south": ["t3"],
    "attributes.firmwareVersion:[1.1 TO 1.2]": ["t2"],
    "shadow.reported.load:[5 TO 20]": ["t2"],
    "shadow.reported.load:{3 TO *]": ["t2"],
    "shadow.reported.load:>=3": ["t1", "t2"],
    "shadow.reported.load:<10": ["t1"],
    "shadow.hasDelta:true": ["t3"],
    r"attributes.path:a\:b": ["u1"],
    "thingName:[t2 TO u1]": ["t2", "t3", "u1"],
}
STATUS = {"thingConnectivityIndexingMode": "STATUS"}
INDEXED = {
    "thingIndexingMode": "REGISTRY_AND_SHADOW",
    "namedShadowIndexingMode": "ON",
    "filter": {"namedShadowNames": ["net"]},
}


@pytest.fixture
def searched(floor: Floor) -> Floor:
    floor.things("t1", attributes={"site": "north"}, firmwareVersion="1.0.0")
    floor.things("t2", attributes={"site": "north"}, firmwareVersion="1.1.0")
    floor.things("t3", attributes={"site": "far south"}, firmwareVersion="2.0.0")
    floor.things("u1", thingType="gate", attributes={"path": "a:b"})
    floor.stage.post("fleet", thingGroups=[{"name": "g", "things": ["t1", "t2"]}])
    floor.write("t2", {"state": {"reported": {"up": True}}}, shadowName="net")
    floor.write("t3", {"state": {"desired": {"mode": "eco"}}})
    for thing, load in (("t1", 3), ("t2", 10)):
        floor.write(thing, {"state": {"reported": {"load": load}}})
    floor.iot.update_indexing_configuration(thingIndexingConfiguration=INDEXED)
    return floor


def test_a_search_finds_things_by_registry_shadow_and_group(searched: Floor) -> None:
    found = {}
    for query in QUERIES:
        things = searched.iot.search_index(queryString=query)["things"]
        found[query] = sorted(thing["thingName"] for thing in things)
    assert found == QUERIES


def test_a_search_shows_shadow_groups_and_attributes_page_by_page(searched: Floor) -> None:
    first = searched.iot.search_index(queryString="thingName:t*", maxResults=1)
    (thing,) = first["things"]
    assert thing["thingGroupNames"] == ["g"]
    assert thing["attributes"] == {"site": "north", "firmwareVersion": "1.0.0"}
    assert '"reported": {"firmware": {"version": "1.0.0"}, "load": 3}' in thing["shadow"]
    rest = searched.iot.search_index(queryString="thingName:t*", nextToken=first["nextToken"])
    assert [t["thingName"] for t in rest["things"]] == ["t2", "t3"]
    assert "nextToken" not in rest


@pytest.mark.parametrize(
    "query",
    [
        "thingName:",
        "serial:3",
        "(thingName:a",
        "thingName:a AND",
        "NOT",
        'thingName:"a',
        "thingName:a)",
        "thingName:a;b",
        "thingName:*a thingTypeName:*b",
        f"thingName:*{'a' * 100}",
        " ".join(["a"] * 13),
    ],
)
def test_a_query_that_is_none_is_refused(searched: Floor, query: str) -> None:
    assert refusal(searched.iot.search_index, queryString=query)[:2] == (400, "InvalidQueryException")


def test_indexing_is_off_until_it_is_switched_on(floor: Floor) -> None:
    off = {"thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "OFF"}
    search = floor.iot.search_index
    assert floor.iot.get_indexing_configuration()["thingIndexingConfiguration"] == off
    said = "Index AWS_Things does not exist. Please enable index by calling UpdateIndexingConfiguration"
    assert refusal(search, queryString="*") == (404, "ResourceNotFoundException", said)
    assert refusal(floor.iot.describe_index, indexName="AWS_Things")[:2] == (404, "ResourceNotFoundException")
    assert floor.iot.list_indices()["indexNames"] == []
    floor.stage.post("fleet", indexing={"thingIndexingConfiguration": {"thingIndexingMode": "REGISTRY"}})
    assert search(queryString="*")["things"] == []
    assert floor.iot.describe_index(indexName="AWS_Things")["schema"] == "REGISTRY"
    assert floor.iot.list_indices()["indexNames"] == ["AWS_Things"]
    assert refusal(search, queryString="thingName:*", indexName="x")[:2] == (404, "ResourceNotFoundException")
    assert refusal(search, queryString="thingName:*", maxResults=101)[:2] == (400, "InvalidRequestException")


def test_connectivity_is_indexed_when_it_is_asked_for(floor: Floor) -> None:
    floor.things("on")
    floor.things("off", behaviour="offline")
    floor.iot.create_thing(thingName="bare")
    configure = floor.iot.update_indexing_configuration
    said = refusal(configure, thingIndexingConfiguration={"thingIndexingMode": "OFF", **STATUS})
    assert said[:2] == (400, "InvalidRequestException")
    configure(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY", **STATUS})
    (thing,) = floor.iot.search_index(queryString="connectivity.connected:true")["things"]
    moment = int(floor.stage.now().timestamp() * 1000)
    assert (thing["thingName"], thing["connectivity"]) == ("on", {"connected": True, "timestamp": moment})
    others = floor.iot.search_index(queryString="connectivity.connected:false")["things"]
    assert [thing["thingName"] for thing in others] == ["off", "bare"]


def test_a_device_learns_where_it_finds_the_service_and_may_publish_there(floor: Floor) -> None:
    address = floor.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    assert f"http://{address}" == floor.stage.url
    floor.data.publish(topic="site/north", qos=1, payload=b"hello")
    assert floor.iot.list_job_templates()["jobTemplates"] == []


def test_thing_groups_have_an_index_of_their_own(floor: Floor) -> None:
    floor.things("t", group="gates")
    floor.things(group="doors")
    floor.iot.update_indexing_configuration(thingGroupIndexingConfiguration={"thingGroupIndexingMode": "ON"})
    found = floor.iot.search_index(indexName="AWS_ThingGroups", queryString="thingGroupName:g*")
    assert ([group["thingGroupName"] for group in found["thingGroups"]], found["things"]) == (["gates"], [])


def test_a_thing_that_no_one_connected_does_nothing_with_a_job(floor: Floor) -> None:
    floor.iot.create_thing(thingName="bare")
    floor.job("j", "thing/bare")
    floor.stage.advance(3600)
    assert floor.statuses() == {"bare": "QUEUED"}
    floor.things("bare")
    floor.stage.advance(60)
    assert floor.statuses() == {"bare": "SUCCEEDED"}
