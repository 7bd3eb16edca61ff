"""One broken manifest on the real command line: the others go on, nothing is taken for removed, the run exits 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from otactl.cli import cli
from otactl.manifest.schema import failures
from tests.support.demo_stage import set_stage


def run(*words: str) -> tuple[int, dict[str, Any], str]:
    ran = CliRunner().invoke(cli, [*words, "-o", "json"])
    found = json.loads(ran.stdout) if ran.stdout else {}
    assert [str(f) for f in failures(words[0], found)] == [] if found else True
    return ran.exit_code, found, ran.stderr


def phases() -> dict[str, str]:
    return {r["name"]: r["phase"] for r in run("status")[1]["rollouts"]}


def test_one_broken_manifest_stops_only_what_it_may_be_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with set_stage(tmp_path, monkeypatch) as (_, demo):
        assert run("reconcile", "rollouts")[0] == 0
        demo.pass_time(3600)
        place = tmp_path / "rollouts" / "soil-probe-2-4-1.yaml"
        sound = place.read_text()
        place.write_text(sound.replace("sizeBytes:", "sizeBites:"))

        code, planned, reported = run("plan", "rollouts")
        assert (code, "sizeBites" in reported) == (1, True)
        assert {r["name"] for r in planned["rollouts"] if r["error"]} == {"soil-probe-2-4-1"}

        code, done, reported = run("reconcile", "rollouts")
        assert (code, "the others continued" in reported) == (1, True)
        assert any(r["actions"] for r in done["rollouts"])
        (wrong,) = [r for r in done["rollouts"] if r["error"]]
        assert (wrong["name"], wrong["phase"]) == ("soil-probe-2-4-1", "Stalled")
        assert [e["reason"] for e in done["errors"]] == ["ManifestInvalid"]
        assert phases()["soil-probe-2-4-1"] == "Stalled"

        place.write_text("kind: [Rollout\n")
        assert run("reconcile", "rollouts", "--strict") == (1, {}, "")  # its error is raised, and reported by `main`
        assert run("reconcile", "rollouts")[0] == 1
        assert "Orphaned" not in phases().values()

        place.write_text(sound)
        assert run("reconcile", "rollouts")[0] == 0
        assert phases()["soil-probe-2-4-1"] == "Progressing"
