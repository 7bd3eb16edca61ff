"""A manifest has one place, from whichever folder it is read: only from there a rollout can have left Git."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from otactl.cli.load_manifests import covers
from otactl.manifest import read_paths
from otactl.model import Record
from tests.support.manifest_texts import GOOD


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two teams, each with its own folder of rollouts."""
    root = tmp_path / "fleet"
    (root / ".git").mkdir(parents=True)
    for team, name in (("a", "probe"), ("b", "gauge")):
        (root / team / "rollouts").mkdir(parents=True)
        (root / team / "rollouts" / f"{name}.yaml").write_text(GOOD.replace("name: soil", f"name: {name}-soil"))
    return root


def record_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """What a run in a folder remembers of where its rollout stands."""
    monkeypatch.chdir(folder)
    (declared,) = read_paths(["rollouts"]).rollouts
    return Record(environment="e", name="n", source=declared.source.file, manifest_path=declared.source.place)


def covered(record: Record, folder: Path, monkeypatch: pytest.MonkeyPatch, *paths: str) -> bool:
    """Whether a run over paths in a folder may say that the rollout left Git."""
    monkeypatch.chdir(folder)
    return covers(paths, read_paths(paths))(record)


def test_a_rollout_of_another_folder_did_not_leave_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(repository / "a", monkeypatch)

    assert (record.source, record.manifest_path) == ("rollouts/probe.yaml", "a/rollouts/probe.yaml")
    assert not covered(record, repository / "b", monkeypatch, "rollouts")
    assert not covered(record, repository, monkeypatch, "b")


@pytest.mark.parametrize(("folder", "path"), [("a", "rollouts"), (".", "a"), (".", "."), ("b", "../a/rollouts")])
def test_one_whose_file_is_gone_from_a_folder_that_was_read_did(
    repository: Path, monkeypatch: pytest.MonkeyPatch, folder: str, path: str
) -> None:
    record = record_of(repository / "a", monkeypatch)
    (repository / "a" / "rollouts" / "probe.yaml").unlink()

    assert covered(record, repository / folder, monkeypatch, path)
    assert not covered(record, repository, monkeypatch, "b")


def test_another_checkout_of_the_repository_is_the_same_place(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_of(repository / "a", monkeypatch)
    other = shutil.copytree(repository, tmp_path / "runner" / "work")
    (other / "a" / "rollouts" / "probe.yaml").unlink()

    assert covered(record, other / "a", monkeypatch, "rollouts")


def test_without_a_repository_a_folder_of_the_same_name_is_another_place(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".git").rmdir()
    record = record_of(repository / "a", monkeypatch)
    (repository / "a" / "rollouts" / "probe.yaml").unlink()

    assert not covered(record, repository / "b", monkeypatch, "rollouts")
    assert covered(record, repository / "a", monkeypatch, "rollouts")
