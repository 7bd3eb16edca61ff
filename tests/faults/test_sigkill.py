"""`kill -9` of the real process while a call is on the wire; and two real processes at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from otactl.cli import cli
from otactl.cli.commands.demo import Demo
from otactl.journal import SqlJournal
from otactl_simulator.server import SimulatorServer
from tests.support.demo_stage import set_stage
from tests.support.paths import ROOT

TASKS = 3  # the example fleet: two waves of soil probes, one of leak sensors
UPDATES = 2  # two waves of gateways
BATCHES = 2  # two waves of smart plugs
WRITES = (
    "CreateFuotaTask",
    "AssociateMulticastGroupWithFuotaTask",
    "StartFuotaTask",
    "DeleteFuotaTask",
    "CreateOTAUpdate",
    "DeleteOTAUpdate",
    "CreateOTAStaticUpgradeJob",
)
ON_THE_WIRE = 2  # seconds the service takes to act, so that the process dies first


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SimulatorServer, Demo]]:
    with set_stage(tmp_path, monkeypatch) as (server, demo):
        os.environ["PYTHONPATH"] = str(ROOT)
        demo.fleet({})
        yield server, demo


def start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "otactl.cli", "reconcile", "rollouts", "-o", "json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def until_sent(operation: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the journal holds the intent of this call, which is written just before it is sent."""
    pause = threading.Event()
    for _ in range(2000):
        if Path(".otactl/journal.db").exists():
            with SqlJournal(Path(".otactl/journal.db")) as journal:
                stored = journal.load_all("prod-eu").values()
            if any(i.call.operation == operation for s in stored for i in s.record.intents):
                return
        assert process.poll() is None, "the process ended before its call"
        pause.wait(0.01)
    raise AssertionError(f"{operation} was never sent")


def reconcile() -> dict[str, object]:
    ran = CliRunner().invoke(cli, ["reconcile", "rollouts", "-o", "json"])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return dict(json.loads(ran.stdout))


def named(server: SimulatorServer, operation: str) -> list[dict[str, dict[str, object]]]:
    """The calls of an operation that were read."""
    return [r for r in server.world.requests if r["operation"] == operation and r["parameters"]]


def phases(report: dict[str, object]) -> set[str]:
    listed = report["rollouts"]
    assert isinstance(listed, list)
    return {str(r["phase"]) for r in listed}


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.sampled(3)
def test_killed_while_a_call_is_on_the_wire_the_next_run_ends_the_rollouts_with_one_task_a_wave(
    stage: tuple[SimulatorServer, Demo], operation: str
) -> None:
    server, demo = stage
    if operation.startswith("Delete"):
        reconcile()
        demo.pass_time(3600)
    rule = {"service": "*", "operation": operation, "nth": 1, "effect": "delay", "seconds": ON_THE_WIRE}
    server.world.faults.replace([rule])
    process = start()
    until_sent(operation, process)

    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    assert process.returncode == -signal.SIGKILL
    for _ in range(12):
        if phases(reconcile()) == {"Succeeded"}:
            break
        demo.pass_time(3600)
    assert phases(reconcile()) == {"Succeeded"}
    tasks = {str(r["parameters"]["ClientRequestToken"]) for r in named(server, WRITES[0])}
    assert len(tasks) == TASKS
    assert len({str(r["parameters"]["otaUpdateId"]) for r in named(server, "CreateOTAUpdate")}) == UPDATES
    assert len(server.world.snapshot()["tuya"]["jobs"]) == BATCHES
    with SqlJournal(Path(".otactl/journal.db")) as journal:
        records = [s.record for s in journal.load_all("prod-eu").values() if s.record.attempts]
    assert sorted(len(r.attempts) for r in records) == [1, 2, 2, 2]
    assert all(r.intents == () and not any(e.open for e in r.drift) for r in records)


def test_of_two_processes_at_once_one_works_and_the_other_names_it_and_exits_0(
    stage: tuple[SimulatorServer, Demo],
) -> None:
    server, _ = stage
    rule = {"service": "iotwireless", "operation": WRITES[0], "nth": 1, "effect": "delay", "seconds": ON_THE_WIRE}
    server.world.faults.replace([rule])
    process = start()
    until_sent(WRITES[0], process)

    second = start()
    answer, _ = second.communicate(timeout=60)
    first, _ = process.communicate(timeout=60)

    assert second.returncode == 0
    assert f"/{process.pid} " in f"{json.loads(answer)['leaseHeldBy']} "
    assert json.loads(answer)["writes"] == 0
    assert json.loads(first)["leaseHeldBy"] in ("", None)
    assert process.returncode == 0
