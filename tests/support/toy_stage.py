"""A stage for the backend in memory: it is installed as any backend is, by a definition and a schema."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest

from otactl import package_data
from otactl.backends.aws.client import AwsClient
from otactl.backends.registry import BACKENDS, backends_for
from otactl.journal import SqlJournal
from otactl.manifest import schema, schema_choices
from otactl.model import Device, Environment, Firmware, JsonObject, Record, Rollout, Strategy, Targets, Wave
from otactl.ports import Backend
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RunReport
from tests.support.builders import SOURCE
from tests.support.clients import KeptClients
from tests.support.toy_backend import SCHEMA, Around, ParcelConfig, ParcelDefinition, PostOffice

NOON = datetime(2025, 3, 3, 12, 0, 20, tzinfo=UTC)
THINGS = (("gw-1", "gw-2"), ("gw-3", "gw-4"))


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, office: PostOffice) -> None:
    """Do what a new backend takes: one line in the registry, a schema of its block, and a reference to it."""
    monkeypatch.setitem(BACKENDS, ParcelConfig.kind, ParcelDefinition(office))
    shutil.copytree(package_data.schemas(), folder / "schemas")
    (folder / "schemas/v1/parcel.schema.json").write_text(json.dumps(SCHEMA))
    rollout_file = folder / "schemas/v1/rollout.schema.json"
    rollout = json.loads(rollout_file.read_text())
    spec = rollout["$defs"]["spec"]
    spec["oneOf"].append({"required": ["parcel"]})
    spec["properties"]["parcel"] = {"$ref": "parcel.schema.json"}
    rollout_file.write_text(json.dumps(rollout))
    monkeypatch.setattr(schema, "schemas", lambda: folder / "schemas")
    forget_backends()


def forget_backends() -> None:
    """Forget what this process loaded for another set of backends: schemas, and the choices of `init`."""
    sys.modules.pop("otactl.cli.commands.init", None)
    for kept in (schema.schema, schema.names, schema._fast, schema._full, schema_choices._homes):
        kept.cache_clear()


def parcels(**changes: object) -> Rollout:
    """Two waves of two things."""
    waves = tuple(
        Wave(name=name, targets=Targets(things=tuple(Device(id=t) for t in things)))
        for name, things in zip(("canary", "fleet"), THINGS, strict=True)
    )
    digest = "a" * 64
    base = Rollout(
        name="box",
        environment="prod-eu",
        firmware=Firmware(version="2.0.0", image=f"s3://b/{digest}/i.bin", sha256=digest, size_bytes=4096),
        backend=ParcelConfig(stamp="priority"),
        strategy=Strategy(waves=waves),
        source=SOURCE,
    )
    return msgspec.structs.replace(base, **changes)


class ToyStage:
    """A post office, a clock and a journal's file; nothing of it is on the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.office = PostOffice(NOON)

    def environment(self) -> Environment:
        """The environment rollouts go to."""
        return Environment(name="prod-eu", owner="acme", account="123456789012", region="eu-west-1", source=SOURCE)

    def transport(self, around: Around | None = None) -> AwsClient:
        """A fresh client, of which nothing is asked of AWS."""
        session = cast("object", KeptClients("eu-west-1"))
        return AwsClient(self.environment(), sleep=lambda _s: None, seed=1, around=around, session=session)

    def journal(self) -> SqlJournal:
        """The journal's file, opened again."""
        return SqlJournal(self.folder / "journal.db")

    def run(
        self,
        *rollouts: Rollout,
        transport: AwsClient | None = None,
        covers: bool = False,
        wrap: Callable[[Backend], Backend] = lambda backend: backend,
    ) -> RunReport:
        """One `reconcile`."""
        here = self.environment()
        found = backends_for(here, transport or self.transport())
        return Reconciler(
            environment=here,
            rollouts=rollouts if rollouts or covers else (parcels(),),
            backends={ParcelConfig.kind: wrap(found[ParcelConfig.kind])},
            journal=self.journal(),
            now=lambda: self.office.now,
            holder="cron",
            refused=lambda _r: (),
            covers=lambda _s: covers,
            wall=lambda: datetime.now(UTC),
        ).run()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.office.now += timedelta(seconds=seconds)

    def record(self, name: str = "box") -> Record:
        """What the journal remembers."""
        return self.journal().load("prod-eu", name).record

    def fault(self, **rule: object) -> None:
        """Close the post office: it has one way to fail."""
        assert rule
        self.office.broken = True


def manifest(version: str, digest: str, **spec: object) -> JsonObject:
    """A manifest of a parcel to two things, then to two more."""
    waves = [{"name": n, "targets": {"things": list(t)}} for n, t in zip(("canary", "fleet"), THINGS, strict=True)]
    return {
        "apiVersion": "otactl.dev/v1",
        "kind": "Rollout",
        "metadata": {"name": "box"},
        "spec": {
            "environment": "prod-eu",
            "firmware": {
                "version": version,
                "image": f"s3://acme/{digest}/i.bin",
                "sha256": digest,
                "sizeBytes": 4096,
            },
            "parcel": {"stamp": "priority"},
            "strategy": {"waves": waves},
            **spec,
        },
    }
