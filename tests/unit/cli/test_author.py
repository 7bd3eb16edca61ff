"""Who acts and by which commit: options first, then the CI's variables and Git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from otactl.cli.author import author_of
from otactl.cli.commands.reconcile import command
from otactl.model import Author

VARIABLES = ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "GITHUB_SHA", "CI_COMMIT_SHA")


def git(folder: Path, *words: str) -> str:
    ran = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "firmware"
    (folder / "rollouts").mkdir(parents=True)
    (folder / "rollouts" / "a.yaml").write_text("a: 1\n")
    git(folder.parent, "init", "-q", "firmware")
    git(folder, "config", "user.email", "ada@example.com")
    git(folder, "config", "user.name", "Ada")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_git_says_who_and_which_commit(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert author_of(None, None, [str(repository / "rollouts")]) == Author(actor="ada@example.com", commit=head)


@pytest.mark.parametrize("changed", ["rollouts/a.yaml", "rollouts/new.yaml"])
def test_a_manifest_that_differs_from_the_commit_is_dirty(repository: Path, changed: str) -> None:
    (repository / changed).write_text("a: 2\n")
    assert author_of(None, None, [str(repository / "rollouts")]).commit.endswith("-dirty")


def test_a_change_beside_the_manifests_is_not(repository: Path) -> None:
    (repository / "notes.txt").write_text("todo\n")
    assert not author_of(None, None, [str(repository / "rollouts")]).commit.endswith("-dirty")


def test_a_job_of_github_or_gitlab_names_who_started_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "merger")
    assert author_of(None, None, [str(repository)]).actor == "merger"
    monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "starter")
    assert author_of(None, None, [str(repository)]).actor == "starter"


def test_a_variable_names_the_commit_where_there_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_COMMIT_SHA", "c" * 40)
    assert author_of(None, None, [str(tmp_path)]) == Author(commit="c" * 40)


def test_options_come_first(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "merger")
    assert author_of("bob", "1234567", [str(repository)]) == Author(actor="bob", commit="1234567")


def test_what_is_not_known_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "not a commit")
    assert author_of(None, None, [str(tmp_path)]) == Author()


def test_a_variable_is_bounded_and_printable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "a\x1b[31m" + "b" * 500)
    actor = author_of(None, None, [str(tmp_path)]).actor
    assert (actor.isprintable(), len(actor), actor[:5]) == (True, 128, "a[31m")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--actor", "a\x1bb", "is not 1 to 128 printable characters"),
        ("--actor", "", "is not 1 to 128 printable characters"),
        ("--actor", "a" * 129, "is not 1 to 128 printable characters"),
        ("--commit", "main", "is no commit"),
    ],
)
def test_an_option_that_names_no_one_and_no_commit_is_refused(option: str, value: str, message: str) -> None:
    refused = CliRunner().invoke(command, [option, value])
    assert (refused.exit_code, message in " ".join(refused.output.split())) == (2, True), refused.output
