"""Runs every `otactl` command that the documents show, in their order, against the simulator."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from otactl.cli import cli
from otactl.cli.commands.demo import Demo
from otactl.errors import UsageError
from tests.support.demo_stage import set_stage
from tests.support.documented_commands import COMMANDS_IN_ORDER
from tests.support.paths import ROOT

# Commands that may exit 2: `plan` and `drift` for something to see, `airtime` for a missed target or window,
# `rehearse` for a rollout that does not succeed.
MAY_SAY_2 = ("plan", "drift", "airtime", "rehearse")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    with set_stage(tmp_path, monkeypatch) as (_, demo):
        in_a_pull_request(tmp_path)
        yield demo


def in_a_pull_request(folder: Path) -> None:
    """A rollout that is not merged yet, whose fleet asks for an approval; a manifest as it was in Git before.

    What is merged is the branch `origin/main`.
    """
    git = ["git", "-C", str(folder), "-c", "user.name=ada", "-c", "user.email=ada@localhost"]
    merge = (["init", "--quiet"], ["add", "rollouts"], ["commit", "--quiet", "--message", "Merge"])
    for words in (*merge, ["update-ref", "refs/remotes/origin/main", "HEAD"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    text = (folder / "rollouts/soil-probe-2-4-1.yaml").read_text().replace("soil-probe-2-4-1", "soil-probe-2-5-0", 1)
    asking = "      - name: fleet\n        requires: {approval: firmware-owners}\n"
    (folder / "next").mkdir()
    (folder / "next/soil-probe-2-5-0.yaml").write_text(text.replace("      - name: fleet\n", asking))
    (folder / "next/environments").symlink_to(folder / "rollouts/environments")
    before = (folder / "rollouts/smart-plug-2-4-1.yaml").read_text().replace("2.4.1", "2.4.0")
    (folder / "smart-plug-2-4-0.yaml").write_text(before.replace("0088c981", "1188c981"))


def test_every_otactl_command_of_the_documents_runs_as_shown(stage: Demo) -> None:
    ran = 0
    for document, command in COMMANDS_IN_ORDER:
        words = shlex.split(command)
        if words[0] != "otactl":
            continue
        result = CliRunner().invoke(cli, words[1:])
        allowed = (0, 2) if words[1] in MAY_SAY_2 else (0,)
        assert result.exit_code in allowed, f"{document}: {command}: {result.output}"
        ran += 1

    assert ran > 6


def test_the_manifest_in_the_readme_is_valid(stage: Demo, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    text = readme.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "rollouts" / "readme.yaml").write_text(text.replace("soil-probe-2-4-1}", "readme}"))

    result = CliRunner().invoke(cli, ["validate", "rollouts/readme.yaml"])

    assert result.exit_code == 0, result.output


def test_the_plan_in_the_readme_is_the_plan_of_its_manifest(stage: Demo, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample/readme.yaml").write_text(readme.split("```yaml\n")[1].split("```")[0])
    (tmp_path / "sample/environments").symlink_to(tmp_path / "rollouts/environments")
    shown = readme.split("$ otactl plan rollouts/\n")[1].split("\n```")[0]

    printed = iter(_timeless(CliRunner().invoke(cli, ["plan", "sample"]).output).splitlines())

    for line in _timeless(shown).splitlines():
        if line.strip() != "…":  # lines are left out here
            start = line.removesuffix("…")
            assert any(each == line or (start != line and each.startswith(start)) for each in printed), line


def _timeless(text: str) -> str:
    """A plan without the times and the digest that differ from run to run."""
    return re.sub(r"plan [0-9a-f]{12}", "plan", re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\dZ| UTC)", "T", text))


def test_a_failing_demo_says_at_which_step_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Demo):
        def _play(self) -> None:
            self.script.step("push the images")
            raise IndexError("list index out of range")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "demo")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "demo")
    with pytest.raises(UsageError, match=r"step 1 \(push the images\): IndexError: list index out of range"):
        Broken("http://127.0.0.1:9", tmp_path).run()
