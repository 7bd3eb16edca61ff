"""One environment has one memory, whatever folder a command is run in; a run makes none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli import cli
from otactl.journal import SqlJournal
from tests.support.examples import ENVIRONMENT, PLUG, edit, examples

DEFAULT = ".otactl/journal.db"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = examples(tmp_path, monkeypatch)
    (root / ".git").mkdir()
    (root / "home").mkdir()
    return root


def run(*words: str, code: int = 0) -> Result:
    ran = CliRunner().invoke(cli, list(words))
    assert ran.exit_code == code, ran.output
    return ran


def wanted(path: Path | str) -> object:
    """The journal that a run over these manifests asks for, and does not find."""
    return json.loads(run("reconcile", str(path), "-o", "json", code=1).stdout)["journal"]


def read(*words: str) -> object:
    """The journal that is read."""
    return json.loads(run("status", "-o", "json", *words).stdout)["journal"]


def declare(root: Path, where: str, file: str = ENVIRONMENT) -> None:
    text = (root / file).read_text()
    (root / file).write_text(text.replace("spec:\n", f"spec:\n  journal: {where}\n", 1))


@pytest.mark.parametrize("folder", [".", "home", "rollouts", "rollouts/environments"])
def test_the_default_journal_is_in_the_repositorys_root_wherever_one_stands(
    repository: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(repository / folder)

    assert wanted(repository / "rollouts") == str(repository / DEFAULT)
    run("journal", "init")
    assert (repository / DEFAULT).exists()
    assert (repository / ".otactl/.gitignore").read_text() == "*\n"
    assert read() == str(repository / DEFAULT)


@pytest.mark.parametrize("words", [("reconcile",), ("reconcile", "-o", "json")])
def test_a_run_over_a_journal_that_is_not_there_is_refused_and_makes_none(
    repository: Path, words: tuple[str, ...]
) -> None:
    ran = run(*words, "rollouts", code=1)

    assert ran.stderr.startswith(f"otactl: JournalMissing: no journal at {DEFAULT}; name the right one with --journal")
    assert ran.stderr.endswith(f"create it: otactl journal init {DEFAULT}\n")
    assert not (repository / ".otactl").exists()


def test_without_a_repository_the_journal_is_looked_for_from_the_manifests_upwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = examples(tmp_path, monkeypatch)
    assert wanted("rollouts") == str(root / DEFAULT)

    run("journal", "init")
    monkeypatch.chdir("/")

    assert read("--manifests", str(root / "rollouts")) == str(root / DEFAULT)
    assert read("--manifests", str(root / PLUG)) == str(root / DEFAULT)


@pytest.mark.parametrize("spelling", ["memory/eu.db", "sqlite:///memory/eu.db"])
def test_an_environment_says_where_its_journal_is(repository: Path, spelling: str) -> None:
    declare(repository, spelling)

    run("journal", "init")

    assert (repository / "memory/eu.db").exists()
    assert not (repository / ".otactl").exists()
    assert read() == str(repository / "memory/eu.db")
    assert "journal memory/eu.db (spec.journal)" in run("drift").stdout


def test_environments_with_journals_of_their_own_are_read_from_them_as_one(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "rollouts/environments/prod-us.yaml"
    shutil.copy(repository / ENVIRONMENT, repository / other)
    edit(other, "name: prod-eu", "name: prod-us")
    declare(repository, "eu.db")
    declare(repository, "us.db", other)
    run("journal", "init", "--environment", "prod-eu")

    lonely = run("status")
    run("journal", "init")
    reported = json.loads(run("status", "-o", "json").stdout)

    assert "JournalMissing: no journal at us.db" in lonely.stderr
    assert reported["journal"] is None
    assert reported["journals"] == {"prod-eu": str(repository / "eu.db"), "prod-us": str(repository / "us.db")}
    refused = run("journal", "export", code=1)
    assert "the environments here have several (eu.db, us.db); name one: --journal URL" in refused.stderr
    assert (
        run("journal", "check", "--environment", "prod-us").stdout
        == "journal us.db is sound: 0 events in hash chains\n"
    )


@pytest.mark.parametrize("where", ["../elsewhere.db", "rollouts/../../x.db", "out/x.db", ".git/x.db"])
def test_a_manifest_chooses_no_journal_outside_its_repository(repository: Path, where: str) -> None:
    (repository / "out").symlink_to("/tmp")  # noqa: S108 - nothing is written there
    declare(repository, where)

    ran = run("validate", "rollouts", code=1)

    assert "journal_outside_repository" in ran.output


def test_the_command_line_goes_before_the_variable_and_that_before_the_manifest(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(repository, "declared.db")
    for name in ("declared.db", "variable.db", "given.db"):
        SqlJournal(Path(name)).close()

    monkeypatch.setenv("OTACTL_JOURNAL", "variable.db")
    assert "journal variable.db (OTACTL_JOURNAL)" in run("status").stdout
    assert "journal given.db (--journal)" in run("status", "--journal", "given.db").stdout
    monkeypatch.setenv("OTACTL_JOURNAL", "")
    assert "OTACTL_JOURNAL is set and empty" in str(run("reconcile", "rollouts", code=1).exception)
    assert "OTACTL_JOURNAL is set and empty" in run("status", code=1).stderr
    run("plan", "rollouts", "--offline", code=2)


def test_a_first_manifest_comes_with_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OTACTL_JOURNAL", raising=False)

    reported = run("init", "--backend", "tuya").stdout
    again = run("journal", "init").stdout

    assert f"created the journal {DEFAULT}" in reported
    with SqlJournal(tmp_path / DEFAULT, create=False) as journal:
        assert again == f"journal {DEFAULT} is there already, and unchanged; its id is {journal.identity().id}\n"
