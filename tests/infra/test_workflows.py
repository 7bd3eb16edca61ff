"""The workflows: valid by the public schema, every action pinned by commit, no secret stored, roles by OIDC."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command

from otactl.cli import VERBS
from tests.support.pulumi.engine import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps(file: Path) -> list[dict[str, Any]]:
    return [s for job in yaml.safe_load(file.read_text())["jobs"].values() for s in job["steps"]]


def test_there_are_the_four_that_a_repository_needs() -> None:
    assert [f.name for f in FILES] == ["check.yml", "deploy.yml", "plan.yml", "reconcile.yml"]


def test_they_are_valid_by_the_public_workflow_schema() -> None:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]

    ran = subprocess.run([*command, *map(str, FILES)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())

    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_no_secret_is_stored_and_nothing_of_a_pull_request_is_put_into_a_shell(file: Path) -> None:
    text = file.read_text()

    assert "secrets." not in text
    assert yaml.safe_load(text)["permissions"]["contents"] == "read"
    for step in steps(file):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_otactl_command_of_a_workflow_is_one_otactl_has(file: Path) -> None:
    for words in re.findall(r"\.venv/bin/otactl ([^\n>|]+)", file.read_text()):
        verb, *rest = words.split()
        assert verb in VERBS
        module = __import__(f"otactl.cli.commands.{verb}", fromlist=["command"])
        command: Command = module.command
        known = {name for p in command.params for name in p.opts}
        assert {w for w in rest if w.startswith("-")} <= known


def test_only_one_reconcile_runs_at_a_time_and_none_is_cut_off() -> None:
    group = yaml.safe_load((ROOT / ".github/workflows/reconcile.yml").read_text())["concurrency"]

    assert group == {"group": "reconcile", "cancel-in-progress": False}
