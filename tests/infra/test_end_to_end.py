"""The program applied, then otactl with the roles it made and every caller judged: enough, and nothing superfluous."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
import yaml
from click.testing import CliRunner

from controller.cli import cli
from controller.cli.demo import Demo, only_loopback
from controller.model import Phase, Rollout, Source, Strategy, Wave
from infra import permissions
from infra.documents import GITHUB_ISSUER, Names
from simulator.server import SimulatorServer
from tests.ground import BUCKET, GROUPS, IMAGE, KEY, REGION, Ground, declared, single_devices
from tests.infra.apply import Applier
from tests.infra.engine import ROOT, Result, run
from tests.infra.stacks import SMALL
from tests.infra.test_settings import read

NAMES = Names(read(SMALL))
MANAGED = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}],
    }
)


@pytest.fixture(scope="module")
def program() -> Result:
    """What the program registers, once: each test applies it again without running it."""
    made: list[tuple[str, Any]] = []
    with SimulatorServer() as server:
        applier = Applier(server.url)

        def note(kind: str, inputs: Any) -> tuple[str, dict[str, Any]]:
            made.append((kind, inputs))
            return applier(kind, inputs)

        result = run(SMALL, apply=note)
    assert result.exit_code == 0, result.output
    result.resources = made  # type: ignore[assignment] - in the order they were made
    return result


class Operated(Ground):
    """A ground whose bucket and roles are the program's, worked on with a role of the program's."""

    def __init__(self, server: SimulatorServer, folder: Path, program: Result) -> None:
        super().__init__(server, folder, cloud=False)
        applier = Applier(server.url)
        for kind, inputs in program.resources:  # type: ignore[misc]
            applier(kind, inputs)
        self.s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
        self.outputs = program.outputs
        self.role = program.outputs["firmwareUpdateRoleArn"]
        server.world.apply_settings({"enforceCallers": True})

    def act_as(self, role: str) -> None:
        """Put a role's credentials where boto3 finds them."""
        sts = boto3.client("sts", endpoint_url=self.server.url, region_name=REGION)
        given = sts.assume_role(RoleArn=self.outputs[role], RoleSessionName="test")["Credentials"]
        os.environ |= {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def rollout(self, base: Rollout, **changes: Any) -> Rollout:
        """A rollout with the program's role."""
        backend = msgspec.structs.replace(base.backend, role=self.role)
        return msgspec.structs.replace(base, backend=backend, **changes)


@pytest.fixture
def operated(tmp_path: Path, program: Result) -> Iterator[Operated]:
    kept = dict(os.environ)
    with SimulatorServer(seed=3) as server:
        only_loopback(server.url)
        yield Operated(server, tmp_path, program)
    os.environ.clear()
    os.environ.update(kept)


def everything(at: Operated) -> tuple[list[str], str]:
    """Drive so that every call the controller knows is made; gives what went wrong, and how it stands."""
    told: list[str] = []

    def go(*rollouts: Rollout) -> None:
        for r in at.run(*rollouts).rollouts:
            told.extend([r.error, *(f"{h.reason}: {h.message}" for h in r.holds)])

    at.iam.create_policy(PolicyName="extra", PolicyDocument=MANAGED)
    at.iam.attach_role_policy(RoleName=at.role.rsplit("/", 1)[-1], PolicyArn="arn:aws:iam::123456789012:policy/extra")
    groups = at.rollout(declared())
    at.deafen()
    go(groups)
    at.advance(300)
    if listed := at.wireless.list_fuota_tasks()["FuotaTaskList"]:
        task = at.wireless.get_fuota_task(Id=listed[0]["Id"])
        at.wireless.update_fuota_task(Id=task["Id"], RedundancyPercent=3)
        tags = [{"Key": "team", "Value": "theirs"}, {"Key": "otactl:x", "Value": "1"}]
        at.wireless.tag_resource(ResourceArn=task["Arn"], Tags=tags)
        at.wireless.associate_multicast_group_with_fuota_task(Id=task["Id"], MulticastGroupId=GROUPS[1])
    go(groups)
    at.deafen(False)
    for _ in range(5):
        go(groups)
        at.advance(3600)
    devices = at.rollout(single_devices(at), name="single", source=Source(file="rollouts/single.yaml", digest="s" * 64))
    at.fault(service="iotwireless", operation="StartFuotaTask", effect="error500")
    at.run(groups, devices)
    at.server.world.faults.replace([])
    at.advance(300)
    named = [t for t in at.wireless.list_fuota_tasks()["FuotaTaskList"] if "single" in t["Name"]]
    if named:
        stored = next(iter(at.server.world.snapshot()["iotwireless"].values()))
        stranger = next(
            d["id"] for d in stored["devices"] if d["parameters"]["LoRaWAN"]["DevEui"].lower() == at.euis[5]
        )
        at.wireless.associate_wireless_device_with_fuota_task(Id=named[0]["Id"], WirelessDeviceId=stranger)
    for _ in range(4):
        go(groups, devices)
        at.advance(3600)
    phases = f"{at.record().phase.value} {at.record('single').phase.value}"
    gone = msgspec.structs.replace(declared().firmware, image=f"s3://{BUCKET}/gone/{'0' * 64}.bin")
    missing = Strategy(waves=(Wave(name="all", targets=declared().strategy.waves[0].targets),))
    go(
        at.rollout(
            declared(), name="gone", firmware=gone, strategy=missing, source=Source(file="g.yaml", digest="g" * 64)
        )
    )
    history = [e.message for n in ("probe", "single") for e in at.journal().history("prod-eu", n)]
    told += [m for m in history if "grant" in m]
    return [t for t in told if t], phases


def denied(told: list[str]) -> list[str]:
    """What was refused for want of a permission."""
    return [t for t in told if "grant " in t or "403" in t]


def test_with_its_role_the_controller_does_everything(operated: Operated) -> None:
    operated.act_as("controllerRoleArn")

    told, phases = everything(operated)

    assert denied(told) == []
    assert phases == "Succeeded Succeeded"
    assert any("image_is_missing" in t for t in told)
    made = {f"{r['service']}:{r['operation']}" for r in operated.server.world.requests}
    assert {f"iotwireless:{a.partition(':')[2]}" for a in ACTIONS if a.startswith("iotwireless:")} <= made


ACTIONS = sorted({a for s in permissions.controller(NAMES)["Statement"] for a in s["Action"]})  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ACTIONS)
def test_without_any_one_action_something_fails_and_names_it(operated: Operated, action: str) -> None:
    policy = json.loads(json.dumps(permissions.controller(NAMES)))
    for statement in policy["Statement"]:
        statement["Action"] = [a for a in statement["Action"] if a != action]
    policy["Statement"] = [s for s in policy["Statement"] if s["Action"]]
    operated.iam.put_role_policy(
        RoleName=NAMES.controller_role, PolicyName="reconcile", PolicyDocument=json.dumps(policy)
    )
    operated.act_as("controllerRoleArn")

    told, _ = everything(operated)

    if action == "s3:ListBucket":
        assert not any("image_is_missing" in t for t in told)
        assert any("image_is_unreadable" in t for t in told)
    else:
        assert any(action in t for t in denied(told)), told[:6]


SIDS = sorted(str(s["Sid"]) for s in permissions.controller(NAMES)["Statement"])


def test_a_stripped_owner_mark_is_put_back_by_the_statement_made_for_it(operated: Operated) -> None:
    assert "MarkTasks" in SIDS
    operated.act_as("controllerRoleArn")
    operated.deafen()
    rollout = operated.rollout(declared())
    operated.run(rollout)
    operated.advance(300)
    operated.wireless.untag_resource(ResourceArn=operated.task()["Arn"], TagKeys=["otactl:owner"])

    report = operated.run(rollout)

    assert report.rollouts[0].error == ""
    (entry,) = operated.record().drift
    assert (entry.field, entry.closed_by) == ("tags.otactl:owner", "otactl")


def test_the_planner_may_look_at_everything_and_change_nothing(operated: Operated) -> None:
    operated.act_as("plannerRoleArn")
    rollout = operated.rollout(declared())

    report = operated.run(rollout)

    assert "grant iotwireless:CreateFuotaTask" in report.rollouts[0].error
    refused = [r for r in operated.server.world.requests if r["status"] == 403]
    assert [r["operation"] for r in refused] == ["CreateFuotaTask"]
    assert operated.made() == []


def test_a_foreign_task_is_out_of_the_controllers_reach(operated: Operated) -> None:
    given = operated.wireless.create_fuota_task(
        Name="theirs", FirmwareUpdateImage=f"s3://{BUCKET}/{KEY}", FirmwareUpdateRole=operated.role,
        LoRaWAN={"RfRegion": "EU868"}, Tags=[{"Key": "otactl:owner", "Value": "umbrella"}],
    )  # fmt: skip
    operated.act_as("controllerRoleArn")
    wireless = boto3.Session().client("iotwireless", endpoint_url=operated.server.url, region_name=REGION)

    with pytest.raises(wireless.exceptions.AccessDeniedException):
        wireless.delete_fuota_task(Id=given["Id"])
    with pytest.raises(wireless.exceptions.AccessDeniedException):
        wireless.tag_resource(ResourceArn=given["Arn"], Tags=[{"Key": "otactl:owner", "Value": "acme"}])
    assert wireless.get_fuota_task(Id=given["Id"])["Name"] == "theirs"


def test_a_bucket_of_the_program_refuses_to_overwrite_an_image(operated: Operated) -> None:
    with pytest.raises(operated.s3.exceptions.ClientError, match="AccessDenied"):
        operated.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other bytes")

    assert operated.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == IMAGE


def test_iams_simulation_that_denies_is_a_warning_and_holds_nothing(operated: Operated) -> None:
    """The role's own policy is gone, the bucket's policy allows it: the simulation knows only the first."""
    name = operated.role.rsplit("/", 1)[-1]
    operated.iam.delete_role_policy(RoleName=name, PolicyName="read-images")
    policy = json.loads(operated.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": operated.role},
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
    )
    operated.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    operated.act_as("controllerRoleArn")
    rollout = operated.rollout(declared())

    for _ in range(6):
        operated.run(rollout)
        operated.advance(3600)

    assert operated.record().phase is Phase.SUCCEEDED
    told = [e.message for e in operated.journal().history("prod-eu", "probe")]
    assert any("IAM's simulation says implicitDeny for s3:GetObject" in t for t in told)


def test_the_demos_fleet_runs_to_its_end_on_the_example_stack_with_every_caller_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load((ROOT / "Pulumi.prod-eu.yaml").read_text())["config"]
    kept = dict(os.environ)
    with SimulatorServer(seed=7) as server:
        only_loopback(server.url)
        os.environ["AWS_REGION"] = REGION
        monkeypatch.chdir(tmp_path)
        shutil.copytree(ROOT / "rollouts", tmp_path / "rollouts", ignore=shutil.ignore_patterns("__pycache__"))
        demo = Demo(server.url, tmp_path)
        made = run(config, apply=Applier(server.url))
        assert made.exit_code == 0, made.output
        demo.push()
        demo.fleet({})
        server.world.apply_settings({"enforceCallers": True, "callsPerSecond": 0})
        sts = boto3.Session().client("sts", endpoint_url=server.url, region_name=REGION)
        given = sts.assume_role_with_web_identity(
            RoleArn=made.outputs["controllerRoleArn"],
            RoleSessionName="cron",
            WebIdentityToken=token("environment:prod"),
        )["Credentials"]
        with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
            sts.assume_role_with_web_identity(
                RoleArn=made.outputs["controllerRoleArn"], RoleSessionName="pr", WebIdentityToken=token("pull_request")
            )
        os.environ |= {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
            "OTACTL_JOURNAL": made.outputs["journal"],
        }
        for _ in range(12):
            ran = CliRunner().invoke(cli, ["reconcile", "rollouts", "-o", "json"])
            report = json.loads(ran.stdout)
            if {r["phase"] for r in report["rollouts"]} == {"Succeeded"}:
                break
            demo.pass_time(3600)
        refused = [r for r in server.world.requests if r["status"] == 403]
    os.environ.clear()
    os.environ.update(kept)

    assert {r["phase"] for r in report["rollouts"]} == {"Succeeded"}, report
    assert [r["operation"] for r in refused] == ["AssumeRoleWithWebIdentity"]


def token(subject: str) -> str:
    """What GitHub would give a workflow of the example's repository; the signature is nobody's matter here."""
    claims = {
        "iss": f"https://{GITHUB_ISSUER}", "aud": "sts.amazonaws.com", "sub": f"repo:acme/firmware:{subject}",
    }  # fmt: skip
    parts = ({"alg": "none"}, claims, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
