"""Records passes of `reconcile` against the simulator: what each found in its journal, and every answer it got."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from msgspec.structs import replace

from otactl.backends.aws.client import AwsClient
from otactl.backends.registry import BACKENDS
from otactl.backends.tuya.backend import TuyaBackend
from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.config import access_of
from otactl.backends.tuya.http import Wire
from otactl.model import Environment, Firmware, Gate, Rollout, VersionConfirm, VersionProof
from otactl.model.rollout import Abort, Suspend
from otactl.ports import Backend
from otactl.reconcile import reconciler
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RunReport
from otactl.rehearsal.loopback import only_loopback
from otactl_simulator.clock import Clock
from otactl_simulator.server import SimulatorServer
from tests.support.fuota_stage import FuotaStage, declared, edited, pushed
from tests.support.fuzz.answers.clients import NotedWire, Recording, Session, clients
from tests.support.fuzz.answers.tape import Raw, Tape
from tests.support.in_memory_cloud import Memory
from tests.support.ota_stage import OtaStage, gateway
from tests.support.tuya_stage import TuyaStage, package, plugs

NOON = datetime(2025, 3, 3, 12, 0, 20, tzinfo=UTC)
_NONCES = count()
MOST_PASSES = 8
BUDGET = 200
"""Calls that a pass may send: a list without an end ends there."""
KINDS = {"fuota": "fuota", "ota": "otaUpdate", "tuya": "tuya"}


@dataclass(frozen=True)
class Scene:
    """One pass: its clock, its rollout, the journal before it, and its tape."""

    name: str
    kind: str
    environment: Environment
    rollout: Rollout
    now: datetime
    journal: Memory
    tape: Tape = field(repr=False)


def copied(journal: Memory) -> Memory:
    """Return a journal of its own with the same records."""
    fresh = Memory()
    fresh.records, fresh.revisions = dict(journal.records), dict(journal.revisions)
    fresh.held = journal.held
    return fresh


def client_of(scene_environment: Environment, session: Session, now: datetime) -> AwsClient:
    """Return the product's client of AWS over a session that answers from a tape."""
    return AwsClient(
        scene_environment,
        sleep=lambda _s: None,
        monotonic=lambda: 0.0,
        now=lambda: now,
        session=cast("Any", session),
        seed=1,
        environ={},
    )


def backend_of(kind: str, environment: Environment, client: AwsClient, wire: Wire | None) -> Backend:
    """Return the product's backend of a kind; `wire` is the way to Tuya's gateway."""
    if wire is None:
        backend = BACKENDS[kind].connect(environment, client)
        assert backend is not None
        return backend
    gateway_client = TuyaClient(
        environment,
        stats=client.stats,
        sleep=lambda _s: None,
        monotonic=lambda: 0.0,
        now=client.policy.own_now,
        seed=1,
        nonce=lambda: f"nonce-{next(_NONCES)}",
        environ={"TUYA_KEY": "AK1", "TUYA_SECRET": "s3cret"},
    )
    gateway_client._wire = wire
    return TuyaBackend(client, gateway_client)


def reconcile(
    kind: str, environment: Environment, rollout: Rollout, client: AwsClient, backend: Backend, journal: Memory
) -> RunReport:
    """Run one pass, a call at a time."""
    run = Reconciler(
        environment=environment,
        rollouts=(rollout,),
        backends={kind: backend},
        journal=journal,
        now=client.now,
        holder="cron",
        refused=lambda _r: (),
        covers=lambda _s: False,
        wall=client.policy.own_now,
        abreast=1,
    )
    with patch.object(reconciler, "MAX_PASSES", 1):
        return run.run()


class Recorder:
    """Runs cron on a stage, and keeps the runs that are asked for."""

    def __init__(self, kind: str, stage: FuotaStage) -> None:
        self.kind, self.stage = kind, stage
        self.journal = Memory()
        self.scenes: list[Scene] = []
        self._same: dict[tuple[str, str, str], Raw] = {}

    def run(self, rollout: Rollout, name: str, pause: float = 0) -> None:
        """Run pass after pass until one sends nothing; then let time pass."""
        for number in range(1, MOST_PASSES + 1):
            scene = self._pass(rollout, f"{name}-{number}")
            self.scenes.append(scene)
            if not any(call.writes for call in scene.tape.calls):
                break
        self.stage.advance(pause)

    def _pass(self, rollout: Rollout, name: str) -> Scene:
        environment = replace(self.stage.environment(), call_budget=BUDGET)
        now, before, tape = self.stage.server.world.clock.now(), copied(self.journal), Tape()
        client = client_of(environment, Recording(clients(), self.stage.server.url, tape.record, self._same), now)
        wire: NotedWire | None = None
        access = access_of(environment)
        if access is not None:
            wire = NotedWire(access.endpoint)
            wire.note = tape.record
        backend = backend_of(self.kind, environment, client, wire)
        report = reconcile(self.kind, environment, rollout, client, backend, self.journal)
        wrong = [e.message for e in report.errors] + [r.error for r in report.rollouts if r.error]
        assert not wrong, (name, wrong)
        if wire is not None:
            wire.close()
        return Scene(name, self.kind, environment, rollout, now, before, tape)


def _fuota(at: Recorder) -> None:
    """Groups in two waves, of which a device of the first fails; an edit by hand, a suspension; single devices."""
    stage = at.stage
    lenient = replace(declared().strategy, gate=Gate(min_success_percent=50))
    rollout = declared(strategy=lenient)
    bad = {"devEui": stage.euis[0], "rfRegion": "EU868", "behaviour": "micError"}
    stage.fleet(devices=[bad])
    at.run(rollout, "start", 600)
    for listed in stage.wireless.list_fuota_tasks()["FuotaTaskList"]:
        stage.wireless.tag_resource(ResourceArn=listed["Arn"], Tags=[{"Key": "team", "Value": "other"}])
    at.run(rollout, "scheduled", 1500)
    at.run(rollout, "in session", 3600)
    at.run(rollout, "wave ended", 120)
    at.run(replace(rollout, suspend=Suspend(reason="r", owner="o")), "suspended", 120)
    at.run(rollout, "resumed", 3600 * 3)
    at.run(rollout, "all ended", 120)
    at.run(rollout, "finished")
    other = declared(name="other", strategy=lenient, firmware=replace(pushed(stage, "2.3.0", b"older" * 500)))
    stage.deafen()
    at.run(other, "held", 120)
    newer = edited(other, firmware=pushed(stage, "2.5.0", b"newer" * 500))
    at.run(newer, "superseded", 120)
    stage.deafen(False)
    at.run(newer, "started", 600)
    newest = edited(newer, firmware=pushed(stage, "2.6.0", b"newest" * 500))
    at.run(newest, "superseded in its lead")


def _ota(at: Recorder) -> None:
    """Things and a thing group in two waves, of which a thing fails; an abort with devices at work."""
    stage = at.stage
    assert isinstance(stage, OtaStage)
    lenient = replace(gateway().strategy, gate=Gate(min_success_percent=50))
    rollout = gateway(strategy=lenient)
    stage.behave(gw_1="failsSelfTest", gw_3="offline")
    at.run(rollout, "start", 130)
    at.run(rollout, "running", 600)
    at.run(rollout, "wave ended", 130)
    at.run(rollout, "second wave", 130)
    stage.iot.update_job(
        jobId=stage.iot.list_jobs(status="IN_PROGRESS")["jobs"][0]["jobId"],
        jobExecutionsRolloutConfig={"maximumPerMinute": 7},
    )
    at.run(rollout, "edited", 130)
    at.run(replace(rollout, abort=Abort(reason="r")), "aborted", 600)
    at.run(replace(rollout, abort=Abort(reason="r")), "after the abort", 600)
    newer = edited(rollout, firmware=pushed(stage, "2.5.0", b"newer" * 500))
    at.run(newer, "newer", 130)
    newest = edited(newer, firmware=pushed(stage, "2.6.0", b"newest" * 500))
    at.run(newest, "superseded", 130)
    at.run(newest, "after it was superseded", 600)
    proved = replace(
        gateway().strategy, confirm=VersionConfirm(version=VersionProof(shadow="reported.fw"), within="1h")
    )
    proving = edited(rollout, strategy=proved, firmware=pushed(stage, "2.7.0", b"proved" * 500))
    at.run(proving, "proved by shadows", 600)
    at.run(proving, "reports are waited for", 3600)
    at.run(proving, "reports came too late")


def _tuya(at: Recorder) -> None:
    """Plugs in two waves, of which a plug fails; an abort with plugs at work."""
    stage = at.stage
    assert isinstance(stage, TuyaStage)
    lenient = replace(plugs().strategy, gate=Gate(min_success_percent=50))
    rollout = plugs(strategy=lenient)
    stage.behaviours(plug_1="failsFlash", plug_3="offline")
    at.run(rollout, "start", 120)
    at.run(rollout, "running", 1200)
    at.run(rollout, "wave ended", 120)
    at.run(rollout, "second wave", 120)
    at.run(replace(rollout, abort=Abort(reason="r")), "aborted", 1200)
    at.run(replace(rollout, abort=Abort(reason="r")), "after the abort", 1200)
    newer = edited(rollout, firmware=_packed(stage, "1003", "2.5.0"))
    at.run(newer, "newer", 30)
    at.run(edited(newer, firmware=_packed(stage, "1004", "2.6.0")), "superseded", 600)
    at.run(edited(newer, firmware=_packed(stage, "1004", "2.6.0")), "after it was superseded", 1200)
    proved = replace(rollout.strategy, confirm=VersionConfirm(version=VersionProof(module="default"), within="1h"))
    proving = edited(rollout, strategy=proved, firmware=_packed(stage, "1005", "2.7.0"))
    stage.behaviours(plug_1="failsFlash")
    at.run(proving, "proved by reports", 1200)
    at.run(proving, "reported")


def _packed(stage: TuyaStage, firmware_id: str, version: str) -> Firmware:
    """Return other content that the gateway has as a package."""
    made = pushed(stage, version, version.encode() * 500)
    stage.cloud(
        firmwares=[
            package(firmwareId=firmware_id, destVersion=version, name=version, sign=made.sha256, size=made.size_bytes)
        ]
    )
    return made


RECORDED: dict[str, tuple[type[FuotaStage], Callable[[Recorder], None]]] = {
    "fuota": (FuotaStage, _fuota),
    "ota": (OtaStage, _ota),
    "tuya": (TuyaStage, _tuya),
}


@contextmanager
def _server() -> Iterator[SimulatorServer]:
    kept = dict(os.environ)
    try:
        with SimulatorServer(seed=3, clock=Clock(freeze=True, at=NOON)) as server:
            only_loopback(server.url)
            yield server
    finally:
        os.environ.clear()
        os.environ.update(kept)


@lru_cache(maxsize=3)
def scenes(service: str) -> tuple[Scene, ...]:
    """Return the recorded runs of a service; recorded at the first call."""
    stage, play = RECORDED[service]
    with _server() as server, tempfile.TemporaryDirectory(prefix="otactl-tape-") as folder:
        at = Recorder(KINDS[service], stage(server, Path(folder)))
        play(at)
        return tuple(at.scenes)
