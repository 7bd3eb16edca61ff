"""A worker that is stopped hands over, and a pass that hangs is ended."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import Any

import pytest

from otactl_simulator.server import SimulatorServer
from tests.support.worker_stage import WorkerStage, until

pytestmark = pytest.mark.server


def test_a_stopped_worker_hands_its_passes_over_and_releases_its_leases(
    worker_stage: WorkerStage, empty_simulator: SimulatorServer
) -> None:
    worker_stage.fleet(1, 1)
    slow = {"service": "iotwireless", "operation": "CreateFuotaTask", "effect": "delay", "seconds": 4, "nth": 1}
    empty_simulator.world.faults.replace([slow])
    stopped = worker_stage.start("--grace", "1s", every="1h", name="stopped")
    until(lambda: worker_stage.outcomes("env-00") == ["running"], "a pass runs")
    until(lambda: empty_simulator.world.faults.fired == 1, "its create is on the wire")
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(30) == 0
    assert worker_stage.outcomes("env-00") == ["stopped"]
    assert [each.name for each in worker_stage.status().workers] == []

    worker_stage.start(every="1h", name="next")
    until(lambda: worker_stage.outcomes("env-00")[:2] == ["ok", "stopped"], "another worker goes on at once")
    assert sorted(worker_stage.created().values()) == [1]


@pytest.mark.thorough
def test_a_pass_that_hangs_is_ended_and_delays_no_other_environment(
    worker_stage: WorkerStage, empty_simulator: SimulatorServer
) -> None:
    worker_stage.fleet(2, 2)
    rule = {"service": "iotwireless", "operation": "ListFuotaTasks", "effect": "delay", "seconds": 60, "nth": 1}
    empty_simulator.world.faults.replace([rule])
    worker_stage.start("--concurrency", "2", "--pass-timeout", "8s", name="only")
    homes = ("env-00", "env-01")

    def hung() -> list[dict[str, Any]]:
        return [line for line in worker_stage.log() if line.get("outcome") == "hung"]

    until(hung, "the pass is ended")
    first = hung()[0]
    stuck, other = sorted(homes, key=lambda home: home != first["environment"])

    def ended() -> list[datetime]:
        return [run.ended_at for run in worker_stage.runs(stuck) if run.id == first["run"] and run.ended_at is not None]

    until(ended, "its end is recorded, which is after it is logged")
    assert any(run.started_at < ended()[0] for run in worker_stage.runs(other))
    assert "longer than 8 s" in first["problem"]
    for home in homes:
        until(lambda home=home: "ok" in worker_stage.outcomes(home), "a later tick continues it")
