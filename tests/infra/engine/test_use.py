"""What the real engine created is used: by `otactl reconcile`, from a program of one's own, in another partition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from otactl_simulator.server import SimulatorServer
from tests.support.paths import ROOT
from tests.support.pulumi.cli import Project
from tests.support.pulumi.demo_fleet import run_to_its_end
from tests.support.pulumi.stacks import ACCOUNT, SMALL

pytestmark = pytest.mark.thorough
STACK = "prod-eu"
OWN_PROGRAM = f"""
import sys

sys.path.insert(0, {str(ROOT)!r})

import pulumi

from infra import FirmwareRollouts, FirmwareRolloutsArgs

for environment in ("prod", "dev"):
    args = FirmwareRolloutsArgs(
        environment=environment,
        account={ACCOUNT!r},
        region="eu-west-1",
        owner="acme",
        channels=[{{"name": "stable", "bucket": f"acme-{{environment}}"}}],
        access={{"principals": ["arn:aws:iam::{ACCOUNT}:root"]}},
    )
    pulumi.export(environment, FirmwareRollouts(environment, args).outputs["controllerRoleArn"])
"""


def test_the_example_fleet_reaches_its_verdicts_on_what_the_engine_created(
    project: Project, cloud: SimulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project.stack(STACK, yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())["config"])

    def provision() -> dict[str, Any]:
        ran = project.up(STACK)
        assert ran.exit_code == 0, ran.output
        return project.outputs(STACK)

    ended = run_to_its_end(cloud, tmp_path, provision)

    assert ended.phases == {"Succeeded"}
    assert (ended.pull_request, ended.refused) == ("AccessDenied", ["AssumeRoleWithWebIdentity"])


def test_a_program_of_ones_own_holds_two_environments(tmp_path: Path, plugins: Path, cloud: SimulatorServer) -> None:
    cloud.app.reset()
    (tmp_path / "own").mkdir()
    (tmp_path / "own/__main__.py").write_text(OWN_PROGRAM)
    project = Project(tmp_path / "project", plugins, cloud.url, program=tmp_path / "own")
    project.stack(STACK, SMALL)

    ran = project.up(STACK)

    assert ran.exit_code == 0, ran.output
    assert project.outputs(STACK) == {e: f"arn:aws:iam::{ACCOUNT}:role/acme_{e}_controller" for e in ("prod", "dev")}


def test_a_stack_for_ota_updates_alone_is_created_in_china(project: Project) -> None:
    options = {"iotOta": True, "journalBucket": "acme-journal-cn"}
    project.stack(STACK, {**SMALL, "aws:region": "cn-north-1", "otactl:options": options})

    ran = project.up(STACK)

    assert ran.exit_code == 0, ran.output
    state = json.dumps(project.state(STACK))
    assert "arn:aws-cn:" in state
    assert ":iotwireless" not in state
    assert project.outputs(STACK)["otaServiceRoleArn"] == f"arn:aws-cn:iam::{ACCOUNT}:role/acme_{STACK}_ota-service"
