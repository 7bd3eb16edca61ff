"""Runs kinds of inputs block by block, within bounds of time and memory, and keeps what was done and what failed."""

from __future__ import annotations

import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import FrameType

import msgspec

from tests.support.fuzz.kind import BLOCK, Kind

MOST_SECONDS = 60.0
"""Wall time of one input, on a machine that others use too; of the slowest one, the CPU is recorded."""
MOST_MEMORY = 1024
"""MiB that the process may have held at most."""


class Progress(msgspec.Struct, rename="camel"):
    """What was done of one kind: blocks, inputs, outcomes, CPU, the slowest input, most memory, and failures."""

    name: str
    blocks: int = 0
    inputs: int = 0
    outcomes: dict[str, int] = {}
    cpu_seconds: float = 0.0
    slowest_ms: float = 0.0
    memory_mib: int = 0
    failures: list[str] = []


class TookTooLongError(BaseException):
    """An input was not judged in time; no `except Exception` of the product swallows it."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Interrupt the block after so many seconds of wall time."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLongError(f"not judged in {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def failure(kind: Kind, data: bytes) -> str | None:
    """Judge one input; return what was wrong with the product, None when nothing was."""
    try:
        with alarm(MOST_SECONDS):
            kind.judge(data)
    except (Exception, TookTooLongError) as error:  # noqa: BLE001 - every one is a finding
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"[:400]
    return None


def run_block(kind: Kind, progress: Progress, kept: Path, most: int = BLOCK) -> None:
    """Judge the next block, or its first inputs; a failing input is saved below `kept`."""
    outcomes = Counter(progress.outcomes)
    started, number = time.process_time(), progress.blocks
    for data in islice(kind.block(number), most):
        before = time.process_time()
        try:
            with alarm(MOST_SECONDS):
                outcomes[kind.judge(data)] += 1
        except (Exception, TookTooLongError):  # noqa: BLE001 - as above
            kept.mkdir(parents=True, exist_ok=True)
            path = kept / f"{kind.name}-{number}-{progress.inputs}"
            path.write_bytes(data)
            progress.failures.append(f"{path.name}: {failure(kind, data)}")
        progress.slowest_ms = max(progress.slowest_ms, 1000 * (time.process_time() - before))
        progress.inputs += 1
    progress.blocks += 1
    progress.outcomes = dict(sorted(outcomes.items()))
    progress.cpu_seconds += time.process_time() - started
    progress.memory_mib = max(progress.memory_mib, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    if progress.memory_mib > MOST_MEMORY:
        progress.failures.append(f"{progress.memory_mib} MiB held in block {number}")


def load(folder: Path, name: str) -> Progress:
    """Return where a kind is."""
    path = folder / f"{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=Progress) if path.exists() else Progress(name)


def save(folder: Path, progress: Progress) -> None:
    """Keep where a kind is."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{progress.name}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(progress), indent=1))
    part.replace(folder / f"{progress.name}.json")
