"""`otactl validate` of 1,000 manifests beside check-jsonschema on the same files."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from bench.measure import Figure, median, run, spread
from bench.stage import BIN, OTACTL, manifest_text

FILES, RUNS, BROKEN = 1000, 5, 20
SCHEMA = Path(__file__).parent.parent / "schemas/v1/rollout.schema.json"


def figures() -> list[Figure]:
    """CPU of both on valid files, in turn; then that every error of broken files has its line and column."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = []
        for n in range(FILES):
            group = f"3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a{n:04x}"
            file = folder / f"probe-{n}.yaml"
            file.write_text(manifest_text(f"probe-{n}", group=group))
            files.append(str(file))
        ours, theirs = [], []
        for _ in range(RUNS):
            ours.append(run([OTACTL, "validate", *files]).cpu)
            theirs.append(run([str(BIN / "check-jsonschema"), "--schemafile", str(SCHEMA), *files]).cpu)
        placed = _errors_have_places(folder, files)
    ratio = median(theirs) / median(ours)
    measured = f"{ratio:.1f} times faster: {spread(ours)} of CPU against {spread(theirs)}"
    return [
        Figure(f"`otactl validate` of {FILES:,} manifests beside check-jsonschema", measured, "at least 4", ratio >= 4),
        Figure(
            f"line and column in every error, {BROKEN} broken files of {FILES:,}", f"{placed} of {BROKEN} files",
            "all", placed == BROKEN,
        ),
    ]  # fmt: skip


def _errors_have_places(folder: Path, files: list[str]) -> int:
    for file in files[:BROKEN]:
        path = Path(file)
        path.write_text(path.read_text().replace("redundancyPercent: 20", "redundancyPercent: 101"))
    output = run([OTACTL, "validate", str(folder)], expect=(1,)).output
    return len(set(re.findall(r"^(\S+\.yaml):\d+:\d+: out_of_range: ", output, re.MULTILINE)))
