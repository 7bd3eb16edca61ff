"""What a release consists of: the same bytes from the same sources, a bill of materials, and a look at known flaws."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from otactl import __version__
from tests.support.paths import ROOT
from tests.support.release import bill
from tests.support.release.audit import audit, main

LOCKS = sorted(ROOT.glob("requirements*.lock"))
SOURCES = ("action.yml", "controller", "infra", "LICENSE", "Pulumi.yaml", "pyproject.toml", "README.md", "rollouts")
SOURCES += ("schemas", "simulator", *(path.name for path in LOCKS))
_VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""


def copied(folder: Path, mode: int, second: int) -> Path:
    """Copies the sources with permissions and times of their own."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    for path in folder.rglob("*"):
        path.chmod(0o777 & ~mode if path.is_dir() else 0o666 & ~mode)
        os.utime(path, (second, second))
    return folder


def built(folder: Path, zone: str, umask: int, target: Path) -> dict[str, bytes]:
    """Builds both files as `make dist` does, in an environment of its own."""
    words = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--target", "wheel"]
    environ = {**os.environ, "TZ": zone, "PYTHONHASHSEED": str(umask)}
    environ.pop("SOURCE_DATE_EPOCH", None)
    words += ["--directory", str(target)]
    subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True, umask=umask)
    return {path.name: path.read_bytes() for path in target.iterdir()}


@pytest.mark.thorough
def test_the_same_sources_give_the_same_bytes_in_any_folder_zone_and_umask(tmp_path: Path) -> None:
    first = built(copied(tmp_path / "a", 0o022, 1_700_000_000), "UTC", 0o022, tmp_path / "first")
    other = built(copied(tmp_path / "deeper/b", 0o077, 1_000_000_000), "Asia/Tokyo", 0o077, tmp_path / "other")

    assert sorted(first) == [f"otactl-{__version__}-py3-none-any.whl", f"otactl-{__version__}.tar.gz"]
    assert first == other


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_of_a_lock_is_pinned_with_hashes_and_comes_from_no_named_place(lock: Path) -> None:
    text = lock.read_text()
    packages = re.findall(r"^\S.*(?:\n\s.*)*", text, re.MULTILINE)

    assert len(packages) > 20
    assert [p for p in packages if not re.match(r"[\w.-]+==\S+", p) or "--hash=sha256:" not in p] == []
    assert re.findall(r"\w+://|--\S*(?:index|links|host)\S*", text) == []


def test_the_lock_of_the_tests_has_no_grammar_that_each_import_of_jsonschema_compiles() -> None:
    assert [lock.name for lock in LOCKS if "\nrfc3987-syntax==" in lock.read_text()] == ["requirements-release.lock"]


@pytest.mark.thorough
def test_the_bill_names_each_package_of_its_lock_with_hashes_and_the_files_it_is_for(tmp_path: Path) -> None:
    if not bill.TOOLS.exists():
        pytest.skip(bill.NO_TOOLS)
    (tmp_path / f"otactl-{__version__}-py3-none-any.whl").write_bytes(b"a wheel")

    (path,) = bill.write(tmp_path, ["core"])

    made = json.loads(path.read_bytes())
    words = [str(bill.TOOLS / "python"), "-c", _VALIDATE]
    found = subprocess.run(words, input=path.read_text(), capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("None\n", "")
    assert "serialNumber" not in made  # which differs each time, as a timestamp does
    assert "timestamp" not in made["metadata"]
    pinned = set(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements-core.lock").read_text(), re.MULTILINE))
    assert {(each["name"], each["version"]) for each in made["components"]} == pinned
    assert all(each["externalReferences"][0]["hashes"] for each in made["components"])
    component = made["metadata"]["component"]
    assert (component["name"], component["version"]) == ("otactl", __version__)
    (wheel,) = component["externalReferences"]
    assert wheel["hashes"][0]["content"] == "69f51477f05c46bfa5ff0027a1fcde274695311a38adfb85611ffeb93c8b146b"
    (root,) = (each for each in made["dependencies"] if each["ref"] == bill.ROOT_REF)
    names = {each["bom-ref"]: each["name"] for each in made["components"]}
    assert {"boto3", "click", "msgspec"} <= {names[ref] for ref in root["dependsOn"]}


class _Feed(BaseHTTPRequestHandler):
    """Answers as a vulnerability service: one package has a flaw."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fixed = {"events": [{"introduced": "0"}, {"fixed": "9.9"}], "type": "ECOSYSTEM"}
        flaw = {"id": "GHSA-1", "summary": "bad", "affected": [{"package": asked["package"], "ranges": [fixed]}]}
        body = json.dumps({"vulns": [flaw]} if asked["package"]["name"] == "flawed" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Print nothing."""


@pytest.fixture
def feed() -> Iterator[str]:
    """A vulnerability service on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Feed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()
    thread.join()


def lock_of(folder: Path, *names: str) -> Path:
    path = folder / "some.lock"
    path.write_text("".join(f"{name}==1.0 \\\n    --hash=sha256:{'0' * 64}\n" for name in names))
    return path


@pytest.mark.server
def test_a_known_vulnerability_fails_the_audit_with_what_to_do(feed: str, tmp_path: Path) -> None:
    code, text = audit(lock_of(tmp_path, "flawed", "sound"), feed)

    assert code == 1
    assert text.splitlines() == [
        "flawed 1.0: GHSA-1; fixed in 9.9: run `make lock`",
        "some.lock: 2 packages looked up, 1 with a known vulnerability",
    ]


@pytest.mark.server
def test_a_vulnerability_that_does_not_apply_can_be_named(feed: str, tmp_path: Path) -> None:
    assert main([str(lock_of(tmp_path, "flawed")), "--url", feed, "--ignore", "GHSA-1"]) == 0


def test_an_audit_that_gets_no_answer_fails_nothing_and_says_so_in_one_line(tmp_path: Path) -> None:
    found = audit(lock_of(tmp_path, "flawed"), "http://127.0.0.1:9/v1/query")

    assert found == (0, "some.lock: the vulnerability service gave no answer; nothing was looked up")
