"""A user's folder with the example manifests, and the command run in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli import cli
from otactl.manifest import read_paths
from otactl.model import Rollout
from tests.support.paths import ROOT

SOIL, LEAK, PLUG = "rollouts/soil-probe-2-4-1.yaml", "rollouts/leak-sensor-1-3-0.json", "rollouts/smart-plug-2-4-1.yaml"
ENVIRONMENT = "rollouts/environments/prod-eu.yaml"


def examples(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the example manifests and work there."""
    shutil.copytree(ROOT / "rollouts", place / "rollouts", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(place)
    monkeypatch.delenv("OTACTL_JOURNAL", raising=False)
    return place


def otactl(*words: str, code: int = 0) -> Result:
    """Run the command in this process; anything but the exit code meant is a failure."""
    ran = CliRunner().invoke(cli, list(words))
    assert ran.exit_code == code, ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran


def rollout(file: str) -> Rollout:
    """What a manifest declares."""
    reading = read_paths([file], require_environments=True)
    assert not reading.errors
    return reading.rollouts[0]


def edit(file: str, old: str, new: str) -> None:
    """Change what stands in a file exactly once."""
    text = Path(file).read_bytes()
    assert text.count(old.encode()) == 1
    Path(file).write_bytes(text.replace(old.encode(), new.encode()))
