"""Measures workers under kills, and their throughput where the call rate binds: `python -m bench.workers`.

`--kills` runs a fleet to its end while workers are killed at random (SIGKILL) and started again; it counts units, and
how long jobs waited. `--rate` compares the calls of one worker with those of eight, where the call rate binds.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import psycopg

from tests.support.postgres import PostgresServer
from tests.support.worker_stage import REGIONS, WorkerStage, simulator, until

_LONGEST = """
SELECT max(waited_seconds), percentile_cont(0.99) WITHIN GROUP (ORDER BY waited_seconds), count(*),
    count(*) FILTER (WHERE ended_at IS NULL)
FROM runs
"""


def kills(environments: int, rollouts: int, workers: int, wanted: int, every: int) -> int:
    """Run a fleet to its end under kills; return an exit code."""
    rng = random.Random(7)  # noqa: S311 - kills, not a secret
    with PostgresServer() as server, simulator() as url, tempfile.TemporaryDirectory() as place:
        stage = WorkerStage(url, Path(place), server.conninfo(server.create_database()), regions=REGIONS)
        with stage:
            stage.post("settings", {"callsPerSecond": 0})
            stage.fleet(environments, rollouts)
            started = time.monotonic()
            names = [f"w{number}" for number in range(workers)]
            running = {name: stage.start("--concurrency", "2", every=f"{every}s", name=name) for name in names}
            killed, hour = 0, time.monotonic()
            while not (killed >= wanted and stage.over):
                time.sleep(rng.uniform(0.5, 2.5))
                if killed < wanted:
                    name = rng.choice(names)
                    running[name].kill()
                    running[name].wait()
                    running[name] = stage.start("--concurrency", "2", every=f"{every}s", name=name)
                    killed += 1
                if time.monotonic() - hour > 2 * every:
                    stage.advance()
                    hour = time.monotonic()
                    over = Counter(str(phase) for phase in stage.phases().values())
                    print(f"[{time.monotonic() - started:6.0f} s] {killed} kills, {dict(over)}", flush=True)
            seconds, phases, made = time.monotonic() - started, stage.phases(), stage.created()
            with psycopg.connect(stage.conninfo) as connection:
                longest, most, runs, cut = connection.execute(_LONGEST).fetchone() or (0, 0, 0, 0)
    twice = [name for name, times in made.items() if times != 1]
    print(f"{workers} workers, {environments} environments, {rollouts} rollouts, {killed} kills in {seconds:.0f} s")
    print(f"verdicts {dict(Counter(str(phase) for phase in phases.values()))}; units {len(made)}, twice {len(twice)}")
    waited = f"a job waited {longest / every:.1f} ticks at most, {most / every:.1f} at 99 %"
    print(f"{runs} runs kept, {cut} cut short; {waited}")
    return 0 if len(made) == rollouts and not twice and len(phases) == rollouts else 1


def rate(seconds: float, per_second: float) -> int:
    """Compare the calls of one worker and of eight in the same time; eight accounts' Regions bind."""
    found = {}
    for workers in (1, 8):
        with PostgresServer() as server, simulator() as url, tempfile.TemporaryDirectory() as place:
            stage = WorkerStage(url, Path(place), server.conninfo(server.create_database()), regions=REGIONS[:8])
            with stage:
                stage.post("settings", {"callsPerSecond": 0})
                stage.fleet(8, 240, rates={"iotwireless:*": per_second})
                for number in range(workers):
                    stage.start("--concurrency", "1", every="5s", name=f"w{number}")
                until(partial(_has_calls, stage), "calls are sent", 300)
                before, at = _paced(stage), time.monotonic()
                time.sleep(seconds)
                found[workers] = (_paced(stage) - before) / (time.monotonic() - at)
                print(f"{workers} workers: {found[workers]:.2f} calls a second", flush=True)
    print(f"{found[8] / found[1]:.1f} times as many")
    return 0


def _has_calls(stage: WorkerStage) -> bool:
    return _paced(stage) > 50


def _paced(stage: WorkerStage) -> int:
    return sum(asked["service"] == "iotwireless" for asked in stage.requests())


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--environments", type=int, default=64)
    parser.add_argument("--rollouts", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--every", type=int, default=10, help="seconds of a tick")
    parser.add_argument("--rate", type=float, default=0.0, help="calls a second of an operation")
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    if asked.rate:
        return rate(asked.seconds, asked.rate)
    return kills(asked.environments, asked.rollouts, asked.workers, asked.kills or 100, asked.every)


if __name__ == "__main__":
    sys.exit(main())
