"""A commit is fetched by git itself, whatever the repository brings along, and unpacked as plain files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from otactl.workers.sources import Source, SourceError, open_source
from otactl.workers.sources.git import GitSource, _last_line

AUTHOR = {
    "GIT_AUTHOR_NAME": "ada",
    "GIT_AUTHOR_EMAIL": "ada@acme.example",
    "GIT_COMMITTER_NAME": "ada",
    "GIT_COMMITTER_EMAIL": "ada@acme.example",
}


def git(repository: Path, *words: str) -> str:
    ran = subprocess.run(
        ["git", *words], cwd=repository, env={**os.environ, **AUTHOR}, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def commit(repository: Path, **files: str) -> str:
    for name, text in files.items():
        place = repository / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "change")
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    found = tmp_path / "fleet"
    found.mkdir()
    git(found, "init", "-q", "-b", "main", ".")
    return found


def source(repository: Path, tmp_path: Path, ref: str = "@main") -> Source:
    return open_source(f"git+file://{repository}{ref}", ("rollouts",), tmp_path / "cache")


def test_the_files_of_the_commit_that_a_branch_names_are_unpacked(repository: Path, tmp_path: Path) -> None:
    first = commit(repository, rollouts__a="1")
    fetched = source(repository, tmp_path)
    before = fetched.fetch()
    second = commit(repository, rollouts__a="2")
    after = fetched.fetch()

    assert (before.revision, before.commit, after.revision) == (first, first, second)
    assert [(each.root / "rollouts/a").read_text() for each in (before, after)] == ["1", "2"]


def test_without_a_ref_it_is_the_default_branch(repository: Path, tmp_path: Path) -> None:
    newest = commit(repository, rollouts__a="1")
    assert source(repository, tmp_path, "").fetch().commit == newest


def test_an_earlier_commit_can_be_had_again_by_a_fresh_worker(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "uploadpack.allowReachableSHA1InWant", "true")
    first = commit(repository, rollouts__a="1")
    commit(repository, rollouts__a="2")
    fetched = source(repository, tmp_path)
    fetched.fetch()
    again = fetched.at(first)

    assert again is not None
    assert (again.root / "rollouts/a").read_text() == "1"
    assert fetched.at("0" * 40) is None
    assert fetched.at("main") is None


def test_snapshots_of_other_commits_are_removed(repository: Path, tmp_path: Path) -> None:
    commit(repository, rollouts__a="1")
    fetched = source(repository, tmp_path)
    before = fetched.fetch()
    commit(repository, rollouts__a="2")
    after = fetched.fetch()
    fetched.keep((after.revision,))

    assert (before.root.exists(), after.root.exists()) == (False, True)
    assert fetched.fetch() == after


def test_links_are_left_out_so_that_no_manifest_leads_out_of_its_snapshot(repository: Path, tmp_path: Path) -> None:
    (repository / "rollouts").mkdir()
    (repository / "rollouts/secret").symlink_to("/etc/passwd")
    (repository / "rollouts/up").symlink_to("../..")
    commit(repository, rollouts__a="1")

    assert [each.name for each in (source(repository, tmp_path).fetch().root / "rollouts").iterdir()] == ["a"]


def test_no_hook_of_the_machine_or_the_repository_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks, ran = tmp_path / "hooks", tmp_path / "ran"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    commit(repository, rollouts__a="1")
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[core]\n\thooksPath = {hooks}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    source(repository, tmp_path).fetch()

    assert not ran.exists()


def test_another_protocol_than_the_address_names_is_refused(repository: Path, tmp_path: Path) -> None:
    commit(repository, rollouts__a="1")
    with pytest.raises(SourceError, match="not allowed"):
        GitSource(f"file://{repository}", "https", "main", tmp_path / "cache").fetch()


@pytest.mark.parametrize("ref", ["@nowhere", "@refs/heads/gone"])
def test_a_ref_that_is_not_there_is_an_error_with_what_git_says(repository: Path, tmp_path: Path, ref: str) -> None:
    commit(repository, rollouts__a="1")
    with pytest.raises(SourceError, match="git fetch failed: fatal: couldn't find remote ref"):
        source(repository, tmp_path, ref).fetch()


def test_a_fetch_that_takes_too_long_is_ended(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    with pytest.raises(SourceError, match="took longer than"):
        GitSource(f"file://{repository}", "file", "main", tmp_path / "cache", seconds=0.1).fetch()


def test_a_user_and_a_password_in_what_git_says_are_left_out() -> None:
    said = b"fatal: unable to access 'https://ada:secret@git.example/fleet.git/': no"
    assert _last_line(said) == "fatal: unable to access 'https://git.example/fleet.git/': no"
