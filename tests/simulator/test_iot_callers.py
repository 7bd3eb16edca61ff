"""Callers of AWS IoT, its data planes and AWS Signer as IAM judges them, once `enforceCallers` is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from otactl_simulator.iam.required_permissions_iot import needs
from tests.support.simulator.ota_updates import PROFILE, ROLE, SIGNED, Ota, arn, file
from tests.support.simulator.stage import ACCOUNT, BUCKET, KEY, REGION, SimulatorStage, policy, refusal

OPERATOR = f"arn:aws:iam::{ACCOUNT}:role/operator"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/night"
SIGNER = f"arn:aws:signer:{REGION}:{ACCOUNT}:"
UPDATE = arn("otaupdate/u1")
Statement = dict[str, Any]


def allow(action: str, resource: str = "*", **condition: Any) -> Statement:
    """One Allow."""
    given = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**given, "Condition": condition} if condition else given


PASS = allow("iam:PassRole", ROLE, StringEquals={"iam:PassedToService": "iot.amazonaws.com"})


class Judged(Ota):
    """A stage on which callers are judged; `act` gives clients of a role that may do what is said and nothing else."""

    def __init__(self, stage: SimulatorStage) -> None:
        super().__init__(stage)
        trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        stage.iam.create_role(RoleName="operator", AssumeRolePolicyDocument=policy(trust))
        self.profile()
        self.made()
        stage.settings(enforceCallers=True)

    def act(self, service: str, *statements: Statement) -> Any:
        """A client of the operator."""
        given = policy(*(statements or (allow("sts:Nothing"),)))
        self.stage.iam.put_role_policy(RoleName="operator", PolicyName="own", PolicyDocument=given)
        keys = self.stage.sts.assume_role(RoleArn=OPERATOR, RoleSessionName="night")["Credentials"]
        return self.stage.client(service, keys=keys)


@pytest.fixture
def judged(stage: SimulatorStage) -> Judged:
    return Judged(stage)


def reaches(call: Callable[..., object], **parameters: Any) -> bool:
    """Whether IAM lets a call through, whatever the service then says to it."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDeniedException"
    return True


def test_an_administrator_may_do_everything(judged: Judged) -> None:
    assert judged.made("u2")["otaUpdateStatus"] == "CREATE_COMPLETE"


def test_a_refusal_names_caller_action_and_resource(judged: Judged) -> None:
    reported = refusal(judged.act("iot").get_ota_update, otaUpdateId="u1")

    assert reported[:2] == (403, "AccessDeniedException")
    assert reported.message == f"User: {SESSION} is not authorized to perform: iot:GetOTAUpdate on resource: {UPDATE}"


def test_an_update_needs_its_own_permission_and_that_of_its_role(judged: Judged) -> None:
    wanted, create = judged.given("u2"), allow("iot:CreateOTAUpdate", arn("otaupdate/u2"))
    refused = refusal(judged.act("iot", create).create_ota_update, **wanted)
    assert f"iam:PassRole on resource: {ROLE}" in refused.message
    refused = refusal(judged.act("iot", PASS).create_ota_update, **wanted)
    assert "iot:CreateOTAUpdate" in refused.message
    judged.act("iot", create, PASS).create_ota_update(**wanted)


def test_a_role_passed_to_another_service_is_not_passed_to_aws_iot(judged: Judged) -> None:
    other = allow("iam:PassRole", ROLE, StringEquals={"iam:PassedToService": "lambda.amazonaws.com"})
    client = judged.act("iot", allow("iot:CreateOTAUpdate"), other)

    assert refusal(client.create_ota_update, **judged.given("u2")).code == "AccessDeniedException"


def test_tags_of_a_request_can_be_demanded(judged: Judged) -> None:
    marked = allow("iot:CreateOTAUpdate", StringEquals={"aws:RequestTag/owner": "acme"})
    client = judged.act("iot", marked, PASS)
    ours, theirs = ([{"Key": "owner", "Value": value}] for value in ("acme", "umbrella"))

    assert not reaches(client.create_ota_update, **judged.given("u2"))
    assert not reaches(client.create_ota_update, **judged.given("u2", tags=theirs))
    client.create_ota_update(**judged.given("u2", tags=ours))


def test_tag_keys_of_a_request_can_be_bounded(judged: Judged) -> None:
    bounded = {"ForAllValues:StringEquals": {"aws:TagKeys": ["owner"]}}
    client = judged.act("iot", allow("iot:TagResource", UPDATE, **bounded))

    assert not reaches(client.tag_resource, resourceArn=UPDATE, tags=[{"Key": "team", "Value": "x"}])
    client.tag_resource(resourceArn=UPDATE, tags=[{"Key": "owner", "Value": "acme"}])


@pytest.mark.parametrize("kind", ["otaupdate/u1", "job/AFR_OTA-u1", "thinggroup/canary"])
def test_tags_of_a_resource_scope_who_may_change_it(judged: Judged, kind: str) -> None:
    calls = {
        "otaupdate/u1": lambda client: reaches(client.delete_ota_update, otaUpdateId="u1"),
        "job/AFR_OTA-u1": lambda client: reaches(client.cancel_job, jobId="AFR_OTA-u1"),
        "thinggroup/canary": lambda client: reaches(client.delete_thing_group, thingGroupName="canary"),
    }
    ours = judged.act("iot", allow("iot:*", StringEquals={"aws:ResourceTag/owner": "acme"}))

    assert not calls[kind](ours)
    judged.iot.tag_resource(resourceArn=arn(kind), tags=[{"Key": "owner", "Value": "acme"}])
    assert calls[kind](ours)


CALLS: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("iot", "GetOTAUpdate", {"otaUpdateId": "u1"}, [("iot:GetOTAUpdate", UPDATE)]),
    ("iot", "DeleteOTAUpdate", {"otaUpdateId": "u1"}, [("iot:DeleteOTAUpdate", UPDATE)]),
    ("iot", "ListOTAUpdates", {}, [("iot:ListOTAUpdates", "*")]),
    ("iot", "DescribeStream", {"streamId": "s"}, [("iot:DescribeStream", arn("stream/s"))]),
    ("iot", "DeleteStream", {"streamId": "s"}, [("iot:DeleteStream", arn("stream/s"))]),
    ("iot", "UpdateStream", {"streamId": "s"}, [("iot:UpdateStream", arn("stream/s"))]),
    (
        "iot",
        "UpdateStream",
        {"streamId": "s", "roleArn": ROLE},
        [("iot:UpdateStream", arn("stream/s")), ("iam:PassRole", ROLE)],
    ),
    ("iot", "ListStreams", {}, [("iot:ListStreams", "*")]),
    (
        "iot",
        "CreateStream",
        {"streamId": "s", "roleArn": ROLE, "files": [{"fileId": 0, "s3Location": {"bucket": BUCKET, "key": KEY}}]},
        [("iot:CreateStream", arn("stream/s")), ("iam:PassRole", ROLE)],
    ),
    (
        "iot",
        "CreateJob",
        {"jobId": "j", "targets": [arn("thing/probe-1")], "document": "{}"},
        [("iot:CreateJob", arn("job/j")), ("iot:CreateJob", arn("thing/probe-1"))],
    ),
    ("iot", "DescribeJob", {"jobId": "j"}, [("iot:DescribeJob", arn("job/j"))]),
    (
        "iot",
        "UpdateJob",
        {"jobId": "j", "presignedUrlConfig": {"roleArn": ROLE}},
        [("iot:UpdateJob", arn("job/j")), ("iam:PassRole", ROLE)],
    ),
    ("iot", "CancelJob", {"jobId": "j"}, [("iot:CancelJob", arn("job/j"))]),
    ("iot", "DeleteJob", {"jobId": "j"}, [("iot:DeleteJob", arn("job/j"))]),
    ("iot", "GetJobDocument", {"jobId": "j"}, [("iot:GetJobDocument", arn("job/j"))]),
    (
        "iot",
        "AssociateTargetsWithJob",
        {"jobId": "j", "targets": [arn("thinggroup/canary")]},
        [("iot:AssociateTargetsWithJob", arn("job/j")), ("iot:AssociateTargetsWithJob", arn("thinggroup/canary"))],
    ),
    ("iot", "ListJobs", {"thingGroupName": "canary"}, [("iot:ListJobs", "*")]),
    ("iot", "ListJobExecutionsForJob", {"jobId": "j"}, [("iot:ListJobExecutionsForJob", arn("job/j"))]),
    ("iot", "ListJobExecutionsForThing", {"thingName": "t"}, [("iot:ListJobExecutionsForThing", arn("thing/t"))]),
    (
        "iot",
        "DescribeJobExecution",
        {"jobId": "j", "thingName": "t"},
        [("iot:DescribeJobExecution", arn("job/j")), ("iot:DescribeJobExecution", arn("thing/t"))],
    ),
    ("iot", "DescribeThing", {"thingName": "t"}, [("iot:DescribeThing", arn("thing/t"))]),
    ("iot", "ListThings", {}, [("iot:ListThings", "*")]),
    ("iot", "DescribeThingGroup", {"thingGroupName": "g"}, [("iot:DescribeThingGroup", arn("thinggroup/g"))]),
    ("iot", "ListThingsInThingGroup", {"thingGroupName": "g"}, [("iot:ListThingsInThingGroup", arn("thinggroup/g"))]),
    (
        "iot",
        "AddThingToThingGroup",
        {"thingName": "t", "thingGroupName": "g"},
        [("iot:AddThingToThingGroup", arn("thing/t")), ("iot:AddThingToThingGroup", arn("thinggroup/g"))],
    ),
    ("iot", "SearchIndex", {"queryString": "*"}, [("iot:SearchIndex", arn("index/AWS_Things"))]),
    ("iot", "ListTagsForResource", {"resourceArn": UPDATE}, [("iot:ListTagsForResource", UPDATE)]),
    ("iot", "UntagResource", {"resourceArn": UPDATE, "tagKeys": ["a"]}, [("iot:UntagResource", UPDATE)]),
    ("iot-data", "GetThingShadow", {"thingName": "t"}, [("iot:GetThingShadow", arn("thing/t"))]),
    (
        "iot-data",
        "UpdateThingShadow",
        {"thingName": "t", "payload": b"{}"},
        [("iot:UpdateThingShadow", arn("thing/t"))],
    ),
    (
        "iot-jobs-data",
        "GetPendingJobExecutions",
        {"thingName": "t"},
        [("iotjobsdata:GetPendingJobExecutions", arn("thing/t"))],
    ),
    (
        "iot-jobs-data",
        "UpdateJobExecution",
        {"thingName": "t", "jobId": "j", "status": "FAILED"},
        [("iotjobsdata:UpdateJobExecution", arn("thing/t"))],
    ),
    (
        "signer",
        "GetSigningProfile",
        {"profileName": PROFILE},
        [("signer:GetSigningProfile", f"{SIGNER}/signing-profiles/{PROFILE}")],
    ),
    ("signer", "DescribeSigningJob", {"jobId": "j"}, [("signer:DescribeSigningJob", f"{SIGNER}/signing-jobs/j")]),
    ("signer", "ListSigningJobs", {}, [("signer:ListSigningJobs", "*")]),
    (
        "signer",
        "StartSigningJob",
        {
            "profileName": PROFILE,
            "clientRequestToken": "t",
            "source": {"s3": {"bucketName": BUCKET, "key": KEY, "version": "v"}},
            "destination": {"s3": {"bucketName": SIGNED, "prefix": "p/"}},
        },
        [
            ("signer:StartSigningJob", f"{SIGNER}/signing-profiles/{PROFILE}"),
            ("s3:GetObjectVersion", f"arn:aws:s3:::{BUCKET}/{KEY}"),
            ("s3:PutObject", f"arn:aws:s3:::{SIGNED}/p/*"),
        ],
    ),
]


@pytest.mark.parametrize(("service", "operation", "given", "needed"), CALLS, ids=lambda v: v if type(v) is str else "")
def test_a_call_needs_each_of_its_permissions_and_no_other(
    judged: Judged, service: str, operation: str, given: dict[str, Any], needed: list[tuple[str, str]]
) -> None:
    def try_with(pairs: list[tuple[str, str]]) -> bool:
        client = judged.act(service, *(allow(action, resource) for action, resource in pairs))
        method = {name: method for method, name in client.meta.method_to_api_mapping.items()}[operation]
        return reaches(getattr(client, method), **given)

    assert try_with(needed)
    for left_out in needed:
        assert not try_with([pair for pair in needed if pair != left_out])


def test_signing_reads_and_writes_with_the_callers_rights(judged: Judged) -> None:
    given = {
        "profileName": PROFILE,
        "clientRequestToken": "t",
        "source": {"s3": {"bucketName": BUCKET, "key": KEY, "version": judged.version}},
        "destination": {"s3": {"bucketName": SIGNED}},
    }
    assert not reaches(judged.act("signer", allow("signer:*")).start_signing_job, **given)
    judged.act("signer", allow("signer:*"), allow("s3:*")).start_signing_job(**given)


def test_the_role_of_an_update_is_judged_even_when_callers_are_not(judged: Judged) -> None:
    judged.stage.settings(enforceCallers=False)
    judged.forbid("iot:CreateJob")

    assert judged.failure(name="u2", files=[file()])[0] == "AWSIotException"


def test_an_operation_no_one_knows_is_asked_for_on_everything() -> None:
    (need,) = needs("iot", "ListTopicRules", {}, ACCOUNT, REGION, lambda resource: {})

    assert (need.action, need.resource, dict(need.context)) == ("iot:ListTopicRules", "*", {})
