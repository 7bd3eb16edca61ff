"""`reconcile --metrics` and the Pushgateway: written however the run ends, and never a reason that a run fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from otactl.journal import SqlJournal
from tests.support.cli_runner import Run, run_of
from tests.support.examples import PLUG, edit, examples
from tests.support.http_receiver import Behaviour, receiving
from tests.support.promtool import promtool

FILE = "otactl.prom"
ENVIRONMENT = {"environment": "prod-eu"}
pytestmark = pytest.mark.server


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example manifests without credentials: each run fails at the first question to a service."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    made = examples(tmp_path, monkeypatch)
    SqlJournal(tmp_path / "journal.db").close()
    return made


@pytest.fixture
def reconcile(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    run = run_of("reconcile", monkeypatch, capsys)
    return lambda words: run(f"{words} --journal journal.db" if "--journal" not in words else words)


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_a_run_that_fails_at_its_service_leaves_complete_metrics(root: Path, reconcile: Run) -> None:
    ran = reconcile(f"rollouts --metrics {FILE}")

    text = (root / FILE).read_text()
    found = samples(text)
    assert ran.code == 1
    assert found["otactl_run_success"] == [(ENVIRONMENT, 0)]
    assert found["otactl_run_exit_code"] == [(ENVIRONMENT, 1)]
    assert found["otactl_run_error"] == [({**ENVIRONMENT, "reason": "NoCredentials"}, 1)]
    assert ({**ENVIRONMENT, "phase": "Stalled"}, 4) in found["otactl_rollouts"]
    assert found["otactl_journal_size_bytes"][0][1] > 4096
    assert found["otactl_run_call_budget"] == [(ENVIRONMENT, 20000)]
    assert "otactl_run_last_success_timestamp_seconds" not in found
    assert promtool("check", "metrics", given=text) == ""


@pytest.mark.parametrize(
    ("words", "labels", "reason"),
    [
        ("rollouts --journal missing.db", ENVIRONMENT, "RunFailed"),
        ("nowhere", {"environment": ""}, "ManifestInvalid"),
        ("rollouts --environment other", {"environment": ""}, "RunFailed"),
    ],
)
def test_a_run_that_could_do_nothing_leaves_its_mark_and_keeps_the_last_success(
    root: Path, reconcile: Run, words: str, labels: dict[str, str], reason: str
) -> None:
    kept = 'otactl_run_last_success_timestamp_seconds{environment="prod-eu"} 1.5e+09\n'
    (root / FILE).write_text(f'{kept}otactl_rollouts{{environment="prod-eu",phase="Failed"}} 7.0\n')

    ran = reconcile(f"{words} --metrics {FILE}")

    found = samples((root / FILE).read_text())
    assert ran.code == 1
    assert found["otactl_run_success"] == [(labels, 0)]
    assert [label["reason"] for label, _ in found["otactl_run_error"]] == [reason]
    assert found["otactl_run_last_success_timestamp_seconds"] == [(ENVIRONMENT, 1.5e9)]
    assert "otactl_rollouts" not in found


def test_a_manifest_with_an_error_is_an_error_of_the_environment_it_names(root: Path, reconcile: Run) -> None:
    edit(root / PLUG, "sizeBytes:", "sizeBites:")

    reconcile(f"rollouts --metrics {FILE}")

    reasons = {labels["reason"] for labels, _ in samples((root / FILE).read_text())["otactl_run_error"]}
    assert {"ManifestInvalid", "NoCredentials"} & reasons


def test_a_file_that_cannot_be_written_is_one_line_and_exit_code_1(reconcile: Run) -> None:
    ran = reconcile(f"rollouts --metrics nowhere/{FILE}")

    assert ran.code == 1
    assert f"otactl: cannot write the metrics to nowhere/{FILE}: No such file or directory; correct" in ran.err
    assert "Traceback" not in ran.err


def test_a_gateway_gets_the_metrics_in_the_group_of_the_environment(
    reconcile: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as gateway:
        monkeypatch.setenv("OTACTL_PUSHGATEWAY", gateway.url.replace("://", "://ada:s3cret@"))
        ran = reconcile("rollouts")
        reconcile("rollouts --journal missing.db")

    first, second = gateway.requests
    assert (first.method, first.path) == ("PUT", "/metrics/job/otactl/environment/prod-eu")
    assert first.headers["Authorization"] == "Basic YWRhOnMzY3JldA=="
    assert samples(first.body.decode())["otactl_run_success"] == [(ENVIRONMENT, 0)]
    assert second.method == "POST"  # what it does not know stays at the gateway
    assert "s3cret" not in ran.out + ran.err


@pytest.mark.parametrize("behaviour", [500, 302, "lose", "hang"])
def test_a_gateway_that_fails_changes_no_exit_code_and_is_reported(
    reconcile: Run, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    monkeypatch.setattr("otactl.cli.push_gateway.PUSH_SECONDS", 0.2)
    without = reconcile("rollouts").code
    with receiving(lambda _: behaviour) as gateway:
        ran = reconcile(f"rollouts --push-gateway {gateway.url.replace('://', '://ada:s3cret@')}")

    where = gateway.url.removeprefix("http://")
    assert ran.code == without
    assert f"otactl: metrics of environment prod-eu were not pushed to {where}: " in ran.err
    assert "the run is not affected" in ran.err
    assert "s3cret" not in ran.err


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://host:port"])
def test_a_gateway_that_is_no_address_is_reported(reconcile: Run, url: str) -> None:
    ran = reconcile(f"rollouts --push-gateway {url}")

    assert "otactl: metrics were not pushed: the Pushgateway's URL must be http://HOST:9091" in ran.err
