"""`otactl init`: what it writes is valid, told and never over somebody's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from otactl.cli import cli
from otactl.manifest import read_paths


@pytest.mark.parametrize("backend", ["fuota", "otaUpdate", "tuya"])
def test_what_is_written_is_valid_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = CliRunner().invoke(cli, ["init", "--backend", backend])

    assert ran.exit_code == 0, ran.output
    assert "otactl validate rollouts" in ran.output
    reading = read_paths(["rollouts"], require_environments=True)
    assert (reading.errors, reading.warnings) == ((), ())
    assert [r.backend_kind for r in reading.rollouts] == [backend]
    assert [e.name for e in reading.environments] == ["prod"]


def test_a_file_that_is_there_stays_and_nothing_is_written_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/plug-1-0-0.yaml").write_text("mine")

    ran = CliRunner().invoke(cli, ["init", "mine", "--backend", "tuya"])

    assert ran.exit_code == 1
    assert "mine/plug-1-0-0.yaml is there already; nothing was written" in ran.output
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["plug-1-0-0.yaml"]
    assert (tmp_path / "mine/plug-1-0-0.yaml").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")

    ran = CliRunner().invoke(cli, ["init", "file/below", "--backend", "fuota"])

    assert ran.exit_code == 1
    assert "cannot write file/below/environments/prod.yaml: Not a directory" in ran.output


def test_the_service_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    ran = CliRunner().invoke(cli, ["init"])

    assert ran.exit_code == 1
    assert "Missing option '--backend'" in ran.output
