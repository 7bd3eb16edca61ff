"""Presigned URLs in job documents: made for the device that asks, and what they deliver."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.support.simulator.ota_updates import Ota, arn, file
from tests.support.simulator.stage import BUCKET, IMAGE, KEY, SimulatorStage, refusal

ROLE = "arn:aws:iam::123456789012:role/ota"


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


def document(ota: Ota, job: str = "AFR_OTA-u1") -> str:
    """The document as the device gets it."""
    device = ota.stage.client("iot-jobs-data")
    return str(device.describe_job_execution(jobId=job, thingName="probe-1")["execution"]["jobDocument"])


def url(ota: Ota) -> str:
    """The URL of the update's file."""
    return str(json.loads(document(ota))["afr_ota"]["files"][0]["update_data_url"])


def fetch(address: str) -> tuple[int, bytes]:
    """Status and body of a GET by a device, which signs nothing."""
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def made(ota: Ota, **given: object) -> None:
    """An update over HTTP whose device does nothing by itself."""
    ota.stage.post("fleet", things=[{"name": "probe-1", "behaviour": "manual"}])
    ota.made(protocols=["HTTP"], awsJobPresignedUrlConfig={"expiresInSec": 60}, **given)


def test_a_device_downloads_the_very_version_that_was_signed(ota: Ota) -> None:
    made(ota, files=[file(fileLocation={"s3Location": {"bucket": BUCKET, "key": KEY, "version": ota.version}})])
    ota.stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"a later image")
    assert fetch(url(ota)) == (200, IMAGE)


def test_a_url_is_good_for_as_long_as_the_job_says_and_then_a_new_one_is(ota: Ota) -> None:
    made(ota)
    address = url(ota)
    ota.stage.advance(61)
    status, body = fetch(address)
    assert (status, b"Request has expired" in body) == (403, True)
    assert fetch(url(ota)) == (200, IMAGE)


def test_a_url_that_was_changed_is_refused(ota: Ota) -> None:
    made(ota)
    for change in (("2.4.1.bin", "2.4.2.bin"), ("X-Amz-Expires=60", "X-Amz-Expires=600")):
        assert fetch(url(ota).replace(*change))[0] == 403


def test_a_url_reads_with_the_rights_of_the_jobs_role(ota: Ota) -> None:
    made(ota)
    ota.forbid("s3:GetObject", "s3:GetObjectVersion")
    assert fetch(url(ota))[0] == 403


def test_the_control_plane_shows_the_placeholder(ota: Ota) -> None:
    made(ota)
    assert ota.document()["files"][0]["update_data_url"].startswith("${aws:iot:s3-presigned-url:https://")


def test_a_job_of_ones_own_has_its_urls_replaced_in_both_forms(ota: Ota) -> None:
    ota.stage.post("fleet", things=[{"name": "probe-1", "behaviour": "manual"}])
    plain = f"${{aws:iot:s3-presigned-url:https://s3.eu-west-1.amazonaws.com/{BUCKET}/{KEY}}}"
    encoded = f"${{aws:iot:s3-presigned-url-v2:https://{BUCKET}.s3.amazonaws.com/{KEY}}}"
    given = {"jobId": "j", "targets": [arn("thing/probe-1")], "document": json.dumps({"urls": [plain, encoded]})}
    said = refusal(ota.iot.create_job, **given)
    assert said.message == "Role must be provided for pre-sign S3 urls in job document of job j."
    ota.iot.create_job(**given, presignedUrlConfig={"roleArn": ROLE})
    assert [fetch(address) for address in json.loads(document(ota, "j"))["urls"]] == [(200, IMAGE), (200, IMAGE)]


def test_a_document_by_link_is_read_once_when_its_job_is_made(ota: Ota) -> None:
    ota.stage.s3.put_object(Bucket=BUCKET, Key="j.json", Body=b'{"do": "it"}')
    links = (f"s3://{BUCKET}/j.json", f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/j.json")
    for number, link in enumerate(links):
        ota.iot.create_job(jobId=f"j{number}", targets=[arn("thing/probe-1")], documentSource=link)
    ota.stage.s3.put_object(Bucket=BUCKET, Key="j.json", Body=b"{}")
    assert ota.iot.get_job_document(jobId="j0")["document"] == '{"do": "it"}'
    assert ota.iot.describe_job(jobId="j1")["documentSource"] == links[1]
    for link in ("s3://none/j.json", f"s3://{BUCKET}/none", "https://example.org/j.json"):
        said = refusal(ota.iot.create_job, jobId="k", targets=[arn("thing/probe-1")], documentSource=link)
        assert (said[1], link in said.message) == ("InvalidRequestException", True)


@pytest.mark.parametrize("place", ["https://example.org/b/k", "https://s3.amazonaws.com/b", "k"])
def test_a_placeholder_that_names_no_object_of_s3_is_refused(ota: Ota, place: str) -> None:
    said = refusal(
        ota.iot.create_job,
        jobId="j",
        targets=[arn("thing/probe-1")],
        document=json.dumps({"url": f"${{aws:iot:s3-presigned-url:{place}}}"}),
        presignedUrlConfig={"roleArn": ROLE},
    )
    assert said == (400, "InvalidRequestException", f"Given S3 url {place} is invalid.")


def test_an_upload_keeps_every_byte_whatever_its_client_says_that_they_are(ota: Ota) -> None:
    for number, kind in enumerate(
        ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain")
    ):
        place = {"Bucket": BUCKET, "Key": f"up-{number}"}
        address = ota.stage.s3.generate_presigned_url("put_object", Params=place)
        upload = urllib.request.Request(address, IMAGE, {"Content-Type": kind}, method="PUT")
        with urllib.request.urlopen(upload) as answer:
            assert answer.status == 200
        kept = ota.stage.s3.get_object(**place)
        assert (kept["Body"].read(), kept["ContentType"]) == (IMAGE, kind)
