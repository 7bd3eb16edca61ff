"""Runs pre-commit with this repository's hooks on a sample repository.

The hooks run as programs of the machine (`language: system`), and once in the environment that pre-commit builds for
them: otactl is installed into it from its sources without a network, and finds its dependencies where the tests have
them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from otactl.cli import cli
from tests.support.first_repository import fill_in
from tests.support.paths import ROOT

PROGRAMS = Path(sys.executable).parent
PERSON = ("-c", "user.name=ada", "-c", "user.email=ada@localhost")


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *PERSON, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that `otactl init` wrote, with a configuration of pre-commit that names both hooks."""
    hooks, sample = tmp_path / "hooks", tmp_path / "sample"
    hooks.mkdir()
    sample.mkdir()
    shutil.copy2(ROOT / ".pre-commit-hooks.yaml", hooks)
    rev = commit(hooks)
    monkeypatch.chdir(sample)
    assert CliRunner().invoke(cli, ["init", "--backend", "fuota"]).exit_code == 0
    fill_in(sample / "rollouts")
    chosen = "".join(
        f"      - {{id: {name}, language: system}}\n" for name in ("otactl-validate", "otactl-plan-offline")
    )
    (sample / ".pre-commit-config.yaml").write_text(f"repos:\n  - repo: {hooks}\n    rev: {rev}\n    hooks:\n{chosen}")
    commit(sample)
    return sample


def pre_commit(sample: Path, path: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": path, "HOME": str(sample.parent), "PRE_COMMIT_HOME": str(sample.parent / "cache"), **more}
    command = [str(PROGRAMS / "pre-commit"), "run", "--all-files", "--color", "never"]
    return subprocess.run(command, cwd=sample, env=env, capture_output=True, text=True, check=False)


def test_sound_manifests_pass_and_their_plan_is_shown_while_an_error_stops_the_commit(sample: Path) -> None:
    programs = os.pathsep.join((str(PROGRAMS), os.environ["PATH"]))
    sound = pre_commit(sample, programs)
    place = sample / "rollouts/probe-1-0-0.yaml"
    place.write_text(place.read_text().replace("dataRate: 3", "dataRate: 99"))
    broken = pre_commit(sample, programs)

    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert [line[-6:] for line in sound.stdout.splitlines() if line.startswith("otactl ")] == ["Passed", "Passed"]
    assert "iotwireless:CreateFuotaTask" in sound.stdout
    assert broken.returncode == 1
    assert "rollouts/probe-1-0-0.yaml:" in broken.stdout
    assert "dataRate" in broken.stdout


@pytest.mark.thorough
def test_both_hooks_run_in_the_environment_that_pre_commit_builds_for_them(sample: Path) -> None:
    sources = sample.parent / "sources"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if not name.startswith(("tests/", "docs/", "bench/")) and (ROOT / name).is_file():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, sources / name)
    rev = commit(sources)
    chosen = "".join(f"      - {{id: {name}}}\n" for name in ("otactl-validate", "otactl-plan-offline"))
    text = f"repos:\n  - repo: {sources}\n    rev: {rev}\n    hooks:\n{chosen}"
    (sample / ".pre-commit-config.yaml").write_text(text)
    commit(sample)
    (dependencies,) = PROGRAMS.parent.glob("lib/python*/site-packages")
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}

    ran = pre_commit(sample, os.environ["PATH"], PYTHONPATH=str(dependencies), **offline)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [line[-6:] for line in ran.stdout.splitlines() if line.startswith("otactl ")] == ["Passed", "Passed"]
    assert "iotwireless:CreateFuotaTask" in ran.stdout
    programs = list((sample.parent / "cache").glob("repo*/py_env-*/bin/otactl"))
    assert len(programs) == 1
