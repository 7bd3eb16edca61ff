"""Real workers on a real PostgreSQL drive environments to their ends, whoever of them dies, hangs or stops."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from otactl.model import Phase
from otactl.workers.status import enqueue, wait_for_runs
from otactl_simulator.server import SimulatorServer
from tests.support.postgres import PostgresServer
from tests.support.worker_stage import WorkerStage, until

pytestmark = pytest.mark.server


@pytest.fixture
def stage(empty_simulator: SimulatorServer, postgres_database: str, tmp_path: Path) -> Iterator[WorkerStage]:
    empty_simulator.world.apply_settings({"callsPerSecond": 0})
    with WorkerStage(empty_simulator.url, tmp_path, postgres_database) as found:
        yield found


def outcomes(stage: WorkerStage, environment: str) -> list[str]:
    """What the runs of an environment came to, the newest first."""
    found = [each for each in stage.status().environments if each.name == environment]
    return [run.outcome for run in found[0].runs] if found else []


@pytest.mark.thorough
def test_workers_that_are_killed_cost_ticks_and_nothing_else(stage: WorkerStage) -> None:
    """Two of three workers die while they work; each unit is created once, and jobs of the dead block nothing."""
    stage.fleet(4, 4)
    for name in ("a", "b", "c"):
        stage.start("--concurrency", "2", name=name)
    for number in (0, 1):
        until(lambda: any(stage.created().values()) or stage.over, "units are created")
        stage.workers[number].send_signal(signal.SIGKILL)
        stage.workers[number].wait()
        stage.advance()
    stage.drive()

    assert set(stage.phases().values()) == {Phase.SUCCEEDED}
    assert sorted(stage.created().values()) == [1, 1, 1, 1]
    assert {each.name for each in stage.status().workers} >= {"c"}
    assert all(outcomes(stage, name)[0] in ("ok", "running") for name in ("env-00", "env-01", "env-02", "env-03"))


def test_a_stopped_worker_hands_its_passes_over_and_releases_its_leases(
    stage: WorkerStage, empty_simulator: SimulatorServer
) -> None:
    stage.fleet(1, 1)
    slow = {"service": "iotwireless", "operation": "CreateFuotaTask", "effect": "delay", "seconds": 4, "nth": 1}
    empty_simulator.world.faults.replace([slow])
    stopped = stage.start("--grace", "1s", every="1h", name="stopped")
    until(lambda: outcomes(stage, "env-00") == ["running"], "a pass runs")
    until(lambda: empty_simulator.world.faults.fired == 1, "its create is on the wire")
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(30) == 0
    assert outcomes(stage, "env-00") == ["stopped"]
    assert [each.name for each in stage.status().workers] == []

    stage.start(every="1h", name="next")
    until(lambda: outcomes(stage, "env-00")[:2] == ["ok", "stopped"], "another worker goes on at once")
    assert sorted(stage.created().values()) == [1]


@pytest.mark.thorough
def test_a_pass_that_hangs_is_ended_and_delays_no_other_environment(
    stage: WorkerStage, empty_simulator: SimulatorServer
) -> None:
    stage.fleet(2, 2)
    rule = {"service": "iotwireless", "operation": "ListFuotaTasks", "effect": "delay", "seconds": 30, "nth": 1}
    empty_simulator.world.faults.replace([rule])
    stage.start("--concurrency", "2", "--pass-timeout", "15s", name="only")
    homes = ("env-00", "env-01")
    until(lambda: any("hung" in outcomes(stage, home) for home in homes), "the pass is ended")
    stuck = next(home for home in homes if "hung" in outcomes(stage, home))
    other = next(home for home in homes if home != stuck)
    assert "ok" in outcomes(stage, other)

    until(lambda: "ok" in outcomes(stage, stuck), "a later tick continues it")
    log = [line for line in stage.log() if line.get("outcome") == "hung"]
    assert log[0]["environment"] == stuck
    assert "longer than 15 s" in log[0]["problem"]


def test_a_worker_tells_health_readiness_and_metrics_on_one_port(stage: WorkerStage) -> None:
    stage.fleet(1, 1)
    stage.start(name="only")
    until(lambda: "ok" in outcomes(stage, "env-00"), "a pass ends")
    until(lambda: stage.get("/readyz")[0] == 200, "the worker is ready")
    assert stage.get("/healthz")[0] == 200

    families = {family.name: family for family in text_string_to_metric_families(stage.get("/metrics")[1])}
    passes = {s.labels["outcome"]: s.value for s in families["otactl_worker_passes"].samples if "outcome" in s.labels}
    assert passes["ok"] >= 1
    assert [s.labels for s in families["otactl_run_success"].samples] == [{"environment": "env-00"}]


@pytest.mark.thorough
def test_a_worker_outlives_its_database(empty_simulator: SimulatorServer, tmp_path: Path) -> None:
    empty_simulator.world.apply_settings({"callsPerSecond": 0})
    with PostgresServer() as server:
        database = server.conninfo(server.create_database())
        with WorkerStage(empty_simulator.url, tmp_path, database) as stage:
            stage.fleet(1, 1)
            worker = stage.start(name="only")
            until(lambda: "ok" in outcomes(stage, "env-00"), "a pass ends")
            server.halt()
            until(lambda: stage.get("/readyz")[0] == 503, "the worker is not ready")
            assert worker.poll() is None
            server.start()
            until(lambda: stage.get("/readyz")[0] == 200, "the worker is ready again")
            before = enqueue(stage.conninfo, ("env-00",))[1]
            ended = wait_for_runs(stage.conninfo, ("env-00",), before, 60)["env-00"]
            assert ended is not None
            assert ended.outcome == "ok"


@pytest.mark.thorough
def test_a_change_of_a_manifest_runs_its_environment_at_once_and_an_abort_goes_first(stage: WorkerStage) -> None:
    stage.fleet(2, 2)
    stage.start(every="1h", name="only")
    until(lambda: [outcomes(stage, each) for each in ("env-00", "env-01")] == [["ok"], ["ok"]], "the first passes end")
    place = stage.folder / "rollouts/probe-0001.json"
    document = json.loads(place.read_text())
    document["spec"]["abort"] = {"reason": "wrong build"}
    place.write_text(json.dumps(document))
    until(lambda: len(outcomes(stage, "env-01")) == 2, "the changed environment runs again")

    assert outcomes(stage, "env-00") == ["ok"]
    until(lambda: stage.phases()["probe-0001"] in (Phase.ABORTED, Phase.PROGRESSING), "the abort is carried out")


@pytest.mark.thorough
def test_tables_stay_small_and_no_job_of_the_dead_stays(stage: WorkerStage) -> None:
    stage.fleet(1, 1)
    stage.start(name="only")
    until(lambda: len(outcomes(stage, "env-00")) >= 4, "passes end")
    with psycopg.connect(stage.conninfo) as connection:
        rows = connection.execute("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status").fetchall()
    assert {status for status, _ in rows} <= {"todo", "doing"}
    assert sum(count for _, count in rows) <= 2
