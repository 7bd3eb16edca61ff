"""Runs the quick start line by line, in an empty folder, against the simulator that it starts itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.documented_commands import shell_blocks
from tests.support.paths import ROOT

PROGRAMS = Path(sys.executable).parent
PORT = re.compile(r"\b8765\b")
SIMULATOR = "otactl simulator --example --port 8765"
# `plan` exits 2 for calls that are next; every other command of the page must exit 0.
SHELL = 'set -E; trap \'code=$?; [ "$code" = 2 ] || { echo "$BASH_COMMAND: exit $code"; exit 1; }\' ERR\n'


def test_the_quick_start_ends_with_a_finished_rollout(tmp_path: Path) -> None:
    installing, starting, *rest = shell_blocks((ROOT / "docs/quickstart.md").read_text())
    assert "pip install" in installing
    assert starting.strip() == SIMULATOR
    person = {f"GIT_{who}_{what}": "ada@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {"PATH": os.pathsep.join((str(PROGRAMS), os.environ["PATH"])), "HOME": str(tmp_path), **person}
    with subprocess.Popen(
        PORT.sub("0", SIMULATOR).split(), env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as simulator:
        try:
            assert simulator.stdout is not None
            (port,) = re.findall(r"simulator at http://127\.0\.0\.1:(\d+);", simulator.stdout.readline())
            script = SHELL + PORT.sub(port, "".join(rest))
            ran = subprocess.run(
                ["bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
            )
        finally:
            simulator.terminate()

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "iotwireless:CreateFuotaTask" in ran.stdout
    shown = ran.stdout.rsplit("ROLLOUT", 1)[1].splitlines()[1].split()
    assert shown[:4] == ["probe-1-0-0", "prod", "1.0.0", "Succeeded"]
