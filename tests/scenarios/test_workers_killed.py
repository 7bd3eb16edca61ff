"""Real workers on a real PostgreSQL drive environments to their ends, whoever of them or what they need dies."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest

from otactl.model import Phase
from otactl.workers.status import enqueue, wait_for_runs
from otactl_simulator.server import SimulatorServer
from tests.support.postgres import PostgresServer
from tests.support.worker_stage import WorkerStage, until

pytestmark = pytest.mark.server
SLOW = {"service": "iotwireless", "operation": "CreateFuotaTask", "effect": "delay", "seconds": 4, "nth": 1}


@pytest.mark.thorough
def test_workers_that_are_killed_cost_ticks_and_nothing_else(worker_stage: WorkerStage) -> None:
    """Two of three workers die while they work; each unit is created once, and jobs of the dead block nothing."""
    worker_stage.fleet(4, 4)
    for name in ("a", "b", "c"):
        worker_stage.start("--concurrency", "2", name=name)
    for number in (0, 1):
        until(lambda: any(worker_stage.created().values()) or worker_stage.over, "units are created")
        worker_stage.workers[number].send_signal(signal.SIGKILL)
        worker_stage.workers[number].wait()
        worker_stage.advance()
    worker_stage.drive()

    assert set(worker_stage.phases().values()) == {Phase.SUCCEEDED}
    assert sorted(worker_stage.created().values()) == [1, 1, 1, 1]
    assert {each.name for each in worker_stage.status().workers} >= {"c"}
    assert all(worker_stage.outcomes(name)[0] in ("ok", "running") for name in ("env-00", "env-01", "env-02", "env-03"))


@pytest.mark.thorough
def test_a_worker_that_is_started_again_under_its_name_goes_on_where_it_was_killed(
    worker_stage: WorkerStage, empty_simulator: SimulatorServer
) -> None:
    """Its run of before is lost, and not under way because a worker of that name lives."""
    worker_stage.fleet(1, 1)
    empty_simulator.world.faults.replace([SLOW])
    killed = worker_stage.start(name="only")
    until(lambda: empty_simulator.world.faults.fired == 1, "a pass is under way")
    killed.kill()
    killed.wait()
    worker_stage.start(name="only")
    until(lambda: "ok" in worker_stage.outcomes("env-00"), "it runs again")
    assert sorted(worker_stage.created().values()) == [1]


@pytest.mark.thorough
def test_a_worker_outlives_its_database(empty_simulator: SimulatorServer, tmp_path: Path) -> None:
    """How the pass ended that ran meanwhile is recorded afterwards."""
    empty_simulator.world.apply_settings({"callsPerSecond": 0})
    with PostgresServer() as server:
        database = server.conninfo(server.create_database())
        with WorkerStage(empty_simulator.url, tmp_path, database) as stage:
            stage.fleet(1, 1)
            empty_simulator.world.faults.replace([{**SLOW, "seconds": 2}])
            worker = stage.start(name="only")
            until(lambda: empty_simulator.world.faults.fired == 1, "a pass is under way")
            server.halt()
            until(lambda: stage.get("/readyz")[0] == 503, "the worker is not ready")
            until(lambda: any("trying again" in str(line) for line in stage.log()), "the pass ended meanwhile")
            assert worker.poll() is None
            server.start()
            until(lambda: stage.get("/readyz")[0] == 200, "the worker is ready again")
            before = enqueue(stage.conninfo, ("env-00",))[1]
            ended = wait_for_runs(stage.conninfo, ("env-00",), before, 60)["env-00"]
            assert ended is not None
            assert ended.outcome == "ok"
            assert stage.outcomes("env-00")[-1] == "ok"


@pytest.mark.thorough
def test_tables_stay_small_and_no_job_of_the_dead_stays(worker_stage: WorkerStage) -> None:
    worker_stage.fleet(1, 1)
    worker_stage.start(name="only")
    until(lambda: len(worker_stage.outcomes("env-00")) >= 4, "passes end")
    with psycopg.connect(worker_stage.conninfo) as connection:
        rows = connection.execute("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status").fetchall()
    assert {status for status, _ in rows} <= {"todo", "doing"}
    assert sum(count for _, count in rows) <= 2
