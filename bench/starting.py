"""Measures the CPU of the command's own start, beside a bare click program."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.measure import Figure, median, run, spread
from bench.stage import OTACTL, manifest_text

RUNS = 15
BARE = """
import click

@click.group()
@click.version_option("1.0")
def cli(): ...

cli()
"""


def figures(tiny: bool = False) -> list[Figure]:
    """Measure `--version` and `validate` of one file; the three run in turn, so that a slow moment affects all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare.py").write_text(BARE)
        file = folder / "probe.yaml"
        file.write_text(manifest_text("probe", group="3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01"))
        bare, version, validate = [], [], []
        for _ in range(1 if tiny else RUNS):
            bare.append(run([sys.executable, str(folder / "bare.py"), "--version"]).cpu)
            version.append(run([OTACTL, "--version"]).cpu)
            validate.append(run([OTACTL, "validate", str(file)]).cpu)
    return [
        _figure("CPU of `otactl --version` beside a bare click program", version, bare, 2),
        _figure("CPU of `otactl validate` of one file beside a bare click program", validate, bare, 5),
    ]


def _figure(name: str, ours: list[float], bare: list[float], limit: int) -> Figure:
    ratio = median(ours) / median(bare)
    measured = f"{ratio:.2f} times: {spread(ours, digits=3)} against {spread(bare, digits=3)}"
    return Figure(name, measured, f"at most {limit} times", ratio <= limit)
