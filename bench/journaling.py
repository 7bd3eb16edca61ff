"""Measures the three kinds of journal side by side as rollouts grow: commits a second and a quiet pass.

`python -m bench.journaling SIZE …` takes other numbers of rollouts; 100,000 take half an hour.

One rollout is driven to its end and a few to their start; the others are copies of the finished one's record, as in a
fleet that was updated over years. The same journal is then copied to each kind.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import msgspec

from bench.measure import Cost, Figure, median, run, spread
from bench.quiet import group_of, prepare, with_groups
from bench.stage import BenchStage, stage
from otactl.journal import AnyJournal, open_journal
from otactl.model import Event, Record
from otactl.ports import Commit
from tests.support.postgres import HOST, SUPER_USER, PostgresServer

SIZES, COMMITS = (10, 1_000, 10_000), 200
ACTIVE_SHARE, MOST_ACTIVE = 20, 500
LIMITED, MOST_CPU, MOST_MEMORY = 10_000, 15.0, 300
RUNS, RUNS_OF_MANY, MANY = 5, 1, 50_000
PLANNED = 200
BUCKET, ENVIRONMENT = "otactl-journals", "bench"
BATCH = 500


class Measured(NamedTuple):
    """What one kind of journal gave at one size."""

    passes: list[Cost]
    writes: int
    commits_a_second: float


Found = dict[tuple[str, int], Measured]


def figures(tiny: bool = False, sizes: Sequence[int] = SIZES) -> list[Figure]:
    """Measure each kind at each size."""
    sizes, commits = ((3, 4), 2) if tiny else (sizes, COMMITS)
    found: Found = {}
    plans = new_plans(sizes[0] if tiny else PLANNED, 1 if tiny else RUNS)
    with PostgresServer(durable=True) as server:
        for size in sizes:
            runs = 1 if tiny else RUNS_OF_MANY if size >= MANY else RUNS
            with tempfile.TemporaryDirectory() as name, stage(Path(name)) as at:
                grow(at, size)
                for kind, url in copies(at, server, size):
                    at.env["OTACTL_JOURNAL"] = url
                    passes, writes = quiet_passes(at, runs)
                    found[kind, size] = Measured(passes, writes, commit_rate(at, url, commits))
                    _show(kind, size, found[kind, size])
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    return [
        *(_rates(kind, sizes, found) for kind in kinds),
        *(_passes(kind, sizes, found) for kind in kinds),
        *(_writes(kind, sizes, found) for kind in kinds),
        *(_memory(kind, sizes, found) for kind in kinds),
        _offline(plans),
    ]


def grow(at: BenchStage, size: int) -> None:
    """Give the stage a journal of so many rollouts, and their manifests; a share of them is active."""
    active = _active(size)
    prepare(at, active + 1, active)
    with open_journal(at.env["OTACTL_JOURNAL"], must_exist=True, write=True) as journal:
        finished, events = journal.load(ENVIRONMENT, "probe-0").record, journal.history(ENVIRONMENT, "probe-0")
        fencing = _fencing(journal)
        for first in range(active + 1, size, BATCH):
            numbers = range(first, min(first + BATCH, size))
            journal.commit(tuple(_copy(finished, events, number) for number in numbers), fencing)
            for number in numbers:
                at.rollout(f"probe-{number}", group=group_of(number))


def _active(size: int) -> int:
    return max(1, min(size // ACTIVE_SHARE, MOST_ACTIVE))


def _fencing(journal: AnyJournal) -> int:
    lease = journal.lease(ENVIRONMENT)
    return lease.fencing if lease is not None else 0


def _copy(finished: Record, events: tuple[Event, ...], number: int) -> Commit:
    def renamed(text: bytes) -> bytes:
        return text.replace(b"probe-0", b"probe-%d" % number).replace(group_of(0).encode(), group_of(number).encode())

    record = msgspec.json.decode(renamed(msgspec.json.encode(finished)), type=Record)
    history = tuple(msgspec.json.decode(renamed(msgspec.json.encode(event)), type=Event) for event in events)
    return Commit(record=record, expected_revision=0, events=history)


def copies(at: BenchStage, server: PostgresServer, size: int) -> Iterator[tuple[str, str]]:
    """Copy the journal to each kind; yield the kinds with their URLs."""
    source = at.env["OTACTL_JOURNAL"]
    at.create_bucket(BUCKET)
    targets = {
        "S3": f"s3://{BUCKET}/{size}",
        "PostgreSQL": f"postgresql://{SUPER_USER}@{HOST}:{server.port}/{server.create_database()}",
    }
    yield "SQLite", source
    for kind, url in targets.items():
        run([at.command, "journal", "copy", source, url], env=at.env)
        yield kind, url


def quiet_passes(at: BenchStage, runs: int) -> tuple[list[Cost], int]:
    """Run passes in which nothing is to be done; return what each cost, and the writes of all."""
    passes = [run(at.otactl("reconcile", "-o", "json"), env=at.env) for _ in range(runs)]
    return passes, sum(json.loads(each.output)["writes"] for each in passes)


def commit_rate(at: BenchStage, url: str, commits: int) -> float:
    """Return commits a second of one record with an event, by one writer under its lease."""
    with patch.dict("os.environ", at.env), open_journal(url, must_exist=True, write=True) as journal:
        lease = journal.acquire(ENVIRONMENT, "bench", datetime.now(UTC))
        stored = journal.load(ENVIRONMENT, "probe-0")
        event = journal.history(ENVIRONMENT, "probe-0")[0]
        started = time.perf_counter()
        for number in range(commits):
            commit = Commit(record=stored.record, expected_revision=stored.revision + number, events=(event,))
            journal.commit((commit,), lease.fencing)
        seconds = time.perf_counter() - started
        journal.release(lease, datetime.now(UTC))
    return commits / seconds


def new_plans(rollouts: int, runs: int) -> dict[str, list[float]]:
    """Measure the CPU of `plan` and `plan --offline` of the same work in turn, in seconds: nothing has started yet."""
    found: dict[str, list[float]] = {"plan": [], "offline": []}
    with tempfile.TemporaryDirectory() as name, stage(Path(name)) as at:
        with_groups(at, rollouts)
        for number in range(rollouts):
            at.rollout(f"probe-{number}", group=group_of(number))
        for _ in range(runs):
            found["plan"].append(run(at.otactl("plan", "-o", "json"), env=at.env, expect=(2,)).cpu)
            found["offline"].append(run(at.otactl("plan", "--offline", "-o", "json"), env=at.env, expect=(2,)).cpu)
    return found


def _show(kind: str, size: int, measured: Measured) -> None:
    cpu, peak = spread([cost.cpu for cost in measured.passes]), max(cost.peak for cost in measured.passes) / 1024
    rate = f"{measured.commits_a_second:.0f} commits a second"
    print(f"       {kind}, {size:,} rollouts: {cpu} of CPU, {peak:.0f} MiB, {rate}", flush=True)


def _rates(kind: str, sizes: Sequence[int], found: Found) -> Figure:
    rates = [found[kind, size].commits_a_second for size in sizes]
    measured = ", ".join(f"{rate:.0f}" for rate in rates)
    promise = "with the most at least a third of those with the fewest"
    name = f"commits a second on {kind} with {_listed(sizes)} rollouts"
    return Figure(name, measured, promise, rates[-1] * 3 >= rates[0])


def _passes(kind: str, sizes: Sequence[int], found: Found) -> Figure:
    cpu = {size: [cost.cpu for cost in found[kind, size].passes] for size in sizes}
    linear = all(median(cpu[more]) <= median(cpu[less]) * more / less for less, more in pairwise(sizes))
    promise = f"growth at most linear; {LIMITED:,} at most {MOST_CPU:.0f} s"
    name = f"CPU of a quiet pass on {kind} with {_listed(sizes)} rollouts, one in {ACTIVE_SHARE} active"
    name += f", {MOST_ACTIVE} at most"
    measured = "; ".join(spread(each) for each in cpu.values())
    return Figure(name, measured, promise, linear and median(cpu.get(LIMITED, [0.0])) <= MOST_CPU)


def _writes(kind: str, sizes: Sequence[int], found: Found) -> Figure:
    writes = sum(found[kind, size].writes for size in sizes)
    return Figure(f"writes of those passes on {kind}", str(writes), "0", writes == 0, timed=False)


def _memory(kind: str, sizes: Sequence[int], found: Found) -> Figure:
    peaks = {size: max(cost.peak for cost in found[kind, size].passes) / 1024 for size in sizes}
    measured = ", ".join(f"{peak:.0f} MiB" for peak in peaks.values())
    promise = f"{LIMITED:,} at most {MOST_MEMORY} MiB"
    return Figure(f"most memory of those passes on {kind}", measured, promise, peaks.get(LIMITED, 0.0) <= MOST_MEMORY)


def _offline(plans: dict[str, list[float]]) -> Figure:
    measured = f"{spread(plans['offline'])} against {spread(plans['plan'])}"
    holds = median(plans["offline"]) <= median(plans["plan"])
    return Figure(
        f"CPU of `plan --offline` beside `plan`, {PLANNED:,} rollouts of which none has started",
        measured,
        "no more",
        holds,
    )


def _listed(sizes: Sequence[int]) -> str:
    return ", ".join(f"{size:,}" for size in sizes)


if __name__ == "__main__":
    for each in figures(sizes=[int(word) for word in sys.argv[1:]] or SIZES):
        print(f"{each.name}: {each.measured} ({each.promise})")
