"""The bench of workers ends, whatever happens, and leaves no process behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.workers import Fleet, LimitError, kills, limited, rate
from tests.support.paths import ROOT
from tests.support.postgres import missing
from tests.support.worker_stage import until

pytestmark = pytest.mark.server
TINY = Fleet(environments=2, rollouts=2, workers=2, kills=2, every=1, pause=1)
_CHILDREN = """
import sys, time
from tests.support.guarded import Guard
import subprocess
guard = Guard()
child = subprocess.Popen(["sleep", "600"])
guard.watch(child.pid)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def postgresql_is_there() -> None:
    if missing():
        pytest.skip(missing())


@pytest.mark.thorough
def test_a_tiny_fleet_ends_under_kills_with_one_unit_each() -> None:
    found = kills(TINY, 120)
    assert found.holds(TINY)
    assert (found.kills, found.verdicts) == (2, {"Succeeded": 2})


@pytest.mark.thorough
def test_a_fleet_that_does_not_end_in_time_is_reported_as_it_is() -> None:
    found = kills(TINY._replace(kills=1000), 1)
    assert not found.holds(TINY)
    assert found.kills < 1000


@pytest.mark.thorough
def test_a_worker_that_ends_by_itself_ends_the_bench_with_what_it_printed() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)worker w\d ended by itself: .*no duration"):
        kills(TINY._replace(every=0.5), 120)


@pytest.mark.thorough
def test_the_rate_of_one_worker_and_of_several_is_counted() -> None:
    assert set(rate(1, 5, 2, 2, 120)) == {1, 2}


def test_a_bench_ends_at_its_limit_and_the_signals_are_as_before() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)]
    with pytest.raises(LimitError, match=r"not over after 0\.01 s"), limited(0.01):
        time.sleep(60)
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)] == before


def test_a_bench_that_is_asked_to_end_ends_in_order() -> None:
    with pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)), limited(60):
        signal.raise_signal(signal.SIGTERM)


def test_a_limit_within_a_limit_leaves_the_rest_of_that_one() -> None:
    with pytest.raises(LimitError, match=r"not over after 0\.2 s"), limited(0.2):
        _short_then_long()


def _short_then_long() -> None:
    with pytest.raises(LimitError, match=r"not over after 0\.01 s"), limited(0.01):
        time.sleep(60)
    time.sleep(60)


def test_what_a_killed_bench_had_started_ends_with_it() -> None:
    bench = subprocess.Popen([sys.executable, "-c", _CHILDREN], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert bench.stdout is not None
    child = int(bench.stdout.readline())
    bench.kill()
    bench.wait()
    bench.stdout.close()
    until(lambda: not Path(f"/proc/{child}/exe").exists(), "the child has ended", 30)
