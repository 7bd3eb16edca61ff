"""What the program registers, applied to a fresh simulator that judges every caller, and worked on with its roles."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import msgspec

from otactl.model import Firmware, Rollout
from otactl.rehearsal.loopback import only_loopback
from otactl_simulator.server import SimulatorServer
from tests.support.fuota_stage import BUCKET, IMAGE, KEY, REGION, FuotaStage
from tests.support.ota_stage import OtaStage
from tests.support.pulumi.apply import Applier
from tests.support.pulumi.engine import run
from tests.support.pulumi.stacks import SECRET_KEY
from tests.support.tuya_stage import TuyaStage

Registered = tuple[list[tuple[str, Any]], dict[str, Any]]
"""Type and inputs of every resource in the order they were made, and the stack's outputs."""


def registered(config: Mapping[str, Any]) -> Registered:
    """What the program registers: each test applies it again without running it."""
    made: list[tuple[str, Any]] = []
    with SimulatorServer() as server:
        applier = Applier(server.url)

        def note(kind: str, inputs: Any) -> tuple[str, dict[str, Any]]:
            made.append((kind, inputs))
            return applier(kind, inputs)

        result = run(config, apply=note)
    assert result.exit_code == 0, result.output
    return made, result.outputs


@contextmanager
def loopback() -> Iterator[SimulatorServer]:
    """A simulator that boto3 finds; the environment is as before afterwards."""
    kept = dict(os.environ)
    try:
        with SimulatorServer(seed=3) as server:
            only_loopback(server.url)
            yield server
    finally:
        os.environ.clear()
        os.environ.update(kept)


class ProvisionedFuotaStage(FuotaStage):
    """A stage whose bucket and roles are the program's, worked on with a role of the program's."""

    def __init__(self, server: SimulatorServer, folder: Path, program: Registered) -> None:
        super().__init__(server, folder, cloud=False)
        self.outputs = applied(self, program)
        self.role = self.outputs["firmwareUpdateRoleArn"]

    def act_as(self, role: str) -> None:
        """Put a role's credentials where boto3 finds them."""
        act_as(self, self.outputs[role])

    def rollout(self, base: Rollout, **changes: Any) -> Rollout:
        """A rollout with the program's role."""
        declared: Any = base.backend
        backend = msgspec.structs.replace(declared, role=self.role)
        return msgspec.structs.replace(base, backend=backend, **changes)


class ProvisionedOtaStage(OtaStage):
    """The same for OTA updates."""

    def __init__(self, server: SimulatorServer, folder: Path, program: Registered) -> None:
        self._program = program
        super().__init__(server, folder)

    def _provision(self) -> None:
        self.outputs = applied(self, self._program)
        self.role = self.outputs["otaServiceRoleArn"]

    def act_as(self, role: str) -> None:
        """The same."""
        act_as(self, self.outputs[role])

    def rewrite(self, role: str, policy: str, document: Mapping[str, Any]) -> None:
        """Give a role of the program another policy of a name."""
        name = self.outputs[role].rsplit("/", 1)[-1]
        self.iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))

    def run_and_report(self, *rollouts: Rollout) -> list[str]:
        """One run, and what it reported."""
        return run_and_report(self, *rollouts)


class ProvisionedTuyaStage(TuyaStage):
    """The same for Tuya batches, with the key in the secret that the program was given."""

    def __init__(self, server: SimulatorServer, folder: Path, program: Registered) -> None:
        self._program = program
        super().__init__(server, folder)
        self.key_from_secret(kmsKey=SECRET_KEY)

    def _provision(self) -> None:
        self.outputs = applied(self, self._program)

    def act_as(self, role: str) -> None:
        """The same."""
        act_as(self, self.outputs[role])

    def rewrite(self, policy: Mapping[str, Any]) -> None:
        """Give the controller's role another policy."""
        name = self.outputs["controllerRoleArn"].rsplit("/", 1)[-1]
        self.iam.put_role_policy(RoleName=name, PolicyName="reconcile", PolicyDocument=json.dumps(policy))


def applied(fuota_stage: FuotaStage, program: Registered) -> dict[str, Any]:
    """Apply the program, put the image where manifests have it, judge callers from now on; gives the outputs."""
    resources, outputs = program
    applier = Applier(fuota_stage.server.url)
    for kind, inputs in resources:
        applier(kind, inputs)
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
    fuota_stage.server.world.apply_settings({"enforceCallers": True})
    return outputs


def act_as(fuota_stage: FuotaStage, role: str) -> None:
    """Put a role's credentials where boto3 finds them; clients made before stay an administrator's."""
    sts = boto3.client("sts", endpoint_url=fuota_stage.server.url, region_name=REGION)
    given = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def pushed(fuota_stage: FuotaStage, version: str, image: bytes) -> Firmware:
    """Another image, in the bucket as the program made it: nothing is written twice."""
    digest = hashlib.sha256(image).hexdigest()
    key = f"probe/sha256/{digest}/probe.bin"
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=key, Body=image, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
    return Firmware(version=version, image=f"s3://{BUCKET}/{key}", sha256=digest, size_bytes=len(image))


def run_and_report(fuota_stage: FuotaStage, *rollouts: Rollout) -> list[str]:
    """One run; gives what went wrong, what is held, and what the history says of refusals."""
    found = []
    for r in fuota_stage.run(*rollouts).rollouts:
        found += [r.error, *(f"{h.reason}: {h.message}" for h in r.holds)]
    history = [e.message for r in rollouts for e in fuota_stage.journal().history("prod-eu", r.name)]
    return [t for t in found if t] + [m for m in history if "grant " in m]


def refused(fuota_stage: FuotaStage, *services: str) -> list[str]:
    """Calls, of some services if they are named, that were refused for want of a permission."""
    requests = [r for r in fuota_stage.server.world.requests if r["status"] == 403]
    return [str(r["operation"]) for r in requests if not services or r["service"] in services]


def named(lines: Iterable[str], action: str) -> list[str]:
    """What tells that an action is to be granted."""
    return [line for line in lines if "grant " in line and re.search(rf"{action}\b", line)]


def until(steps: Iterable[list[str]], action: str) -> list[str]:
    """Go on until a step tells that an action is to be granted; gives what all steps reported up to it."""
    lines: list[str] = []
    for step in steps:
        lines += step
        if named(step, action):
            break
    return lines


def less(policy: Mapping[str, Any], action: str, sid: str = "") -> dict[str, Any]:
    """A policy without an action, in one of its statements or in all."""
    statements = json.loads(json.dumps(policy))["Statement"]
    for statement in statements:
        if sid in ("", statement["Sid"]):
            statement["Action"] = [a for a in statement["Action"] if a != action]
    return {"Version": "2012-10-17", "Statement": [s for s in statements if s["Action"]]}
