"""A simulator stage for AWS IoT OTA updates: things, a service role, an image, a rollout of two waves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from botocore.config import Config

from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.model import Device, Gate, Rollout, Strategy, Targets, Wave
from otactl_simulator.server import SimulatorServer
from tests.support.clients import KeptClients
from tests.support.fuota_stage import BUCKET, INDEXED, REGION, FuotaStage, declared, trust

OTA_ROLE = "acme-ota-service"
OTA_ROLE_ARN = f"arn:aws:iam::123456789012:role/{OTA_ROLE}"
THINGS = tuple(f"gw-{n}" for n in range(1, 6))
SIGNATURE = {
    "signature": {"inlineDocument": "MEUCIQDx"},
    "certificateChain": {"certificateName": "/cert.pem"},
    "hashAlgorithm": "SHA256",
    "signatureAlgorithm": "ECDSA",
}
SIGNED = {"customCodeSigning": SIGNATURE}
FILE = {"fileName": "/update", "fileType": 0, "codeSigning": SIGNED}


def block(**changes: object) -> OtaUpdateConfig:
    """The backend block; None takes a field out."""
    document: dict[str, object] = {
        "role": OTA_ROLE_ARN,
        "files": [FILE],
        "protocols": ["MQTT"],
        "description": "gateways",
        "tags": {"team": "gw"},
        "awsJobExecutionsRolloutConfig": {"maximumPerMinute": 100},
        "awsJobTimeoutConfig": {"inProgressTimeoutInMinutes": 60},
        "additionalParameters": {"ticket": "FW-231"},
    }
    document |= changes
    return OtaUpdateConfig(document={k: v for k, v in document.items() if v is not None})


def gateway(**changes: object) -> Rollout:
    """Two waves: two gateways, then a thing group of three."""
    waves = (
        Wave(name="canary", targets=Targets(things=tuple(Device(id=t) for t in THINGS[:2]))),
        Wave(name="fleet", targets=Targets(thing_groups=("gateways",))),
    )
    base = declared(name="gateway", backend=block(), strategy=Strategy(waves=waves, gate=Gate(min_success_percent=90)))
    return msgspec.structs.replace(base, **changes)


def one_wave(**changes: Any) -> Rollout:
    """All five gateways at once."""
    wave = Wave(name="all", targets=Targets(things=tuple(Device(id=t) for t in THINGS)))
    strategy = Strategy(waves=(wave,), gate=Gate(min_success_percent=90), **changes)
    return gateway(strategy=strategy)


class OtaStage(FuotaStage):
    """One stage; `iot`, `signer`, `device` and `shadow` are boto3's own clients, for meddling."""

    def __init__(self, server: SimulatorServer, folder: Path) -> None:
        super().__init__(server, folder)
        session = KeptClients(REGION)
        config = Config(retries={"total_max_attempts": 1})
        self.iot, self.signer, self.device, self.shadow = (
            session.client(n, endpoint_url=server.url, config=config)
            for n in ("iot", "signer", "iot-jobs-data", "iot-data")
        )

    def _provision(self) -> None:
        super()._provision()
        self.iam.create_role(RoleName=OTA_ROLE, AssumeRolePolicyDocument=trust("iot.amazonaws.com"))
        self.iam.put_role_policy(RoleName=OTA_ROLE, PolicyName="ota", PolicyDocument=ota_policy())

    def _populate(self) -> None:
        super()._populate()
        self.behave()

    def behave(self, **behaviours: str) -> None:
        """Set how gateways behave; `gw_1="offline"`. The others are normal."""
        reported = {name.replace("_", "-"): behaviour for name, behaviour in behaviours.items()}
        things = [{"name": t, "behaviour": reported.get(t, ""), "firmwareVersion": "2.4.0"} for t in THINGS]
        self.fleet(things=things, thingGroups=[{"name": "gateways", "things": list(THINGS[2:])}], indexing=INDEXED)

    def cron(self, *rollouts: Rollout, rounds: int = 8, minutes: float = 10) -> Any:
        """Cron: run, some minutes later run again."""
        for _ in range(rounds):
            report = self.run(*(rollouts or (gateway(),)))
            self.advance(60 * minutes)
        return report

    def updates(self) -> list[str]:
        """The ids of the OTA updates that are there."""
        return sorted(u["otaUpdateId"] for u in self.iot.list_ota_updates()["otaUpdates"])

    def created(self) -> list[str]:
        """The ids of the OTA updates that were ever made."""
        return [str(r["parameters"]["otaUpdateId"]) for r in self.carried_out("CreateOTAUpdate")]

    def carried_out(self, operation: str) -> list[dict[str, Any]]:
        """Calls of an operation the service acted on."""
        return [
            r
            for r in self.server.world.requests
            if r["operation"] == operation
            and (r["status"] == 200 or (r["status"] == 0 and r["fault"] == "timeoutAfterCommit"))
            and r["errorCode"] is None
        ]

    def installs(self) -> dict[str, int]:
        """How many images each thing installed."""
        state = self.stored("iot")
        return {t["name"]: sum(t["installs"].values()) for t in state["things"]}

    def most_installs_of_one_image(self) -> int:
        """How often the thing that installed an image most often did so."""
        state = self.stored("iot")
        most: int = max(n for t in state["things"] for n in t["installs"].values())
        return most

    def remembered(self, name: str = "gateway") -> Any:
        """What the journal remembers."""
        return self.record(name)

    def open_drift(self, name: str = "gateway") -> dict[str, Any]:
        """Open entries by field."""
        return {e.field: e for e in self.record(name).drift if e.open}


_JOBS = ("CreateJob", "CreateStream", "DeleteJob", "DescribeJob", "DeleteStream")
_SIGNING = ("StartSigningJob", "DescribeSigningJob", "GetSigningProfile", "PutSigningProfile")


def ota_policy(*without: str) -> str:
    """What the service role needs, less some actions."""
    statements = [
        {"Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
        {"Action": ["iam:PassRole", "iam:GetRole"], "Resource": OTA_ROLE_ARN},
        {"Action": [f"iot:{a}" for a in _JOBS], "Resource": "*"},
        {"Action": [f"signer:{a}" for a in _SIGNING], "Resource": "*"},
    ]
    kept = [{**s, "Effect": "Allow", "Action": [a for a in s["Action"] if a not in without]} for s in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": [s for s in kept if s["Action"]]})


def running(ota_stage: OtaStage, rollout: Rollout | None = None, **behaviours: str) -> str:
    """A unit whose devices are at it; gives its id."""
    ota_stage.behave(**(behaviours or {"gw_1": "offline"}))
    declared = rollout or one_wave()
    ota_stage.run(declared)
    ota_stage.advance(130)
    ota_stage.run(declared)
    (update,) = ota_stage.updates()
    return update
