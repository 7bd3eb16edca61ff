"""Fuzzes kinds of input by the coverage of the product's code, with atheris, and keeps the figures."""

from __future__ import annotations

import importlib.util
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.support.fuzz.recorded import TITLES
from tests.support.fuzz.run import MOST_MEMORY
from tests.support.paths import ROOT
from tests.support.recorded_page import put

NAMES = ("manifest-bytes", "csv", "outputs", "sqlite-bytes")
"""The kinds whose inputs are bytes of a file."""
FIGURES = ROOT / "tests/fuzz/by_coverage.json"
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- recorded by coverage -->", "<!-- end of the recorded by coverage -->"
COMMAND = (sys.executable, "-m", "tests.support.fuzz.by_coverage_process")
_LAST = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)/")
_STATISTIC = re.compile(r"stat::(\w+): +(\d+)")
_FAILED = re.compile(r"Test unit written to (\S+)")


class Covered(msgspec.Struct, rename="camel"):
    """What was done of one kind: inputs, places of the code that they reach, inputs kept for that, CPU, memory."""

    name: str
    inputs: int
    places: int
    kept: int
    cpu_seconds: float
    memory_mib: int
    failures: list[str] = []


def missing() -> str:
    """Return why nothing can be fuzzed by coverage here; empty where it can."""
    if importlib.util.find_spec("atheris") is None:
        return "atheris is not installed: it is there for Linux on x86-64"
    return ""


def run(name: str, folder: Path, inputs: int, command: Sequence[str] = COMMAND, *, seed: int = 0) -> Covered:
    """Fuzz a kind with so many inputs; an input that fails ends it, and is saved below `folder`.

    A seed of 0 draws another one each time.
    """
    kept = folder / "failing"
    kept.mkdir(parents=True, exist_ok=True)
    options = (
        f"-seed={seed}",
        f"-runs={inputs}",
        "-print_final_stats=1",
        f"-rss_limit_mb={MOST_MEMORY}",
        f"-artifact_prefix={kept}/",
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run([*command, name, str(folder), *options], cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = ran.stdout + ran.stderr
    found = {key: int(value) for key, value in _STATISTIC.findall(printed)}
    last = _LAST.findall(printed)
    failures = [f"{Path(path).name}: {_why(printed)}" for path in _FAILED.findall(printed)]
    if ran.returncode != 0 and not failures:
        failures = [f"it ended with code {ran.returncode}: {printed[-400:]}"]
    return Covered(
        name,
        found.get("number_of_executed_units", 0),
        int(last[-1][0]) if last else 0,
        int(last[-1][1]) if last else 0,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        found.get("peak_rss_mb", 0),
        failures,
    )


def _why(printed: str) -> str:
    """Return the error of the input that failed, or what libFuzzer says of it."""
    lines = [line for line in printed.splitlines() if re.match(r"(\w+\.)*\w+(Error|Exception)\b|.*libFuzzer: ", line)]
    return lines[0][:300] if lines else "see the process"


def line(covered: Covered) -> str:
    """Return what was done of a kind, for people."""
    return (
        f"{covered.name}, by coverage: {covered.inputs:,} inputs, {covered.places:,} places of the code, "
        f"{covered.cpu_seconds:.0f} s CPU, {covered.memory_mib} MiB, {len(covered.failures)} failed"
    )


def table(found: list[Covered]) -> str:
    """Return the figures as a table of Markdown."""
    lines = [
        "| Input, by coverage | Inputs | Places of the code | Inputs kept for them | Time (CPU) | Memory | Failed |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {TITLES[each.name]} | {each.inputs:,} | {each.places:,} | {each.kept:,} | {each.cpu_seconds:,.0f} s | "
        f"{each.memory_mib} MiB | {len(each.failures)} |"
        for each in found
    ]
    total = f"{sum(each.inputs for each in found):,} inputs, {sum(len(each.failures) for each in found)} failed"
    return "\n".join([*lines, "", f"Together: {total}."])


def read() -> list[Covered]:
    """Return the figures of the recorded run."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=list[Covered]) if FIGURES.exists() else []


def save(folder: Path, covered: Covered) -> None:
    """Keep what was done of a kind, for the record."""
    (folder / f"{covered.name}.covered.json").write_bytes(msgspec.json.encode(covered))


def record(folder: Path) -> None:
    """Record the figures that a folder holds, and write them into the page; a kind without new ones keeps its own."""
    paths = (folder / f"{name}.covered.json" for name in NAMES)
    found = [msgspec.json.decode(path.read_bytes(), type=Covered) for path in paths if path.exists()]
    known = {each.name: each for each in (*read(), *found)}
    found = [known[name] for name in NAMES if name in known]
    FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    put(PAGE, BEGIN, END, table(found))
