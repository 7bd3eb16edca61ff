"""Compares the CPU of two installed versions of otactl: `python -m bench.versions NAME OTACTL`.

1. Both do the same work in turn, each on a simulator of its own, so that a slow moment of the machine affects both.
2. NAME says what the other version is; the section of docs/benchmarks.md below `HEADING` is written again.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import median, run, spread
from bench.quiet import prepare
from bench.stage import BenchStage, manifest_text, stage

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEADING = "## Beside an earlier version"
ROLLOUTS, ACTIVE, ROUNDS = 200, 20, 7


def main(name: str, other: str) -> int:
    """Measure both versions and write the section."""
    PAGE.write_text(PAGE.read_text().partition(HEADING)[0].rstrip() + "\n\n" + section(name, measured(other)))
    return 0


def measured(other: str, *, rollouts: int = ROLLOUTS, active: int = ACTIVE, rounds: int = ROUNDS) -> list[str]:
    """Return a row of the table for each kind of work."""
    costs: dict[str, tuple[list[float], list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "probe.yaml"
        file.write_text(manifest_text("probe", group="3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01"))
        with stage(Path(folder) / "this") as ours, stage(Path(folder) / "other", other) as theirs:
            for at in (ours, theirs):
                prepare(at, rollouts, active)
            for n in range(rounds + 1):
                for side, at in enumerate((ours, theirs)):
                    for work, words in _work(at, file, rollouts, active).items():
                        cost = run(words, env=at.env, expect=(0, 2)).cpu
                        if n:  # the first round only writes compiled files
                            costs.setdefault(work, ([], []))[side].append(cost)
                print(f"round {n} of {rounds}", flush=True)
    return [
        f"| {work} | {median(new) / median(old):.2f} | {spread(new)} | {spread(old)} |"
        for work, (new, old) in costs.items()
    ]


def _work(at: BenchStage, file: Path, rollouts: int, active: int) -> dict[str, list[str]]:
    return {
        "`otactl --version`": [at.command, "--version"],
        "`otactl validate` of one file": [at.command, "validate", str(file)],
        f"`otactl validate` of {rollouts:,} manifests": at.otactl("validate"),
        f"a quiet pass over {rollouts:,} rollouts, {active} active": at.otactl("reconcile"),
        "`otactl plan` of the same": at.otactl("plan"),
    }


def section(name: str, rows: list[str]) -> str:
    """Return the section of the page."""
    return "\n".join(
        [
            HEADING,
            "",
            f"`python -m bench.versions NAME OTACTL` writes this section: this version beside {name}, in turn, CPU of",
            f"whole processes, {ROUNDS} rounds. A ratio below 1 means that this version is faster.",
            "",
            f"Last run: {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}.",
            "",
            "| What | Ratio | This version | The earlier one |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
