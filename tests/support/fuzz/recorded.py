"""Keeps the figures of the recorded run, and writes them into docs/reliability.md."""

from __future__ import annotations

import msgspec

from tests.support.fuzz.run import Progress
from tests.support.paths import ROOT
from tests.support.recorded_page import put

FIGURES = ROOT / "tests/fuzz/recorded.json"
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- recorded fuzzing -->", "<!-- end of the recorded fuzzing -->"
TITLES = {
    "manifest-bytes": "manifest, bytes",
    "manifest-grammar": "manifest, by Hypothesis from the JSON Schemas",
    "csv": "device list (CSV), bytes",
    "outputs": "stack outputs, bytes and values",
    "sqlite-bytes": "journal in SQLite, bytes",
    "sqlite-rows": "journal in SQLite, rows",
    "s3": "journal on S3, objects",
    "postgres-rows": "journal in PostgreSQL, rows",
    "answers-fuota": "answers of AWS IoT Wireless (and S3, IAM, STS)",
    "answers-ota": "answers of AWS IoT (and S3, IAM, STS)",
    "answers-tuya": "answers of Tuya's gateway (and STS)",
}


def line(progress: Progress) -> str:
    """Return where a kind is, for people; the blocks are the seeds."""
    outcomes = ", ".join(f"{number:,} {name}" for name, number in progress.outcomes.items())
    return (
        f"{progress.name}: seeds 0 to {progress.blocks - 1}, {progress.inputs:,} inputs ({outcomes}), "
        f"{progress.cpu_seconds:.0f} s CPU, slowest {progress.slowest_ms:.0f} ms, {progress.memory_mib} MiB, "
        f"{len(progress.failures)} failed"
    )


def table(found: list[Progress]) -> str:
    """Return the figures as a table of Markdown."""
    lines = [
        "| Input | Inputs | Outcomes | Time (CPU) | Slowest (CPU) | Memory | Failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        outcomes = ", ".join(f"{number:,} {name}" for name, number in each.outcomes.items())
        lines.append(
            f"| {TITLES[each.name]} | {each.inputs:,} | {outcomes} | {each.cpu_seconds:,.0f} s | "
            f"{each.slowest_ms:,.0f} ms | {each.memory_mib} MiB | {len(each.failures)} |"
        )
    total = f"{sum(p.inputs for p in found):,} inputs, {sum(len(p.failures) for p in found)} failed"
    return "\n".join([*lines, "", f"Together: {total}."])


def read() -> list[Progress]:
    """Return the figures of the recorded run."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=list[Progress])


def write(found: list[Progress]) -> None:
    """Record figures, and write them into the page; a kind without new ones keeps its own."""
    known = {progress.name: progress for progress in (*read(), *found)}
    found = [known[name] for name in TITLES if name in known]
    FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    put(PAGE, BEGIN, END, table(found))
