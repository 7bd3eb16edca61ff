"""Device shadows by unmodified boto3."""

from __future__ import annotations

import pytest

from tests.support.simulator.iot_fleet import Floor
from tests.support.simulator.stage import SimulatorStage, refusal


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    made = Floor(stage)
    made.things("t")
    return made


def test_a_shadow_is_merged_and_null_deletes(floor: Floor) -> None:
    floor.write("t", {"state": {"reported": {"a": {"x": 1, "y": 2}, "b": [1]}, "desired": {"mode": "eco"}}})
    said = floor.write("t", {"state": {"reported": {"a": {"x": None, "z": 3}, "b": [2]}}, "clientToken": "c"})
    now = int(floor.stage.now().timestamp())
    assert said == {
        "state": {"reported": {"a": {"x": None, "z": 3}, "b": [2]}},
        "metadata": {"reported": {"a": {"x": None, "z": {"timestamp": now}}, "b": [{"timestamp": now}]}},
        "version": 2,
        "timestamp": now,
        "clientToken": "c",
    }
    shown = floor.shadow("t")
    assert shown["state"] == {
        "reported": {"a": {"y": 2, "z": 3}, "b": [2]},
        "desired": {"mode": "eco"},
        "delta": {"mode": "eco"},
    }
    assert shown["metadata"]["reported"]["a"] == {"y": {"timestamp": now}, "z": {"timestamp": now}}
    floor.write("t", {"state": {"desired": None}})
    assert set(floor.shadow("t")["state"]) == {"reported"}


def test_a_null_state_empties_a_shadow_and_makes_one(floor: Floor) -> None:
    for version in (1, 3):
        said = floor.write("t", {"state": None})
        assert (said["state"], said["metadata"], said["version"]) == (None, {"timestamp": said["timestamp"]}, version)
        shown = floor.shadow("t")
        assert (shown["state"], shown["metadata"], shown["version"]) == ({}, {}, version)
        floor.write("t", {"state": {"desired": {"a": "b"}}})
        assert floor.shadow("t")["state"] == {"desired": {"a": "b"}, "delta": {"a": "b"}}


@pytest.mark.parametrize(
    ("updates", "shown"),
    [
        (({"desired": {}},), {}),
        (({"reported": {"a": None}},), {}),
        (({"desired": {"a": 1}}, {"desired": {"a": None}}), {}),
        (({"desired": {"a": {}}},), {"desired": {"a": {}}, "delta": {"a": {}}}),
        (({"desired": {"a": 3}}, {"desired": {"a": {}}}), {"desired": {"a": {}}, "delta": {"a": {}}}),
        (({"desired": {"a": {}}}, {"reported": {"a": {}}}), {"desired": {"a": {}}, "reported": {"a": {}}}),
        (
            ({"reported": {"a": {"x": 1, "y": 2}}}, {"desired": {"a": {"x": 2}}}),
            {"reported": {"a": {"x": 1, "y": 2}}, "desired": {"a": {"x": 2}}, "delta": {"a": {"x": 2}}},
        ),
    ],
)
def test_a_section_without_members_is_left_out_and_an_empty_object_within_is_kept(
    floor: Floor, updates: tuple[dict[str, object], ...], shown: dict[str, object]
) -> None:
    for state in updates:
        floor.write("t", {"state": state})
    assert floor.shadow("t")["state"] == shown


def test_a_version_that_is_not_the_shadows_is_a_conflict(floor: Floor) -> None:
    floor.write("t", {"state": {"reported": {"a": 1}}})
    body = b'{"state": {"reported": {"a": 2}}, "version": 7}'
    said = refusal(floor.data.update_thing_shadow, thingName="t", payload=body)
    assert said == (409, "ConflictException", "Version conflict")
    assert floor.write("t", {"state": {"reported": {"a": 2}}, "version": 1})["version"] == 2


def test_shadows_have_names_of_their_own(floor: Floor) -> None:
    floor.write("t", {"state": {"reported": {"a": 1}}}, shadowName="one")
    floor.write("t", {"state": {"reported": {"a": 2}}}, shadowName="two")
    floor.write("t", {"state": {"reported": {"a": 3}}})
    assert floor.shadow("t", shadowName="two")["state"] == {"reported": {"a": 2}}
    first = floor.data.list_named_shadows_for_thing(thingName="t", pageSize=1)
    rest = floor.data.list_named_shadows_for_thing(thingName="t", nextToken=first["nextToken"])
    assert (first["results"], rest["results"]) == (["one"], ["two"])


def test_a_deleted_shadow_is_gone_and_its_version_goes_on(floor: Floor) -> None:
    floor.write("t", {"state": {"reported": {"a": 1}}})
    floor.write("t", {"state": {"reported": {"a": 2}}})
    floor.data.delete_thing_shadow(thingName="t")
    said = refusal(floor.data.get_thing_shadow, thingName="t")
    assert said == (404, "ResourceNotFoundException", "No shadow exists with name: 't'")
    assert refusal(floor.data.delete_thing_shadow, thingName="t")[:2] == (404, "ResourceNotFoundException")
    assert floor.write("t", {"state": {"reported": {"b": 1}}})["version"] == 3
    assert floor.shadow("t")["state"] == {"reported": {"b": 1}}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"state": 1}',
        b'{"state": {"wanted": {}}}',
        b'{"state": {"reported": 1}}',
        b'{"state": {"reported": ' + b'{"a": ' * 9 + b"1" + b"}" * 9 + b"}}",
    ],
)
def test_a_document_that_is_no_shadow_is_refused(floor: Floor, body: bytes) -> None:
    said = refusal(floor.data.update_thing_shadow, thingName="t", payload=body)
    assert said[:2] == (400, "InvalidRequestException")


def test_a_document_of_more_than_8_kb_is_refused(floor: Floor) -> None:
    body = b'{"state": {"reported": {"a": "' + b"x" * 8192 + b'"}}}'
    said = refusal(floor.data.update_thing_shadow, thingName="t", payload=body)
    assert said[:2] == (413, "RequestEntityTooLargeException")


def test_a_thing_that_is_not_there_has_no_shadow(floor: Floor) -> None:
    assert refusal(floor.data.get_thing_shadow, thingName="x")[:2] == (404, "ResourceNotFoundException")


def test_a_preset_version_is_reported_where_the_fleet_says(floor: Floor) -> None:
    floor.things("p", firmwareVersion="1.2.3", versionPath="reported.fw")
    assert floor.shadow("p")["state"] == {"reported": {"fw": "1.2.3"}}
    assert floor.iot.describe_thing(thingName="p")["attributes"] == {"firmwareVersion": "1.2.3"}
