"""Creations that fail: each with the words of the service that refused, and what they leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.ota_updates import ACTIONS, PARAMETERS, ROLE, ROLE_NAME, TRUST, Ota, arn, file, signing
from tests.support.simulator.stage import ACCOUNT, BUCKET, KEY, REGION, SimulatorStage, policy

SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/ota/u1"
OBJECT = {"bucket": BUCKET, "key": KEY}
FORBIDDEN = "(Service: {}; Status Code: 403; Error Code: AccessDeniedException"


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


def distrust(ota: Ota, **statement: Any) -> None:
    """Replace the role's trust policy."""
    ota.stage.iam.update_assume_role_policy(RoleName=ROLE_NAME, PolicyDocument=policy({**TRUST, **statement}))


def test_a_role_that_may_not_pass_itself_fails_in_the_words_of_aws(ota: Ota) -> None:
    ota.forbid("iam:PassRole")

    assert ota.failure() == (
        "AWSIotException",
        f"User: {SESSION} is not authorized to perform: iam:PassRole on resource: {ROLE} {FORBIDDEN.format('AWSIot')}",
    )


def test_a_role_may_pass_itself_to_aws_iot_only(ota: Ota) -> None:
    ota.forbid("iam:PassRole")
    for name, principal in (("u1", "lambda.amazonaws.com"), ("u2", "iot.amazonaws.com")):
        condition = {"StringEquals": {"iam:PassedToService": principal}}
        given = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE, "Condition": condition}
        ota.stage.iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="pass", PolicyDocument=policy(given))
        ota.made(name)

    assert (ota.status("u1"), ota.status("u2")) == ("CREATE_FAILED", "CREATE_COMPLETE")


def test_a_role_that_does_not_trust_aws_iot_fails(ota: Ota) -> None:
    distrust(ota, Principal={"Service": "iotwireless.amazonaws.com"})
    code, message = ota.failure()

    assert code == "AWSSecurityTokenServiceException"
    assert message.startswith(
        f"User: iot.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    )


def test_a_role_that_is_gone_fails(ota: Ota) -> None:
    code, message = ota.failure(roleArn=f"{ROLE}-gone")

    assert (code, message.partition(" (")[0]) == (
        "AWSSecurityTokenServiceException",
        f"role {ROLE}-gone does not exist",
    )


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, "CREATE_COMPLETE"),
        ({"StringEquals": {"aws:SourceAccount": "999999999999"}}, "CREATE_FAILED"),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:*"}}, "CREATE_COMPLETE"),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:iot:us-east-1:{ACCOUNT}:*"}}, "CREATE_FAILED"),
    ],
)
def test_the_service_says_for_whom_it_assumes_the_role(ota: Ota, condition: dict[str, Any], status: str) -> None:
    distrust(ota, Condition=condition)

    assert ota.made()["otaUpdateStatus"] == status


def test_an_object_the_role_may_not_read_fails_as_s3_says_it(ota: Ota) -> None:
    ota.forbid("s3:GetObject")

    assert ota.failure() == (
        "AmazonS3Exception",
        "Access Denied (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied",
    )


def test_an_object_that_signer_may_not_read_fails_as_the_guide_shows_it(ota: Ota) -> None:
    ota.profile()
    ota.forbid("s3:GetObject")

    assert ota.failure(files=[file(codeSigning=signing())]) == (
        "AccessDeniedException",
        f"S3 object {KEY} not accessible. Please check your permissions {FORBIDDEN.format('AWSSigner')}",
    )


def test_a_version_needs_its_own_permission(ota: Ota) -> None:
    versioned = [file(fileLocation={"s3Location": {**OBJECT, "version": ota.version}})]
    ota.forbid("s3:GetObject")
    assert ota.made("u1", files=versioned)["otaUpdateStatus"] == "CREATE_COMPLETE"
    ota.forbid("s3:GetObjectVersion")
    assert ota.failure(name="u2", files=versioned)[0] == "AmazonS3Exception"


def test_the_version_that_was_named_is_the_one_devices_get(ota: Ota) -> None:
    ota.stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"newer")
    ota.made("u1", files=[file(fileLocation={"s3Location": {**OBJECT, "version": ota.version}})])
    ota.made("u2")

    assert [ota.document(name)["files"][0]["filesize"] for name in ("u1", "u2")] == [1024, 5]


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ({**OBJECT, "version": "absent"}, "NoSuchVersion"),
        ({**OBJECT, "key": "absent"}, "NoSuchKey"),
        ({**OBJECT, "bucket": "absent"}, "NoSuchBucket"),
    ],
)
def test_an_object_that_is_not_there_fails(ota: Ota, place: dict[str, str], code: str) -> None:
    reported, message = ota.failure(files=[file(fileLocation={"s3Location": place})])

    assert reported == "AmazonS3Exception"
    assert message.endswith(f"(Service: Amazon S3; Status Code: 404; Error Code: {code}")


def test_a_missing_object_is_forbidden_to_who_may_not_list(ota: Ota) -> None:
    ota.forbid("s3:ListBucket")

    assert "Status Code: 403" in ota.failure(files=[file(fileLocation={"s3Location": {**OBJECT, "key": "absent"}})])[1]


def test_a_deleted_object_fails(ota: Ota) -> None:
    ota.stage.s3.delete_object(Bucket=BUCKET, Key=KEY)

    assert "NoSuchKey" in ota.failure()[1]


def test_a_bucket_of_another_region_fails(ota: Ota) -> None:
    ota.stage.client("s3", region="us-east-1").create_bucket(Bucket="away")
    ota.stage.s3.put_object(Bucket="away", Key=KEY, Body=b"x")

    assert "Status Code: 301" in ota.failure(files=[file(fileLocation={"s3Location": {**OBJECT, "bucket": "away"}})])[1]


def test_a_file_over_sixteen_megabytes_fails(ota: Ota) -> None:
    ota.stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=bytes(16_000_000))
    assert ota.made("u1")["otaUpdateStatus"] == "CREATE_COMPLETE"
    ota.stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=bytes(16_000_001))
    code, message = ota.failure(name="u2")

    assert code == "InvalidRequestException"
    assert "has 16000001 bytes" in message


@pytest.mark.parametrize("action", sorted({*ACTIONS} - {"s3:GetObjectVersion", "s3:ListBucket"}))
def test_every_permission_of_the_role_is_needed_to_sign_and_to_send(ota: Ota, action: str) -> None:
    ota.forbid(action)
    ota.failure(files=[file(codeSigning=signing(**PARAMETERS))])


def test_a_target_that_went_meanwhile_fails(ota: Ota) -> None:
    ota.create(targets=[arn("thing/probe-1")])
    ota.iot.delete_thing(thingName="probe-1")
    ota.stage.advance(5)

    assert ota.get()["errorInfo"]["code"] == "ResourceNotFoundException"


def test_a_job_that_has_the_id_already_fails_and_is_left_alone(ota: Ota) -> None:
    ota.iot.create_job(jobId="AFR_OTA-u1", targets=[arn("thing/probe-1")], document="{}")
    code, message = ota.failure()
    ota.iot.delete_ota_update(otaUpdateId="u1", forceDeleteAWSJob=True)
    ota.stage.advance(60)

    assert code == "ResourceAlreadyExistsException"
    assert "already exists (Service: AWSIot; Status Code: 409" in message
    assert ota.names() == []
    assert ota.iot.describe_job(jobId="AFR_OTA-u1")["job"]["jobId"] == "AFR_OTA-u1"


def test_a_failed_creation_leaves_its_signed_object_and_stream_behind(ota: Ota) -> None:
    ota.profile()
    ota.forbid("iot:CreateJob")
    ota.failure(files=[file(codeSigning=signing())])

    assert len(ota.signed_objects()) == 1
    assert len(ota.streams()) == 1
    assert ota.iot.list_jobs()["jobs"] == []


def test_a_failed_creation_keeps_its_id_until_it_is_deleted(ota: Ota) -> None:
    ota.forbid("iam:PassRole")
    ota.failure()
    ota.permit(*ACTIONS)
    with pytest.raises(ota.iot.exceptions.ResourceAlreadyExistsException):
        ota.create()
    ota.iot.delete_ota_update(otaUpdateId="u1")
    ota.stage.advance(5)

    assert ota.made()["otaUpdateStatus"] == "CREATE_COMPLETE"


def test_a_policy_the_simulator_cannot_judge_is_reported_as_such(ota: Ota) -> None:
    given = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"BinaryEquals": {"aws:x": "YQ=="}}}
    ota.stage.iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="odd", PolicyDocument=policy(given))
    code, message = ota.failure()

    assert code == "UnsupportedPolicy"
    assert "BinaryEquals" in message
