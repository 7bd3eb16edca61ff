"""Keeps the figures of a recorded walk, and writes them into docs/reliability.md."""

from __future__ import annotations

from pathlib import Path

import msgspec

from otactl.wording import count
from tests.support.explore.walk import Walk, load
from tests.support.paths import ROOT
from tests.support.recorded_page import put

FIGURES = ROOT / "tests/explore/recorded.json"
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- recorded walk -->", "<!-- end of the recorded walk -->"


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """The figures of one walk; `depth` is the number of moves to which every trace was taken."""

    name: str
    worlds: int
    transitions: int
    expanded: int
    disturbances: int
    depth: int
    cpu_seconds: int
    memory_mib: int
    violations: int


def row(walk: Walk) -> Row:
    """Return the figures of a walk."""
    return Row(
        walk.settings.name,
        walk.states,
        walk.transitions,
        walk.expanded,
        walk.most_disturbances,
        walk.depth,
        round(walk.seconds),
        walk.memory,
        len(walk.violations),
    )


def rows(folder: Path) -> list[Row]:
    """Return the figures of the walks that a folder holds."""
    return [row(load(path)) for path in sorted(folder.glob("*.walk"))]


def line(walk: Walk) -> str:
    """Return where a walk is, for people."""
    at = row(walk)
    return (
        f"{at.name}: {at.worlds:,} worlds, {at.expanded:,} expanded, every trace of {at.depth} moves, "
        f"{at.cpu_seconds} s CPU, {at.memory_mib} MiB, {len(walk.line):,} to do, {at.violations} violations"
    )


def summary(found: list[Row]) -> str:
    """Return the sum of all walks in a line."""
    worlds, wrong = sum(r.worlds for r in found), sum(r.violations for r in found)
    return f"{worlds:,} distinct worlds, {sum(r.transitions for r in found):,} steps, {wrong} violations"


def table(found: list[Row]) -> str:
    """Return the figures as a table of Markdown."""
    head = "| World | Distinct worlds | Steps judged | Expanded | Every trace of | Time (CPU) | Memory | Violations |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for r in found:
        depth = f"{r.depth} moves, {count(r.disturbances, 'disturbance')} and one more at its end"
        lines.append(
            f"| `{r.name}` | {r.worlds:,} | {r.transitions:,} | {r.expanded:,} | {depth} | {r.cpu_seconds:,} s | "
            f"{r.memory_mib} MiB | {r.violations} |"
        )
    return "\n".join([*lines, "", f"Together: {summary(found)}."])


def read() -> list[Row]:
    """Return the figures of the recorded walk."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=list[Row])


def write(found: list[Row]) -> None:
    """Record figures, and write them into the page."""
    FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    put(PAGE, BEGIN, END, table(found))
