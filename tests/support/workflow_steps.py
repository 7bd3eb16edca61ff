"""Runs the `run:` steps of workflows and actions as a runner does, with stand-ins for programs that it has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import yaml

from tests.support.paths import ROOT

SHELLS = {
    "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail"),
    "python": (sys.executable,),
}
"""How a runner calls a shell: workflow syntax of GitHub Actions, `jobs.<job_id>.steps[*].shell`."""

GH = """\
import json, os, pathlib, sys
place = pathlib.Path(os.environ["STAND_IN"])
words = sys.argv[1:]
text = sys.stdin.read() if "--input" in words else ""
with (place / "gh.log").open("a") as log:
    log.write(json.dumps({"words": words, "input": text}) + "\\n")
if "--paginate" in words:
    assert "--slurp" in words
    print((place / "comments.json").read_text())
"""
"""A `gh` that records its calls, and serves the pages of comments that a test has put beside it."""


class Step(NamedTuple):
    """One step of a workflow or an action that runs a script."""

    file: str
    name: str
    shell: str
    script: str
    env: frozenset[str]


class Ran(NamedTuple):
    """What a step did: its exit code, what it printed, its outputs, the summary of the run as it left it."""

    code: int
    printed: str
    outputs: dict[str, str]
    summary: str


def script_steps(file: Path) -> list[Step]:
    """Read the steps with a script of a workflow or an action; a step's environment includes its job's."""
    document = cast("dict[str, object]", yaml.safe_load(file.read_text()))
    groups: list[dict[str, object]] = []
    if "jobs" in document:
        groups = list(cast("dict[str, dict[str, object]]", document["jobs"]).values())
    else:
        groups = [cast("dict[str, object]", document["runs"])]
    found = []
    for group in groups:
        for step in cast("list[dict[str, object]]", group.get("steps", [])):
            if "run" in step:
                env = [*cast("dict[str, str]", step.get("env", {})), *cast("dict[str, str]", group.get("env", {}))]
                text = str(step["run"])
                name = str(step.get("name", text.splitlines()[0]))
                shell = str(step.get("shell", "bash"))
                found.append(Step(str(file.relative_to(ROOT)), name, shell, text, frozenset(env)))
    return found


def every_script_step() -> list[Step]:
    """Read the steps with a script of all workflows and of the action of this repository."""
    files = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "action.yml"]
    return [step for file in files for step in script_steps(file)]


class Runner:
    """A folder with a workspace, stand-ins for programs, and the files that a runner gives to its steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self.programs = folder / "programs"
        for each in (self.workspace, self.programs, folder / "home"):
            each.mkdir()
        self.program("gh", f"#!{sys.executable}\n{GH}")
        self.comments([])

    def program(self, name: str, text: str) -> None:
        """Put a program before those of the machine."""
        place = self.programs / name
        place.write_text(text)
        place.chmod(0o755)

    def comments(self, *pages: list[dict[str, object]]) -> None:
        """Let `gh` serve these pages of comments."""
        (self.folder / "comments.json").write_text(json.dumps(pages))

    def calls(self) -> list[dict[str, object]]:
        """Return what `gh` was called with."""
        log = self.folder / "gh.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def run(self, step: Step, env: Mapping[str, str]) -> Ran:
        """Run a step with exactly the variables it declares."""
        assert set(env) == step.env, f"{step.name} declares {sorted(step.env)}"
        output, summary = self.folder / "output", self.folder / "summary.md"
        output.write_text("")
        summary.touch()
        script = self.folder / ("step.py" if step.shell == "python" else "step.sh")
        script.write_text(step.script)
        path = os.pathsep.join((str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]))
        given = {
            "PATH": path,
            "HOME": str(self.folder / "home"),
            "STAND_IN": str(self.folder),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            **env,
        }
        command = [*SHELLS[step.shell], str(script)]
        ran = subprocess.run(command, cwd=self.workspace, env=given, capture_output=True, text=True, check=False)
        reported = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return Ran(ran.returncode, ran.stdout + ran.stderr, reported, summary.read_text())
