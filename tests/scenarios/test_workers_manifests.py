"""What workers run is what the newest manifests say, as far as these can be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from otactl.journal import open_journal
from otactl.model import Phase
from tests.support.postgres import HOST, SUPER_USER, PostgresServer
from tests.support.worker_stage import REGIONS, WorkerStage, bucket_of, until

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


@pytest.fixture
def shared_journal(
    worker_stage: WorkerStage, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A journal in PostgreSQL that every environment of the stage names by its service."""
    name = postgres_server.create_database()
    services = tmp_path / "services.conf"
    described = f"[journal]\nhost={HOST}\nport={postgres_server.port}\nuser={SUPER_USER}\nsslmode=disable\n"
    services.write_text(described)
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    worker_stage.env["PGSERVICEFILE"] = str(services)
    worker_stage.journal = f"postgresql:///{name}?service=journal"
    open_journal(worker_stage.journal).close()
    yield worker_stage.journal
    postgres_server.drop_database(name)


@pytest.mark.thorough
def test_an_abort_in_a_commit_with_an_error_is_obeyed_by_a_worker_that_reads_git(
    worker_stage: WorkerStage, shared_journal: str
) -> None:
    """The journal of the environment is in PostgreSQL, where its events name the commit that the abort came with."""
    worker_stage.fleet(1, 2)
    good = worker_stage.commit()
    worker_stage.start("--source", f"git+file://{worker_stage.folder}@main", every="1h", name="only")
    until(lambda: worker_stage.outcomes("env-00") == ["ok"], "the first pass ends")
    worker_stage.edit("probe-0001", wrong=True)
    worker_stage.edit("probe-0000", abort={"reason": "wrong build"})
    newest = worker_stage.commit()
    until(lambda: worker_stage.phases()["probe-0000"] == Phase.ABORTED, "the abort is carried out")

    assert worker_stage.phases()["probe-0001"] != Phase.ABORTED
    assert sorted(worker_stage.created().values()) == [1, 1]
    (source,) = worker_stage.status().sources
    assert (source.revision, source.good_revision) == (newest, good)
    assert "probe-0001.json" in str(source.problem)
    with contextlib.closing(open_journal(shared_journal)) as journal:
        commits = {event.commit for event in journal.history("env-00", "probe-0000")}
    assert commits == {good, newest}


@pytest.mark.thorough
def test_a_worker_that_reads_a_bucket_runs_what_is_put_there(worker_stage: WorkerStage, shared_journal: str) -> None:
    worker_stage.fleet(1, 1)
    bucket = bucket_of(REGIONS[0])
    worker_stage.upload(bucket, "fleet")
    worker_stage.start("--source", f"s3://{bucket}/fleet", every="1h", name="only")
    until(lambda: worker_stage.outcomes("env-00") == ["ok"], "the first pass ends")
    worker_stage.edit("probe-0000", abort={"reason": "wrong build"})
    worker_stage.upload(bucket, "fleet")
    until(lambda: worker_stage.phases()["probe-0000"] == Phase.ABORTED, "the abort is carried out")

    assert len({run.revision for run in worker_stage.runs("env-00")}) == 2
    assert shared_journal.startswith("postgresql:")
