"""OTA updates with the roles the program makes and every caller judged: enough, and nothing superfluous."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from msgspec.structs import replace

from infra import ota_permissions, permissions
from otactl.model import Phase
from tests.support.fuota_stage import BUCKET, KEY, REGION, declared
from tests.support.ota_stage import SIGNED, block, gateway, one_wave
from tests.support.pulumi.ota_scenarios import ACTS, NAMES, content_that_changes, signing_that_fails_at_first
from tests.support.pulumi.ota_scenarios import waves_of_things_then_a_group as waves
from tests.support.pulumi.provisioned_stack import (
    ProvisionedOtaStage,
    Registered,
    less,
    loopback,
    named,
    refused,
    until,
)


@pytest.mark.parametrize("act", sorted(ACTS))
def test_with_its_role_the_controller_does_everything(provisioned_ota: ProvisionedOtaStage, act: str) -> None:
    provisioned_ota.act_as("controllerRoleArn")

    reported = [line for step in ACTS[act](provisioned_ota) for line in step]

    assert refused(provisioned_ota) == []
    assert not [line for line in reported if "grant " in line]
    assert provisioned_ota.remembered().phase is Phase.SUCCEEDED
    assert provisioned_ota.updates() == []


STATEMENTS = [*ota_permissions.reads(NAMES), *ota_permissions.writes(NAMES)]
GRANTED = [(str(s["Sid"]), str(a)) for s in STATEMENTS for a in s["Action"]]  # type: ignore[attr-defined]
# In which act an action is asked for; those not named here in the first.
SHOWN_BY = {
    "iot:SearchIndex": signing_that_fails_at_first,
    "signer:DescribeSigningJob": signing_that_fails_at_first,
    "iot:CancelJob": content_that_changes,
    "iot:DeleteJob": content_that_changes,
}
# Refused and reported nowhere: a warning of IAM's simulation goes with an explicit start, which OTA updates have not.
UNTOLD = ("iam:SimulatePrincipalPolicy",)
CALLS = {"iam:PassRole": "CreateOTAUpdate", "s3:GetObjectVersion": "HeadObject"}


@pytest.mark.parametrize(("sid", "action"), GRANTED, ids=[f"{sid} {action}" for sid, action in GRANTED])
def test_without_any_one_action_something_fails_and_names_it(
    provisioned_ota: ProvisionedOtaStage, sid: str, action: str
) -> None:
    provisioned_ota.rewrite("controllerRoleArn", "reconcile", less(permissions.controller(NAMES), action, sid))
    provisioned_ota.act_as("controllerRoleArn")

    reported = until(SHOWN_BY.get(action, waves)(provisioned_ota), action)

    assert named(reported, action) or action in UNTOLD, reported[-3:]
    assert set(refused(provisioned_ota)) == {CALLS.get(action, action.partition(":")[2])}


def running(at: ProvisionedOtaStage, **changes: object) -> str:
    """An update whose first device is offline, made as the controller; gives its id."""
    at.act_as("controllerRoleArn")
    at.behave(gw_1="offline")
    wanted = replace(one_wave(), backend=block(role=at.role, **changes))
    at.run(wanted)
    at.advance(130)
    at.run(wanted)
    (update,) = at.updates()
    return update


def test_setting_the_urls_life_again_hands_the_role_on_and_needs_the_right_to(
    provisioned_ota: ProvisionedOtaStage,
) -> None:
    http = {"protocols": ["HTTP"]}
    running(provisioned_ota, **http, awsJobPresignedUrlConfig={"expiresInSec": 600})
    without = less(permissions.controller(NAMES), "iam:PassRole", "PassOtaRole")
    provisioned_ota.rewrite("controllerRoleArn", "reconcile", without)
    longer = block(role=provisioned_ota.role, **http, awsJobPresignedUrlConfig={"expiresInSec": 900})

    reported = provisioned_ota.run_and_report(replace(one_wave(), backend=longer))

    assert any("not authorized to perform: iam:PassRole" in line for line in reported)
    assert refused(provisioned_ota) == ["UpdateJob"]


def test_the_planner_may_look_at_everything_and_make_nothing(provisioned_ota: ProvisionedOtaStage) -> None:
    provisioned_ota.act_as("plannerRoleArn")

    reported = provisioned_ota.run_and_report(gateway(backend=block(role=provisioned_ota.role)))

    assert any("grant iot:CreateOTAUpdate and iam:PassRole" in line for line in reported)
    assert refused(provisioned_ota) == ["CreateOTAUpdate"]
    assert provisioned_ota.created() == []


def test_the_planner_sees_the_drift_of_a_running_update_and_sets_nothing_back(
    provisioned_ota: ProvisionedOtaStage,
) -> None:
    job = f"AFR_OTA-{running(provisioned_ota)}"
    provisioned_ota.iot.update_job(jobId=job, jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    provisioned_ota.act_as("plannerRoleArn")

    reported = provisioned_ota.run_and_report(replace(one_wave(), backend=block(role=provisioned_ota.role)))

    assert named(reported, "iot:UpdateJob")
    assert refused(provisioned_ota) == ["UpdateJob"]
    assert provisioned_ota.iot.describe_job(jobId=job)["job"]["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 1}


def test_a_foreign_update_is_out_of_the_controllers_reach(provisioned_ota: ProvisionedOtaStage) -> None:
    place = {"s3Location": {"bucket": BUCKET, "key": KEY}}
    signed = {"customCodeSigning": {**SIGNED["customCodeSigning"], "signature": {"inlineDocument": b"x"}}}
    arn = provisioned_ota.iot.describe_thing(thingName="gw-1")["thingArn"]
    made = provisioned_ota.iot.create_ota_update(
        otaUpdateId="theirs",
        targets=[arn],
        files=[{"fileName": "/u", "fileLocation": place, "codeSigning": signed}],
        roleArn=provisioned_ota.role,
        tags=[{"Key": "otactl:owner", "Value": "umbrella"}],
    )["otaUpdateArn"]
    provisioned_ota.advance(60)
    provisioned_ota.act_as("controllerRoleArn")
    iot = boto3.Session().client("iot", endpoint_url=provisioned_ota.server.url, region_name=REGION)
    denied = iot.exceptions.ClientError

    for refuse in (
        lambda: iot.delete_ota_update(otaUpdateId="theirs", forceDeleteAWSJob=True),
        lambda: iot.tag_resource(resourceArn=made, tags=[{"Key": "otactl:owner", "Value": "acme"}]),
        lambda: iot.untag_resource(resourceArn=made, tagKeys=["otactl:owner"]),
    ):
        with pytest.raises(denied, match="AccessDeniedException"):
            refuse()
    assert iot.get_ota_update(otaUpdateId="theirs")["otaUpdateInfo"]["otaUpdateStatus"] == "CREATE_COMPLETE"
    assert iot.list_tags_for_resource(resourceArn=made)["tags"] == [{"Key": "otactl:owner", "Value": "umbrella"}]


def test_a_stream_that_a_manifest_names_may_have_any_name(provisioned_ota: ProvisionedOtaStage) -> None:
    place = {"s3Location": {"bucket": BUCKET, "key": KEY}}
    provisioned_ota.iot.create_stream(streamId="film", files=[{"fileId": 0, **place}], roleArn=provisioned_ota.role)
    file = {
        "fileName": "/update",
        "fileLocation": {"stream": {"streamId": "film", "fileId": 0}},
        "codeSigning": SIGNED,
    }

    running(provisioned_ota, files=[file])

    assert "DescribeStream" in {r["operation"] for r in provisioned_ota.server.world.requests}
    assert refused(provisioned_ota) == []
    assert provisioned_ota.remembered().phase is Phase.PROGRESSING


def test_without_the_option_the_controller_has_nothing_of_aws_iot(tmp_path: Path, small_stack: Registered) -> None:
    made, outputs = small_stack
    assert "otaServiceRoleArn" not in outputs
    with loopback() as server:
        at = ProvisionedOtaStage(server, tmp_path, (made, {**outputs, "otaServiceRoleArn": declared().backend.role}))
        at.act_as("controllerRoleArn")
        reported = at.run_and_report(gateway(backend=block(role=at.role)))
        iot = boto3.Session().client("iot", endpoint_url=server.url, region_name=REGION)
        with pytest.raises(iot.exceptions.ClientError, match="AccessDeniedException"):
            iot.create_ota_update(
                otaUpdateId="x",
                targets=["t"],
                files=[{"fileName": "/u"}],
                roleArn=outputs["firmwareUpdateRoleArn"],
                tags=[{"Key": "otactl:owner", "Value": "acme"}],
            )

    assert named(reported, "iot:ListOTAUpdates")
