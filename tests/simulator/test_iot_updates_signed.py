"""Code signing of an OTA update: by AWS Signer with a profile, by a signing job of before; what fails in it."""

from __future__ import annotations

import pytest

from tests.support.simulator.ota_updates import PARAMETERS, PROFILE, SIGNED, Ota, file, signing
from tests.support.simulator.stage import BUCKET, KEY, REGION, SimulatorStage

OBJECT = {"bucket": BUCKET, "key": KEY}


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


def test_a_profile_that_is_not_there_and_cannot_be_made_fails(ota: Ota) -> None:
    code, message = ota.failure(files=[file(codeSigning=signing())])

    assert code == "ResourceNotFoundException"
    assert message.startswith(f"Signing profile {PROFILE} not found (Service: AWSSigner; Status Code: 404")


def test_a_profile_is_made_from_its_parameters_and_used_again(ota: Ota) -> None:
    files = [file(codeSigning=signing(**PARAMETERS))]
    assert ota.made("u1", files=files)["otaUpdateStatus"] == "CREATE_COMPLETE"
    assert ota.signer.get_signing_profile(profileName=PROFILE)["signingParameters"] == {"certname": "/cert.pem"}
    assert ota.made("u2", files=files)["otaUpdateStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize("member", sorted(PARAMETERS))
def test_a_profile_that_is_there_must_have_the_parameters_given(ota: Ota, member: str) -> None:
    ota.profile()
    code, message = ota.failure(files=[file(codeSigning=signing(**{**PARAMETERS, member: "other"}))])

    assert code == "InvalidRequestException"
    assert f"exists with another {member}" in message


def test_a_platform_that_is_none_makes_no_profile(ota: Ota) -> None:
    code, message = ota.failure(files=[file(codeSigning=signing(**{**PARAMETERS, "platform": "Other"}))])

    assert (code, "Platform Other is none of" in message) == ("ValidationException", True)


def test_a_canceled_profile_signs_nothing(ota: Ota) -> None:
    ota.profile()
    ota.signer.cancel_signing_profile(profileName=PROFILE)

    assert ota.failure(files=[file(codeSigning=signing())])[0] == "ValidationException"


def test_signing_needs_a_bucket_with_versions(ota: Ota) -> None:
    ota.profile()
    location = {"LocationConstraint": REGION}
    ota.stage.s3.create_bucket(Bucket="plain", CreateBucketConfiguration=location)
    ota.stage.s3.put_object(Bucket="plain", Key=KEY, Body=b"x")
    place = {"s3Location": {**OBJECT, "bucket": "plain"}}

    assert "not versioning enabled" in ota.failure(files=[file(fileLocation=place, codeSigning=signing())])[1]


def test_a_destination_that_is_not_there_fails(ota: Ota) -> None:
    ota.profile()

    assert ota.failure(files=[file(codeSigning=signing(bucket="absent"))])[0] == "ResourceNotFoundException"


def test_a_signed_file_is_served_from_its_copy(ota: Ota) -> None:
    ota.profile()
    ota.made(files=[file(codeSigning=signing(prefix="soil/"))])
    (key,), (stream,) = ota.signed_objects(), ota.streams()
    described = ota.iot.describe_stream(streamId=stream)["streamInfo"]["files"]

    assert key.startswith("soil/")
    assert described == [{"fileId": 0, "s3Location": {"bucket": SIGNED, "key": key}}]
    assert ota.get()["otaUpdateFiles"][0]["fileLocation"] == {"s3Location": OBJECT}
    assert ota.document()["files"][0]["certfile"] == "/cert.pem"


def test_a_signing_job_of_before_brings_its_file(ota: Ota) -> None:
    ota.profile()
    first = ota.made("u1", files=[file(codeSigning=signing())])
    job = first["otaUpdateFiles"][0]["codeSigning"]["awsSignerJobId"]
    given = file(codeSigning={"awsSignerJobId": job})
    del given["fileLocation"]
    info = ota.made("u2", files=[given])

    assert info["otaUpdateStatus"] == "CREATE_COMPLETE"
    assert info["otaUpdateFiles"][0]["codeSigning"] == {
        "awsSignerJobId": job,
        "startSigningJobParameter": {},
        "customCodeSigning": {},
    }
    assert ota.document("u2")["files"] == ota.document("u1")["files"]


def test_a_signing_job_that_is_not_there_fails(ota: Ota) -> None:
    code, message = ota.failure(files=[file(codeSigning={"awsSignerJobId": "absent"})])

    assert (code, "Signing job absent not found" in message) == ("ResourceNotFoundException", True)
