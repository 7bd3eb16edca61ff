"""A verdict stays what it is where the clock of the next pass is a little behind: other hosts, a clock set right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from otactl.model import DeviceResult, Event, Gate, Outcome, Reason, Stage, Verdict
from otactl.verdicts import wave_verdict
from otactl.verdicts.deadlines import SETTLE
from tests.support.attempts import made, many
from tests.support.builders import NOW

SILENT = DeviceResult(device="b", outcome=Outcome.FAILED, reason=Reason.TIMEOUT, silent=True)


@pytest.mark.parametrize("stage", [Stage.ENDED, Stage.DELETED])
@pytest.mark.parametrize(("needed", "passed"), [(100, False), (50, True)])
@pytest.mark.parametrize("silence", [None, "1h"])
def test_a_pass_whose_clock_is_behind_does_not_wait_again_for_the_devices_of_a_judged_wave(
    stage: Stage, needed: int, passed: bool, silence: str | None
) -> None:
    results = (DeviceResult(device="a", outcome=Outcome.SUCCEEDED), SILENT)
    ended = NOW - (SETTLE if silence is None else timedelta(hours=1))
    declared, record = many("otaUpdate", made(stage=stage, devices=("a", "b"), results=results, ended_at=ended))
    gate = Gate(min_success_percent=needed, silence_after=silence)
    declared = replace(declared, strategy=replace(declared.strategy, gate=gate))
    events: list[Event] = []

    first = wave_verdict.judge(record.waves[0], record, declared, NOW, events)
    again = wave_verdict.judge(first, record, declared, NOW - timedelta(milliseconds=1), events)

    assert again == first
    assert again.verdict is not None
    assert again.verdict.passed is passed
    assert again.released is passed
    assert [e.kind for e in events] == ["verdict"]


def test_a_verdict_of_a_clock_that_was_far_ahead_is_given_again_by_the_right_one() -> None:
    results = (DeviceResult(device="a", outcome=Outcome.SUCCEEDED), SILENT)
    attempt = made(stage=Stage.ENDED, devices=("a", "b"), results=results, ended_at=NOW)
    declared, record = many("otaUpdate", attempt)
    gate = Gate(silence_after="1h")
    declared = replace(declared, strategy=replace(declared.strategy, gate=gate))

    first = wave_verdict.judge(record.waves[0], record, declared, NOW + timedelta(days=365), [])
    again = wave_verdict.judge(first, record, declared, NOW, [])

    assert first.verdict is not None
    assert (again.verdict, again.verdict_generation, again.released) == (None, "", False)


@pytest.mark.parametrize("silence", [None, "1m"])
def test_a_verdict_that_an_earlier_version_gave_at_once_is_not_waited_for_again(silence: str | None) -> None:
    attempt = made(stage=Stage.ENDED, devices=("b",), results=(SILENT,), ended_at=NOW)
    declared, record = many("otaUpdate", attempt)
    gate = Gate(min_reported=0, silence_after=silence)
    declared = replace(declared, strategy=replace(declared.strategy, gate=gate))
    at_once = Verdict(passed=False, succeeded=0, failed=1, total=1, needed_percent=100, at=NOW, reason="old")
    known = replace(record.waves[0], verdict=at_once, verdict_generation=declared.generation)

    judged = wave_verdict.judge(known, record, declared, NOW + timedelta(minutes=1), [])
    fresh = wave_verdict.judge(record.waves[0], record, declared, NOW + timedelta(minutes=1), [])

    assert judged.verdict is not None
    assert fresh.verdict is None
