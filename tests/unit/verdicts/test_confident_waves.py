"""Waves whose gate has a confidence: decided early where the rest cannot change it, and by the fleet they had."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from otactl.model import (
    Attempt,
    Device,
    DeviceResult,
    Event,
    Gate,
    Outcome,
    Phase,
    Reason,
    Record,
    Retry,
    Rollout,
    Stage,
    Strategy,
    Targets,
    Verdict,
    Wave,
    WaveRecord,
)
from otactl.planning.membership import approval_digest
from otactl.verdicts import wave_verdict
from tests.support.builders import NOW, rollout

S, F, W = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.WAITING
GATE = Gate(min_success_percent=90, confidence=0.9, silence_after="2h")
START = NOW - timedelta(hours=1)


def things(first: int, last: int) -> Targets:
    return Targets(things=tuple(Device(id=f"d-{n}") for n in range(first, last)))


def declared(canary: int = 30, fleet: int = 70, **strategy: Any) -> Rollout:
    waves = (Wave(name="canary", targets=things(0, canary)), Wave(name="fleet", targets=things(canary, canary + fleet)))
    given: dict[str, Any] = {"waves": waves, "gate": GATE} | strategy
    return rollout(strategy=Strategy(**given))


def running(of: Rollout, counts: dict[Outcome, int], **changes: Any) -> WaveRecord:
    attempt = Attempt(
        number=1,
        generation=of.generation,
        unit_id="u",
        stage=Stage.RUNNING,
        start_at=START,
        vendor_id="v",
        tally=counts,
    )
    return WaveRecord(name="canary", attempts=(replace(attempt, **changes),))


def judged(of: Rollout, wave: WaveRecord, now: Any = NOW) -> WaveRecord:
    record = Record(environment=of.environment, name=of.name, generation=of.generation, waves=(wave,))
    return wave_verdict.judge(wave, record, of, now, [])


def verdict_of(wave: WaveRecord) -> str:
    if wave.verdict is None:
        return "none"
    return "passed" if wave.verdict.passed else wave.verdict.reason


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({S: 29, W: 1}, "passed"),
        ({S: 28, F: 1, W: 1}, "none"),
        ({S: 28, W: 2}, "none"),
        ({F: 6, W: 24}, "success_rate_is_too_low"),
        ({F: 5, W: 25}, "none"),
    ],
)
def test_a_wave_is_decided_as_soon_as_the_devices_without_an_answer_cannot_change_it(
    counts: dict[Outcome, int], verdict: str
) -> None:
    of = declared()

    assert verdict_of(judged(of, running(of, counts))) == verdict


def test_a_wave_that_passed_early_is_released_and_a_gate_without_confidence_waits() -> None:
    of, plain = declared(), declared(gate=replace(GATE, confidence=Gate().confidence))

    assert judged(of, running(of, {S: 29, W: 1})).released
    assert verdict_of(judged(plain, running(plain, {S: 29, W: 1}))) == "none"


@pytest.mark.parametrize(("tries", "verdict"), [(1, "none"), (2, "passed")])
def test_nothing_is_decided_early_while_a_retry_may_follow(tries: int, verdict: str) -> None:
    of = declared(retry=Retry(attempts=2, on=("download",)))

    assert verdict_of(judged(of, running(of, {S: 29, W: 1}, try_number=tries))) == verdict


def test_answers_that_show_neither_hold_the_wave_at_the_deadline_and_it_has_not_failed() -> None:
    of = declared()
    wave = judged(of, running(of, {S: 26, F: 2, W: 2}), NOW + timedelta(hours=1))
    record = Record(environment=of.environment, name=of.name, generation=of.generation, waves=(wave,))

    assert verdict_of(wave) == "evidence_is_too_weak"
    assert not wave_verdict.failed(wave, of)
    assert wave_verdict.phase_of(record, of, stalled=True) is Phase.STALLED


@given(st.integers(0, 30), st.integers(0, 30), st.booleans())
def test_results_of_devices_and_counts_of_a_unit_that_runs_give_one_verdict(well: int, failed: int, due: bool) -> None:
    of, silent = declared(), max(30 - well - failed, 0)
    ends = [(S, None)] * well + [(F, Reason.FLASH)] * failed + [(F, Reason.TIMEOUT)] * silent
    results = tuple(
        DeviceResult(device=f"d-{n}", outcome=outcome, reason=reason, silent=reason is Reason.TIMEOUT)
        for n, (outcome, reason) in enumerate(ends)
    )
    now = NOW + timedelta(hours=1 if due else 0)
    ended = running(of, {}, stage=Stage.ENDED, ended_at=START, results=results)

    assert verdict_of(judged(of, ended, now)) == verdict_of(
        judged(of, running(of, {S: well, F: failed, W: silent}), now)
    )


def test_a_late_answer_decides_what_the_deadline_left_open() -> None:
    of = declared()
    held = judged(of, running(of, {S: 28, W: 2}), NOW + timedelta(hours=1))

    later = replace(held, attempts=(replace(held.attempts[0], tally={S: 29, W: 1}),))

    assert verdict_of(held) == "evidence_is_too_weak"
    assert verdict_of(judged(of, later, NOW + timedelta(hours=2))) == "passed"


def test_a_verdict_says_with_how_many_failures_its_wave_passes_and_fails() -> None:
    of, small = declared(), declared(canary=3)
    found = [judged(each, running(each, {S: n, F: 1}), NOW) for each, n in ((of, 29), (small, 2))]

    words = [wave_verdict.arithmetic(wave.verdict, GATE) for wave in found if wave.verdict is not None]

    assert words[0].endswith("1 failed, at 90 % confidence passes with 1 or fewer failures and fails with 6 or more")
    assert words[1].endswith("at 90 % confidence a wave of 3 devices is too small to pass")


def test_devices_that_are_declared_later_do_not_take_a_verdict_back() -> None:
    of = declared(canary=10, fleet=0, gate=replace(GATE, confidence=0.95))
    of = replace(of, strategy=replace(of.strategy, waves=of.strategy.waves[:1]))
    passed = judged(of, running(of, {S: 9, F: 1}))
    more = replace(
        of, strategy=replace(of.strategy, waves=(*of.strategy.waves, Wave(name="b", targets=things(10, 40))))
    )

    assert verdict_of(passed) == "passed"
    assert verdict_of(judged(more, running(more, {S: 9, F: 1}))) == "evidence_is_too_weak"
    assert verdict_of(judged(more, passed, NOW + timedelta(days=1))) == "passed"


@pytest.mark.parametrize(("later", "known"), [(Targets(multicast_groups=("g",)), False), (things(30, 40), True)])
def test_a_fleet_whose_groups_hide_their_devices_has_no_known_size(later: Targets, known: bool) -> None:
    of = declared()
    of = replace(of, strategy=replace(of.strategy, waves=(of.strategy.waves[0], Wave(name="fleet", targets=later))))

    verdict = judged(of, running(of, {S: 30})).verdict

    assert verdict is not None
    assert verdict.fleet == (40 if known else None)


def stopped(of: Rollout, *reasons: Reason | None) -> WaveRecord:
    results = tuple(
        DeviceResult(device=f"d-{n}", outcome=F if reason else S, reason=reason) for n, reason in enumerate(reasons)
    )
    members = tuple(f"device:{r.device}" for r in results)
    changes: dict[str, Any] = {"canceled_by_us": True, "withdrawn": True, "results": results, "ended_at": NOW}
    wave = running(of, {}, stage=Stage.ENDED, members=members, **changes)
    return replace(wave, members=members)


@pytest.mark.parametrize(
    ("failed", "verdict"), [(0, "none"), (1, "none"), (2, "success_rate_is_too_low"), (7, "success_rate_is_too_low")]
)
def test_a_stopped_wave_never_passes_by_the_devices_that_had_started(failed: int, verdict: str) -> None:
    of = declared()
    rest = [Reason.CANCELED] + [Reason.FLASH] * failed

    assert verdict_of(judged(of, stopped(of, *([None] * (30 - len(rest))), *rest))) == verdict


def test_an_eased_gate_lets_the_rest_of_a_stopped_wave_follow_and_does_not_pass_without_it() -> None:
    of = declared()
    old = Verdict(passed=False, succeeded=29, failed=1, total=30, needed_percent=99, at=NOW, reason="too_low")
    wave = replace(stopped(of, *([None] * 29), Reason.CANCELED), verdict=old, verdict_generation=of.generation)

    assert verdict_of(judged(of, wave)) == "none"


def test_an_approval_given_before_the_field_was_there_stays_good() -> None:
    of = declared(gate=Gate(min_success_percent=90))
    sure = declared()

    assert approval_digest(of, of.strategy.waves[0]).startswith("ab9a1854bb2bfbc7")
    assert approval_digest(sure, sure.strategy.waves[0]) != approval_digest(of, of.strategy.waves[0])


def test_the_event_of_an_early_verdict_names_the_devices_without_an_answer() -> None:
    of, events = declared(), list[Event]()
    wave = running(of, {S: 29, W: 1})
    record = Record(environment=of.environment, name=of.name, generation=of.generation, waves=(wave,))

    wave_verdict.judge(wave, record, of, NOW, events)

    assert [e.message for e in events] == [
        (
            "wave canary passed: 96.7 % of 30 devices, 90 % needed, 1 failed, 1 of them without an answer, "
            "at 90 % confidence passes with 1 or fewer failures and fails with 6 or more"
        )
    ]
