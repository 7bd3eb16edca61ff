"""Measures workers under kills, and their throughput where the call rate binds: `python -m bench.workers`.

`--kills N` runs a fleet to its end while workers are killed at random (SIGKILL) and started again; it counts units, and
how long jobs waited. `--rate R` compares the calls of one worker with those of eight, where the call rate binds. Both
end at `--limit` with what they have by then, and leave no process behind, however they end.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import psycopg

from otactl.wording import count
from tests.support.postgres import PostgresServer
from tests.support.worker_stage import OVER, REGIONS, WorkerStage, simulator, until

_WAITS = """
SELECT coalesce(max(waited_seconds), 0), coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY waited_seconds), 0),
    count(*), count(*) FILTER (WHERE ended_at IS NULL OR outcome IN ('stopped', 'crashed', 'lost'))
FROM runs
"""


class Fleet(NamedTuple):
    """How large a run is; times are seconds. A worker is killed about every `pause`."""

    environments: int = 64
    rollouts: int = 3000
    workers: int = 8
    kills: int = 100
    every: float = 60
    pause: float = 8


class Killed(NamedTuple):
    """What came of a fleet under kills; waits are ticks, `under_way` the kills before the last verdict."""

    seconds: float
    kills: int
    under_way: int
    verdicts: dict[str, int]
    units: int
    twice: int
    runs: int
    cut: int
    longest: float
    most: float

    def holds(self, fleet: Fleet) -> bool:
        """Return whether every rollout ended, with one unit each."""
        ended = sum(self.verdicts.get(str(phase), 0) for phase in OVER)
        return (ended, self.units, self.twice) == (fleet.rollouts, fleet.rollouts, 0)


class LimitError(Exception):
    """The time of a bench is over."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise LimitError in the block after a time, and end the program in order when it is asked to end.

    One may be in another.
    """

    def over(_number: int, _frame: FrameType | None) -> None:
        raise LimitError(f"not over after {seconds:g} s")

    def asked(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {each: signal.signal(each, asked) for each in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, over)
    started = time.monotonic()
    around, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        left = max(0.001, around - (time.monotonic() - started)) if around else 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, left)


@contextmanager
def staged(environments: int, rollouts: int, rates: dict[str, float] | None = None) -> Iterator[WorkerStage]:
    """A stage with its own PostgreSQL and simulator."""
    with PostgresServer() as server, simulator() as url, tempfile.TemporaryDirectory() as place:
        database = server.conninfo(server.create_database())
        with WorkerStage(url, Path(place), database, regions=REGIONS[: min(environments, len(REGIONS))]) as stage:
            stage.post("settings", {"callsPerSecond": 0})
            stage.fleet(environments, rollouts, rates=rates)
            yield stage


class KilledFleet:
    """A fleet whose workers are killed and started again."""

    def __init__(self, stage: WorkerStage, fleet: Fleet) -> None:
        self._stage, self._fleet = stage, fleet
        self._random = random.Random(7)  # noqa: S311 - kills, not a secret
        self._started = time.monotonic()
        self._left = set(stage.rollouts.values())
        self._over: Counter[str] = Counter()
        self.kills = self.under_way = 0
        names = [f"w{number}" for number in range(fleet.workers)]
        self._workers = {name: self._start(name) for name in names}

    def _start(self, name: str) -> int:
        refresh = max(1, round(self._fleet.every / 8))  # no manifest changes; each look asks for every file
        self._stage.start("--concurrency", "2", "--refresh", f"{refresh}s", every=f"{self._fleet.every:g}s", name=name)
        return len(self._stage.workers) - 1

    def run(self) -> None:
        """Kill until every rollout has its verdict and the kills are done."""
        while self._left or self.kills < self._fleet.kills:
            if self._left:
                self._stage.advance()
            since = self._stage.status().at
            while True:
                time.sleep(self._random.uniform(0.5, 1.5) * self._fleet.pause)
                if self.kills < self._fleet.kills:
                    self._kill()
                if self._stage.had_turns(since, self._left):
                    break
            self._count()

    def _kill(self) -> None:
        name = self._random.choice(sorted(self._workers))
        worker = self._stage.workers[self._workers[name]]
        if worker.poll() is not None:
            raise RuntimeError(f"worker {name} ended by itself: {self._stage.printed(self._workers[name])[-500:]}")
        worker.kill()
        worker.wait()
        self._workers[name] = self._start(name)
        self.kills += 1
        self.under_way += bool(self._left)

    def _count(self) -> None:
        for home in sorted(self._left):
            phases = self._stage.phases(home)
            wanted = sum(place == home for place in self._stage.rollouts.values())
            if len(phases) == wanted and all(phase in OVER for phase in phases.values()):
                self._left.discard(home)
        left = count(len(self._left), "environment")
        print(f"[{time.monotonic() - self._started:6.0f} s] {self.kills} kills, {left} not over", flush=True)

    def result(self) -> Killed:
        """Count what there is."""
        made = self._stage.created()
        with psycopg.connect(self._stage.conninfo) as connection:
            longest, most, runs, cut = connection.execute(_WAITS).fetchone() or (0, 0, 0, 0)
        return Killed(
            seconds=time.monotonic() - self._started,
            kills=self.kills,
            under_way=self.under_way,
            verdicts=dict(Counter(str(phase) for phase in self._stage.phases().values())),
            units=len(made),
            twice=sum(times != 1 for times in made.values()),
            runs=runs,
            cut=cut,
            longest=longest / self._fleet.every,
            most=most / self._fleet.every,
        )


def kills(fleet: Fleet, limit: float) -> Killed:
    """Run a fleet to its end under kills, or to the limit."""
    with limited(limit + 300), staged(fleet.environments, fleet.rollouts) as stage:
        bench = KilledFleet(stage, fleet)
        try:
            with limited(limit):
                bench.run()
        except LimitError as error:
            print(error, flush=True)
        return bench.result()


def rate(seconds: float, per_second: float, workers: int, rollouts: int, limit: float) -> dict[int, float]:
    """Return the calls a second of one worker and of several, with an account's Region for each of the several."""
    found = {}
    for number in (1, workers):
        rates = {"iotwireless:*": per_second}
        with limited(limit), staged(workers, rollouts, rates) as stage:
            for each in range(number):
                stage.start("--concurrency", "1", every="5s", name=f"w{each}")
            until(partial(_has_calls, stage), "calls are sent", limit, 0.5)
            before, at = _paced(stage), time.monotonic()
            time.sleep(seconds)
            found[number] = (_paced(stage) - before) / (time.monotonic() - at)
    return found


def _has_calls(stage: WorkerStage) -> bool:
    return _paced(stage) > 0


def _paced(stage: WorkerStage) -> int:
    return sum(asked["service"] == "iotwireless" for asked in stage.requests())


def main() -> int:
    """Read the command line and measure."""
    default = Fleet()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--environments", type=int, default=default.environments)
    parser.add_argument("--rollouts", type=int, default=default.rollouts)
    parser.add_argument("--workers", type=int, default=default.workers)
    parser.add_argument("--every", type=float, default=default.every, help="seconds of a tick")
    parser.add_argument("--pause", type=float, default=default.pause, help="seconds between two kills, about")
    parser.add_argument("--rate", type=float, default=0.0, help="calls a second of an operation")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long calls are counted")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds after which it ends with what it has")
    asked = parser.parse_args()
    try:
        return _rate(asked) if asked.rate else _kills(asked)
    except LimitError as error:
        print(error, file=sys.stderr)
        return 1


def _kills(asked: argparse.Namespace) -> int:
    sizes = (asked.environments, asked.rollouts, asked.workers, asked.kills or Fleet().kills)
    fleet = Fleet(*sizes, every=asked.every, pause=asked.pause)
    found = kills(fleet, asked.limit)
    size = f"{fleet.workers} workers, {fleet.environments} environments, {fleet.rollouts} rollouts"
    print(f"{size}: {found.kills} kills in {found.seconds:.0f} s, {found.under_way} of them before the last verdict")
    print(f"verdicts {found.verdicts}; {count(found.units, 'unit')}, {found.twice} of them created twice")
    print(f"{count(found.runs, 'run')} kept, {found.cut} cut short")
    print(f"a job waited {found.longest:.2f} ticks at most, {found.most:.2f} at 99 %")
    return 0 if found.holds(fleet) and found.kills == fleet.kills else 1


def _rate(asked: argparse.Namespace) -> int:
    found = rate(asked.seconds, asked.rate, asked.workers, 30 * asked.workers, asked.limit)
    for number, speed in found.items():
        print(f"{count(number, 'worker')}: {speed:.2f} calls a second")
    times = found[asked.workers] / found[1]
    print(f"{times:.1f} times as many")
    return 0 if times >= 0.75 * asked.workers else 1


if __name__ == "__main__":
    sys.exit(main())
