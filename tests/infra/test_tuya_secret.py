"""Tuya batches with the program's roles and every caller judged: the secret is the controller's, and no more."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from infra import permissions
from infra.iam_documents import Names
from otactl.model import Phase
from tests.support.fuota_stage import REGION
from tests.support.pulumi.provisioned_stack import ProvisionedTuyaStage, Registered, less, loopback, named
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import PLUGS, SECRET
from tests.support.tuya_stage import plugs

POLICY = permissions.controller(Names(read(PLUGS)))
GRANTED = [("ReadTuyaSecret", "secretsmanager:GetSecretValue"), ("DecryptTuyaSecret", "kms:Decrypt")]


def denied(at: ProvisionedTuyaStage) -> list[str]:
    """Reads of the secret that were refused; the protocol's status for that is 400."""
    return [str(r["operation"]) for r in at.asked("secretsmanager") if r["errorCode"] == "AccessDeniedException"]


def test_with_its_role_the_controller_reads_the_secret_and_does_everything(
    provisioned_tuya: ProvisionedTuyaStage,
) -> None:
    provisioned_tuya.act_as("controllerRoleArn")

    provisioned_tuya.cron()

    assert provisioned_tuya.record("plug").phase is Phase.SUCCEEDED
    assert denied(provisioned_tuya) == []
    assert provisioned_tuya.asked("secretsmanager")


@pytest.mark.parametrize(("sid", "action"), GRANTED)
def test_without_either_statement_the_read_fails_names_it_and_nothing_is_sent(
    provisioned_tuya: ProvisionedTuyaStage, sid: str, action: str
) -> None:
    provisioned_tuya.rewrite(less(POLICY, action, sid))
    provisioned_tuya.act_as("controllerRoleArn")

    error = provisioned_tuya.run().rollouts[0].error

    assert named([error], action)
    assert error.startswith("PermissionDenied: ")
    assert denied(provisioned_tuya) == ["GetSecretValue"]
    assert provisioned_tuya.asked("tuya") == []


def test_another_secret_is_out_of_the_controllers_reach(provisioned_tuya: ProvisionedTuyaStage) -> None:
    other = SECRET.replace("tuya", "payroll")
    provisioned_tuya.fleet(secrets=[{"arn": other, "text": "x"}])
    provisioned_tuya.act_as("controllerRoleArn")
    secrets = boto3.Session().client("secretsmanager", endpoint_url=provisioned_tuya.server.url, region_name=REGION)

    with pytest.raises(secrets.exceptions.ClientError, match="AccessDeniedException"):
        secrets.get_secret_value(SecretId=other)
    assert secrets.get_secret_value(SecretId=SECRET)["ARN"] == SECRET


def test_the_planner_has_no_way_to_the_key(provisioned_tuya: ProvisionedTuyaStage) -> None:
    provisioned_tuya.act_as("plannerRoleArn")

    error = provisioned_tuya.run().rollouts[0].error

    assert named([error], "secretsmanager:GetSecretValue")
    assert provisioned_tuya.asked("tuya") == []


def test_without_the_option_the_controller_has_no_way_to_the_key(tmp_path: Path, small_stack: Registered) -> None:
    with loopback() as server:
        at = ProvisionedTuyaStage(server, tmp_path, small_stack)
        at.act_as("controllerRoleArn")

        error = at.run(plugs()).rollouts[0].error

        assert named([error], "secretsmanager:GetSecretValue")
        assert at.asked("tuya") == []
