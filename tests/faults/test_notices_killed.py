"""Notices through a receiver that fails half of the time, from runs that are killed: each once by its id, none lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from otactl.journal import SqlJournal
from tests.support.http_receiver import Behaviour, Received, receiving
from tests.support.notice_stage import HOME, SECRET
from tests.support.paths import ROOT

LARGE = tuple(int(n) for n in os.environ.get("OTACTL_TEST_NOTICES", "30x20x6").split("x"))
"""Rollouts, events of each and kills; docs/reliability.md tells of a run with 100x100x20."""

WORKER = """
import sys
from otactl.journal import open_journal
from otactl.planning.environment import NAME
from otactl.receivers import sender_for
from tests.support.builders import ENVIRONMENT
from tests.support.notice_stage import Runner, receiver
import msgspec, os
from datetime import UTC, datetime

url, place, rollouts, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
names = [f"r{n:03}" for n in range(rollouts)]
hook = receiver(url=url)
send = sender_for(msgspec.structs.replace(ENVIRONMENT, notices=(hook,)))
with open_journal(place) as journal:
    while True:
        runner = Runner(journal, (hook,), send, now=lambda: datetime.now(UTC), holder=f"host/{os.getpid()}")
        stored = [s.record for n, s in runner.leased.stored.items() if n != NAME]
        done = min((int(r.version) for r in stored), default=0)
        if done == rounds and not any(r.notices for r in stored):
            break
        if done < rounds:
            runner.happen(names, done + 1)
        runner.deliver()
        runner.end()
"""


class Unreliable:
    """Refuses, loses the answer or accepts, by chance; keeps what it took in."""

    def __init__(self, seed: int) -> None:
        self._random, self._lock = random.Random(seed), threading.Lock()  # noqa: S311 - chance, not a secret
        self.taken: Counter[tuple[str, str, str]] = Counter()
        self.refused = self.lost = 0

    def __call__(self, came: Received) -> Behaviour:
        event = json.loads(came.body)
        with self._lock:
            luck = self._random.random()
            if luck < 0.5:
                self.refused += 1
                return 503
            self.taken[event["id"], event["subject"], event["data"]["reason"]] += 1
            if luck < 0.51:
                self.lost += 1
                return "lose"
            return 204


@pytest.mark.server
@pytest.mark.parametrize(
    ("rollouts", "rounds", "kills"),
    [(10, 4, 1), pytest.param(*LARGE, marks=pytest.mark.thorough)],
)
def test_each_event_is_taken_once_by_its_id_and_none_is_lost(
    tmp_path: Path, rollouts: int, rounds: int, kills: int
) -> None:
    place, chance, dice = str(tmp_path / "journal.db"), Unreliable(7), random.Random(11)  # noqa: S311 - chance, not a secret
    SqlJournal(place).close()
    with receiving(chance) as server:
        environ = {
            **os.environ,
            SECRET: "a secret of the test",
            "OTACTL_ALLOWED_HOSTS": server.url.removeprefix("http://"),
            "PYTHONPATH": str(ROOT),
        }
        left = kills
        while True:
            child = subprocess.Popen(
                [sys.executable, "-c", WORKER, f"{server.url}/hook", place, str(rollouts), str(rounds)],
                env=environ,
                cwd=ROOT,
            )
            if left:
                seen, wanted = len(server.requests), dice.randrange(3, 2 * rollouts * rounds // (kills + 1))
                while child.poll() is None and len(server.requests) < seen + wanted:
                    server.came.wait(0.05)
                    server.came.clear()
                child.send_signal(signal.SIGKILL)
                left -= 1
            child.wait(timeout=1200)
            if child.returncode == 0:
                break
            assert child.returncode == -signal.SIGKILL

    assert left == 0
    expected = {(f"r{n:03}", f"hold_{k}") for n in range(rollouts) for k in range(1, rounds + 1)}
    assert Counter((subject, reason) for _, subject, reason in chance.taken) == Counter(expected)
    assert sum(n - 1 for n in chance.taken.values()) <= chance.lost + 11 * kills
    with SqlJournal(place) as journal:
        stored = journal.load_all(HOME)
    assert not any(s.record.notices for s in stored.values())
    assert chance.refused > rollouts * rounds // 3
    print(
        f"{len(expected)} events, {len(server.requests)} requests, {chance.refused} refused, {chance.lost} answers lost"
    )
    print(f"{kills} kills, {sum(n - 1 for n in chance.taken.values())} came twice with the same id")
