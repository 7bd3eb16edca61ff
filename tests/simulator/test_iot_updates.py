"""OTA updates as they are made, read, listed and tagged, and what devices are sent of them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.simulator.ota_updates import CUSTOM, ROLE, Ota, arn, file, signing
from tests.support.simulator.stage import BUCKET, IMAGE, KEY, SimulatorStage, refusal

HTTP = {"protocols": ["MQTT", "HTTP"]}
S3 = {"bucket": BUCKET, "key": KEY}


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


def test_a_new_update_names_itself_and_its_job_before_there_is_one(ota: Ota) -> None:
    answer = ota.create()

    assert answer["otaUpdateArn"] == arn("otaupdate/u1")
    assert (answer["awsIotJobId"], answer["awsIotJobArn"]) == ("AFR_OTA-u1", arn("job/AFR_OTA-u1"))
    assert answer["otaUpdateStatus"] == "CREATE_PENDING"
    assert ota.iot.list_jobs()["jobs"] == []


def test_creation_takes_its_time_and_makes_the_job(ota: Ota) -> None:
    ota.create()
    assert ota.status() == "CREATE_PENDING"
    ota.stage.advance(3)
    assert ota.status() == "CREATE_IN_PROGRESS"
    ota.stage.advance(2)
    assert ota.status() == "CREATE_COMPLETE"
    assert [job["jobId"] for job in ota.iot.list_jobs()["jobs"]] == ["AFR_OTA-u1"]


def test_a_creation_happens_at_its_own_time_however_far_the_clock_jumps(ota: Ota) -> None:
    start = ota.stage.now()
    ota.create()
    ota.stage.advance(86_400)

    assert (ota.get()["lastModifiedDate"] - start).total_seconds() == 5
    assert (ota.iot.describe_job(jobId="AFR_OTA-u1")["job"]["createdAt"] - start).total_seconds() == 5


def test_the_time_of_creation_is_a_switch(ota: Ota) -> None:
    ota.stage.settings(otaCreateSeconds=60)
    ota.create()
    ota.stage.advance(59)
    assert ota.status() == "CREATE_IN_PROGRESS"
    ota.stage.advance(1)
    assert ota.status() == "CREATE_COMPLETE"


def test_get_shows_what_was_given_and_nothing_of_abort_timeout_role_and_tags(ota: Ota) -> None:
    rate = {"baseRatePerMinute": 5, "incrementFactor": 1.5, "rateIncreaseCriteria": {"numberOfSucceededThings": 3}}
    criteria = {"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 20, "minNumberOfExecutedThings": 2}
    info = ota.made(
        description="two",
        targetSelection="CONTINUOUS",
        awsJobExecutionsRolloutConfig={"exponentialRate": rate},
        awsJobAbortConfig={"abortCriteriaList": [criteria]},
        awsJobTimeoutConfig={"inProgressTimeoutInMinutes": 30},
        additionalParameters={"otactl:spec": "9f"},
        files=[file(fileType=3, attributes={"a": "b"})],
        tags=[{"Key": "team", "Value": "soil"}],
    )

    times = {"creationDate", "lastModifiedDate"}
    assert {name: value for name, value in info.items() if name not in times} == {
        "otaUpdateId": "u1",
        "otaUpdateArn": arn("otaupdate/u1"),
        "description": "two",
        "targets": [arn("thinggroup/canary")],
        "protocols": ["MQTT"],
        "targetSelection": "CONTINUOUS",
        "awsJobExecutionsRolloutConfig": {"exponentialRate": rate},
        "otaUpdateFiles": [
            file(fileType=3, attributes={"a": "b"}, codeSigning={**CUSTOM, "startSigningJobParameter": {}})
        ],
        "otaUpdateStatus": "CREATE_COMPLETE",
        "awsJobPresignedUrlConfig": {},
        "awsIotJobId": "AFR_OTA-u1",
        "awsIotJobArn": arn("job/AFR_OTA-u1"),
        "additionalParameters": {"otactl:spec": "9f"},
    }


def test_the_job_carries_what_get_does_not_show(ota: Ota) -> None:
    criteria = {"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 12.5, "minNumberOfExecutedThings": 2}
    ota.made(
        description="two",
        awsJobExecutionsRolloutConfig={"maximumPerMinute": 7},
        awsJobAbortConfig={"abortCriteriaList": [criteria]},
        awsJobTimeoutConfig={"inProgressTimeoutInMinutes": 30},
        awsJobPresignedUrlConfig={"expiresInSec": 600},
        **HTTP,
    )
    job = ota.iot.describe_job(jobId="AFR_OTA-u1")["job"]

    assert job["abortConfig"] == {"criteriaList": [criteria]}
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 30}
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 7}
    assert job["presignedUrlConfig"] == {"roleArn": ROLE, "expiresInSec": 600}
    assert (job["targets"], job["targetSelection"]) == ([arn("thinggroup/canary")], "SNAPSHOT")


@pytest.mark.parametrize(("switch", "reported"), [("copied", "two"), ("empty", None)])
def test_whether_the_job_has_the_description_is_a_switch(ota: Ota, switch: str, reported: str | None) -> None:
    ota.stage.settings(jobDescription=switch)
    ota.made(description="two")

    assert ota.iot.describe_job(jobId="AFR_OTA-u1")["job"].get("description") == reported


@pytest.mark.parametrize(("switch", "shown"), [("empty", {}), ("zero", {"maximumPerMinute": 0})])
def test_an_unset_rollout_reads_back_as_its_switch_says(ota: Ota, switch: str, shown: dict[str, Any]) -> None:
    ota.stage.settings(unsetRolloutReadsBack=switch)

    assert ota.made()["awsJobExecutionsRolloutConfig"] == shown


def test_half_an_hour_is_the_life_of_a_url_that_no_one_gave_one(ota: Ota) -> None:
    assert ota.made("u1", **HTTP)["awsJobPresignedUrlConfig"] == {"expiresInSec": 1800}
    assert ota.made("u2")["awsJobPresignedUrlConfig"] == {}


def test_a_signing_job_is_filled_in_next_to_its_parameters(ota: Ota) -> None:
    ota.profile()
    ota.create(files=[file(codeSigning=signing())])
    before = ota.get()["otaUpdateFiles"][0]["codeSigning"]
    ota.stage.advance(5)
    after = ota.get()["otaUpdateFiles"][0]["codeSigning"]

    start = {**signing()["startSigningJobParameter"], "signingProfileParameter": {}}
    assert before == {"startSigningJobParameter": start, "customCodeSigning": {}}
    assert after == {**before, "awsSignerJobId": after["awsSignerJobId"]}
    assert ota.signer.describe_signing_job(jobId=after["awsSignerJobId"])["status"] == "Succeeded"


def test_what_get_shows_can_be_given_again(ota: Ota) -> None:
    files = ota.made()["otaUpdateFiles"]

    assert ota.made("u2", files=files)["otaUpdateFiles"] == files


def test_a_stale_read_shows_the_state_before(ota: Ota) -> None:
    ota.stage.post("faults", rules=[{"service": "iot", "operation": "GetOTAUpdate", "effect": "staleRead", "nth": 1}])
    ota.create()
    assert refusal(ota.iot.get_ota_update, otaUpdateId="u1").code == "ResourceNotFoundException"
    assert ota.status() == "CREATE_PENDING"


def test_an_unknown_update_is_not_found(ota: Ota) -> None:
    assert refusal(ota.iot.get_ota_update, otaUpdateId="other")[:2] == (404, "ResourceNotFoundException")


def test_an_id_is_taken_once(ota: Ota) -> None:
    ota.create()
    with pytest.raises(ota.iot.exceptions.ResourceAlreadyExistsException) as caught:
        ota.create()

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert caught.value.response["resourceId"] == "u1"
    assert caught.value.response["resourceArn"] == arn("otaupdate/u1")


def test_another_region_has_its_own_ids(ota: Ota) -> None:
    ota.create()
    away = ota.stage.client("iot", region="us-east-1")

    assert away.list_ota_updates()["otaUpdates"] == []


def test_a_list_shows_thin_items_newest_first_in_pages(ota: Ota) -> None:
    for name in ("u1", "u2", "u3"):
        ota.create(name)
        ota.stage.advance(1)
    first = ota.iot.list_ota_updates(maxResults=2)

    assert [set(item) for item in first["otaUpdates"]] == [{"otaUpdateId", "otaUpdateArn", "creationDate"}] * 2
    assert [item["otaUpdateId"] for item in first["otaUpdates"]] == ["u3", "u2"]
    assert ota.names(nextToken=first["nextToken"]) == ["u1"]
    assert refusal(ota.iot.list_ota_updates, maxResults=251)[:2] == (400, "InvalidRequestException")
    assert refusal(ota.iot.list_ota_updates, nextToken="?")[:2] == (400, "InvalidRequestException")


def test_a_list_can_be_of_one_status(ota: Ota) -> None:
    ota.made("u1")
    ota.create("u2")

    assert ota.names(otaUpdateStatus="CREATE_COMPLETE") == ["u1"]
    assert ota.names(otaUpdateStatus="CREATE_PENDING") == ["u2"]


def test_tags_are_kept_changed_and_listed_in_pages(ota: Ota) -> None:
    ota.create(tags=[{"Key": "team", "Value": "soil"}])
    resource = arn("otaupdate/u1")
    ota.iot.tag_resource(resourceArn=resource, tags=[{"Key": f"k{n:02}", "Value": "v"} for n in range(30)])
    ota.iot.untag_resource(resourceArn=resource, tagKeys=["k00", "absent"])
    first = ota.iot.list_tags_for_resource(resourceArn=resource)
    second = ota.iot.list_tags_for_resource(resourceArn=resource, nextToken=first["nextToken"])

    assert first["tags"][0] == {"Key": "team", "Value": "soil"}
    assert (len(first["tags"]), len(second["tags"])) == (25, 5)


def test_a_resource_has_at_most_fifty_tags(ota: Ota) -> None:
    many = [{"Key": f"k{n}", "Value": "v"} for n in range(50)]
    ota.create(tags=many)
    assert refusal(ota.iot.tag_resource, resourceArn=arn("otaupdate/u1"), tags=[{"Key": "one", "Value": "more"}])[
        :2
    ] == (410, "LimitExceededException")
    ota.iot.tag_resource(resourceArn=arn("otaupdate/u1"), tags=[{"Key": "k1", "Value": "again"}])


@pytest.mark.parametrize("resource", ["thing/probe-1", "other/x"])
def test_things_carry_no_tags(ota: Ota, resource: str) -> None:
    assert refusal(ota.iot.list_tags_for_resource, resourceArn=arn(resource)).code == "InvalidRequestException"


@pytest.mark.parametrize("tags", [[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], [{"Key": "aws:a"}]])
def test_a_tag_key_is_given_once_and_is_not_reserved(ota: Ota, tags: list[dict[str, str]]) -> None:
    assert refusal(ota.create, tags=tags).code == "InvalidRequestException"
    assert refusal(ota.iot.list_tags_for_resource, resourceArn=arn("otaupdate/u1"))[:2] == (
        404,
        "ResourceNotFoundException",
    )


def test_devices_over_mqtt_get_a_stream_and_one_base64_of_the_signature(ota: Ota) -> None:
    ota.made(files=[file(fileType=3)])
    (stream,) = ota.streams()

    assert stream.startswith("AFR_OTA-")
    assert ota.document() == {
        "protocols": ["MQTT"],
        "streamname": stream,
        "files": [
            {
                "filepath": "probe.bin",
                "filesize": len(IMAGE),
                "fileid": 0,
                "certfile": "/cert.pem",
                "fileType": 3,
                "sig-sha256-ecdsa": base64.b64encode(b"\x30\x44signature").decode(),
            }
        ],
    }
    described = ota.iot.describe_stream(streamId=stream)["streamInfo"]
    assert described["files"] == [{"fileId": 0, "s3Location": S3}]
    assert described["roleArn"] == ROLE


def test_devices_over_http_get_a_url_without_credentials_and_no_stream(ota: Ota) -> None:
    location = {"s3Location": {**S3, "version": ota.version}}
    ota.made(protocols=["HTTP"], files=[file(fileLocation=location)])
    reported = ota.document()

    assert (reported["protocols"], "streamname" in reported, ota.streams()) == (["HTTP"], False, [])
    assert reported["files"][0]["auth_scheme"] == "aws.s3.presigned"
    assert reported["files"][0]["update_data_url"].startswith("${aws:iot:s3-presigned-url:https://acme-firmware.s3.")
    assert reported["files"][0]["update_data_url"].endswith(f"?versionId={ota.version}}}")
    assert "X-Amz" not in reported["files"][0]["update_data_url"]


def test_every_file_has_its_number_and_its_algorithms(ota: Ota) -> None:
    rsa = {"customCodeSigning": {**CUSTOM["customCodeSigning"], "hashAlgorithm": "SHA1", "signatureAlgorithm": "RSA"}}
    ota.made(files=[file(), file(fileName="modem.bin", codeSigning=rsa)])
    first, second = ota.document()["files"]

    assert (first["fileid"], first["filepath"]) == (0, "probe.bin")
    assert (second["fileid"], second["filepath"]) == (1, "modem.bin")
    assert "sig-sha256-ecdsa" in first
    assert "sig-sha1-rsa" in second


def test_a_device_installs_what_the_job_names(ota: Ota) -> None:
    ota.stage.post("fleet", things=[{"name": "probe-1", "firmwareVersion": "2.4.0", "seconds": 60}])
    ota.made()
    ota.stage.advance(600)

    assert ota.iot.describe_job(jobId="AFR_OTA-u1")["job"]["status"] == "COMPLETED"
    assert ota.iot.describe_thing(thingName="probe-1")["attributes"]["firmwareVersion"] == "2.4.1"
