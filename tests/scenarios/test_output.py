"""What leaves the command: safe for a terminal and for a workflow's log, and one line where it cannot be written."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from otactl.cli import main
from otactl.cli.output import SafeStream
from tests.support.paths import ROOT

VERBS = [
    ["validate", "rollouts"],
    ["validate", "-o", "sarif", "rollouts"],
    ["plan", "--offline", "rollouts"],
    ["plan", "--offline", "-o", "json", "rollouts"],
    ["explain", "spec.firmware"],
    ["airtime", "rollouts/soil-probe-2-4-1.yaml"],
    ["init", "fresh", "--backend", "fuota"],
    ["suspend", "rollouts/soil-probe-2-4-1.yaml", "--reason", "a", "--owner", "b"],
    ["--help"],
    ["plan", "--help"],
    ["--version"],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's repository, and the working folder."""
    shutil.copytree(ROOT / "rollouts", tmp_path / "rollouts", ignore=shutil.ignore_patterns("__pycache__", "images"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words: list[str], out: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command with its stdout at a file descriptor; gives what it says on stderr."""
    with monkeypatch.context() as patch, os.fdopen(out, "w") as stdout:
        patch.setattr(sys, "argv", ["otactl", *words])
        patch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_output_to_a_full_disk_ends_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    reported = run(words, os.open("/dev/full", os.O_WRONLY), monkeypatch, capsys)
    last = reported.splitlines()[-1]
    assert last.startswith("otactl: cannot write the output: No space left on device; ")
    assert "Traceback" not in reported


def test_output_to_a_reader_that_left_ends_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    reported = run(["plan", "--offline", "rollouts"], writer, monkeypatch, capsys)
    assert reported.splitlines()[-1].startswith("otactl: cannot write the output: Broken pipe; ")


def test_an_encoding_that_lacks_a_character_shows_its_escape(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder / "rollouts/土.yaml"
    place.write_text("kind: [Rollout\n")
    with monkeypatch.context() as patch, (folder / "out.txt").open("w", encoding="iso-8859-1") as stdout:
        patch.setattr(sys, "argv", ["otactl", "validate", "rollouts"])
        patch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit):
            main()
    assert "rollouts/\\u571f.yaml" in (folder / "out.txt").read_text(encoding="iso-8859-1")
    assert "Traceback" not in capsys.readouterr().err


_AROUND = {"print", "os.write", "sys.__stdout__.write", "sys.stdout.buffer.write"}


def test_an_unbuffered_output_to_a_full_disk_ends_in_one_line_too(folder: Path) -> None:
    command = [sys.executable, "-u", "-m", "otactl.cli", "validate", "rollouts"]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert (ran.returncode, ran.stderr.splitlines()[-1][:31]) == (1, "otactl: cannot write the output")


NAMES = [
    "a\x1b]0;owned\x07\x1b[31mx.yaml",
    "a\n::error file=x::injected\n.yaml",
    "a\u202e\u2028x.yaml",
    "rollouts\u00a0::error file=x::injected.yaml",
    "::error file=x::injected ##[add-mask]x.yaml",
]


@pytest.mark.parametrize("words", [["plan", "--offline"], ["validate"], ["validate", "-o", "github"]], ids=" ".join)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_acts_on_no_terminal_and_gives_no_command_to_a_workflow(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, words: list[str]
) -> None:
    soil = folder / "rollouts/soil-probe-2-4-1.yaml"
    warned = re.sub(r"redundancyPercent: \d+", "redundancyPercent: 0", soil.read_text())
    (folder / "rollouts" / name).write_text(warned)
    soil.unlink()
    monkeypatch.chdir(folder / "rollouts")
    monkeypatch.setattr(sys, "argv", ["otactl", *words, "."])
    with pytest.raises(SystemExit):
        main()
    shown = "".join(capsys.readouterr())
    assert "redundancy_is_zero" in shown
    assert [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")] == []
    assert [line for line in shown.splitlines() if line.strip().startswith("::error file=x::")] == []
    assert [line for line in shown.splitlines() if "##[" in line and not line.startswith("::warning file=")] == []


def test_text_leaves_the_command_by_its_streams_only() -> None:
    for file in sorted((ROOT / "controller").rglob("*.py")):
        calls = (node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
        assert not _AROUND & {ast.unparse(func) for func in calls}, file.name


def test_a_closed_stream_fails_as_closed_so_that_a_log_handler_lets_it_go() -> None:
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()

    with pytest.raises(ValueError, match="closed file"):
        SafeStream(closed).flush()
