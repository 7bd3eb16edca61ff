"""A stage for workers: a simulator, a fleet of many environments, and worker processes that may be killed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from otactl.journal import open_journal
from otactl.model import Phase
from otactl.planning.environment import NAME
from otactl.report.workers import RunState, WorkersStatus
from otactl.workers.database import conninfo_of, create_tables
from otactl.workers.status import status_of
from tests.support.guarded import Guard

ACCOUNT, ROLE = "123456789012", "acme-firmware-update"
REGIONS = (
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "ap-south-1",
    "ap-south-2",
    "sa-east-1",
)
IMAGE = bytes(range(256)) * 2
DIGEST = hashlib.sha256(IMAGE).hexdigest()
KEY = f"probe/sha256/{DIGEST}/probe.bin"
HOUR = 3600
OVER = (Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED)
PATIENCE_SECONDS = 120.0


def until(true: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS, pause: float = 0.05) -> None:
    """Poll until something is true. Raises: AssertionError when it is not in time."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, f"not in {seconds:g} s: {what}"
        time.sleep(pause)


class WorkerStage:
    """A folder of manifests with what the workers that run them need."""

    def __init__(self, url: str, folder: Path, database: str, *, regions: Sequence[str] = REGIONS[:1]) -> None:
        self.url, self.folder, self.regions = url, folder, tuple(regions)
        self.conninfo = conninfo_of(None, {"OTACTL_DATABASE": database})
        self.workers: list[subprocess.Popen[bytes]] = []
        self._guard = Guard()
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "OTACTL_", "PG"))},
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "stage",
            "AWS_SECRET_ACCESS_KEY": "stage",
            "AWS_REGION": regions[0],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "OTACTL_DATABASE": database,
        }
        self.rollouts: dict[str, str] = {}
        self.journal = ""
        """The journal of every environment; without it each has a file of its own."""
        (folder / ".git").mkdir()  # journals are named from the root of a repository
        (folder / "rollouts" / "environments").mkdir(parents=True)
        create_tables(self.conninfo)
        self._provision()

    def __enter__(self) -> WorkerStage:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _provision(self) -> None:
        for region in self.regions:
            s3 = self._client("s3", region)
            where: Any = {"LocationConstraint": region}
            s3.create_bucket(
                Bucket=bucket_of(region), **({} if region == "us-east-1" else {"CreateBucketConfiguration": where})
            )
            s3.put_bucket_versioning(Bucket=bucket_of(region), VersioningConfiguration={"Status": "Enabled"})
            s3.put_object(Bucket=bucket_of(region), Key=KEY, Body=IMAGE, ChecksumAlgorithm="SHA256")
            s3.close()
        iam = self._client("iam", self.regions[0])
        trust = {"Principal": {"Service": "iotwireless.amazonaws.com"}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_policy(trust))
        read = {"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::acme-firmware-*"}
        iam.put_role_policy(RoleName=ROLE, PolicyName="read", PolicyDocument=_policy(read))
        iam.close()

    def _client(self, service: str, region: str) -> Any:
        session = boto3.Session(aws_access_key_id="stage", aws_secret_access_key="stage", region_name=region)
        return session.client(service, endpoint_url=self.url)

    def fleet(self, environments: int, rollouts: int, *, rates: Mapping[str, float] | None = None) -> None:
        """Write environments with their rollouts, one multicast group of one device each; create their journals."""
        for number in range(environments):
            self.environment(f"env-{number:02}", self.regions[number % len(self.regions)], rates=rates)
        parts: dict[str, list[dict[str, Any]]] = {region: [] for region in self.regions}
        for number in range(rollouts):
            home = f"env-{number % environments:02}"
            region = self.regions[number % environments % len(self.regions)]
            group = f"3f0c1d52-0d1f-4e6e-9f6a-{number:012x}"
            parts[region].append({"devEui": f"70b3d57ed{number:07x}", "group": group})
            self.rollout(f"probe-{number:04}", home, group, region=region)
        for region, devices in parts.items():
            fleet = {
                "devices": [{"devEui": each["devEui"], "rfRegion": "EU868"} for each in devices],
                "groups": [
                    {"name": each["devEui"], "id": each["group"], "rfRegion": "EU868", "devices": [each["devEui"]]}
                    for each in devices
                ],
            }
            self.post("fleet", {**fleet, "region": region})

    def environment(self, name: str, region: str, *, rates: Mapping[str, float] | None = None, **spec: object) -> None:
        """Write an environment with a journal of its own."""
        journal = self.journal or f".otactl/{name}.db"
        fast = {"s3:*": 1000.0, "iam:*": 1000.0, "sts:*": 1000.0}
        said: dict[str, object] = {
            "owner": "acme",
            "account": ACCOUNT,
            "region": region,
            "journal": journal,
            "callRates": {"iotwireless:*": 1000, "iot:*": 1000, **fast, **(rates or {})},
            **spec,
        }
        document = {"apiVersion": "otactl.dev/v1", "kind": "Environment", "metadata": {"name": name}, "spec": said}
        (self.folder / "rollouts" / "environments" / f"{name}.json").write_text(json.dumps(document))
        if not self.journal and not (self.folder / journal).exists():
            (self.folder / ".otactl").mkdir(exist_ok=True)
            open_journal(f"sqlite:///{self.folder / journal}").close()

    def rollout(self, name: str, environment: str, group: str, *, region: str = REGIONS[0], **spec: object) -> None:
        """Write a rollout of one wave."""
        self.rollouts[name] = environment
        said: dict[str, object] = {
            "environment": environment,
            "firmware": {
                "version": "1.0.0",
                "image": f"s3://{bucket_of(region)}/{KEY}",
                "sha256": DIGEST,
                "sizeBytes": len(IMAGE),
            },
            "fuota": {
                "rfRegion": "EU868",
                "role": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
                "dataRate": 5,
                "fragmentSizeBytes": 200,
                "fragmentIntervalMs": 30000,
                "redundancyPercent": 100,
            },
            "strategy": {
                "waves": [{"name": "all", "targets": {"multicastGroups": [group]}}],
                "gate": {"minSuccessPercent": 90},
            },
            **spec,
        }
        document = {"apiVersion": "otactl.dev/v1", "kind": "Rollout", "metadata": {"name": name}, "spec": said}
        (self.folder / "rollouts" / f"{name}.json").write_text(json.dumps(document))

    def upload(self, bucket: str, prefix: str) -> None:
        """Put the manifests below a prefix of a bucket, as they are now."""
        s3 = self._client("s3", self.regions[0])
        for file in sorted((self.folder / "rollouts").rglob("*.json")):
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{file.relative_to(self.folder)}", Body=file.read_bytes())
        s3.close()

    def commit(self) -> str:
        """Commit the manifests as they are now to branch main of the folder; return the commit."""
        if not (self.folder / ".git" / "HEAD").exists():
            self._git("init", "-q", "-b", "main", ".")
        self._git("add", "rollouts")
        self._git("-c", "user.name=ada", "-c", "user.email=ada@acme.example", "commit", "-qm", "change")
        return self._git("rev-parse", "HEAD")

    def _git(self, *words: str) -> str:
        ran = subprocess.run(["git", *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    def start(self, *options: str, every: str = "1s", name: str = "") -> subprocess.Popen[bytes]:
        """Start a worker; it answers its health at a free port."""
        words = [sys.executable, "-m", "otactl.cli", "workers", "run", "rollouts", "--listen", "127.0.0.1:0"]
        words += ["--every", every, "--refresh", "1s", *(["--name", name] if name else []), *options]
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen(
                words, cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        self._guard.watch(worker.pid)
        self.workers.append(worker)
        return worker

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of otactl in the folder, as a person does beside the workers."""
        command = [sys.executable, "-m", "otactl.cli", *words]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)

    def address(self, number: int = -1) -> str:
        """The address of a worker's health, once it is printed."""
        until(lambda: "answers at " in self.printed(number), "a worker tells its address")
        return self.printed(number).partition("answers at ")[2].partition("/healthz")[0]

    def log(self, number: int = -1) -> list[dict[str, Any]]:
        """What a worker has logged."""
        return [json.loads(line) for line in self.printed(number).splitlines() if line.startswith("{")]

    def printed(self, number: int = -1) -> str:
        """What a worker has printed and logged."""
        return (self.folder / f"worker-{number % len(self.workers)}.log").read_text()

    def stop(self) -> None:
        """Kill every worker that is there."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        self._guard.close()

    def status(self) -> WorkersStatus:
        """How the workers are."""
        return status_of(self.conninfo)

    def outcomes(self, environment: str) -> list[str]:
        """What the runs of an environment came to, the newest first."""
        return [run.outcome for run in self.runs(environment)]

    def runs(self, environment: str) -> tuple[RunState, ...]:
        """The last runs of an environment, the newest first."""
        found = [each for each in self.status().environments if each.name == environment]
        return found[0].runs if found else ()

    def edit(self, name: str, **spec: object) -> None:
        """Change a rollout's manifest, at once for whoever reads it."""
        place = self.folder / "rollouts" / f"{name}.json"
        document = json.loads(place.read_text())
        document["spec"] |= spec
        fresh = place.with_suffix(".fresh")
        fresh.write_text(json.dumps(document))
        fresh.replace(place)

    def phases(self, *environments: str) -> dict[str, Phase]:
        """The phase of each rollout of some environments, by the journals; of all without one."""
        found: dict[str, Phase] = {}
        for environment in environments or sorted(set(self.rollouts.values())):
            place = self.journal or f"sqlite:///{self.folder}/.otactl/{environment}.db"
            with contextlib.closing(open_journal(place)) as journal:
                stored = journal.load_all(environment)
            found |= {name: each.record.phase for name, each in stored.items() if name != NAME}
        return found

    @property
    def over(self) -> bool:
        """Whether every rollout has its verdict."""
        phases = self.phases()
        return len(phases) == len(self.rollouts) and all(phase in OVER for phase in phases.values())

    def drive(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Let simulated hours pass until every rollout has its verdict; each hour, every environment has its turn."""
        give_up = time.monotonic() + seconds
        while not self.over:
            self.advance()
            phases = self.phases()
            homes = {home for name, home in self.rollouts.items() if phases.get(name) not in OVER}
            had_turns = partial(self.had_turns, self.status().at, homes)
            until(had_turns, "every environment has its turn", give_up - time.monotonic(), 0.25)

    def had_turns(self, since: datetime, homes: Collection[str]) -> bool:
        """Whether each of some environments has had a pass that started after a time and ended."""
        had = {
            each.name
            for each in self.status().environments
            if any(run.started_at >= since and run.ended_at is not None for run in each.runs)
        }
        return had >= set(homes)

    def post(self, name: str, document: object) -> None:
        """Tell the simulator."""
        body = json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_simulator/{name}", data=body, method="POST")
        with urllib.request.urlopen(request) as answer:
            answer.read()

    def requests(self) -> list[dict[str, Any]]:
        """What the simulator was asked."""
        with urllib.request.urlopen(f"{self.url}/_simulator/requests") as answer:
            return list(json.load(answer)["requests"])

    def created(self) -> dict[str, int]:
        """How many units each rollout has at the service, ended ones too, by name of the task."""
        names: dict[str, int] = {}
        tokens: set[str] = set()
        for asked in self.requests():
            parameters = asked["parameters"]
            if asked["operation"] == "CreateFuotaTask" and asked["status"] in (200, 201):
                if parameters["ClientRequestToken"] not in tokens:
                    names[parameters["Name"]] = names.get(parameters["Name"], 0) + 1
                tokens.add(parameters["ClientRequestToken"])
        return names

    def advance(self, seconds: float = HOUR) -> None:
        """Let the simulated clock run ahead."""
        self.post("clock", {"advanceSeconds": seconds})

    def get(self, path: str, number: int = -1) -> tuple[int, str]:
        """What a worker answers."""
        try:
            with urllib.request.urlopen(f"{self.address(number)}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def bucket_of(region: str) -> str:
    """The bucket of a Region's images."""
    return f"acme-firmware-{region}"


@contextlib.contextmanager
def simulator() -> Iterator[str]:
    """Run a simulator in a process of its own, with no limit of calls."""
    command = [sys.executable, "-m", "otactl.cli", "simulator", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with Guard() as guard:
        guard.watch(process.pid)
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            yield line.split()[2].rstrip(";")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
