"""Rollouts and environments for the tables of policies, made from manifest text."""

from __future__ import annotations

import msgspec

from otactl import policies
from otactl.backends.registry import BACKENDS
from otactl.model import Environment, Rollout, Source
from tests.support.manifest_texts import GOOD, Read, changed

FUOTA = GOOD[GOOD.index("  fuota:") : GOOD.index("  strategy:")]
HOME = Environment(
    name="prod-eu", owner="acme", account="123456789012", region="eu-west-1", source=Source(file="e.yaml", digest="")
)

OTA = """\
  otaUpdate:
    role: arn:aws:iam::123456789012:role/ota
    files: [{fileName: /update, codeSigning: {awsSignerJobId: abc}}]
"""
TUYA = "  tuya: {productKey: abc}\n"


def with_backend(block: str, kind: str) -> str:
    """The good manifest with another service and its kind of targets."""
    return GOOD.replace(FUOTA, block).replace("multicastGroups", kind)


def with_waves(waves: str, targets: str = "", text: str = GOOD) -> str:
    """The good manifest with other waves, and perhaps targets of the whole rollout."""
    return f"{text[: text.index('  strategy:')]}{targets}  strategy:\n    waves:\n{waves}"


def value_of(text: str) -> Rollout:
    """The rollout a text declares, whatever the rules have against it."""
    read = Read(text)
    (manifest,) = read.manifests
    assert manifest.rollout is not None, read.errors
    assert not manifest.faults
    return manifest.rollout


def found(text: str, environment: Environment | None = None) -> list[str]:
    """What the rules have against a text: `code pointer`, warnings marked `?`."""
    violations = policies.check(value_of(text), BACKENDS, environment)
    return sorted(f"{'?' if v.severity == 'warning' else ''}{v.code} {v.pointer}" for v in violations)


def home(**changes: object) -> Environment:
    """The environment with fields changed."""
    return msgspec.structs.replace(HOME, **changes)


__all__ = ["GOOD", "HOME", "OTA", "TUYA", "changed", "found", "home", "value_of", "with_backend", "with_waves"]
