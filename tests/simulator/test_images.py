"""Reading an image through moto: only what the real service could read, and a sentence for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.s3.models import s3_backends

from otactl_simulator.iam.policy import UnsupportedPolicyError
from otactl_simulator.images import MotoImages
from otactl_simulator.iotwireless.images_port import Images, ImageUnavailableError

ACCOUNT, REGION, IMAGE = "123456789012", "eu-west-1", bytes(range(256))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/fuota/updater"
URI = "s3://images/soil/probe.bin"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::images/*"}
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def document(*statements: dict[str, Any]) -> str:
    """A policy as IAM takes it."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal: str = "iotwireless.amazonaws.com", **elements: Any) -> str:
    """A trust policy for a service."""
    return document({"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole", **elements})


class Cloud:
    """moto with a bucket, an image and a role that may read it."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=REGION, **KEYS)
        self.iam = boto3.client("iam", region_name=REGION, **KEYS)
        self.s3.create_bucket(Bucket="images", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket="images", VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket="images", Key="soil/probe.bin", Body=IMAGE)
        self.iam.create_role(RoleName="updater", Path="/fuota/", AssumeRolePolicyDocument=trust())
        self.permit(READ)

    def permit(self, *statements: dict[str, Any]) -> None:
        """Replace the role's inline policy."""
        self.iam.put_role_policy(RoleName="updater", PolicyName="read", PolicyDocument=document(*statements))

    def forbid(self) -> None:
        """Take the role's inline policy away."""
        self.iam.delete_role_policy(RoleName="updater", PolicyName="read")

    def distrust(self, text: str) -> None:
        """Replace the role's trust policy."""
        self.iam.update_assume_role_policy(RoleName="updater", PolicyDocument=text)

    def managed(self, *statements: dict[str, Any]) -> str:
        """Create a managed policy and give its ARN."""
        created = self.iam.create_policy(PolicyName="managed", PolicyDocument=document(*statements))
        return str(created["Policy"]["Arn"])


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A working cloud, fresh for every test."""
    with mock_aws():
        yield Cloud()


def refused(uri: str = URI, role: str = ROLE, region: str = REGION, images: Images | None = None) -> str:
    """Why an image cannot be read."""
    with pytest.raises(ImageUnavailableError) as caught:
        (images or MotoImages()).read(role, uri, region)
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


@pytest.mark.usefixtures("cloud")
def test_a_trusted_role_that_may_read_gives_the_image() -> None:
    assert MotoImages().read(ROLE, URI, REGION) == IMAGE


def test_the_latest_version_counts(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket="images", Key="soil/probe.bin", Body=b"newer")
    assert MotoImages().read(ROLE, URI, REGION) == b"newer"


@pytest.mark.parametrize(
    "uri", ["https://images/soil/probe.bin", "s3://images", "s3://images/", "s3://I/x", "images/x"]
)
@pytest.mark.usefixtures("cloud")
def test_a_uri_of_another_form_is_refused(uri: str) -> None:
    assert "is not s3://bucket/key" in refused(uri=uri)


@pytest.mark.parametrize(
    ("role", "why"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/updater", "does not exist"),  # the path belongs to the ARN
        (f"arn:aws:iam::{ACCOUNT}:role/fuota/other", "does not exist"),
        (f"arn:aws:iam::{ACCOUNT}:user/updater", "is not the ARN of a role"),
        ("updater", "is not the ARN of a role"),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_a_role_that_is_not_there_is_refused(role: str, why: str) -> None:
    assert why in refused(role=role)


def test_a_role_that_does_not_trust_the_service_is_refused(cloud: Cloud) -> None:
    cloud.distrust(trust("iot.amazonaws.com"))
    assert refused() == (f"iotwireless.amazonaws.com may not assume role {ROLE}: there is no Allow in its trust policy")


def test_another_service_may_use_another_role(cloud: Cloud) -> None:
    cloud.distrust(trust("iot.amazonaws.com"))
    images = MotoImages(service_principal="iot.amazonaws.com", source="otaupdate/simulated")
    assert images.read(ROLE, URI, REGION) == IMAGE


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:SourceAccount": "999999999999"}}, False),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:iotwireless:{REGION}:{ACCOUNT}:FuotaTask/*"}}, True),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:iotwireless:us-east-1:{ACCOUNT}:*"}}, False),
    ],
)
def test_a_confused_deputy_condition_is_met_by_the_task_only(
    cloud: Cloud, condition: dict[str, Any], holds: bool
) -> None:
    cloud.distrust(trust(Condition=condition))
    if holds:
        assert MotoImages().read(ROLE, URI, REGION) == IMAGE
    else:
        assert "may not assume" in refused()
    assert "may not assume" in refused(images=MotoImages(sends_source=False))


def test_a_bucket_that_is_not_there_is_refused(cloud: Cloud) -> None:
    assert refused(uri="s3://other/soil/probe.bin") == "bucket other does not exist"
    assert cloud.s3.list_buckets()["Buckets"][0]["Name"] == "images"


@pytest.mark.usefixtures("cloud")
def test_a_bucket_in_another_region_is_refused() -> None:
    assert refused(region="eu-central-1") == (
        "bucket images is in eu-west-1, the task in eu-central-1; they must be the same Region"
    )


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        ([{**READ, "Action": "s3:ListBucket"}], "there is no Allow"),
        ([{**READ, "Resource": "arn:aws:s3:::images"}], "there is no Allow"),
        ([{**READ, "Resource": "arn:aws:s3:::images/air/*"}], "there is no Allow"),
        ([READ, {**READ, "Effect": "Deny"}], "there is an explicit Deny"),
    ],
)
def test_a_role_that_may_not_read_the_object_is_refused(
    cloud: Cloud, statements: list[dict[str, Any]], why: str
) -> None:
    cloud.permit(*statements)
    assert refused() == f"role {ROLE} may not read arn:aws:s3:::images/soil/probe.bin: {why} for s3:GetObject"


def test_a_managed_policy_counts_in_its_default_version(cloud: Cloud) -> None:
    cloud.forbid()
    arn = cloud.managed(READ)
    cloud.iam.attach_role_policy(RoleName="updater", PolicyArn=arn)
    assert MotoImages().read(ROLE, URI, REGION) == IMAGE
    cloud.iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=document({**READ, "Action": "s3:PutObject"}), SetAsDefault=True
    )
    assert "there is no Allow" in refused()


def test_a_boundary_limits_the_role(cloud: Cloud) -> None:
    arn = cloud.managed({**READ, "Action": "ec2:*"})
    cloud.iam.put_role_permissions_boundary(RoleName="updater", PermissionsBoundary=arn)
    assert "there is no Allow" in refused()


def test_a_boundary_that_is_gone_is_named(cloud: Cloud) -> None:
    gone = f"arn:aws:iam::{ACCOUNT}:policy/gone"
    cloud.iam.put_role_permissions_boundary(RoleName="updater", PermissionsBoundary=gone)
    assert refused() == f"role updater has the permissions boundary {gone}, which does not exist"


def bucket_policy(cloud: Cloud, *statements: dict[str, Any]) -> None:
    """Replace the bucket's policy."""
    cloud.s3.put_bucket_policy(Bucket="images", Policy=document(*statements))


def test_a_bucket_policy_that_demands_tls_lets_the_service_through(cloud: Cloud) -> None:
    tls = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::images/*"}
    bucket_policy(cloud, {**tls, "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    assert MotoImages().read(ROLE, URI, REGION) == IMAGE


def test_a_bucket_policy_may_deny_the_role(cloud: Cloud) -> None:
    bucket_policy(cloud, {**READ, "Effect": "Deny", "Principal": {"AWS": ROLE}})
    assert "there is an explicit Deny" in refused()


def test_a_bucket_policy_may_allow_the_role_without_a_policy_of_its_own(cloud: Cloud) -> None:
    cloud.forbid()
    bucket_policy(cloud, {**READ, "Principal": {"AWS": ROLE}})
    assert MotoImages().read(ROLE, URI, REGION) == IMAGE


def test_a_bucket_of_another_account_must_let_the_role_in_as_well(cloud: Cloud) -> None:
    away = s3_backends["444455556666"]["aws"]
    away.create_bucket("away", REGION)
    away.put_object("away", "probe.bin", IMAGE)
    read = {**READ, "Resource": "arn:aws:s3:::away/*"}
    cloud.permit(read)
    assert "there is no Allow" in refused(uri="s3://away/probe.bin")
    away.put_bucket_policy("away", document({**read, "Principal": {"AWS": ACCOUNT}}).encode())
    assert MotoImages().read(ROLE, "s3://away/probe.bin", REGION) == IMAGE


def test_an_object_that_is_not_there_is_refused(cloud: Cloud) -> None:
    assert refused(uri="s3://images/soil/other.bin") == "bucket images holds no object 'soil/other.bin'"
    cloud.s3.delete_object(Bucket="images", Key="soil/probe.bin")
    assert refused() == "bucket images holds no object 'soil/probe.bin'"


def test_an_image_over_a_megabyte_is_refused(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket="images", Key="soil/probe.bin", Body=bytes(1_000_000))
    assert len(MotoImages().read(ROLE, URI, REGION)) == 1_000_000
    cloud.s3.put_object(Bucket="images", Key="soil/probe.bin", Body=bytes(1_000_001))
    assert refused() == "the image has 1000001 bytes, the service takes 1000000"


def test_a_policy_the_evaluator_does_not_know_is_not_answered_by_a_guess(cloud: Cloud) -> None:
    cloud.permit({**READ, "Condition": {"BinaryEquals": {"aws:x": "YQ=="}}})
    with pytest.raises(UnsupportedPolicyError, match="BinaryEquals"):
        MotoImages().read(ROLE, URI, REGION)
