"""What a user can get wrong ends in one clear message and exit code 1: never a traceback, never a half-done run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from otactl.journal import SqlJournal
from tests.support.fuota_stage import FuotaStage
from tests.support.paths import ROOT

PLACE = "rollouts/environments/prod-eu.yaml"


def otactl(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OTACTL_"))}
    around = {**plain, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-m", "otactl.cli", *words]
    return subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's repository, with a few things gone wrong in it."""
    shutil.copytree(ROOT / "rollouts", tmp_path / "rollouts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("not a journal")
    SqlJournal(tmp_path / "made.db").close()
    (tmp_path / "utf16.yaml").write_bytes("kind: Rollout".encode("utf-16"))
    (tmp_path / "broken.yaml").write_text("kind: [Rollout\n")
    lonely = (tmp_path / "rollouts/soil-probe-2-4-1.yaml").read_text().replace("prod-eu", "prod-nowhere")
    (tmp_path / "lonely.yaml").write_text(lonely)
    return tmp_path


CASES: list[tuple[list[str], str]] = [
    ([], "drive rollouts to their declared state"),
    (["--frobnicate"], "No such option '--frobnicate'"),
    (["deploy"], "No such command 'deploy'"),
    (["validate"], "Missing argument"),
    (["validate", "nope.yaml"], "nope.yaml:1:1: path_not_found: there is no nope.yaml"),
    (["validate", "empty"], "empty:1:1: nothing_to_read"),
    (["validate", "utf16.yaml"], "utf16.yaml:1:1: not_utf8"),
    (["plan", "broken.yaml"], "broken.yaml:2:1: "),
    (["plan", "lonely.yaml"], "environment_not_found: no Environment manifest is named prod-nowhere"),
    (["plan", "rollouts", "-o", "xml"], "'xml' is not one of 'text', 'json', 'markdown'"),
    (["plan", "rollouts"], "no usable AWS credentials; set a profile"),
    (["reconcile", "rollouts", "--journal", "made.db"], "no usable AWS credentials; set a profile"),
    (["reconcile"], "name at least one manifest file or folder"),
    (
        ["reconcile", "rollouts", "--environment", "prod-us"],
        "no environment prod-us in these paths; there are: prod-eu",
    ),
    (["journal", "init", "/proc/nowhere/j.db"], "cannot reach journal /proc/nowhere/j.db"),
    (["reconcile", "rollouts", "--journal", "text.db"], "text.db is not a journal"),
    (["status", "--journal", "rollouts"], "journal rollouts is a folder; name a file in it"),
    (["status", "--journal", "mysql://user:secret@db/x"], "is not a journal URL this version knows"),
    (["reconcile", "rollouts"], "JournalMissing: no journal at .otactl/journal.db; name the right one with --journal"),
    (["status", "unknown"], "no journal at .otactl/journal.db; name the right one with --journal, OTACTL_JOURNAL"),
    (["history", "unknown"], "create it: otactl journal init .otactl/journal.db"),
    (["drift", "unknown"], "no journal at .otactl/journal.db; name the right one with --journal, OTACTL_JOURNAL"),
    (["drift", "--journal", ""], "--journal is empty; name a journal"),
    (["explain", "spec.nothing"], "there is no field and no code 'spec.nothing'"),
    (["simulator", "--port", "99999"], "99999 is not in the range"),
    (
        ["image", "push", "nope.bin", "--environment", "prod-eu", "--product", "p", "--version", "1"],
        "cannot read nope.bin: No such file",
    ),
]


@pytest.mark.parametrize(("words", "reported"), CASES, ids=[" ".join(w) or "nothing" for w, _ in CASES])
def test_a_mistake_is_reported_in_words_and_exits_1(folder: Path, words: list[str], reported: str) -> None:
    ran = otactl(folder, *words)

    assert ran.returncode == 1
    assert reported in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "secret" not in ran.stdout + ran.stderr


def test_a_port_in_use_is_reported(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        ran = otactl(folder, "simulator", "--port", port)

    assert ran.returncode == 1
    assert port in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_endpoint_that_no_one_serves_is_named_without_a_traceback(folder: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}

    ran = otactl(folder, "reconcile", "rollouts", "--journal", "made.db", AWS_ENDPOINT_URL="http://127.0.0.1:1", **keys)

    assert ran.returncode == 1
    assert "EndpointConnectionError at 127.0.0.1:1" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr


def test_a_profile_that_is_not_there_is_named(folder: Path) -> None:
    ran = otactl(folder, "plan", "rollouts", AWS_PROFILE="nowhere", AWS_CONFIG_FILE=os.devnull)

    assert ran.returncode == 1
    assert "the profile nowhere is not there; set AWS_PROFILE" in ran.stdout


def test_credentials_of_another_account_write_nothing(folder: Path, fuota_stage: FuotaStage) -> None:
    place = folder / PLACE
    place.write_text(place.read_text().replace("123456789012", "210987654321"))
    outputs = folder / "rollouts/environments/prod-eu.outputs.json"
    outputs.write_text(outputs.read_text().replace("123456789012", "210987654321"))
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": fuota_stage.server.url}

    ran = otactl(folder, "reconcile", "rollouts", "--journal", "made.db", "-o", "json", **keys)

    assert ran.returncode == 1
    answer = json.loads(ran.stdout)
    assert answer["writes"] == 0
    assert "of account 123456789012, environment prod-eu is 210987654321; use the right role" in ran.stdout


def test_the_version_is_reported_without_loading_the_sdk_or_the_validator(folder: Path) -> None:
    probe = "import sys; from otactl.cli import main; sys.argv = ['otactl', '--version']\ntry:\n    main()\n"
    probe += "finally:\n    print(sorted({'boto3', 'botocore', 'jsonschema', 'moto', 'yaml'} & set(sys.modules)))"

    ran = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0
    assert ran.stdout.splitlines()[0].startswith("otactl ")
    assert ran.stdout.splitlines()[1] == "[]"
