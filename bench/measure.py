"""Time a command as a whole process, its children's CPU included, and sum up what several runs gave."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one process took, in seconds; `peak` is the most memory it held, in KiB."""

    cpu: float
    wall: float
    output: str
    peak: float = 0.0


@dataclass(frozen=True)
class Figure:
    """One promise: what was measured, beside what, and whether it holds.

    `timed` is False where the figure is a count that must hold at any size and on any machine.
    """

    name: str
    measured: str
    promise: str
    holds: bool
    timed: bool = True


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    expect: tuple[int, ...] = (0,),
    cwd: Path | None = None,
) -> Cost:
    """Run a command to its end; RuntimeError with what it printed when it ends otherwise than expected."""
    # Both sides run from compiled files, as installed programs do; the first run of each writes them.
    around = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(
        words, env={**around, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd
    )
    stdout = process.stdout
    assert stdout is not None
    with stdout:
        output = stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expect:
        raise RuntimeError(f"{' '.join(words)[:200]} ended with {process.returncode}:\n{output[-2000:]}")
    wall = time.perf_counter() - started
    return Cost(usage.ru_utime + usage.ru_stime, wall, output, float(usage.ru_maxrss))


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: Sequence[float], unit: str = "s", digits: int = 2) -> str:
    """Median with the least and the greatest: `1.20 s (1.10 to 1.31)`."""
    return f"{median(values):.{digits}f} {unit} ({min(values):.{digits}f} to {max(values):.{digits}f})"
