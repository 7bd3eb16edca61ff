"""A user's folder with one environment, units of other actors at the simulator, and the command in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from otactl.backends.aws.client import AwsClient
from otactl.cli import cli
from otactl.journal import SqlJournal
from otactl.manifest.schema import failures
from otactl.model import Event, Record
from tests.support.clients import KeptClients
from tests.support.fuota_stage import BUCKET, GROUPS, KEY, REGION, ROLE, FuotaStage
from tests.support.ota_stage import FILE, OTA_ROLE_ARN, THINGS, OtaStage
from tests.support.tuya_stage import PACKAGE, PLUGS, TuyaStage

ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec:
  owner: acme
  account: "123456789012"
  region: eu-west-1
  callRates: {"tuya:*": 1000, "sts:*": 1000, "iot:*": 1000, "iotwireless:*": 1000, "s3:*": 1000, "iam:*": 1000}
"""
WRITES = (
    "Create",
    "Delete",
    "Start",
    "Update",
    "Associate",
    "Disassociate",
    "Cancel",
    "Tag",
    "Untag",
    "Confirm",
    "Put",
)


class Adopting:
    """The folder `rollouts` of a repository with a journal, and the command in it."""

    def __init__(self, stage: FuotaStage, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage, self.folder = stage, place / "repository"
        stage.server.world.clock.set(datetime.now(UTC) + timedelta(minutes=2))  # objects in S3 have real times
        environments = self.folder / "rollouts/environments"
        environments.mkdir(parents=True)
        monkeypatch.chdir(self.folder)
        monkeypatch.setattr(AwsClient, "_open", lambda _client: KeptClients(REGION))  # clients are dear to make
        monkeypatch.setattr("otactl.cli.commands.plan.radio_is_installed", lambda: False)  # so are radio figures
        gateway = stage.server.url if isinstance(stage, TuyaStage) else ""
        access = f'  tuya: {{endpoint: "{gateway}", accessKeyIdEnv: TUYA_KEY, accessKeySecretEnv: TUYA_SECRET}}\n'
        (environments / "prod-eu.yaml").write_text(ENVIRONMENT + (access if gateway else ""))
        assert self.otactl("journal init").exit_code == 0

    def otactl(self, words: str) -> Result:
        """One command; its words are divided at the spaces."""
        return CliRunner().invoke(cli, words.split())

    def adopt(self, words: str = "", code: int = 0) -> dict[str, Any]:
        """`otactl adopt prod-eu`: what it reports, which its schema takes; it never writes to a service."""
        before = len(self.stage.server.world.requests)
        ran = self.otactl(f"adopt prod-eu {words} -o json")
        assert ran.exit_code == code, ran.output
        found: dict[str, Any] = json.loads(ran.stdout)
        assert [str(failure) for failure in failures("adopt", found)] == []
        assert self.written(before) == []
        return found

    def written(self, since: int) -> list[str]:
        """The writes that services got since so many requests."""
        asked = (str(request["operation"]) for request in self.stage.server.world.requests[since:])
        return [operation for operation in asked if operation.startswith(WRITES)]

    def left(self, found: dict[str, Any]) -> dict[str, list[str]]:
        """The codes of the units that were left alone, by unit."""
        return {each["unit"]: [reason["code"] for reason in each["reasons"]] for each in found["leftAlone"]}

    def planned(self) -> dict[str, Any]:
        """What `plan` shows of the whole folder."""
        ran = self.otactl("plan rollouts -o json")
        assert ran.exit_code in (0, 2), ran.output
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    def sends_nothing(self) -> None:
        """Plan shows no call, and reconcile sends none."""
        assert [each["name"] for each in self.planned()["rollouts"] if each["next"]] == []
        before = len(self.stage.server.world.requests)
        ran = self.otactl("reconcile rollouts")
        assert ran.exit_code == 0, ran.output
        assert self.written(before) == []

    def record(self, name: str) -> Record:
        """What the journal remembers of a rollout."""
        with SqlJournal(self.folder / ".otactl/journal.db") as journal:
            return journal.load("prod-eu", name).record

    def history(self, name: str) -> tuple[Event, ...]:
        """The events of a rollout."""
        with SqlJournal(self.folder / ".otactl/journal.db") as journal:
            return journal.history("prod-eu", name)

    def manifest(self, name: str) -> Path:
        """The file of a rollout."""
        return self.folder / f"rollouts/{name}.yaml"

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a manifest as its user would."""
        text = self.manifest(name).read_text()
        assert old in text
        self.manifest(name).write_text(text.replace(old, new))


def task_by_hand(stage: FuotaStage, name: str = "Probe 2.4.1 (spring)", *groups: str, start: bool = True) -> str:
    """A FUOTA task that a person creates, and starts in 40 minutes; its id."""
    made = stage.wireless.create_fuota_task(
        Name=name,
        FirmwareUpdateImage=f"s3://{BUCKET}/{KEY}",
        FirmwareUpdateRole=f"arn:aws:iam::123456789012:role/{ROLE}",
        LoRaWAN={"RfRegion": "EU868"},
        RedundancyPercent=30,
        FragmentSizeBytes=112,
        FragmentIntervalMS=9000,
        Tags=[{"Key": "team", "Value": "soil"}],
    )
    for group in groups or GROUPS[:1]:
        stage.wireless.associate_multicast_group_with_fuota_task(Id=made["Id"], MulticastGroupId=group)
    if start:
        at = stage.server.world.clock.now().replace(second=0, microsecond=0).timestamp() + 2400
        stage.wireless.start_fuota_task(Id=made["Id"], LoRaWAN={"StartTime": at})
    return str(made["Id"])


def update_by_hand(stage: OtaStage, name: str = "Gateway_Spring", things: tuple[str, ...] = THINGS[:2]) -> str:
    """An OTA update that a person creates for things; its id."""
    arns = [f"arn:aws:iot:eu-west-1:123456789012:thing/{thing}" for thing in things]
    place = {"s3Location": {"bucket": BUCKET, "key": KEY}}
    signature = dict(FILE["codeSigning"]["customCodeSigning"])  # type: ignore[index]
    signed = {**signature, "signature": {"inlineDocument": b"signature"}}
    file = {"fileName": "/update", "fileVersion": "2.4.1", "fileLocation": place}
    stage.iot.create_ota_update(
        otaUpdateId=name,
        targets=arns,
        files=[{**file, "codeSigning": {"customCodeSigning": signed}}],
        roleArn=OTA_ROLE_ARN,
        protocols=["MQTT"],
        awsJobExecutionsRolloutConfig={"maximumPerMinute": 50},
        tags=[{"Key": "team", "Value": "gw"}],
    )
    return name


def batch_by_hand(stage: TuyaStage, *names: str) -> str:
    """A batch of the package that a person creates for plugs; its id."""
    made = stage.by_hand(
        "CreateOTAStaticUpgradeJob",
        FirmwareId=PACKAGE,
        TargetSelection="SPECIFIC",
        TargetDeviceName=list(names or PLUGS[:2]),
    )
    return str(made["data"]["jobId"])
