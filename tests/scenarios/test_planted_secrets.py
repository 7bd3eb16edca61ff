"""Secrets planted in the environment and in answers of services are in nothing that otactl leaves behind."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from otactl.cli import cli
from otactl.rehearsal.loopback import tell_simulator
from otactl_simulator.server import SimulatorServer
from tests.support.demo_stage import set_stage
from tests.support.http_receiver import receiving
from tests.support.planted import MARK, PRESIGNED, SECRETS, Left, files, found
from tests.support.signing import key_files

pytestmark = pytest.mark.server
KEY_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:acme/tuya-AbCdEf"
GATEWAY = "gateway-lab-1"
NOTICES = """\
  notices:
    - {name: ops, webhook: {url: URL/hook, secret: OTACTL_NOTICE_SECRET}}
    - {name: chat, apprise: OTACTL_NOTICE_CHAT}
"""


class Commands:
    """Runs commands as a user does, and keeps what they print and log."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.left: list[Left] = []
        self._caplog = caplog

    def __call__(self, *words: str) -> Result:
        """Run one command; a traceback fails the test."""
        self._caplog.clear()
        ran = CliRunner().invoke(cli, list(words))
        assert ran.exception is None or isinstance(ran.exception, SystemExit), words
        name = " ".join(words)
        self.left.append(Left(f"output of {name}", ran.output))
        self.left.append(Left(f"log of {name}", "\n".join(_shown(record) for record in self._caplog.records)))
        return ran


def _shown(record: logging.LogRecord) -> str:
    """What a log shows that a user can have: all of otactl's own, and what others warn of."""
    own = record.name.startswith("otactl")
    return record.getMessage() if own or record.levelno >= logging.WARNING else ""


def plant(server: SimulatorServer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set each secret where otactl, or its SDK, takes it from."""
    host = url.removeprefix("http://")
    for name, value in {
        "AWS_SECRET_ACCESS_KEY": SECRETS["AWS secret access key"],
        "AWS_SESSION_TOKEN": SECRETS["AWS session token"],
        "OTACTL_NOTICE_SECRET": SECRETS["webhook secret"],
        "OTACTL_NOTICE_CHAT": f"json://user:{SECRETS['password of Apprise']}@{host}/chat",
        "OTACTL_PUSHGATEWAY": f"http://user:{SECRETS['password of the Pushgateway']}@{host}",
        "OTACTL_ALLOWED_HOSTS": host,
        "OTACTL_KEY_PASSPHRASE": SECRETS["passphrase of a key"],
    }.items():
        monkeypatch.setenv(name, value)
    key = {"id": SECRETS["Tuya access id"], "secret": SECRETS["Tuya secret"]}
    stored = json.dumps({"accessKeyId": key["id"], "accessKeySecret": key["secret"]})
    tell_simulator(server.url, "fleet", {"tuya": {"keys": [key]}, "secrets": [{"arn": KEY_ARN, "text": stored}]})
    tell_simulator(server.url, "fleet", {"things": [{"name": GATEWAY, "behaviour": "manual"}]})


def a_device_reports_a_presigned_url() -> bool:
    """Let a gateway fail, and say why with the address it was given, once it has a job."""
    wire: Any = boto3.client("iot-jobs-data", region_name="eu-west-1")
    waiting = wire.get_pending_job_executions(thingName=GATEWAY)["queuedJobs"]
    details = {"reason": PRESIGNED, "updatedBy": PRESIGNED, "error": PRESIGNED}
    for job in waiting:
        wire.update_job_execution(jobId=job["jobId"], thingName=GATEWAY, status="FAILED", statusDetails=details)
    return bool(waiting)


@pytest.mark.thorough
def test_no_planted_secret_is_in_an_output_a_log_a_journal_a_page_a_metric_or_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    otactl = Commands(caplog)
    with set_stage(tmp_path, monkeypatch) as (server, demo), receiving(lambda came: 500) as third:
        place = tmp_path / "rollouts/environments/prod-eu.yaml"
        place.write_text(place.read_text() + NOTICES.replace("URL", third.url))
        plant(server, third.url, monkeypatch)
        otactl("plan", "rollouts", "-v")
        failed = False
        for _ in range(4):
            otactl("reconcile", "rollouts", "-v", "--metrics", "otactl.prom")
            failed = failed or a_device_reports_a_presigned_url()
            third.answer = lambda came: 204
            demo.fleet({})
            demo.pass_time(3600)
        for words in (
            *(["plan", "rollouts", "-o", form] for form in ("json", "markdown")),
            *(["validate", "rollouts", "-o", form] for form in ("json", "sarif", "junit", "github")),
            *(["status", "-o", form] for form in ("text", "json", "markdown")),
            ["status", "--device", GATEWAY],
            ["history", "gateway-3-2-0"],
            ["drift", "-o", "json"],
            ["report", "--html", "fleet.html"],
            ["journal", "export"],
            ["journal", "check"],
            ["journal", "backup", "backup.db"],
        ):
            otactl(*words)
        key_files(tmp_path.parent, passphrase=SECRETS["passphrase of a key"], name=tmp_path.name)
        proof = ["evidence", "write", "gateway-3-2-0", "--key", f"../{tmp_path.name}.pem", "--file", "evidence.json"]
        assert otactl(*proof).exit_code == 0
        sent = [Left(f"body sent to {came.path}", came.body.decode("latin-1")) for came in third.requests]

    assert failed
    kept = files(tmp_path)
    assert {"fleet.html", "otactl.prom", "backup.db", "evidence.json", ".otactl/journal.db"} <= {f.where for f in kept}
    with closing(sqlite3.connect(tmp_path / ".otactl/journal.db")) as journal:  # whole: a value may span pages
        kept.append(Left("journal", "\n".join(journal.iterdump())))
    assert {"/hook", "/chat"} < {came.path.rstrip("/") for came in third.requests}  # both receivers were tried
    assert any(b"gateway" in came.body for came in third.requests)
    assert GATEWAY in kept[-1].text
    assert "iotwireless:" in otactl.left[0].text  # -v was on
    assert found([*otactl.left, *kept, *sent]) == []


def test_no_planted_secret_is_in_an_error_about_a_secret_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    otactl = Commands(caplog)
    database = SECRETS["password of a database"]
    with set_stage(tmp_path, monkeypatch) as (server, _):
        plant(server, "http://127.0.0.1:9", monkeypatch)
        assert otactl("status", "--journal", f"postgresql://user:{database}@127.0.0.1:9/otactl").exit_code == 1
        assert otactl("status", "--journal", f"s3://user:{database}@/otactl").exit_code == 1
        wrong = json.dumps({"accessKeyId": SECRETS["Tuya access id"], "accessKeySecret": f"{MARK}TuyaSecretOld"})
        tell_simulator(server.url, "fleet", {"secrets": [{"arn": KEY_ARN, "text": wrong}]})
        refused = otactl("reconcile", "rollouts/smart-plug-2-4-1.yaml", "-v")
        odd = tmp_path / "rollouts/odd.yaml"
        odd.write_text(f"apiVersion: otactl.dev/v1\nkind: Rollout\nspec: {{firmware: {{image: '{PRESIGNED}'}}}}\n")
        for form in ("text", "sarif", "github", "json"):
            assert otactl("validate", "rollouts", "-o", form).exit_code == 1
        (tmp_path / "key.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{SECRETS['passphrase of a key']}\n")
        assert otactl("evidence", "write", "smart-plug-2-4-1", "--key", "key.pem").exit_code == 1

    assert refused.exit_code == 1
    named = {name: value for name, value in SECRETS.items() if name != "presigned URL"}
    assert found(otactl.left, named) == []
    assert f"{MARK}TuyaSecretOld" not in refused.output


def test_the_search_finds_a_secret_in_each_form(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("Authorization: Basic dXNlcjpQbDRudGVkLWdhdGV3YXk=")
    (tmp_path / "b.log").write_text("token=Pl4nted%2Fsession%2Btoken%3D%3D")
    (tmp_path / "c.log").write_text(os.linesep)

    assert found(files(tmp_path)) == ["password of the Pushgateway in a.log", "AWS session token in b.log"]
