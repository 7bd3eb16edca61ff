"""The program applied, then otactl with the roles it made and every caller judged: enough, and nothing superfluous."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import msgspec
import pytest
import yaml

from infra import permissions
from infra.iam_documents import Names
from otactl.model import Phase, Source, Strategy, Wave
from otactl_simulator.server import SimulatorServer
from tests.support.fuota_stage import BUCKET, GROUPS, IMAGE, KEY, REGION, declared, single_devices
from tests.support.pulumi.apply import Applier
from tests.support.pulumi.demo_fleet import run_to_its_end
from tests.support.pulumi.engine import ROOT, run
from tests.support.pulumi.provisioned_stack import ProvisionedFuotaStage, less, named, refused, run_and_report, until
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import SMALL

NAMES = Names(read(SMALL))
ASKED = ("iotwireless", "s3", "iam", "sts")  # what a stack without OTA updates is about
MANAGED = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}],
    }
)


def everything(at: ProvisionedFuotaStage) -> Iterator[list[str]]:
    """Drive so that every call the controller knows is made; yields what each run reports."""
    at.iam.create_policy(PolicyName="extra", PolicyDocument=MANAGED)
    at.iam.attach_role_policy(RoleName=at.role.rsplit("/", 1)[-1], PolicyArn="arn:aws:iam::123456789012:policy/extra")
    groups = at.rollout(declared())
    at.deafen()
    yield run_and_report(at, groups)
    at.advance(300)
    if listed := at.wireless.list_fuota_tasks()["FuotaTaskList"]:
        task = at.wireless.get_fuota_task(Id=listed[0]["Id"])
        at.wireless.update_fuota_task(Id=task["Id"], RedundancyPercent=3)
        tags = [{"Key": "team", "Value": "theirs"}, {"Key": "otactl:x", "Value": "1"}]
        at.wireless.tag_resource(ResourceArn=task["Arn"], Tags=tags)
        at.wireless.associate_multicast_group_with_fuota_task(Id=task["Id"], MulticastGroupId=GROUPS[1])
    yield run_and_report(at, groups)
    at.deafen(False)
    yield run_and_report(at, groups)
    at.advance(2170)  # the canary's session is on air
    for _ in range(5):
        yield run_and_report(at, groups)
        at.advance(3600)
    devices = at.rollout(single_devices(at), name="single", source=SINGLE, resend=True)
    at.fault(service="iotwireless", operation="StartFuotaTask", effect="error500")
    at.run(groups, devices)
    at.server.world.faults.replace([])
    at.advance(300)
    if single := [t for t in at.wireless.list_fuota_tasks()["FuotaTaskList"] if "single" in t["Name"]]:
        stored = next(iter(at.server.world.snapshot()["iotwireless"].values()))
        stranger = next(
            d["id"] for d in stored["devices"] if d["parameters"]["LoRaWAN"]["DevEui"].lower() == at.euis[5]
        )
        at.wireless.associate_wireless_device_with_fuota_task(Id=single[0]["Id"], WirelessDeviceId=stranger)
    for _ in range(4):
        yield run_and_report(at, groups, devices)
        at.advance(3600)
    gone = msgspec.structs.replace(declared().firmware, image=f"s3://{BUCKET}/gone/{'0' * 64}.bin")
    missing = Strategy(waves=(Wave(name="all", targets=declared().strategy.waves[0].targets),))
    source = Source(file="g.yaml", digest="g" * 64)
    yield run_and_report(at, at.rollout(declared(), name="gone", firmware=gone, strategy=missing, source=source))


def test_with_its_role_the_controller_does_everything(provisioned_fuota: ProvisionedFuotaStage) -> None:
    provisioned_fuota.act_as("controllerRoleArn")

    lines = [line for step in everything(provisioned_fuota) for line in step]

    assert not [line for line in lines if "grant " in line]
    assert refused(provisioned_fuota, *ASKED) == []
    assert (provisioned_fuota.record().phase, provisioned_fuota.record("single").phase) == (
        Phase.SUCCEEDED,
        Phase.SUCCEEDED,
    )
    assert any("image_is_missing" in line for line in lines)
    made = {f"{r['service']}:{r['operation']}" for r in provisioned_fuota.server.world.requests}
    assert {a for a in ACTIONS if a.startswith("iotwireless:")} <= made


SINGLE = Source(file="rollouts/single.yaml", digest="s" * 64)
ACTIONS = sorted({a for s in permissions.controller(NAMES)["Statement"] for a in s["Action"]})  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ACTIONS)
def test_without_any_one_action_something_fails_and_names_it(
    provisioned_fuota: ProvisionedFuotaStage, action: str
) -> None:
    policy = less(permissions.controller(NAMES), action)
    provisioned_fuota.iam.put_role_policy(
        RoleName=NAMES.controller_role, PolicyName="reconcile", PolicyDocument=json.dumps(policy)
    )
    provisioned_fuota.act_as("controllerRoleArn")

    lines = until(everything(provisioned_fuota), action)

    if action == "s3:ListBucket":
        assert not any("image_is_missing" in line for line in lines)
        assert any("image_is_unreadable" in line for line in lines)
    else:
        assert named(lines, action), lines[:6]


SIDS = sorted(str(s["Sid"]) for s in permissions.controller(NAMES)["Statement"])


def test_a_stripped_owner_mark_is_put_back_by_the_statement_made_for_it(
    provisioned_fuota: ProvisionedFuotaStage,
) -> None:
    assert "MarkTasks" in SIDS
    provisioned_fuota.act_as("controllerRoleArn")
    provisioned_fuota.deafen()
    rollout = provisioned_fuota.rollout(declared())
    provisioned_fuota.run(rollout)
    provisioned_fuota.advance(300)
    provisioned_fuota.wireless.untag_resource(ResourceArn=provisioned_fuota.task()["Arn"], TagKeys=["otactl:owner"])

    report = provisioned_fuota.run(rollout)

    assert report.rollouts[0].error == ""
    (entry,) = provisioned_fuota.record().drift
    assert (entry.field, entry.closed_by) == ("tags.otactl:owner", "otactl")


def test_the_planner_may_look_at_everything_and_change_nothing(provisioned_fuota: ProvisionedFuotaStage) -> None:
    provisioned_fuota.act_as("plannerRoleArn")
    rollout = provisioned_fuota.rollout(declared())

    report = provisioned_fuota.run(rollout)

    assert "grant iotwireless:CreateFuotaTask" in report.rollouts[0].error
    assert refused(provisioned_fuota, *ASKED) == ["CreateFuotaTask"]
    assert provisioned_fuota.made() == []


def test_a_foreign_task_is_out_of_the_controllers_reach(provisioned_fuota: ProvisionedFuotaStage) -> None:
    given = provisioned_fuota.wireless.create_fuota_task(
        Name="theirs",
        FirmwareUpdateImage=f"s3://{BUCKET}/{KEY}",
        FirmwareUpdateRole=provisioned_fuota.role,
        LoRaWAN={"RfRegion": "EU868"},
        Tags=[{"Key": "otactl:owner", "Value": "umbrella"}],
    )
    provisioned_fuota.act_as("controllerRoleArn")
    wireless = boto3.Session().client("iotwireless", endpoint_url=provisioned_fuota.server.url, region_name=REGION)

    with pytest.raises(wireless.exceptions.AccessDeniedException):
        wireless.delete_fuota_task(Id=given["Id"])
    with pytest.raises(wireless.exceptions.AccessDeniedException):
        wireless.tag_resource(ResourceArn=given["Arn"], Tags=[{"Key": "otactl:owner", "Value": "acme"}])
    assert wireless.get_fuota_task(Id=given["Id"])["Name"] == "theirs"


def test_a_bucket_of_the_program_refuses_to_overwrite_an_image(provisioned_fuota: ProvisionedFuotaStage) -> None:
    with pytest.raises(provisioned_fuota.s3.exceptions.ClientError, match="AccessDenied"):
        provisioned_fuota.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other bytes")

    assert provisioned_fuota.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == IMAGE


def test_iams_simulation_that_denies_is_a_warning_and_holds_nothing(provisioned_fuota: ProvisionedFuotaStage) -> None:
    """The role's own policy is gone, the bucket's policy allows it: the simulation knows only the first."""
    name = provisioned_fuota.role.rsplit("/", 1)[-1]
    provisioned_fuota.iam.delete_role_policy(RoleName=name, PolicyName="read-images")
    policy = json.loads(provisioned_fuota.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": provisioned_fuota.role},
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
    )
    provisioned_fuota.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    provisioned_fuota.act_as("controllerRoleArn")
    rollout = provisioned_fuota.rollout(declared())

    for _ in range(6):
        provisioned_fuota.run(rollout)
        provisioned_fuota.advance(3600)

    assert provisioned_fuota.record().phase is Phase.SUCCEEDED
    reported = [e.message for e in provisioned_fuota.journal().history("prod-eu", "probe")]
    assert any("IAM's simulation says implicitDeny for s3:GetObject" in t for t in reported)


def test_the_demos_fleet_runs_to_its_end_on_the_example_stack_with_every_caller_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load((ROOT / "Pulumi.prod-eu.yaml").read_text())["config"]
    monkeypatch.chdir(tmp_path)
    with SimulatorServer(seed=7) as server:

        def provision() -> dict[str, object]:
            made = run(config, apply=Applier(server.url))
            assert made.exit_code == 0, made.output
            return made.outputs

        ended = run_to_its_end(server, tmp_path, provision)

    assert ended.phases == {"Succeeded"}
    assert (ended.pull_request, ended.refused) == ("AccessDenied", ["AssumeRoleWithWebIdentity"])
