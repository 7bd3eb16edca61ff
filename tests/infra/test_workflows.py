"""Checks the workflows and the action by the public schemas, by zizmor, by actionlint and by the project's rules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pulumi.engine import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
PROGRAMS = Path(sys.executable).parent


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(file.read_text())["jobs"])


def steps(file: Path) -> list[dict[str, Any]]:
    if file == ACTION:
        return list(yaml.safe_load(file.read_text())["runs"]["steps"])
    return [s for job in jobs(file).values() for s in job.get("steps", [])]


def test_there_are_the_four_that_a_repository_needs_and_two_that_others_call() -> None:
    names = ["check.yml", "deploy.yml", "otactl-plan.yml", "otactl-reconcile.yml", "plan.yml", "reconcile.yml"]
    assert [f.name for f in FILES] == names


@pytest.mark.parametrize(("schema", "files"), [("github-workflows", FILES), ("github-actions", [ACTION])])
def test_they_are_valid_by_the_public_schemas(schema: str, files: list[Path]) -> None:
    command = [str(PROGRAMS / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}"]

    ran = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_zizmor_finds_nothing() -> None:
    command = [str(PROGRAMS / "zizmor"), "--offline", "--quiet", "--format=plain", "."]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_actionlint_finds_nothing() -> None:
    program = PROGRAMS / "actionlint"
    if not program.exists():
        pytest.skip("actionlint is not built; install Go, then: make .venv/bin/actionlint")

    ran = subprocess.run(
        [str(program), "-shellcheck=", "-pyflakes="], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("file", [*FILES, ACTION], ids=lambda f: f.name)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(file: Path) -> None:
    used = [use for use in re.findall(r"uses: (\S+)(.*)", file.read_text()) if not use[0].startswith("./")]

    assert used or file.name in ("plan.yml", "reconcile.yml")
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+(/[\w-]+)?@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@pytest.mark.parametrize("file", [*FILES, ACTION], ids=lambda f: f.name)
def test_no_secret_is_stored_and_nothing_of_a_pull_request_is_put_into_a_shell(file: Path) -> None:
    assert "secrets." not in file.read_text()
    for step in steps(file):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_a_workflow_grants_nothing_and_a_job_what_it_needs(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["permissions"] == {}
    for job in jobs(file).values():
        assert job["permissions"]["contents"] in ("read", "write")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_a_workflow_that_starts_by_itself_has_a_concurrency_group(file: Path) -> None:
    document = yaml.safe_load(file.read_text())

    called = list(document[True]) == ["workflow_call"]
    assert called or "concurrency" in document or all("concurrency" in job for job in document["jobs"].values())


@pytest.mark.parametrize("name", ["plan", "reconcile"])
def test_our_own_manifests_go_through_what_others_call(name: str) -> None:
    (job,) = jobs(ROOT / f".github/workflows/{name}.yml").values()
    called = yaml.safe_load((ROOT / f".github/workflows/otactl-{name}.yml").read_text())
    inputs = called[True]["workflow_call"]["inputs"]

    assert job["uses"] == f"./.github/workflows/otactl-{name}.yml"
    assert set(job["with"]) <= set(inputs)
    assert {each for each in inputs if inputs[each].get("required")} <= set(job["with"])
    assert all(inputs[each]["description"] and inputs[each]["type"] for each in inputs)
    assert all(each["description"] for each in yaml.safe_load(ACTION.read_text())["inputs"].values())


def test_only_one_reconcile_runs_at_a_time_and_none_is_cut_off() -> None:
    group = yaml.safe_load((ROOT / ".github/workflows/reconcile.yml").read_text())["concurrency"]

    assert group == {"group": "reconcile", "cancel-in-progress": False}
