"""What a worker tells of itself, and how it is asked."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from otactl_simulator.server import SimulatorServer
from tests.support.worker_stage import WorkerStage, until

pytestmark = pytest.mark.server


def test_a_worker_tells_health_readiness_and_metrics_on_one_port(worker_stage: WorkerStage) -> None:
    worker_stage.fleet(1, 1)
    worker_stage.start(name="only")
    until(lambda: "ok" in worker_stage.outcomes("env-00"), "a pass ends")
    until(lambda: worker_stage.get("/readyz")[0] == 200, "the worker is ready")
    assert worker_stage.get("/healthz")[0] == 200

    families = {family.name: family for family in text_string_to_metric_families(worker_stage.get("/metrics")[1])}
    passes = {s.labels["outcome"]: s.value for s in families["otactl_worker_passes"].samples if "outcome" in s.labels}
    assert passes["ok"] >= 1
    assert [s.labels for s in families["otactl_run_success"].samples] == [{"environment": "env-00"}]


def test_a_pass_asked_for_by_hand_while_one_runs_follows_it(
    worker_stage: WorkerStage, empty_simulator: SimulatorServer
) -> None:
    """`reconcile --enqueue --wait` ends with that pass; the next slot is an hour away."""
    worker_stage.fleet(1, 1)
    slow = {"service": "iotwireless", "operation": "CreateFuotaTask", "effect": "delay", "seconds": 4, "nth": 1}
    empty_simulator.world.faults.replace([slow])
    worker_stage.start(every="1h", name="only")
    until(lambda: empty_simulator.world.faults.fired == 1, "the first pass is under way")
    asked = worker_stage.run("reconcile", "--enqueue", "--environment", "env-00", "--wait", "60s")

    assert asked.stdout.splitlines() == ["asked the workers to run 1 environment: env-00", "env-00: ok by only"]
    assert asked.returncode == 0
    assert worker_stage.outcomes("env-00") == ["ok", "ok"]


def test_a_pass_of_an_environment_that_the_workers_do_not_know_is_refused(worker_stage: WorkerStage) -> None:
    asked = worker_stage.run("reconcile", "--enqueue", "--environment", "prod-eu")
    assert asked.returncode == 1
    assert "the workers know no environment prod-eu; they know: none" in asked.stderr
