"""The revision of a folder changes with its files, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from otactl.workers.sources import SourceError
from otactl.workers.sources.folder import FolderSource


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "rollouts/lists").mkdir(parents=True)
    (tmp_path / "environments").mkdir()
    (tmp_path / "rollouts/a.yaml").write_text("1")
    return tmp_path


@pytest.mark.parametrize("name", ["rollouts/a.yaml", "rollouts/lists/plugs.csv", "environments/prod.yaml"])
def test_a_file_that_manifests_are_made_of_changes_the_revision(fleet: Path, name: str) -> None:
    source = FolderSource(fleet, ("rollouts",))
    before = source.fetch()
    (fleet / name).write_text("another")
    assert source.fetch().revision != before.revision


def test_the_journal_and_the_repository_do_not_change_it(fleet: Path) -> None:
    source = FolderSource(fleet, (".",))
    before = source.fetch()
    for name in (".otactl/journal.db", ".git/index"):
        (fleet / name).parent.mkdir(exist_ok=True)
        (fleet / name).write_text("another")
    assert source.fetch() == before


def test_a_path_that_is_missing_is_an_error(fleet: Path) -> None:
    with pytest.raises(SourceError, match="rolouts is missing"):
        FolderSource(fleet, ("rolouts",)).fetch()
