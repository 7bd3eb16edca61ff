"""`otactl report`: the page as a file, and served on loopback."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from otactl.cli.commands import report
from otactl.cli.page_server import CachedPage, serving, until_stopped
from otactl.errors import UsageError
from tests.support.cli_runner import Run, run_of
from tests.support.fleet_sample import fleet
from tests.support.page_journal import write_journal


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `otactl report` in a folder that has a journal of a fleet and nothing else."""
    write_journal(tmp_path / ".otactl/journal.db", fleet(40))
    monkeypatch.chdir(tmp_path)
    return run_of("report", monkeypatch, capsys)


def test_the_page_is_written_from_the_journal_alone(run: Run, tmp_path: Path) -> None:
    found = run("--html fleet.html --title Acme")

    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("fleet.html is written: 7 rollouts, 37 devices, ")
    html = (tmp_path / "fleet.html").read_text()
    assert "<title>Acme</title>" in html
    assert "soil-probe-2-4-1" in html
    assert (tmp_path / "fleet.html").stat().st_mode & 0o777 == 0o644
    assert sorted(p.name for p in tmp_path.iterdir()) == [".otactl", "fleet.html"]


def test_a_page_that_is_written_again_keeps_its_mode_and_is_never_half(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "fleet.html"
    place.write_text("old")
    place.chmod(0o640)
    with place.open() as reading:
        run("--html fleet.html")

        assert reading.read() == "old"  # who reads meanwhile has the whole page of before
    assert place.stat().st_mode & 0o777 == 0o640


def test_manifests_add_labels_windows_and_devices(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "rollouts"
    (folder / "environments").mkdir(parents=True)
    environment = """apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec: {owner: acme, account: "123456789012", region: eu-west-1}
"""
    (folder / "environments/prod-eu.yaml").write_text(environment)
    manifest = f"""apiVersion: otactl.dev/v1
kind: Rollout
metadata: {{name: soil-probe-2-4-1, labels: {{team: soil}}}}
spec:
  environment: prod-eu
  firmware:
    version: "2.4.1"
    image: s3://acme-firmware/soil/sha256/{"ab" * 32}/x.bin
    sha256: {"ab" * 32}
    sizeBytes: 8960
  fuota: {{rfRegion: EU868, role: "arn:aws:iam::123456789012:role/fuota", redundancyPercent: 20}}
  strategy:
    waves:
      - name: canary
        targets: {{wirelessDevices: [{{id: 0f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01, labels: {{site: bergen}}}}]}}
"""
    (folder / "soil.yaml").write_text(manifest)

    found = run("--html fleet.html --manifests rollouts")

    assert (found.code, found.err) == (0, "")
    html = (tmp_path / "fleet.html").read_text()
    assert "team=soil" in html
    assert '["site=bergen"]' in html


def test_a_picture_is_shown_as_an_image(run: Run, tmp_path: Path) -> None:
    (tmp_path / "radio.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')

    run("--html fleet.html --picture radio.svg")

    html = (tmp_path / "fleet.html").read_text()
    assert '<img src="data:image/svg+xml;base64,' in html
    assert "alert(1)" not in html


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "name the file to write with --html FILE, or add --serve"),
        ("--html a.html --port 80", "--port is for --serve; add --serve, or omit --port"),
        ("--html missing/a.html", "the page cannot be written to missing/a.html: No such file or directory"),
        ("--html a.html --picture nothing.svg", "--picture nothing.svg cannot be read: No such file or directory"),
        ("--html a.html --picture .otactl/journal.db", "--picture .otactl/journal.db cannot be read: it is not UTF-8"),
        ("--html a.html --environment other", "holds no environment other; it holds prod-eu"),
        ("--html a.html --journal none.db", "JournalMissing"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_what_to_do(run: Run, words: str, message: str) -> None:
    found = run(words)

    assert (found.code, found.out) == (1, "")
    assert message in found.err
    assert found.err.count("\n") == 1


def test_without_jinja2_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)

    found = run("--html fleet.html")

    assert found.code == 1
    assert "pip install 'otactl[report]'" in found.err


def get(address: str, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    port = int(address.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, dict(answer.getheaders())


@pytest.mark.server
def test_only_the_page_is_served_and_only_to_loopback() -> None:
    with serving(CachedPage(lambda: ("<p>fleet</p>", "default-src 'none'"), lambda: 1), 0) as address:
        port = address.rstrip("/").rpartition(":")[2]
        status, body, headers = get(address)

        assert (status, body) == (200, b"<p>fleet</p>")
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert get(address, method="HEAD")[:2] == (200, b"")
        assert get(address, If_None_Match=headers["ETag"])[:2] == (304, b"")
        assert get(address, Host=f"localhost:{port}")[0] == 200
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}", ""):
            assert get(address, Host=host)[0] == 421, host
        assert get(address, path="/.otactl/journal.db")[0] == 404
        assert get(address, method="POST")[0] == 501


@pytest.mark.server
def test_the_page_is_built_again_when_what_it_is_from_changes_and_not_before() -> None:
    built: list[int] = []
    stamp = [1]

    def build() -> tuple[str, str]:
        built.append(stamp[0])
        if stamp[0] == 2:
            raise UsageError("the journal is \x1b[2J damaged")
        return f"page {stamp[0]}", ""

    with serving(CachedPage(build, lambda: stamp[0]), 0) as address:
        assert [get(address)[1] for _ in range(2)] == [b"page 1", b"page 1"]
        stamp[0] = 2
        assert get(address)[:2] == (503, b"the journal is \\x1b[2J damaged\n")
        stamp[0] = 3
        assert get(address)[1] == b"page 3"
    assert built == [1, 2, 3]


def test_a_commit_to_the_journal_changes_its_stamp(run: Run, tmp_path: Path) -> None:
    del run
    request = report.PageRequest(title="t", journal=str(tmp_path / ".otactl/journal.db"), environment=None)
    before = report.stamp_of(request)

    assert report.stamp_of(request) == before
    more = msgspec.structs.replace(fleet(4), environments={"prod-us": None}, rollouts=())
    write_journal(tmp_path / ".otactl/journal.db", more)
    assert report.stamp_of(request) != before


def test_a_port_that_is_taken_is_one_error() -> None:
    with serving(CachedPage(lambda: ("", ""), lambda: 1), 0) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        with (
            pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"),
            serving(CachedPage(lambda: ("", ""), lambda: 1), port),
        ):
            pass


@pytest.mark.server
def test_serving_ends_cleanly_with_sigterm(run: Run, tmp_path: Path) -> None:
    del run
    words = [sys.executable, "-m", "otactl.cli", "report", "--serve"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]

    assert b"soil-probe-2-4-1" in get(address)[1]
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_the_wait_and_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with until_stopped() as stopped:
        signal.raise_signal(number)
        assert stopped.is_set()

    assert signal.getsignal(number) is before
