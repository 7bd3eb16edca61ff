"""`--watch` and `--wait-for` under a clock of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from otactl.cli.repeated_status import NEVER, TIMED_OUT, Clock, wait_for, watch
from otactl.errors import StalledError, TransientError
from otactl.model import Phase
from otactl.report.status_summary import RolloutLine, summarise
from tests.support.report_values import NOW, record, stored

EVERY = timedelta(seconds=10)


class Time:
    """A clock that sleeping moves; it interrupts at `end`."""

    def __init__(self, end: timedelta = timedelta(days=1)) -> None:
        self.now, self.end = NOW, NOW + end
        self.clock = Clock(now=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.now >= self.end:
            raise KeyboardInterrupt


def reading(*found: Phase | Exception | None) -> Callable[[], RolloutLine | None]:
    """Give one answer after the other, the last one for ever."""
    answers = list(found)

    def read() -> RolloutLine | None:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else summarise(stored(record(phase=answer))).rollouts[0]

    return read


def test_waiting_ends_when_the_phase_is_reached(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    read = reading(None, Phase.PENDING, Phase.PROGRESSING, Phase.PROGRESSING, Phase.SUCCEEDED)

    assert wait_for(read, "soil", Phase.SUCCEEDED, timedelta(hours=1), EVERY, time.clock) == 0
    assert time.now == NOW + 4 * EVERY
    assert [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "soil is not recorded yet",
        "prod-eu/soil is Pending",
        "prod-eu/soil is Progressing",
    ]


def test_waiting_ends_early_with_another_code_when_the_rollout_fails(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()

    code = wait_for(reading(Phase.FAILED), "soil", Phase.SUCCEEDED, timedelta(hours=1), EVERY, time.clock)

    assert (code, time.now) == (NEVER, NOW)
    assert capsys.readouterr().err == ("otactl: prod-eu/soil is Failed, and does not become Succeeded by itself\n")


def test_waiting_ends_at_its_timeout_and_not_an_interval_later(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()

    code = wait_for(reading(Phase.PENDING), "soil", Phase.SUCCEEDED, timedelta(seconds=25), EVERY, time.clock)

    assert (code, time.now) == (TIMED_OUT, NOW + timedelta(seconds=25))
    assert "after 25s; it did not become Succeeded" in capsys.readouterr().err


def test_a_journal_without_an_answer_is_asked_again_and_one_that_is_refused_is_not() -> None:
    time = Time()
    read = reading(TransientError("no answer"), Phase.SUCCEEDED)
    assert wait_for(read, "soil", Phase.SUCCEEDED, timedelta(hours=1), EVERY, time.clock) == 0

    refused = reading(StalledError("PermissionDenied", "s3:GetObject was refused"))
    with pytest.raises(StalledError):
        wait_for(refused, "soil", Phase.SUCCEEDED, timedelta(hours=1), EVERY, time.clock)


def test_watching_draws_at_each_interval_and_ends_without_an_error_when_interrupted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown: Iterator[str | Exception] = iter(("one", TransientError("no answer"), "three"))

    def draw() -> str:
        found = next(shown)
        if isinstance(found, Exception):
            raise found
        return found

    watch(draw, EVERY, Time(end=3 * EVERY).clock)

    printed = capsys.readouterr().out.splitlines()
    assert printed[1::2] == ["one", "otactl: no answer", "three"]
    assert printed[::2][1] == "2026-03-01T12:00:10Z, again every 10s; Ctrl-C ends"
