"""Shows workers on PostgreSQL: `make demo-workers`.

PostgreSQL, the stand-in clouds, four workers and sixteen environments start on loopback; two workers are killed while
they work; it ends with the verdict of every rollout and a table of who did what.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import psycopg

from otactl.model import Phase
from otactl.report.tables import table
from otactl.wording import count
from tests.support.postgres import PostgresServer, missing
from tests.support.worker_stage import REGIONS, WorkerStage, simulator, until

ENVIRONMENTS, ROLLOUTS, WORKERS, KILLED = 16, 32, ("ada", "grace", "joan", "mary"), ("grace", "mary")
_DONE = """
SELECT worker, count(*), count(DISTINCT environment), count(*) FILTER (WHERE ended_at IS NULL), sum(calls), sum(writes)
FROM runs GROUP BY worker ORDER BY worker
"""


def main() -> int:
    """Run the demo; return its exit code."""
    if missing():
        print(missing(), file=sys.stderr)
        return 1
    started = time.monotonic()
    with PostgresServer() as server, simulator() as url, tempfile.TemporaryDirectory(prefix="otactl-workers-") as place:
        database = server.conninfo(server.create_database())
        with WorkerStage(url, Path(place), database, regions=REGIONS) as stage:
            stage.post("settings", {"callsPerSecond": 0})
            stage.fleet(ENVIRONMENTS, ROLLOUTS)
            _say(started, f"PostgreSQL and the clouds run; {ENVIRONMENTS} environments declare {ROLLOUTS} rollouts")
            for name in WORKERS:
                stage.start("--concurrency", "2", every="2s", name=name)
            _say(started, f"{len(WORKERS)} workers start: {', '.join(WORKERS)}")
            for number, name in enumerate(KILLED, start=1):
                until(partial(_has_created, stage, 4 * number), "units are created")
                victim = stage.workers[WORKERS.index(name)]
                victim.kill()
                victim.wait()
                _say(started, f"{count(len(stage.created()), 'unit')} created; {name} is killed (SIGKILL)")
            _say(started, "simulated hours pass; the others go on")
            stage.drive(900)
            return _summary(stage, started)


def _has_created(stage: WorkerStage, units: int) -> bool:
    return len(stage.created()) >= units


def _summary(stage: WorkerStage, started: float) -> int:
    phases, made = stage.phases(), stage.created()
    _say(started, "every rollout has its verdict")
    print()
    homes: dict[str, list[str]] = {}
    for name, home in sorted(stage.rollouts.items()):
        homes.setdefault(home, []).append(f"{name}: {phases[name]}")
    print("\n".join(table(("environment", "rollouts"), [(home, ", ".join(each)) for home, each in homes.items()])))
    with psycopg.connect(stage.conninfo) as connection:
        rows = connection.execute(_DONE).fetchall()
    shown = [
        (str(name), "killed" if name in KILLED else "alive", *(str(each or 0) for each in rest)) for name, *rest in rows
    ]
    print()
    head = ("worker", "is", "passes", "environments", "cut short", "calls", "writes")
    print("\n".join(table(head, shown, numbers=frozenset(range(2, 7)))))
    twice = [name for name, times in made.items() if times != 1]
    verdicts = ", ".join(f"{number} {phase}" for phase, number in Counter(phases.values()).items())
    print(f"\n{verdicts}; {count(len(made), 'unit')} created, {len(twice)} of them twice")
    good = set(phases.values()) == {Phase.SUCCEEDED} and len(made) == ROLLOUTS and not twice
    return 0 if good else 1


def _say(started: float, text: str) -> None:
    print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
