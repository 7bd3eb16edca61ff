"""A simulator in a process of its own, with bucket, role, image and fleet, and the manifests of a bench."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3

from bench.measure import run

REGION, ACCOUNT, BUCKET, ROLE = "eu-west-1", "123456789012", "acme-firmware-eu", "acme-firmware-update"
BIN = Path(sys.executable).parent
OTACTL = str(BIN / "otactl")
IMAGE = bytes(range(256)) * 8
DIGEST = hashlib.sha256(IMAGE).hexdigest()
KEY = f"probe/sha256/{DIGEST}/probe-1.0.0.bin"


class BenchStage:
    """One running simulator."""

    def __init__(self, url: str, folder: Path, command: str = OTACTL) -> None:
        self.url, self.folder, self.command = url, folder, command
        self.manifests = folder / "rollouts"
        (self.manifests / "environments").mkdir(parents=True)
        self.env = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PAGER": "",
            "OTACTL_JOURNAL": str(folder / "journal.db"),
        }
        session = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench", region_name=REGION)  # noqa: S106 - the simulator takes any
        self._clients = {n: session.client(n, endpoint_url=url) for n in ("s3", "iam")}
        self.wireless = session.client("iotwireless", endpoint_url=url)
        self._provision()
        run([command, "journal", "init"], env=self.env)

    def _provision(self) -> None:
        s3, iam = self._clients["s3"], self._clients["iam"]
        self.create_bucket(BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE, ChecksumAlgorithm="SHA256")
        trust = _policy({"Principal": {"Service": "iotwireless.amazonaws.com"}, "Action": "sts:AssumeRole"})
        actions = ["s3:GetObject", "s3:GetObjectVersion"]
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)
        read = _policy({"Action": actions, "Resource": f"arn:aws:s3:::{BUCKET}/*"})
        iam.put_role_policy(RoleName=ROLE, PolicyName="read", PolicyDocument=read)

    def create_bucket(self, name: str) -> None:
        """Create a bucket in the stage's Region."""
        self._clients["s3"].create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def environment(self, rates: dict[str, float]) -> None:
        """Write the environment's manifest."""
        spec = {"owner": "acme", "account": ACCOUNT, "region": REGION, "callRates": rates, "callBudget": 1_000_000}
        document = {"apiVersion": "otactl.dev/v1", "kind": "Environment", "metadata": {"name": "bench"}, "spec": spec}
        (self.manifests / "environments" / "bench.json").write_text(json.dumps(document))

    def rollout(self, name: str, *, group: str | None = None, devices: list[str] | None = None) -> None:
        """Write a rollout of one wave."""
        (self.manifests / f"{name}.yaml").write_text(manifest_text(name, group=group, devices=devices))

    def otactl(self, *words: str) -> list[str]:
        """The words of an otactl command over this stage's manifests."""
        return [self.command, *words, str(self.manifests)]

    def post(self, name: str, document: object) -> None:
        """Tell the simulator."""
        body = json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_simulator/{name}", data=body, method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            answer.read()

    def requests(self) -> list[dict[str, object]]:
        """Every call the simulator saw."""
        with urllib.request.urlopen(f"{self.url}/_simulator/requests") as answer:  # noqa: S310 - loopback
            found: list[dict[str, object]] = json.load(answer)["requests"]
        return found


@contextlib.contextmanager
def stage(folder: Path, command: str = OTACTL) -> Iterator[BenchStage]:
    """Start a simulator that ends with its block; `command` is the otactl that is measured on it."""
    process = subprocess.Popen([OTACTL, "simulator", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split("AWS_ENDPOINT_URL=")[1].strip()
        yield BenchStage(url, folder, command)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def manifest_text(name: str, *, group: str | None = None, devices: list[str] | None = None) -> str:
    """A rollout as an engineer writes it: block YAML with comments. The service paces single devices itself."""
    targets = {"wirelessDevices": [{"id": d} for d in devices]} if devices else {"multicastGroups": [group]}
    more = "" if devices else "    fragmentSizeBytes: 112\n    fragmentIntervalMs: 9000\n    dataRate: 3\n"
    return f"""# yaml-language-server: $schema=../../schemas/v1/rollout.schema.json
apiVersion: otactl.dev/v1
kind: Rollout
metadata:
  name: {name}
  labels: {{product: probe}}
spec:
  environment: bench
  firmware:
    version: "1.0.0"
    image: s3://{BUCKET}/{KEY} # content-addressed
    sha256: {DIGEST}
    sizeBytes: {len(IMAGE)}
  fuota:
    rfRegion: EU868
    role: arn:aws:iam::{ACCOUNT}:role/{ROLE}
    descriptor: AAECAw==
    redundancyPercent: 70
{more}  strategy:
    waves:
      - name: all
        targets: {json.dumps(targets)}
    gate: {{minSuccessPercent: 50}}
  drift: {{mode: correct}}
"""


def _policy(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
