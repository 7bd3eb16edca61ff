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


WELL = DeviceResult(device="a", outcome=Outcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("gate", "results", "word"),
    [
        (Gate(min_success_percent=100), (WELL, WELL), "passed"),
        (Gate(min_success_percent=100), (WELL, replace(SILENT, silent=False)), "failed"),
        (Gate(min_success_percent=50, min_reported=2), (WELL, SILENT), "is not decided"),
    ],
)
def test_a_verdict_is_an_event_that_says_how_it_came_about(
    gate: Gate, results: tuple[DeviceResult, ...], word: str
) -> None:
    named = tuple(replace(result, device=name) for result, name in zip(results, "ab", strict=True))
    attempt = made(stage=Stage.ENDED, devices=("a", "b"), results=named, ended_at=NOW - SETTLE)
    declared, record = many("otaUpdate", attempt)
    declared = replace(declared, strategy=replace(declared.strategy, gate=gate))
    events: list[Event] = []

    wave_verdict.judge(record.waves[0], record, declared, NOW, events)

    assert [(e.kind, e.subject) for e in events] == [("verdict", "all")]
    assert events[0].message.startswith(f"wave all {word}: ")


def test_devices_of_a_running_unit_are_waited_for_until_the_deadline_of_the_gate() -> None:
    attempt = made(devices=("a", "b"), tally={Outcome.SUCCEEDED: 1, Outcome.WAITING: 1}, start_at=NOW)
    declared, record = many("otaUpdate", attempt)
    declared = replace(declared, strategy=replace(declared.strategy, gate=Gate(silence_after="2h")))

    found = wave_verdict.judgement(record.waves[0], declared.strategy.waves[0], declared, NOW)

    assert found is not None
    assert (found[0].reason, found[0].until) == ("waiting_for_devices", NOW + timedelta(hours=2))
