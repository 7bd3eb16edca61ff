"""`otactl init`: what it writes works where it is used, and what is there already stays as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from otactl import __version__
from otactl.cli import cli
from otactl.cli.repository_files import RUNNERS
from otactl.manifest import read_paths
from otactl.schedule.cron import parse
from tests.support.cli_runner import run_of
from tests.support.first_repository import fill_in
from tests.support.paths import ROOT
from tests.support.pulumi.read_settings import read

PROGRAMS = Path(sys.executable).parent
EVERYTHING = (
    *("--backend", "fuota", "--backend", "otaUpdate", "--backend", "tuya"),
    *(word for runner in RUNNERS for word in ("--runner", runner)),
)


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def otactl(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("backend", ["fuota", "otaUpdate", "tuya"])
def test_what_is_written_is_valid_without_a_warning_once_it_is_filled_in(repository: Path, backend: str) -> None:
    ran = otactl("init", "--backend", backend)

    assert ran.exit_code == 0, ran.output
    assert "otactl validate rollouts" in ran.output
    fill_in(repository / "rollouts")
    reading = read_paths(["rollouts"], require_environments=True)
    assert (reading.errors, reading.warnings) == ((), ())
    assert [r.backend_kind for r in reading.rollouts] == [backend]
    assert [e.name for e in reading.environments] == ["prod"]


@pytest.mark.parametrize("backend", ["fuota", "otaUpdate", "tuya"])
@pytest.mark.parametrize("verb", ["validate", "plan"])
def test_a_value_that_was_not_replaced_is_an_error_at_its_line(
    backend: str, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    otactl("init", "--backend", backend, "--owner", "acme", "--account", "123456789012")

    ran = run_of(verb, monkeypatch, capsys)("rollouts")

    assert ran.code == 1
    assert ":12:13: placeholder_not_replaced: spec.firmware.sha256: 0000" in ran.out + ran.err
    assert "Create" not in ran.out


def test_a_second_service_is_written_beside_the_first_and_changes_no_file() -> None:
    otactl("init", "--backend", "fuota", "--owner", "acme")
    before = files(Path())

    ran = otactl("init", "--backend", "tuya")

    assert ran.exit_code == 0, ran.output
    assert "wrote rollouts/plug-1-0-0.yaml" in ran.output
    assert "left alone rollouts/environments/prod.yaml: it is there already" in ran.output
    assert "add to spec in rollouts/environments/prod.yaml:\n  tuya:\n    endpoint: " in ran.output
    after = files(Path())
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"rollouts/plug-1-0-0.yaml"}


def test_another_environment_and_name_are_written_beside_the_first() -> None:
    otactl("init", "--backend", "fuota")
    options = ("--environment", "dev", "--owner", "lab", "--account", "210987654321", "--region", "us-east-1")

    ran = otactl("init", "--backend", "fuota", *options, "--name", "probe-dev")

    assert ran.exit_code == 0, ran.output
    text = Path("rollouts/environments/dev.yaml").read_text()
    written = yaml.safe_load(text)
    assert written["spec"] == {"owner": "lab", "account": "210987654321", "region": "us-east-1"}
    rollout = yaml.safe_load(Path("rollouts/probe-dev.yaml").read_text())
    assert (rollout["metadata"]["name"], rollout["spec"]["environment"]) == ("probe-dev", "dev")


def test_rules_and_dashboard_are_written_on_request_as_they_are(repository: Path) -> None:
    assert otactl("init", "--backend", "fuota").exit_code == 0
    assert not (repository / "monitoring").exists()

    assert otactl("init", "--backend", "fuota", "--monitoring").exit_code == 0

    shipped = ROOT / "controller/otactl/repository/monitoring"
    assert files(repository / "monitoring") == files(shipped)
    assert set(files(shipped)) == {"otactl.rules.yml", "otactl-dashboard.json"}


def test_a_file_that_is_there_stays_and_is_named(repository: Path) -> None:
    (repository / "mine").mkdir()
    (repository / "mine/plug-1-0-0.yaml").write_text("mine")
    (repository / ".gitignore").write_text("mine")

    ran = otactl("init", "mine", "--backend", "tuya")

    assert ran.exit_code == 0
    assert "left alone mine/plug-1-0-0.yaml: it is there already" in ran.output
    assert "left alone .gitignore: it is there already" in ran.output
    assert (repository / "mine/plug-1-0-0.yaml").read_text() == "mine"
    assert (repository / ".gitignore").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (("--name", "Bad"), "metadata.name must be lower-case letters"),
        (("--environment", "../x"), "metadata.name must be lower-case letters"),
        (("--owner", "far-too-long-a-name"), "spec.owner has 19 characters, the limit is 12"),
        (("--account", "1"), "spec.account must be 12 digits"),
        (("--backend", "tuya", "--name", "both"), "--name names one rollout"),
    ],
)
def test_a_value_that_would_not_be_valid_is_refused_before_anything_is_written(
    repository: Path, options: tuple[str, ...], reported: str
) -> None:
    ran = otactl("init", "--backend", "fuota", *options)

    assert ran.exit_code == 1
    assert reported in ran.output
    assert files(repository) == {}


def test_the_files_of_a_repository_lie_in_its_root_from_a_folder_below(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "firmware").mkdir()
    monkeypatch.chdir(repository / "firmware")

    ran = otactl("init", "--backend", "fuota")

    assert ran.exit_code == 0, ran.output
    assert (repository / ".github/workflows/otactl-plan.yml").exists()
    assert 'paths: ["firmware/rollouts/**"]' in (repository / ".github/workflows/otactl-plan.yml").read_text()
    assert (repository / "firmware/rollouts/probe-1-0-0.yaml").exists()
    assert (repository / ".otactl/journal.db").exists()


def test_editors_find_the_schemas_beside_the_manifests(repository: Path) -> None:
    otactl("init", *EVERYTHING)

    named: dict[Path, list[str]] = {}
    for place in (repository / "rollouts").rglob("*.yaml"):
        first, _ = place.read_text().split("\n", 1)
        schema = place.parent / first.removeprefix("# yaml-language-server: $schema=")
        named.setdefault(schema.resolve(), []).append(str(place))
    assert [schema.name for schema in named] == ["rollout.schema.json", "environment.schema.json"]
    for schema, places in named.items():
        words = [str(PROGRAMS / "check-jsonschema"), "--schemafile", str(schema), *places]
        checked = subprocess.run(words, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    settings = json.loads((repository / ".vscode/settings.json").read_text())
    for schema, pattern in settings["yaml.schemas"].items():
        assert (repository / schema).is_file()
        assert list(repository.glob(pattern))


def test_the_workflows_are_sound_by_their_checkers(repository: Path) -> None:
    otactl("init", *EVERYTHING)

    flows = sorted(str(p) for p in (repository / ".github/workflows").glob("*.yml"))
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *flows],
        ["zizmor", "--offline", "--quiet", "--config", str(ROOT / ".github/zizmor.yml"), "."],
        ["actionlint", "-shellcheck=", "-pyflakes=", *flows],
    ):
        if command[0] == "actionlint" and not (PROGRAMS / "actionlint").exists():
            pytest.skip("actionlint is not built; install Go, then: make .venv/bin/actionlint")
        ran = subprocess.run([str(PROGRAMS / command[0]), *command[1:]], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [name for name in flows if "paths: rollouts\n" in Path(name).read_text()] == flows
    assert ["aws-region: ${{ vars.AWS_REGION }}" in Path(name).read_text() for name in flows] == [True, True]
    assert (repository / ".github/actions/otactl/action.yml").read_bytes() == (ROOT / "action.yml").read_bytes()
    assert (repository / ".github/actions/otactl/version.txt").read_text() == f"otactl=={__version__}\n"


def test_a_runner_gets_what_it_needs_and_no_more(repository: Path) -> None:
    otactl("init", "--backend", "fuota", "--runner", "systemd")

    assert not (repository / ".github/workflows/otactl-reconcile.yml").exists()
    assert sorted(p.name for p in (repository / "deploy").iterdir()) == ["otactl.service", "otactl.timer"]


def test_the_sample_of_cron_is_sound(repository: Path) -> None:
    otactl("init", *EVERYTHING)

    (line,) = [line for line in (repository / "deploy/crontab").read_text().splitlines() if line.startswith("*")]
    assert parse(" ".join(line.split()[:5]))
    assert "%" not in line


def test_the_script_for_other_systems_checks_plans_and_reconciles(repository: Path) -> None:
    otactl("init", "--backend", "fuota")
    fill_in(repository / "rollouts")
    env = {"PATH": os.environ["PATH"], "HOME": str(repository), "OTACTL_VENV": str(PROGRAMS.parent)}

    checked = subprocess.run(["ci/otactl.sh", "check"], env=env, capture_output=True, text=True, check=False)
    refused = subprocess.run(["ci/otactl.sh", "reconcile"], env=env, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "CreateFuotaTask" in (repository / "otactl-report/plan.md").read_text()
    assert json.loads((repository / "otactl-report/validate.sarif").read_text())["version"] == "2.1.0"
    assert "<testsuites>" in (repository / "otactl-report/validate.xml").read_text()
    assert json.loads((repository / "otactl-report/plan.sarif").read_text())["version"] == "2.1.0"
    assert "otactl plan" in (repository / "otactl-report/plan.xml").read_text()
    assert refused.returncode == 1
    assert "OTACTL_JOURNAL is empty; set it to the journal" in refused.stderr


def test_the_pulumi_program_comes_with_a_stack_that_its_settings_take(repository: Path) -> None:
    ran = otactl("init", "--backend", "otaUpdate", "--infra", "--owner", "acme", "--account", "123456789012")

    assert ran.exit_code == 0, ran.output
    for place in (ROOT / "infra").glob("*.py"):
        assert (repository / "infra" / place.name).read_bytes() == place.read_bytes()
    assert (repository / "Pulumi.yaml").read_bytes() == (ROOT / "Pulumi.yaml").read_bytes()
    settings = read(yaml.safe_load((repository / "Pulumi.prod.yaml").read_text())["config"], stack="prod")
    assert (settings.owner, settings.account, settings.options.iot_ota) == ("acme", "123456789012", True)
    outputs = {"imageBucket": "acme", "otaServiceRoleArn": "arn:aws:iam::123456789012:role/ota", "journal": "s3://j/x"}
    (repository / "rollouts/environments/prod.outputs.json").write_text(json.dumps(outputs))
    fill_in(repository / "rollouts")
    reading = read_paths(["rollouts"], require_environments=True)
    assert (reading.errors, reading.warnings) == ((), ())
    assert (reading.rollouts[0].backend.role, reading.environments[0].journal) == (
        outputs["otaServiceRoleArn"],
        "s3://j/x",
    )


def test_a_folder_that_cannot_be_created_is_named(repository: Path) -> None:
    (repository / "file").write_text("")

    ran = otactl("init", "file/below", "--backend", "fuota")

    assert ran.exit_code == 1
    assert "cannot write file/below/environments/prod.yaml: Not a directory" in ran.output


def test_the_service_must_be_named() -> None:
    ran = otactl("init")

    assert ran.exit_code == 1
    assert "Missing option '--backend'" in ran.output
