"""A pass is a process of its own: what hangs, crashes or takes too much memory ends alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otactl.workers.passes import Ended, Processes
from tests.support.worker_children import (
    Answer,
    crash,
    double,
    fill_memory,
    hang,
    ignore_and_hang,
    orphan,
    release_on_the_way_out,
)
from tests.support.worker_stage import until


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    found = Processes(("tests.support.worker_children",), memory_mib=256)
    yield found
    found.close()


def ended(processes: Processes, run: object, seconds: float = 60) -> Ended[Answer]:
    return processes.start(run, 21).ended(seconds)  # type: ignore[arg-type, return-value]


def test_a_process_answers(processes: Processes) -> None:
    assert ended(processes, double) == Ended(Answer(42))


def test_one_that_crashes_is_reported_by_its_signal(processes: Processes) -> None:
    assert ended(processes, crash) == Ended(None, "crashed", "it was ended by SIGSEGV")


def test_one_that_takes_too_much_memory_ends_alone(processes: Processes) -> None:
    found = ended(processes, fill_memory)
    assert (found.problem, "memory" in found.text) == ("crashed", True)


def test_one_that_hangs_is_ended_at_its_limit(processes: Processes) -> None:
    assert ended(processes, hang, seconds=0.2).problem == "hung"


def test_one_that_ignores_the_request_to_end_is_killed(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otactl.workers.passes.ASKED_SECONDS", 0.2)
    assert ended(processes, ignore_and_hang, seconds=0.2).problem == "hung"


def test_one_that_is_asked_to_end_releases_what_it_holds(processes: Processes, tmp_path: Path) -> None:
    place = tmp_path / "lease"
    child = processes.start(release_on_the_way_out, str(place))
    found: list[Ended[Answer]] = []
    waiting = threading.Thread(target=lambda: found.append(child.ended(60)))
    waiting.start()
    until(lambda: place.exists() and place.read_text(), "it holds something")
    child.stop()
    waiting.join()
    assert found == [Ended(None, "stopped", "its worker stopped")]
    assert place.read_text() == "released"


def test_a_pass_does_not_outlive_its_worker() -> None:
    pid = orphan()
    until(lambda: not _is_alive(pid), "a pass ends with its worker")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"
