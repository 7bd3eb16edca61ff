"""What a command shows of Tuya's key in a secret: nothing, and of a refusal one line."""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner

from otactl.cli import cli
from otactl_simulator.server import SimulatorServer
from tests.support.fuota_stage import DIGEST, IMAGE, REGION
from tests.support.secret_reader import READER, reads, role
from tests.support.tuya_stage import PLUGS, PRODUCT, SECRET_ARN, TuyaStage

NAMES = ("s3cret", "AK1", "accessKeySecret")
ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {{name: prod-eu}}
spec:
  owner: acme
  account: "123456789012"
  region: eu-west-1
  tuya: {{endpoint: "{url}", secretArn: {arn}}}
  callRates: {{"tuya:*": 1000, "sts:*": 1000}}
"""
ROLLOUT = f"""\
apiVersion: otactl.dev/v1
kind: Rollout
metadata: {{name: plug}}
spec:
  environment: prod-eu
  firmware:
    version: "2.4.1"
    image: s3://acme/{DIGEST}/plug.bin
    sha256: {DIGEST}
    sizeBytes: {len(IMAGE)}
  tuya: {{productKey: {PRODUCT}, timeoutInMinutes: 30}}
  strategy:
    waves:
      - {{name: all, targets: {{devices: [{", ".join(PLUGS)}]}}}}
"""


def written(folder: Path, url: str, arn: str = SECRET_ARN) -> None:
    """The manifests, as a user has them."""
    (folder / "environments").mkdir()
    (folder / "environments/prod-eu.yaml").write_text(ENVIRONMENT.format(url=url, arn=arn))
    (folder / "plug.yaml").write_text(ROLLOUT)
    assert CliRunner().invoke(cli, ["journal", "init"]).exit_code == 0


def control(server: SimulatorServer, name: str) -> str:
    """What the control API shows."""
    with urllib.request.urlopen(f"{server.url}/_simulator/{name}") as answer:
        return str(answer.read().decode())


def test_the_key_is_in_no_output_no_log_no_journal_and_no_log_of_requests(
    tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.chdir(tmp_path)
    tuya_stage.key_from_secret()
    written(tmp_path, tuya_stage.server.url)
    reported, phases = [], []

    def otactl(*words: str) -> str:
        ran = CliRunner().invoke(cli, [*words])
        assert ran.exit_code in (0, 2), ran.output
        reported.append(ran.output)
        return str(ran.stdout)

    for _ in range(4):
        otactl("plan", "plug.yaml", "-o", "json")
        phases.append(json.loads(otactl("reconcile", "plug.yaml", "-o", "json"))["rollouts"][0]["phase"])
        tuya_stage.advance(600)
    for words in (["status"], ["history", "plug"], ["drift"], ["journal", "export"], ["journal", "check"]):
        otactl(*words)
    journal = b"".join(p.read_bytes() for p in sorted((tmp_path / ".otactl").iterdir()))

    assert phases[-1] == "Succeeded"
    assert reads(tuya_stage) >= 2
    assert b"plug-1" in journal
    assert "GetSecretValue" in caplog.text  # the SDK's debug log was on
    shown = "\n".join([*reported, caplog.text, journal.decode("latin-1"), control(tuya_stage.server, "requests")])
    assert [name for name in NAMES if name in shown] == []
    assert [name for name in ("s3cret", "accessKeySecret") if name in control(tuya_stage.server, "state")] == []


def test_a_refused_read_is_one_line_of_the_command_and_exit_code_1(
    tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tuya_stage.key_from_secret()
    written(tmp_path, tuya_stage.server.url)
    role(tuya_stage)
    become(READER)

    ran = CliRunner().invoke(cli, ["reconcile", "plug.yaml"])

    assert ran.exit_code == 1
    assert f"grant secretsmanager:GetSecretValue on {SECRET_ARN}" in ran.output
    assert "Traceback" not in ran.output
    assert tuya_stage.asked("tuya") == []


@pytest.mark.parametrize(
    ("arn", "reported"),
    [
        (SECRET_ARN.removesuffix("-AbCdEf"), "must be the whole ARN of a Secrets Manager secret"),
        (
            SECRET_ARN.replace("eu-west-1", "us-east-1"),
            "secret_region_differs: spec.tuya.secretArn: the secret is in us-east-1",
        ),
    ],
)
def test_an_arn_that_cannot_be_right_is_reported_at_its_line_before_anything_is_asked(
    tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arn: str, reported: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, tuya_stage.server.url, arn)
    before = len(tuya_stage.server.world.requests)

    ran = CliRunner().invoke(cli, ["reconcile", "plug.yaml"])

    assert ran.exit_code == 1
    assert "environments/prod-eu.yaml:8:57: " in ran.output
    assert reported in ran.output
    assert len(tuya_stage.server.world.requests) == before


def become(name: str) -> None:
    """Take a role's credentials, so that boto3 finds no others."""
    given = boto3.client("sts", region_name=REGION).assume_role(RoleArn=name, RoleSessionName="test")["Credentials"]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }
