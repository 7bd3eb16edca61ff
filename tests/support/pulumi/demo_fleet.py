"""Runs the example fleet to its end on a provisioned stack, as a workflow with ControllerRole, every caller judged."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from click.testing import CliRunner

from infra.iam_documents import GITHUB_ISSUER
from otactl.cli import cli
from otactl.cli.commands.demo import Demo
from otactl.rehearsal.loopback import kept_environment, only_loopback
from otactl_simulator.server import SimulatorServer
from tests.support.fuota_stage import REGION
from tests.support.paths import ROOT

ROUNDS = 12


@dataclass(frozen=True)
class Ended:
    """The phases of the rollouts after the last pass, and the operations that were refused."""

    phases: set[str]
    refused: list[str]
    pull_request: str


def run_to_its_end(server: SimulatorServer, folder: Path, provision: Callable[[], Mapping[str, Any]]) -> Ended:
    """Provision in an environment of the simulator alone, push the images, then reconcile every hour."""
    with kept_environment():
        only_loopback(server.url)
        os.environ["AWS_REGION"] = REGION
        shutil.copytree(ROOT / "rollouts", folder / "rollouts", ignore=shutil.ignore_patterns("__pycache__"))
        demo = Demo(server.url, folder)
        demo.point_to_gateway()
        outputs = provision()
        (folder / "rollouts/environments/prod-eu.outputs.json").write_text(json.dumps(outputs))
        demo.push()
        demo.fleet({})
        demo.plugs()
        server.world.apply_settings({"enforceCallers": True, "callsPerSecond": 0})
        role = outputs["controllerRoleArn"]
        try:
            _assume(server.url, role, "pull_request")
            pull_request = "let in"
        except ClientError as error:
            pull_request = error.response["Error"]["Code"]
        given = _assume(server.url, role, "environment:prod")
        os.environ |= {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
            "OTACTL_JOURNAL": outputs["journal"],
        }
        created = CliRunner().invoke(cli, ["journal", "init"])
        assert created.exit_code == 0, created.output
        phases: set[str] = set()
        for _ in range(ROUNDS):
            ran = CliRunner().invoke(cli, ["reconcile", "rollouts", "-o", "json"])
            phases = {r["phase"] for r in json.loads(ran.stdout)["rollouts"]}
            if phases == {"Succeeded"}:
                break
            demo.pass_time(3600)
        refused = [str(r["operation"]) for r in server.world.requests if r["status"] == 403]
    return Ended(phases, refused, pull_request)


def _assume(url: str, role: str, subject: str) -> dict[str, str]:
    sts = boto3.Session().client("sts", endpoint_url=url, region_name=REGION)
    found: dict[str, str] = sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="workflow", WebIdentityToken=token(subject)
    )["Credentials"]
    return found


def token(subject: str) -> str:
    """Return what GitHub would give a workflow of the example's repository; its signature is not verified here."""
    claims = {"iss": f"https://{GITHUB_ISSUER}", "aud": "sts.amazonaws.com", "sub": f"repo:acme/firmware:{subject}"}
    parts: tuple[dict[str, str], ...] = ({"alg": "none"}, claims, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
