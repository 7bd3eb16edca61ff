"""A simulator stage for FUOTA: bucket, role, image, fleet, and a reconciler over real HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
from botocore.config import Config

from otactl.backends.aws.client import Answer, AwsClient
from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.registry import backends_for
from otactl.journal import SqlJournal
from otactl.model import Device, Environment, Firmware, Gate, Record, Rollout, Strategy, Targets, Wave
from otactl.ports import Backend, Journal
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RunReport
from otactl_simulator.server import SimulatorServer
from tests.support.builders import SOURCE
from tests.support.clients import KeptClients

if TYPE_CHECKING:
    import boto3

REGION, BUCKET, ROLE = "eu-west-1", "acme-firmware-eu", "acme-firmware-update"
GROUPS = ("3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01", "77ab2e10-5b7c-4a55-8c3e-1d2f3a4b5c02")
IMAGE = bytes(range(256)) * 12
DIGEST = hashlib.sha256(IMAGE).hexdigest()
KEY = f"probe/sha256/{DIGEST}/probe.bin"
SERVICES = ("iotwireless", "iot", "iot-data", "signer", "s3", "iam", "sts", "tuya")
FAST = {f"{service}:*": 100000.0 for service in SERVICES}
Around = Callable[[str, str, Callable[[], Answer]], Answer]


def environment(**changes: object) -> Environment:
    """The environment, with rates no test waits for."""
    base = Environment(
        name="prod-eu", owner="acme", account="123456789012", region=REGION, source=SOURCE, call_rates=FAST
    )
    return msgspec.structs.replace(base, **changes)


def declared(**changes: object) -> Rollout:
    """Two waves of one multicast group each."""
    waves = [
        Wave(name=n, targets=Targets(multicast_groups=(g,))) for n, g in zip(("canary", "fleet"), GROUPS, strict=True)
    ]
    base = Rollout(
        name="probe",
        environment="prod-eu",
        firmware=Firmware(version="2.4.1", image=f"s3://{BUCKET}/{KEY}", sha256=DIGEST, size_bytes=len(IMAGE)),
        backend=FuotaConfig(
            rf_region="EU868",
            role=f"arn:aws:iam::123456789012:role/{ROLE}",
            data_rate=3,
            fragment_size_bytes=112,
            fragment_interval_ms=9000,
            redundancy_percent=30,
            descriptor="AAECAw==",
            description="probes",
            tags={"team": "soil"},
        ),
        strategy=Strategy(waves=tuple(waves), gate=Gate(min_success_percent=90)),
        source=SOURCE,
    )
    return msgspec.structs.replace(base, **changes)


def edited(rollout: Rollout, **changes: object) -> Rollout:
    """The same manifest after an edit: its bytes have another digest."""
    digest = msgspec.structs.replace(rollout.source, digest="e" * 64)
    return msgspec.structs.replace(rollout, source=digest, **changes)


def single_devices(fuota_stage: FuotaStage) -> Rollout:
    """One wave of two single devices, one by the service's id and one by DevEUI."""
    stored = fuota_stage.stored("iotwireless")
    devices = (Device(id=stored["devices"][0]["id"]), Device(dev_eui=fuota_stage.euis[1]))
    base = declared()
    fuota: Any = base.backend
    spec = msgspec.structs.replace(fuota, data_rate=None, fragment_size_bytes=None, fragment_interval_ms=None)
    wave = Wave(name="all", targets=Targets(wireless_devices=devices))
    return declared(backend=spec, strategy=Strategy(waves=(wave,)))


def pushed(fuota_stage: FuotaStage, version: str, image: bytes) -> Firmware:
    """Another image, content-addressed in the bucket."""
    digest = hashlib.sha256(image).hexdigest()
    key = f"probe/sha256/{digest}/probe.bin"
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=key, Body=image, ChecksumAlgorithm="SHA256")
    return Firmware(version=version, image=f"s3://{BUCKET}/{key}", sha256=digest, size_bytes=len(image))


INDEXED = {"thingIndexingConfiguration": {"thingIndexingMode": "REGISTRY_AND_SHADOW"}}
"""What switches fleet indexing on, for POST /_simulator/fleet."""


class FuotaStage:
    """One stage; `clients` are boto3's own, for meddling."""

    def __init__(self, server: SimulatorServer, folder: Path, *, cloud: bool = True) -> None:
        """With its own bucket, image and role, or with those of another actor (`cloud` False)."""
        self.server, self.folder = server, folder
        server.world.apply_settings({"callsPerSecond": 0})
        session = KeptClients(REGION)
        config = Config(retries={"total_max_attempts": 1})
        self.s3, self.iam, self.wireless = (
            session.client(n, endpoint_url=server.url, config=config) for n in ("s3", "iam", "iotwireless")
        )
        if cloud:
            self._provision()
        self._populate()

    def deafen(self, deaf: bool = True) -> None:
        """Let a device of the first group not hear its multicast setup, which holds the canary's start."""
        group = {"name": "g0", "id": GROUPS[0], "rfRegion": "EU868", "devices": self.euis[::2]}
        self.fleet(groups=[{**group, "notReady": self.euis[:1] if deaf else []}])

    def fleet(self, **fleet: object) -> None:
        """Load devices and groups."""
        for service in self.server.world.services.values():
            service.load_fleet(fleet)

    def _provision(self) -> None:
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE, ChecksumAlgorithm="SHA256")
        self.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust())
        self.iam.put_role_policy(RoleName=ROLE, PolicyName="read", PolicyDocument=read())

    def _populate(self) -> None:
        self.euis = [f"70b3d57ed00000{n:02x}" for n in range(6)]
        groups = [
            {"name": f"g{i}", "id": g, "rfRegion": "EU868", "devices": self.euis[i::2]} for i, g in enumerate(GROUPS)
        ]
        self.fleet(devices=[{"devEui": e, "rfRegion": "EU868"} for e in self.euis], groups=groups)

    def transport(self, around: Around | None = None, **changes: object) -> AwsClient:
        """A fresh transport, as a fresh process has."""
        here = environment(**changes)
        kept = None if here.assumed_role else cast("boto3.Session", KeptClients(here.region))
        return AwsClient(here, sleep=lambda _s: None, seed=1, around=around, session=kept)

    def environment(self) -> Environment:
        """The environment rollouts go to."""
        return environment()

    def journal(self) -> SqlJournal:
        """The journal's file, opened again."""
        return SqlJournal(self.folder / "journal.db")

    def run(
        self,
        *rollouts: Rollout,
        transport: AwsClient | None = None,
        journal: Journal | None = None,
        holder: str = "cron",
        covers: bool = False,
        wrap: Callable[[Backend], Backend] = lambda backend: backend,
        **changes: object,
    ) -> RunReport:
        """One `reconcile`; `covers` says the manifests' folder was read whole, `changes` are of the environment."""
        wire = transport or self.transport()
        here = environment(**changes)
        return Reconciler(
            environment=here,
            rollouts=rollouts if rollouts or covers else (declared(),),
            backends={kind: wrap(backend) for kind, backend in backends_for(here, wire).items()},
            journal=journal or self.journal(),
            now=wire.now,
            holder=holder,
            refused=lambda _r: (),
            covers=lambda _s: covers,
            wall=lambda: datetime.now(UTC),
        ).run()

    def drive(self, *rollouts: Rollout, rounds: int = 6) -> RunReport:
        """Cron: run, an hour later run again."""
        for _ in range(rounds):
            report = self.run(*rollouts)
            self.advance(3600)
        return report

    def advance(self, seconds: float) -> None:
        """Let the simulator's clock run ahead."""
        self.server.world.clock.advance(seconds)

    def record(self, name: str = "probe") -> Record:
        """What the journal remembers."""
        return self.journal().load("prod-eu", name).record

    def task(self) -> dict[str, Any]:
        """The only task there is, as GetFuotaTask shows it."""
        (listed,) = self.wireless.list_fuota_tasks()["FuotaTaskList"]
        return dict(self.wireless.get_fuota_task(Id=listed["Id"]))

    def snapshot(self) -> dict[str, Any]:
        """Returns what the simulator holds, by service."""
        return self.server.world.snapshot()

    def stored(self, service: str) -> dict[str, Any]:
        """Returns what the simulator holds of an AWS service in the only account and region."""
        held: dict[str, Any] = next(iter(self.snapshot()[service].values()))
        return held

    def images(self) -> list[str]:
        """The sha256 of what each device holds that holds any."""
        stored = self.stored("iotwireless")
        return [d["image_sha256"] for d in stored["devices"] if d["image_sha256"]]

    def fault(self, **rule: object) -> None:
        """Put one fault in force."""
        self.server.world.faults.replace([rule])

    def made(self) -> list[str]:
        """Names of the tasks the service made, one for each id it gave."""
        return [str(r["parameters"]["Name"]) for r in self.writes("CreateFuotaTask")]

    def writes(self, operation: str) -> list[dict[str, Any]]:
        """Calls of an operation that came to the service and were carried out, one for each request token."""
        seen: dict[str, dict[str, Any]] = {}
        requests: list[dict[str, Any]] = self.server.world.requests
        for n, r in enumerate(requests):
            carried_out = r["status"] in (201, 204) or (r["status"] == 0 and r["fault"] == "timeoutAfterCommit")
            if r["operation"] == operation and carried_out:
                seen.setdefault(str(r["parameters"].get("ClientRequestToken", n)), r)
        return list(seen.values())


def lose_journal(folder: Path) -> str:
    """Lose the journal's file, and make one that takes over from it; gives the id of the lost one."""
    place = folder / "journal.db"
    with SqlJournal(place) as journal:
        lost = journal.identity().id
    for file in folder.glob("journal.db*"):
        file.unlink()
    with SqlJournal(place) as journal:
        journal.take_over(lost)
    return lost


def trust(service: str = "iotwireless.amazonaws.com") -> str:
    """A trust policy."""
    return _policy({"Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def read(bucket: str = BUCKET) -> str:
    """A policy to read a bucket's objects."""
    return _policy({"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"arn:aws:s3:::{bucket}/*"})


def _policy(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
