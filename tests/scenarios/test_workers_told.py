"""What a worker tells of itself, and how it is asked."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

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
