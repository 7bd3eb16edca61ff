"""The service role of OTA updates as the program makes it: enough for a creation, and nothing that none asks for."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from infra import ota_permissions
from infra.iam_documents import Names
from tests.support.fuota_stage import BUCKET, KEY
from tests.support.ota_stage import block, one_wave
from tests.support.pulumi.ota_scenarios import NAMES, ORDER, SIGNED_BY_AWS
from tests.support.pulumi.provisioned_stack import ProvisionedOtaStage, less
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import SMALL

WHOLE = ota_permissions.service(NAMES)
GRANTED = {str(a) for s in WHOLE["Statement"] for a in s["Action"]}  # type: ignore[attr-defined]

# What a creation says that lacks an action: its own name, but for S3, which says less.
ENDS_THE_CREATION = {
    "iam:GetRole": "perform: iam:GetRole",
    "iam:PassRole": "perform: iam:PassRole",
    "iot:CreateJob": "perform: iot:CreateJob",
    "iot:CreateStream": "perform: iot:CreateStream",
    "signer:DescribeSigningJob": "perform: signer:DescribeSigningJob",
    "signer:GetSigningProfile": "perform: signer:GetSigningProfile",
    "signer:PutSigningProfile": "perform: signer:PutSigningProfile",
    "signer:StartSigningJob": "perform: signer:StartSigningJob",
    "s3:GetObject": "Access Denied (Service: Amazon S3",
    "s3:GetObjectVersion": f"S3 object {KEY} not accessible",
    "s3:PutObject": "S3 object signed/",
}
# What otactl sees before it makes anything; by what hold.
SEEN_BEFORE = {
    "iam:GetRole": "role_lacks_permission",
    "iam:PassRole": "role_lacks_permission",
    "iot:CreateJob": "role_lacks_permission",
    "iot:CreateStream": "role_lacks_permission",
    "signer:StartSigningJob": "role_lacks_permission",
    "s3:GetObjectVersion": "role_lacks_permission",
    "s3:GetObject": "role_may_not_read_image",
}
# Of the managed policy; the simulator carries no creation or deletion out so far that it would ask for these.
ASKED_FOR_BY_AWS_ALONE = {
    "iot:DeleteJob",
    "iot:DeleteStream",
    "iot:DescribeJob",
    "s3:GetBucketLocation",
    "s3:ListBucketVersions",
}


def made(at: ProvisionedOtaStage, **location: str) -> tuple[str, str]:
    """Make an update as an administrator; gives the status it ends in, and its error."""
    place = {"s3Location": {"bucket": BUCKET, "key": KEY, **location}}
    targets = [at.iot.describe_thing(thingName="gw-1")["thingArn"]]
    targets.append(at.iot.describe_thing_group(thingGroupName="gateways")["thingGroupArn"])
    at.iot.create_ota_update(
        otaUpdateId="one", targets=targets, files=[{**SIGNED_BY_AWS[0], "fileLocation": place}], roleArn=at.role
    )
    at.advance(60)
    reported = at.iot.get_ota_update(otaUpdateId="one")["otaUpdateInfo"]
    return reported["otaUpdateStatus"], reported.get("errorInfo", {}).get("message", "")


def version(at: ProvisionedOtaStage) -> str:
    """The image's version in S3."""
    return str(at.s3.head_object(Bucket=BUCKET, Key=KEY)["VersionId"])


def test_every_action_is_shown_or_said_not_to_be() -> None:
    assert ENDS_THE_CREATION.keys() | ASKED_FOR_BY_AWS_ALONE | {"s3:ListBucket"} == GRANTED


def test_with_all_of_them_a_creation_is_complete(provisioned_ota: ProvisionedOtaStage) -> None:
    assert made(provisioned_ota, version=version(provisioned_ota)) == ("CREATE_COMPLETE", "")


@pytest.mark.parametrize("action", sorted(ENDS_THE_CREATION))
def test_without_any_one_action_a_creation_fails(provisioned_ota: ProvisionedOtaStage, action: str) -> None:
    pinned = version(provisioned_ota)
    provisioned_ota.rewrite("otaServiceRoleArn", "ota-updates", less(WHOLE, action))

    status, error = made(provisioned_ota, version=pinned)

    assert status == "CREATE_FAILED"
    assert ENDS_THE_CREATION[action] in error


@pytest.mark.parametrize("kind", ["job", "thing", "thinggroup"])
def test_a_job_is_not_made_where_the_role_may_not_on_one_of_its_resources(
    provisioned_ota: ProvisionedOtaStage, kind: str
) -> None:
    policy = json.loads(json.dumps(WHOLE))
    for statement in policy["Statement"]:
        if statement["Sid"] == "MakeJobs":
            statement["Resource"] = [arn for arn in statement["Resource"] if f":{kind}/" not in arn]
    pinned = version(provisioned_ota)
    provisioned_ota.rewrite("otaServiceRoleArn", "ota-updates", policy)

    status, error = made(provisioned_ota, version=pinned)

    assert status == "CREATE_FAILED"
    assert f"iot:CreateJob on resource: arn:aws:iot:eu-west-1:123456789012:{kind}/" in error


def test_without_listing_a_missing_image_is_reported_as_a_forbidden_one(provisioned_ota: ProvisionedOtaStage) -> None:
    provisioned_ota.rewrite("otaServiceRoleArn", "ota-updates", less(WHOLE, "s3:ListBucket"))
    forbidden = made(provisioned_ota, key="gone.bin")[1]
    provisioned_ota.iot.delete_ota_update(otaUpdateId="one")
    provisioned_ota.advance(60)
    provisioned_ota.rewrite("otaServiceRoleArn", "ota-updates", WHOLE)

    assert "not accessible" in forbidden
    assert "The specified key does not exist" in made(provisioned_ota, key="gone.bin")[1]


@pytest.mark.parametrize("action", sorted(SEEN_BEFORE))
def test_what_can_be_seen_before_holds_the_rollout_and_makes_nothing(
    provisioned_ota: ProvisionedOtaStage, action: str
) -> None:
    provisioned_ota.rewrite("otaServiceRoleArn", "ota-updates", less(WHOLE, action))
    provisioned_ota.act_as("controllerRoleArn")
    wanted = replace(one_wave(), backend=block(role=provisioned_ota.role, files=SIGNED_BY_AWS))

    reported = provisioned_ota.run_and_report(wanted)

    assert any(line.startswith(f"{SEEN_BEFORE[action]}: ") and action in line for line in reported), reported
    assert provisioned_ota.created() == []


def test_without_signing_profiles_one_that_is_there_signs_and_none_is_made(
    provisioned_ota: ProvisionedOtaStage,
) -> None:
    plain = ota_permissions.service(Names(read({**SMALL, "otactl:options": {"iotOta": True}})))
    given = ORDER["signingProfileParameter"]
    provisioned_ota.rewrite("otaServiceRoleArn", "ota-updates", plain)
    assert isinstance(given, dict)
    provisioned_ota.signer.put_signing_profile(
        profileName="gateway",
        platformId=given["platform"],
        signingMaterial={"certificateArn": given["certificateArn"]},
        signingParameters={"certname": given["certificatePathOnDevice"]},
    )

    assert made(provisioned_ota, version=version(provisioned_ota)) == ("CREATE_COMPLETE", "")


def test_for_an_update_of_another_account_it_is_not_assumed(provisioned_ota: ProvisionedOtaStage) -> None:
    name = provisioned_ota.role.rsplit("/", 1)[-1]
    trust = provisioned_ota.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] = "210987654321"
    provisioned_ota.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))

    status, error = made(provisioned_ota, version=version(provisioned_ota))

    assert status == "CREATE_FAILED"
    assert "not authorized to perform: sts:AssumeRole" in error
