"""The journal in PostgreSQL behind the whole command line: rollouts to their end, and every verb that reads one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict

from otactl.cli import cli
from otactl.journal import open_journal
from otactl.journal.maintenance import check
from otactl.model import Phase, WaveRecord
from otactl.model.record import Home
from otactl.ports import Commit
from tests.support.audit_service import AuditService, event
from tests.support.demo_stage import set_stage
from tests.support.fleet_sample import fleet
from tests.support.fuota_stage import FuotaStage
from tests.support.http_receiver import receiving
from tests.support.page_journal import write_journal
from tests.support.promtool import promtool
from tests.support.report_values import attempt, entry, record
from tests.support.signing import key_files

NOTICES = """\
  notices:
    - {name: ops, webhook: {url: URL, secret: OTACTL_NOTICE_SECRET}}
"""


def otactl(*words: str, code: int = 0) -> Result:
    ran = CliRunner().invoke(cli, list(words))
    assert ran.exit_code == code, ran.output
    return ran


@pytest.fixture
def place(postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database as a manifest names it: by a service that the operator describes."""
    known = {key: str(value) for key, value in conninfo_to_dict(postgres_database).items()}
    described = "".join(f"{key}={value}\n" for key, value in known.items() if key != "dbname")
    (tmp_path / "services.conf").write_text(f"[journal]\n{described}", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services.conf"))
    return f"postgresql:///{known['dbname']}?service=journal"


def test_a_rollout_is_driven_to_its_end_by_runs_that_know_the_address_alone(
    fuota_stage: FuotaStage, place: str
) -> None:
    for _ in range(6):
        with open_journal(place) as opened:
            fuota_stage.run(journal=opened)
        fuota_stage.advance(3600)

    with open_journal(place, must_exist=True) as opened:
        assert opened.load("prod-eu", "probe").record.phase is Phase.SUCCEEDED
        assert check(opened, datetime.now(UTC), timedelta(days=9)) == ()
    assert len(fuota_stage.made()) == 2
    assert not (fuota_stage.folder / "journal.db").exists()


@pytest.mark.server
def test_runs_notices_metrics_evidence_and_the_page_go_by_a_manifest_that_names_a_service(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with set_stage(tmp_path, monkeypatch) as (_, demo), receiving() as server:
        monkeypatch.setenv("OTACTL_NOTICE_SECRET", "s3cret-of-the-test")
        monkeypatch.setenv("OTACTL_ALLOWED_HOSTS", server.url.removeprefix("http://"))
        manifest = tmp_path / "rollouts/environments/prod-eu.yaml"
        manifest.write_text(f"{manifest.read_text()}  journal: {place}\n{NOTICES.replace('URL', server.url)}")

        missing = otactl("reconcile", "rollouts", code=1)
        otactl("journal", "init")
        for _ in range(6):
            ran = otactl("reconcile", "rollouts", "--metrics", "otactl.prom")
            demo.fleet({})
            demo.pass_time(3600)
        quiet = otactl("reconcile", "rollouts", "-o", "json")
        kinds = {json.loads(came.body)["type"].removeprefix("dev.otactl.") for came in server.requests}

    assert "JournalMissing" in missing.output
    assert f"journal {place} (spec.journal)" in ran.output
    assert json.loads(quiet.stdout)["writes"] == 0
    assert json.loads(quiet.stdout)["journal"] == place
    assert "rollout.succeeded" in kinds
    assert "Succeeded" in otactl("status", "soil-probe-2-4-1").output
    assert "AllWavesPassed" in otactl("history", "soil-probe-2-4-1").output
    promtool("check", "metrics", given=(tmp_path / "otactl.prom").read_text())
    assert re.search(r"^otactl_journal_size_bytes\S* [1-9]", (tmp_path / "otactl.prom").read_text(), re.MULTILINE)
    otactl("report", "--html", "fleet.html")
    assert "soil-probe-2-4-1" in (tmp_path / "fleet.html").read_text()
    keys = key_files(tmp_path)
    otactl("evidence", "soil-probe-2-4-1", "--key", str(keys.private_file), "--file", "evidence.json")
    otactl("evidence", "verify", "evidence.json", "--key", str(keys.public_file))
    otactl("journal", "check")
    otactl("journal", "release", "prod-eu")


@pytest.fixture
def both(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The journal of a fleet in a file, and its copy in PostgreSQL."""
    write_journal(tmp_path / "journal.db", fleet(40))
    monkeypatch.chdir(tmp_path)
    otactl("journal", "copy", "journal.db", place)
    return "journal.db", place


def test_every_verb_that_reads_reports_the_same_from_a_copy_in_postgresql(both: tuple[str, str]) -> None:
    def of(url: str, *words: str) -> str:
        ran = CliRunner().invoke(cli, [*words, "--journal", url])
        assert (ran.exit_code in (0, 2), ran.stderr) == (True, "")
        return ran.stdout.replace(str(Path(both[0]).absolute()), "PLACE").replace(url, "PLACE")

    for words in (
        ("status",),
        ("status", "-o", "json"),
        ("status", "soil-probe-2-4-1"),
        ("history", "soil-probe-2-4-1", "-o", "json"),
        ("drift", "-o", "json"),
    ):
        here, there = (of(url, *words) for url in both)
        assert (here, here != "") == (there, True), words


@pytest.mark.server
def test_who_made_a_drift_is_looked_up_for_a_journal_in_postgresql(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drifted, home = entry("redundancyPercent"), Home(account="123456789012", region="eu-west-1", owner="acme")
    found = record(WaveRecord(name="canary", attempts=(attempt(vendor_id="b2e1f0aa"),)), home=home, drift=(drifted,))
    with open_journal(place) as opened:
        opened.commit((Commit(record=found, expected_revision=0),), 0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    written = event(drifted.first_seen - timedelta(minutes=4), "UpdateFuotaTask", "b2e1f0aa", "oncall/ada")
    with AuditService(written) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", service.url)
        ran = otactl("drift", "--who", "--journal", place, code=2)

    assert "oncall/ada (UpdateFuotaTask, 2026-03-01T09:56:00Z)" in ran.stdout.replace("\n", " ")


def test_the_page_is_the_same_from_a_copy_in_postgresql(both: tuple[str, str]) -> None:
    pages = []
    for number, url in enumerate(both):
        otactl("report", "--html", f"{number}.html", "--journal", url)
        text = Path(f"{number}.html").read_text()
        pages.append(re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "TIME", text.replace(url, "PLACE")))
    assert len(pages[0]) == len(pages[1])
    assert "soil-probe-2-4-1" in pages[1]


def test_a_manifest_that_names_a_host_or_a_password_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener stands where the manifest points: it never gets a connection."""
    with receiving() as server, set_stage(tmp_path, monkeypatch):
        host = server.url.removeprefix("http://")
        monkeypatch.setenv("PGPASSWORD", "s3cret-of-the-test")
        manifest = tmp_path / "rollouts/environments/prod-eu.yaml"
        text = manifest.read_text()
        for address, code, reported in (
            (f"postgresql://{host}/otactl", 0, f"spec.journal: {host} is not in OTACTL_ALLOWED_HOSTS"),
            (f"postgresql:///otactl?host={host}", 0, "spec.journal chooses host"),
            ("postgresql://a:hunter2@/otactl", 1, "journal_address_invalid"),
        ):
            manifest.write_text(f"{text}  journal: {address}\n")
            assert CliRunner().invoke(cli, ["validate", "rollouts"]).exit_code == code
            for verb in ("plan", "reconcile"):
                ran = otactl(verb, "rollouts", code=1)
                shown = f"{ran.output}{ran.exception}"  # what the process prints of an error before its first line
                assert reported in shown
                assert "hunter2" not in shown
        assert server.requests == []
