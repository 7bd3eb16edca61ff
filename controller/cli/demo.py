"""`otactl demo`: the whole story in one command, on loopback, without an account.

1. It runs the real verbs, in this process, against the simulator on a free port. Nothing in them knows that.
2. AWS credentials, profiles and endpoints of the environment are taken out first: nothing can reach a cloud.
3. Time is the simulator's: hours pass between two cron runs, and the Date of its answers tells otactl so.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import click

from controller.cli._errors import Verb, guarded
from controller.errors import UsageError

HOUR = 3600
NEVER_IN_A_DEMO = 24
_GROUPS = {
    "canary": "3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01",
    "fleet-north": "77ab2e10-5b7c-4a55-8c3e-1d2f3a4b5c02",
    "fleet-south": "91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d03",
}


@click.command(cls=Verb, short_help="see the whole story in one command, on loopback")
@guarded
def command() -> None:
    """Provision, push, validate, plan and reconcile the example fleet to its end; meddle twice; show the ledger."""
    try:
        from simulator.server import SimulatorServer
    except ModuleNotFoundError as missing:
        raise UsageError(f"{missing.name} is missing; install otactl with its extra `simulator`") from missing
    before, kept = Path.cwd(), dict(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="otactl-demo-"))
    try:
        with SimulatorServer(seed=7) as server:
            only_loopback(server.url)
            os.chdir(folder)
            Demo(server.url, folder).run()
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(kept)
        shutil.rmtree(folder, ignore_errors=True)


def only_loopback(url: str) -> None:
    """Rule 2: leave the process with nothing but the simulator to talk to."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "BOTO", "OTACTL_")) or n.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


class Demo:
    """The story, step by step."""

    def __init__(self, url: str, folder: Path) -> None:
        import boto3

        self._url = url
        self._folder = folder
        session = boto3.Session(region_name="eu-west-1")
        self._clients = {name: session.client(name) for name in ("s3", "iam", "iotwireless")}

    def run(self) -> None:
        """Tell it."""
        self.provision()
        self.push()
        self._tell("check the manifests, and see what would be done")
        self._otactl("validate", "rollouts")
        self._otactl("plan", "rollouts", expect=(2,))
        self._tell(
            "cron, first run: tasks are made and filled; one canary device has not heard its multicast setup yet"
        )
        self._otactl("reconcile", "rollouts", expect=(0,))
        self._meddle_open()
        self._otactl("reconcile", "rollouts", expect=(0,))
        self._tell("the last canary device joins the multicast group; the task is checked and started")
        self.fleet({})
        self.pass_time(360)
        self._otactl("reconcile", "rollouts", expect=(0,))
        self._meddle_started()
        self._otactl("reconcile", "rollouts", expect=(0,))
        self._otactl("drift", expect=(2,))
        self._tell("the canary passes; the fleet's task is made, and held: nothing starts over open drift")
        self.pass_time(HOUR)
        self._otactl("reconcile", "rollouts", expect=(1,))
        self._tell("its owner turns versioning on again")
        self._versioning("Enabled")
        self._to_the_end()
        self._ledger()

    def provision(self) -> None:
        """Bucket, role, example manifests, fleet."""
        self._tell("provision an image bucket and a FirmwareUpdateRole (in real life: `pulumi up`)")
        source = resources.files("rollouts")
        with resources.as_file(source) as path:
            shutil.copytree(path, self._folder / "rollouts", ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        outputs = json.loads((self._folder / "rollouts/environments/prod-eu.outputs.json").read_text())
        bucket, role = outputs["imageBucket"], outputs["firmwareUpdateRoleArn"]
        s3, iam = self._clients["s3"], self._clients["iam"]
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        trust = _policy({"Principal": {"Service": "iotwireless.amazonaws.com"}, "Action": "sts:AssumeRole"})
        read = {"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"arn:aws:s3:::{bucket}/*"}
        name = role.rsplit("/", 1)[-1]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=name, PolicyName="read-images", PolicyDocument=_policy(read))
        click.echo(f"  bucket {bucket}, role {role}")
        self.fleet({"notReady": ["70b3d57ed0000003"]})

    def fleet(self, canary: Mapping[str, object]) -> None:
        """Twelve soil probes in three groups, three leak sensors; one probe is deaf, one sensor short of memory."""
        probes = [{"devEui": f"70b3d57ed00000{n:02x}", "rfRegion": "EU868", "loss": 0.02} for n in range(1, 23)]
        probes[15]["loss"] = 0.6
        sensors: list[dict[str, object]] = [
            {"id": f"d1a5f0c0-0000-4000-8000-00000000000{n}", "devEui": f"a81758fffe00000{n}", "rfRegion": "EU868"}
            for n in (1, 2, 3)
        ]
        sensors[2]["behaviour"] = "notEnoughMemory"
        names = [str(p["devEui"]) for p in probes]
        parts = {"canary": names[:3], "fleet-north": names[3:13], "fleet-south": names[13:]}
        groups: list[dict[str, object]] = [
            {"name": n, "id": _GROUPS[n], "rfRegion": "EU868", "devices": parts[n]} for n in parts
        ]
        groups[0].update(canary)
        self._post("fleet", {"devices": [*probes, *sensors], "groups": groups})

    def push(self) -> None:
        """The example images, where the manifests say."""
        self._tell("push the images, content-addressed")
        place = "rollouts/environments/prod-eu.yaml"
        for product, version in (("soil-probe", "2.4.1"), ("leak-sensor", "1.3.0")):
            file = f"rollouts/images/{product}-{version}.bin"
            words = ("--environment", place, "--product", product, "--version", version)
            self._otactl("image", "push", file, *words)

    def _meddle_open(self) -> None:
        self._tell("somebody edits the canary's task by hand: redundancy 20 -> 3 percent. It is open: correctable")
        task = self._task("soil-probe-2-4-1-canary")
        self._clients["iotwireless"].update_fuota_task(Id=task, RedundancyPercent=3)

    def _meddle_started(self) -> None:
        self._tell("somebody turns the bucket's versioning off after the start: recorded, not correctable by otactl")
        self._versioning("Suspended")

    def _versioning(self, status: str) -> None:
        outputs = json.loads((self._folder / "rollouts/environments/prod-eu.outputs.json").read_text())
        self._clients["s3"].put_bucket_versioning(
            Bucket=outputs["imageBucket"], VersioningConfiguration={"Status": status}
        )

    def _to_the_end(self) -> None:
        self._tell("hours pass, cron runs on, until every rollout has its verdict")
        for _ in range(NEVER_IN_A_DEMO):
            self.pass_time(HOUR)
            code, text = self._run("reconcile", "rollouts", "-o", "json")
            phases = {r["name"]: r["phase"] for r in json.loads(text)["rollouts"]}
            click.echo(f"  {', '.join(f'{name}: {phase}' for name, phase in phases.items())}")
            if code == 0 and set(phases.values()) == {"Succeeded"}:
                return
        raise UsageError("the example fleet did not come to its end; this is a defect of otactl")

    def _ledger(self) -> None:
        self._tell("what became of every device")
        self._otactl("status", "soil-probe-2-4-1")
        self._otactl("status", "--device", "70b3d57ed0000010")
        self._otactl("status", "leak-sensor-1-3-0")
        self._tell("the drift ledger: one correction, one that only its owner could undo")
        self._otactl("drift", expect=(0, 2))
        self._tell("the exact calls that changed something, as the service saw them")
        for line in self._writes():
            click.echo(f"  {line}")
        self._tell("once more: nothing is left to do")
        self._otactl("reconcile", "rollouts", "-o", "json")

    def requests(self) -> list[dict[str, object]]:
        """Every call the simulator saw."""
        return self._get("requests")["requests"]

    def _writes(self) -> list[str]:
        logged = self.requests()
        writes = [r for r in logged if r["service"] == "iotwireless" and r["status"] in (201, 204)]
        return [f"{str(r['at'])[:19]}Z {r['operation']} {_short(r['parameters'])}" for r in writes]

    def _task(self, prefix: str) -> str:
        listed = self._clients["iotwireless"].list_fuota_tasks()["FuotaTaskList"]
        return str(next(t["Id"] for t in listed if prefix in t["Name"]))

    def pass_time(self, seconds: float) -> None:
        """Let the simulator's clock run ahead."""
        self._post("clock", {"advanceSeconds": seconds})

    def _tell(self, text: str) -> None:
        click.echo(f"\n# {text}")

    def _otactl(self, *words: str, expect: tuple[int, ...] = (0,)) -> None:
        code, text = self._run(*words)
        click.echo(f"$ otactl {' '.join(words)}")
        click.echo("\n".join(f"  {line}" for line in text.rstrip().splitlines()))
        if code not in expect:
            raise UsageError(f"otactl {' '.join(words)} ended with {code}; this is a defect of otactl")

    def _run(self, *words: str) -> tuple[int, str]:
        from click.testing import CliRunner

        from controller.cli import cli

        result = CliRunner().invoke(cli, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    def _post(self, name: str, document: Mapping[str, object]) -> None:
        body = json.dumps(document).encode()
        request = urllib.request.Request(f"{self._url}/_simulator/{name}", data=body, method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the simulator's own loopback address
            answer.read()

    def _get(self, name: str) -> dict[str, list[dict[str, object]]]:
        with urllib.request.urlopen(f"{self._url}/_simulator/{name}") as answer:  # noqa: S310 - loopback
            found: dict[str, list[dict[str, object]]] = json.load(answer)
        return found


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def _short(parameters: object) -> str:
    given = dict(parameters) if isinstance(parameters, dict) else {}
    tags = given.pop("Tags", None)
    text = json.dumps(given)
    return f"{text[:-1]}, + {len(tags)} tags}}" if isinstance(tags, list) else text
