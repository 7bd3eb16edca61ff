"""What workers run is what the newest manifests say, as far as these can be read."""

from __future__ import annotations

import pytest

from otactl.model import Phase
from tests.support.worker_stage import WorkerStage, until

pytestmark = pytest.mark.server


@pytest.mark.thorough
def test_a_change_of_a_manifest_runs_its_environment_at_once_and_an_abort_goes_first(worker_stage: WorkerStage) -> None:
    worker_stage.fleet(2, 2)
    worker_stage.start(every="1h", name="only")
    until(
        lambda: [worker_stage.outcomes(each) for each in ("env-00", "env-01")] == [["ok"], ["ok"]],
        "the first passes end",
    )
    worker_stage.edit("probe-0001", abort={"reason": "wrong build"})
    until(lambda: len(worker_stage.outcomes("env-01")) == 2, "the changed environment runs again")

    assert worker_stage.outcomes("env-00") == ["ok"]
    until(lambda: worker_stage.phases()["probe-0001"] == Phase.ABORTED, "the abort is carried out")


@pytest.mark.thorough
def test_an_abort_is_obeyed_while_another_manifest_of_its_environment_is_wrong(worker_stage: WorkerStage) -> None:
    worker_stage.fleet(1, 2)
    worker_stage.start(every="1h", name="only")
    until(lambda: worker_stage.outcomes("env-00") == ["ok"], "the first pass ends")
    worker_stage.edit("probe-0001", wrong=True)
    until(lambda: len(worker_stage.outcomes("env-00")) == 2, "the environment runs again by its last good manifests")
    worker_stage.edit("probe-0000", abort={"reason": "wrong build"})
    until(lambda: worker_stage.phases()["probe-0000"] == Phase.ABORTED, "the abort is carried out")

    assert worker_stage.phases()["probe-0001"] != Phase.ABORTED
    assert sorted(worker_stage.created().values()) == [1, 1]
