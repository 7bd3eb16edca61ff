"""Streams: made by hand and by the service, and OTA updates served from them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.ota_updates import ROLE, TRUST, Ota, arn, file
from tests.support.simulator.stage import ACCOUNT, BUCKET, KEY, SimulatorStage, policy, refusal

PLACE = {"bucket": BUCKET, "key": KEY}


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


def files(count: int = 1) -> list[dict[str, Any]]:
    return [{"fileId": number, "s3Location": PLACE} for number in range(count)]


def make(ota: Ota, name: str = "s1", **changes: Any) -> dict[str, Any]:
    """A stream of the test's own."""
    return dict(ota.iot.create_stream(**{"streamId": name, "files": files(), "roleArn": ROLE, **changes}))


def describe(ota: Ota, name: str = "s1") -> dict[str, Any]:
    return dict(ota.iot.describe_stream(streamId=name)["streamInfo"])


def test_a_stream_reads_back_as_it_was_made(ota: Ota) -> None:
    answer = make(ota, description="probes", tags=[{"Key": "team", "Value": "soil"}])
    info = describe(ota)

    assert (answer["streamArn"], answer["streamVersion"]) == (arn("stream/s1"), 1)
    assert (info["files"], info["roleArn"], info["description"]) == (files(), ROLE, "probes")
    assert info["createdAt"] == info["lastUpdatedAt"]
    assert ota.iot.list_tags_for_resource(resourceArn=arn("stream/s1"))["tags"] == [{"Key": "team", "Value": "soil"}]


def test_a_stream_id_is_taken_once(ota: Ota) -> None:
    make(ota)

    assert refusal(make, ota=ota)[:2] == (409, "ResourceAlreadyExistsException")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"files": files(51)}, "files must be at most 50 entries"),
        ({"files": files(2) + files(1)}, "the same fileId"),
        ({"files": [{"fileId": 256, "s3Location": PLACE}]}, "at most 255"),
        ({"files": [{"fileId": 1}]}, "fileId and s3Location"),
        ({"files": [{"fileId": 1, "s3Location": {"bucket": BUCKET}}]}, "fileId and s3Location"),
        ({"roleArn": "arn:aws:iam::999999999999:role/ota"}, "Cross-account pass role"),
        ({"roleArn": "arn:aws:iam::123456789012:user/ada"}, "not the ARN of a role"),
    ],
)
def test_what_a_stream_cannot_be_is_refused(ota: Ota, wrong: dict[str, Any], why: str) -> None:
    reported = refusal(make, ota=ota, **wrong)

    assert reported[:2] == (400, "InvalidRequestException")
    assert why in reported.message
    assert ota.streams() == []


def test_a_change_sets_what_is_given_and_counts_the_version_up(ota: Ota) -> None:
    make(ota, description="probes")
    ota.stage.advance(60)
    answer = ota.iot.update_stream(streamId="s1", files=files(2))
    info = describe(ota)

    assert answer["streamVersion"] == info["streamVersion"] == 2
    assert (info["files"], info["description"]) == (files(2), "probes")
    assert (info["lastUpdatedAt"] - info["createdAt"]).total_seconds() == 60


def test_a_deleted_stream_is_gone_with_its_tags(ota: Ota) -> None:
    make(ota, tags=[{"Key": "team", "Value": "soil"}])
    ota.iot.delete_stream(streamId="s1")
    assert ota.streams() == []
    make(ota)
    assert ota.iot.list_tags_for_resource(resourceArn=arn("stream/s1"))["tags"] == []


@pytest.mark.parametrize("operation", ["describe_stream", "update_stream", "delete_stream"])
def test_an_unknown_stream_is_not_found(ota: Ota, operation: str) -> None:
    assert refusal(getattr(ota.iot, operation), streamId="other")[:2] == (404, "ResourceNotFoundException")


def test_streams_are_listed_in_pages_either_way_round(ota: Ota) -> None:
    for name in ("s1", "s2", "s3"):
        make(ota, name)
        ota.stage.advance(1)
    first = ota.iot.list_streams(maxResults=2)
    rest = ota.iot.list_streams(maxResults=2, nextToken=first["nextToken"])

    assert [s["streamId"] for s in first["streams"] + rest["streams"]] == ["s3", "s2", "s1"]
    assert [s["streamId"] for s in ota.iot.list_streams(ascendingOrder=True)["streams"]] == ["s1", "s2", "s3"]


def test_an_update_can_be_served_from_a_stream_of_ones_own(ota: Ota) -> None:
    make(ota, files=files(2))
    info = ota.made(files=[file(fileLocation={"stream": {"streamId": "s1", "fileId": 1}})])

    assert info["otaUpdateStatus"] == "CREATE_COMPLETE"
    assert ota.document()["streamname"] == "s1"
    assert (ota.document()["files"][0]["fileid"], ota.document()["files"][0]["filesize"]) == (1, 1024)
    assert ota.streams() == ["s1"]


def test_a_stream_of_ones_own_outlives_the_update(ota: Ota) -> None:
    make(ota)
    ota.made(files=[file(fileLocation={"stream": {"streamId": "s1", "fileId": 0}})])
    ota.iot.delete_ota_update(otaUpdateId="u1", deleteStream=True, forceDeleteAWSJob=True)
    ota.stage.advance(60)

    assert ota.streams() == ["s1"]


@pytest.mark.parametrize("place", [{"streamId": "absent", "fileId": 0}, {"streamId": "s1", "fileId": 9}])
def test_a_file_that_no_stream_has_fails_the_creation(ota: Ota, place: dict[str, Any]) -> None:
    make(ota)
    code, message = ota.failure(files=[file(fileLocation={"stream": place})])

    assert (code, "not found" in message) == ("ResourceNotFoundException", True)


def test_a_file_of_a_stream_is_read_with_the_streams_role(ota: Ota) -> None:
    ota.stage.iam.create_role(RoleName="blind", AssumeRolePolicyDocument=policy(TRUST))
    make(ota, roleArn=f"arn:aws:iam::{ACCOUNT}:role/blind")

    assert ota.failure(files=[file(fileLocation={"stream": {"streamId": "s1", "fileId": 0}})])[0] == "AmazonS3Exception"


def test_files_of_several_places_get_a_stream_together(ota: Ota) -> None:
    make(ota)
    ota.made(files=[file(fileLocation={"stream": {"streamId": "s1", "fileId": 0}}), file()])
    name = ota.document()["streamname"]

    assert name.startswith("AFR_OTA-")
    assert [f["fileId"] for f in describe(ota, name)["files"]] == [0, 1]


def test_more_files_than_a_stream_holds_fail_over_mqtt_only(ota: Ota) -> None:
    many = [file() for _ in range(51)]

    assert ota.failure(name="u1", files=many)[0] == "InvalidRequestException"
    assert ota.made("u2", files=many, protocols=["HTTP"])["otaUpdateStatus"] == "CREATE_COMPLETE"


def test_anybody_may_delete_the_stream_of_an_update(ota: Ota) -> None:
    ota.made()
    (name,) = ota.streams()
    ota.iot.delete_stream(streamId=name)

    assert ota.streams() == []
    assert ota.document()["streamname"] == name
    ota.iot.delete_ota_update(otaUpdateId="u1", deleteStream=True, forceDeleteAWSJob=True)
    ota.stage.advance(60)
    assert ota.names() == []


def test_a_stream_in_use_may_also_be_kept(ota: Ota) -> None:
    ota.stage.settings(deleteStreamInUse="conflict")
    ota.made()

    assert refusal(ota.iot.delete_stream, streamId=ota.streams()[0])[:2] == (409, "DeleteConflictException")


def test_a_stale_read_shows_the_stream_before(ota: Ota) -> None:
    make(ota)
    ota.iot.update_stream(streamId="s1", files=files(2))
    ota.stage.post("faults", rules=[{"service": "iot", "operation": "DescribeStream", "effect": "staleRead", "nth": 1}])

    assert [len(describe(ota)["files"]) for _ in range(2)] == [1, 2]
