"""`otactl validate` of 1,000 manifests beside check-jsonschema on the same files."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from bench.measure import Figure, median, run, spread
from bench.stage import BIN, OTACTL, manifest_text

FILES, RUNS, BROKEN = 1000, 5, 20
GOOD, BAD = "redundancyPercent: 70", "redundancyPercent: 101"
SCHEMA = Path(__file__).parent.parent / "schemas/v1/rollout.schema.json"
# The base is the file, so that references are read from the folder and not from the address in `$id`.
THEIRS = [str(BIN / "check-jsonschema"), "--schemafile", str(SCHEMA), "--base-uri", SCHEMA.resolve().as_uri()]


def figures(tiny: bool = False) -> list[Figure]:
    """Measure the CPU of both on valid files, in turn; then count the broken files whose error has line and column."""
    count, runs, broken = (4, 1, 2) if tiny else (FILES, RUNS, BROKEN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = []
        for n in range(count):
            group = f"3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a{n:04x}"
            file = folder / f"probe-{n}.yaml"
            file.write_text(manifest_text(f"probe-{n}", group=group))
            files.append(str(file))
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(run([OTACTL, "validate", *files]).cpu)
            theirs.append(run([*THEIRS, *files]).cpu)
        placed = _errors_have_places(folder, files[:broken])
    ratio = median(theirs) / median(ours)
    measured = f"{ratio:.1f} times faster: {spread(ours)} of CPU against {spread(theirs)}"
    return [
        Figure(f"`otactl validate` of {count:,} manifests beside check-jsonschema", measured, "at least 4", ratio >= 4),
        Figure(
            f"line and column in every error, {broken} broken files of {count:,}",
            f"{placed} of {broken} files",
            "all",
            placed == broken,
            timed=False,
        ),
    ]


def _errors_have_places(folder: Path, files: list[str]) -> int:
    for file in files:
        path = Path(file)
        text = path.read_text()
        if GOOD not in text:
            raise RuntimeError(f"{path.name} has no `{GOOD}` to replace by `{BAD}`; see bench/stage.py: manifest_text")
        path.write_text(text.replace(GOOD, BAD))
    output = run([OTACTL, "validate", str(folder)], expect=(1,)).output
    return len(set(re.findall(r"^(\S+\.yaml):\d+:\d+: out_of_range: ", output, re.MULTILINE)))
