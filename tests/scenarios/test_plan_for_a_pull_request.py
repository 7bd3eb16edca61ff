"""What `plan` shows for a pull request: the touched rollouts first, errors in the comment, and its exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli import cli
from otactl.report.plan_markdown import MARKER
from tests.support.paths import ROOT
from tests.support.report_formats import junit_suite, sarif_run

SOIL = "prod-eu/soil-probe-2-4-1"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the example rollouts on the branch `main`."""
    shutil.copytree(ROOT / "rollouts", tmp_path / "rollouts", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    commit("the start")
    git("checkout", "-q", "-b", "change")
    return tmp_path


def git(*words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


def commit(message: str) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", message)


def plan(*words: str) -> Result:
    return CliRunner().invoke(cli, ["plan", "rollouts", "--offline", *words])


def changed(*words: str) -> dict[str, bool | None]:
    ran = plan("-o", "json", *words)
    return {f"{r['environment']}/{r['name']}": r["changed"] for r in json.loads(ran.stdout)["rollouts"]}


def edit(file: str, before: str, after: str) -> None:
    text = Path(file).read_text()
    assert before in text
    Path(file).write_text(text.replace(before, after))


def test_a_rollout_is_touched_by_its_manifest_committed_or_not(repository: Path) -> None:
    edit("rollouts/soil-probe-2-4-1.yaml", "minSuccessPercent: 90", "minSuccessPercent: 80")

    before = changed("--changed-since", "main")
    commit("a lower gate")
    after = changed("--changed-since", "main")

    assert before == after
    assert [name for name, touched in after.items() if touched] == [SOIL]


def test_a_change_of_an_environment_touches_every_rollout_in_it(repository: Path) -> None:
    with Path("rollouts/environments/prod-eu.yaml").open("a") as file:
        file.write("# changed\n")

    assert set(changed("--changed-since", "main").values()) == {True}


def test_a_device_list_touches_the_rollout_that_names_it(repository: Path) -> None:
    soil = Path("rollouts/leak-sensor-1-3-0.json")
    manifest = json.loads(soil.read_text())
    manifest["spec"]["strategy"]["waves"][0]["targets"] = {"wirelessDevices": {"csv": "leak.csv"}}
    soil.write_text(json.dumps(manifest))
    Path("rollouts/leak.csv").write_text("id\nd1a5f0c0-0000-4000-8000-000000000001\n")
    commit("a list")
    git("branch", "-f", "listed")
    Path("rollouts/leak.csv").write_text("id\nd1a5f0c0-0000-4000-8000-000000000002\n")

    touched = changed("--changed-since", "listed")

    assert [name for name, is_touched in touched.items() if is_touched] == ["prod-eu/leak-sensor-1-3-0"]


def test_without_a_revision_nothing_is_said_to_have_changed(repository: Path) -> None:
    assert set(changed().values()) == {None}


def test_the_comment_has_details_of_touched_rollouts_and_lines_of_others(repository: Path) -> None:
    edit("rollouts/soil-probe-2-4-1.yaml", "minSuccessPercent: 90", "minSuccessPercent: 80")

    ran = plan("-o", "markdown", "--changed-since", "main", "--whole", "whole.md", "--exit-code", "0")

    assert ran.exit_code == 0
    assert ran.stdout.startswith(MARKER)
    assert ran.stdout.count("#### ") == 1
    assert f"#### `{SOIL}`: will start" in ran.stdout
    assert "| `prod-eu/gateway-3-2-0` | will start" in ran.stdout
    assert "The whole plan is in whole.md." in ran.stdout
    assert Path("whole.md").read_text().count("#### ") == 4


@pytest.mark.parametrize(
    ("revision", "said"), [("nowhere", "fetch the revision and its history"), ("--output=x", "names no revision")]
)
def test_a_revision_that_git_does_not_have_is_one_error_in_the_comment_too(
    repository: Path, revision: str, said: str
) -> None:
    ran = plan("-o", "markdown", f"--changed-since={revision}")

    assert ran.exit_code == 1
    assert said in str(ran.exception)
    assert ran.stdout.startswith(MARKER)
    assert "**Error:**" in ran.stdout
    assert not Path("x").exists()


def test_outside_a_repository_there_is_nothing_to_compare_with(repository: Path) -> None:
    shutil.rmtree(".git")

    ran = plan("--changed-since", "main")

    assert (ran.exit_code, "needs manifests in a Git repository" in str(ran.exception)) == (1, True)


def test_a_manifest_with_an_error_is_in_the_comment_and_fails_the_check(repository: Path) -> None:
    edit("rollouts/soil-probe-2-4-1.yaml", "redundancyPercent", "redundancyPercentage")
    Path("rollouts/broken.yaml").write_text("kind: [Rollout\n")

    ran = plan("-o", "markdown", "--exit-code", "0")

    assert ran.exit_code == 1
    assert f"#### `{SOIL}`: cannot be planned: ManifestInvalid" in ran.stdout
    assert "- **Error:** rollouts/broken.yaml" in ran.stdout
    assert "`prod-eu/gateway-3-2-0`: will start" in ran.stdout


def test_errors_are_in_the_reports_for_machines_with_their_lines(repository: Path) -> None:
    edit("rollouts/soil-probe-2-4-1.yaml", "redundancyPercent", "redundancyPercentage")
    Path("rollouts/broken.yaml").write_text("kind: [Rollout\n")
    Path("rollouts/environments/prod-eu.yaml").rename("elsewhere.yaml")

    ran = plan("--sarif", "plan.sarif", "--junit", "plan.xml", "--exit-code", "0")

    assert ran.exit_code == 1
    results = sarif_run(Path("plan.sarif").read_text())["results"]
    places = [r["locations"][0]["physicalLocation"] for r in results]
    found = {p["artifactLocation"]["uri"]: p["region"]["startLine"] for p in places}
    assert found["rollouts/broken.yaml"] == 2
    gateway = Path("rollouts/gateway-3-2-0.yaml")
    assert "name: gateway-3-2-0" in gateway.read_text().splitlines()[found[str(gateway)] - 1]
    failed = {case.name for case in junit_suite(Path("plan.xml").read_text()) if case.result}
    assert {SOIL, "prod-eu/gateway-3-2-0", "rollouts/broken.yaml"} <= failed


@pytest.mark.parametrize("form", ["sarif", "junit"])
def test_a_plan_that_failed_is_printed_in_the_forms_for_machines_too(repository: Path, form: str) -> None:
    ran = plan("-o", form, "--changed-since", "nowhere", f"--{form}", "beside")

    assert ran.exit_code == 1
    assert "nowhere" in ran.stdout
    assert Path("beside").read_text() == ran.stdout
    check = {"sarif": sarif_run, "junit": junit_suite}[form]
    assert check(ran.stdout)
