"""Runs the real Pulumi CLI on the program: a project folder, a home with the two plugins, state in a folder of its own.

1. It is `pulumi` from PATH in the pinned minor version, else what `make engine` built; only then it may be missing.
2. Nothing but loopback is reached: credentials, endpoints and the state's place are the simulator's or a folder's.
"""

from __future__ import annotations

import functools
import json
import os
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT
from tests.support.pulumi.provider.kinds import KINDS
from tests.support.pulumi.provider.schema import write

MODULE = ROOT / "tests/infra/engine/go.mod"
PASSPHRASE = "correct-horse-battery"
ACCESS_KEY = "demo-access-key-4711"
PLUGIN = """#!/bin/sh
PYTHONPATH='{root}' exec '{python}' -W ignore -m {module} "$@"
"""


def pinned() -> str:
    """Return the CLI's version as the Go module pins it."""
    found = re.search(r"^\s*github\.com/pulumi/pulumi/pkg/v3 (v[0-9.]+)", MODULE.read_text(), re.MULTILINE)
    assert found is not None, f"{MODULE} does not name the CLI"
    return found[1]


@functools.cache
def find() -> tuple[str, str]:
    """Return the path of the CLI, or the reason why there is none."""
    wanted = pinned()
    on_path, built = shutil.which("pulumi"), ROOT / ".engine" / wanted / "pulumi"
    if on_path is not None:
        said = subprocess.run([on_path, "version"], capture_output=True, text=True, check=False, timeout=60).stdout
        if said.strip().rsplit(".", 1)[0] == wanted.rsplit(".", 1)[0]:
            return on_path, ""
    if built.exists():
        return str(built), ""
    return "", f"needs `pulumi` {wanted.rsplit('.', 1)[0]} on PATH, or Go to build it: run `make engine`"


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    words: tuple[str, ...]
    exit_code: int
    output: str

    def count(self, what: str) -> int:
        """Return a number of the summary, such as `41 created`."""
        found = re.search(rf"(\d+) {what}\b", self.output.rsplit("Resources:", 1)[-1])
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Held:
    """A command that waits inside a create."""

    process: subprocess.Popen[bytes]
    pipe: Path

    def go_on(self) -> int:
        """Let it run to its end; return its exit code."""
        with self.pipe.open("w"):
            pass
        return self.process.wait(timeout=300)


def home(folder: Path) -> Path:
    """Create what PULUMI_HOME is copied from: the plugins, and the provider's schemas."""
    here = version("pulumi_aws")
    for kind, module in (
        (f"language-python-{pinned()}/pulumi-language-python", "tests.support.pulumi.language_host"),
        (f"resource-aws-v{here}/pulumi-resource-aws", "tests.support.pulumi.provider.server"),
    ):
        file = folder / "plugins" / kind
        file.parent.mkdir(parents=True)
        file.write_text(PLUGIN.format(root=ROOT, python=sys.executable, module=module))
        file.chmod(0o755)
    write(KINDS, folder / "schemas.json")
    return folder


class Project:
    """A project folder with its state, on one simulator."""

    def __init__(self, folder: Path, plugins: Path, url: str, *, program: Path = ROOT / "infra") -> None:
        self.folder, self.url = folder, url
        shutil.copytree(plugins, folder / "home")
        (folder / "state").mkdir()
        (folder / "recorded").mkdir()
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        shutil.copytree(program, folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / ".venv").symlink_to(Path(sys.prefix))
        self.backend = f"file://{folder / 'state'}"
        self.ran: list[Ran] = []

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a command: nothing of this machine's but what finds programs."""
        return {
            "HOME": str(self.folder / "home"),
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "demo-secret-4711",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PULUMI_BACKEND_URL": self.backend,
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "OTACTL_STANDIN_RECORDED": str(self.folder / "recorded"),
            "OTACTL_STANDIN_SCHEMAS": str(self.folder / "home/schemas.json"),
        }

    def command(self, *words: str) -> list[str]:
        """Return a command line."""
        return [find()[0], *words, "--non-interactive"]

    def pulumi(self, *words: str, **environment: str) -> Ran:
        """Run one command to its end."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=300,
            check=False,
        )
        self.ran.append(Ran(words, done.returncode, done.stdout))
        return self.ran[-1]

    @contextmanager
    def held(self, where: str, *words: str) -> Iterator[Held]:
        """Run a command until the provider waits at a create: `aws:iam/role:Role after`; it is killed at the end."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        heard = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with (self.folder / "held.log").open("w") as log:
            process = subprocess.Popen(
                self.command(*words),
                cwd=self.folder,
                env={**self.environment, "OTACTL_STANDIN_HOLD": where, "OTACTL_STANDIN_PIPE": str(pipe)},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            ready, _, _ = select.select([heard], [], [], 300)
            assert ready, f"no create waits at {where}: {(self.folder / 'held.log').read_text()}"
            yield Held(process, pipe)
        finally:
            os.close(heard)
            process.kill()
            process.wait()
            pipe.unlink()

    def stack(self, name: str, config: Mapping[str, Any]) -> None:
        """Create a stack, and its file with a configuration."""
        created = self.pulumi("stack", "init", name)
        assert created.exit_code == 0, created.output
        self.configure(name, config)

    def configure(self, name: str, config: Mapping[str, Any]) -> None:
        """Write a stack's configuration; what encrypts its secrets stays."""
        file = self.folder / f"Pulumi.{name}.yaml"
        before = yaml.safe_load(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump({**(before or {}), "config": dict(config)}))

    def up(self, stack: str, *words: str, **environment: str) -> Ran:
        """Run `pulumi up` as a pipeline does."""
        return self.pulumi("up", "--stack", stack, "--yes", "--skip-preview", *words, **environment)

    def outputs(self, stack: str) -> dict[str, Any]:
        """Return the outputs as `pulumi stack output --json` prints them."""
        shown = self.pulumi("stack", "output", "--json", "--stack", stack)
        assert shown.exit_code == 0, shown.output
        return dict(json.loads(shown.output[shown.output.index("{") : shown.output.rindex("}") + 1]))

    def state(self, stack: str) -> dict[str, Any]:
        """Return the stack's state as its file holds it."""
        file = self.folder / f"state/.pulumi/stacks/otactl/{stack}.json"
        return dict(json.loads(file.read_text()))
