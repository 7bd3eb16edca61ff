"""What `otactl gate` and a plan say of gates: in words, by the wave, and how many devices it takes."""

from __future__ import annotations

from typing import Any

import pytest

from otactl.model import Attempt, Device, Gate, Rollout, Stage, Strategy, Targets, Wave, WaveRecord
from otactl.report import plan_lines
from otactl.report.gate import as_text, percent
from otactl.report.gate_rates import Assumptions, bad_of, good_of, report_of
from otactl.report.gate_values import GateWave
from otactl.report.plan_markdown import as_markdown
from otactl.report.plan_text import as_text as text_of_plan
from otactl.report.plan_values import PlanGateRate, PlannedRollout, PlanReport
from otactl.report.plan_waves import small_waves, waves_of
from tests.support.builders import empty, rollout

TWO = Gate(min_success_percent=98)
SURE = Gate(min_success_percent=98, confidence=0.95)


def things(first: int, last: int) -> Targets:
    return Targets(things=tuple(Device(id=f"d-{n}") for n in range(first, last)))


def declared(canary: int, fleet: int, gate: Gate = TWO) -> Rollout:
    waves = (Wave(name="canary", targets=things(0, canary)), Wave(name="fleet", targets=things(canary, canary + fleet)))
    return rollout(strategy=Strategy(waves=waves, gate=gate))


def of(canary: int, fleet: int, gate: Gate = TWO, **asked: Any) -> tuple[GateWave, ...]:
    (found,) = report_of((declared(canary, fleet, gate),), Assumptions(**asked)).rollouts
    return found.waves


def text(canary: int, fleet: int, gate: Gate = TWO, **asked: Any) -> list[str]:
    whole = as_text(report_of((declared(canary, fleet, gate),), Assumptions(**asked)))
    return [line.strip() for line in whole.splitlines()]


@pytest.mark.parametrize(
    ("canary", "sentence"),
    [
        (3, "this gate lets firmware that fails on 10 % of devices pass in 73 % of cases with 3 devices"),
        (30, "this gate lets firmware that fails on 10 % of devices pass in 4.2 % of cases with 30 devices"),
    ],
)
def test_a_gate_is_described_in_words(canary: int, sentence: str) -> None:
    assert sentence in text(canary, 1000)


def test_the_words_say_how_many_devices_it_takes() -> None:
    found = text(3, 1000)

    assert "29 devices or more let firmware that fails on 10 % pass in 5 % of cases at most" in found
    assert "350 devices or more hold firmware that fails on 1 % in 5 % of cases at most" in found
    assert "it holds firmware that fails on 2 %, as it allows, in 5.9 % of cases with 3 devices" in found


def test_a_gate_with_a_confidence_says_how_many_devices_can_pass_it_at_all() -> None:
    canary, fleet = of(200, 800, SURE)

    assert (canary.least_devices, fleet.least_devices) == (132, 1)
    assert "132 devices are the least that can pass" in text(200, 800, SURE)
    assert canary.confidence == 0.95


def test_each_assumption_changes_what_is_computed() -> None:
    plain = of(30, 1000)[0]
    stricter = of(30, 1000, risk=1.0)[0]
    silent = of(30, 1000, silent=5.0)[0]
    worse = of(30, 1000, bad=20.0)[0]

    assert plain.devices_against_bad == 29
    assert stricter.devices_against_bad is not None
    assert stricter.devices_against_bad > 29
    assert silent.chances[-1].passes_percent < plain.chances[-1].passes_percent
    assert worse.chances[0].passes_percent < plain.chances[0].passes_percent


def test_a_group_is_tried_with_several_numbers_unless_one_is_given() -> None:
    (found,) = report_of((rollout(),), Assumptions(devices={"fleet": 40})).rollouts

    assert [(w.devices, len({c.devices for c in w.chances})) for w in found.waves] == [(None, 5), (40, 1)]
    assert [w.last for w in found.waves] == [False, True]


@pytest.mark.parametrize(
    ("allowed", "bad", "good"), [(0.0, 10.0, 1.0), (2.0, 10.0, 1.0), (10.0, 20.0, 5.0), (60.0, 100.0, 30.0)]
)
def test_bad_and_good_firmware_are_assumed_by_what_the_gate_allows(allowed: float, bad: float, good: float) -> None:
    gate = Gate(min_success_percent=100 - allowed)

    assert (bad_of(gate), good_of(gate)) == (bad, good)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.0, "0 %"),
        (100.0, "100 %"),
        (72.9, "73 %"),
        (4.239, "4.2 %"),
        (0.0004, "less than 0.01 %"),
        (99.97, "99.97 %"),
        (99.999, "more than 99.99 %"),
    ],
)
def test_a_percentage_has_the_digits_that_matter(number: float, words: str) -> None:
    assert percent(number) == words


def test_a_plan_has_the_rate_of_each_wave_that_was_counted() -> None:
    of_plan = waves_of(declared(3, 50), empty(declared(3, 50)), (), ())
    hidden = waves_of(rollout(), empty(rollout()), (), ())

    assert of_plan[0].gate_rate == PlanGateRate(failing_percent=10.0, passes_percent=72.9)
    assert [w.gate_rate for w in hidden] == [None, None]


@pytest.mark.parametrize(("canary", "warned"), [(20, 1), (132, 0)])
def test_a_plan_warns_of_a_wave_that_is_too_small_for_its_confidence(canary: int, warned: int) -> None:
    of_plan = declared(canary, 1000 - canary, SURE)

    found = small_waves(of_plan, waves_of(of_plan, empty(of_plan), (), ()))

    assert len(found) == warned
    assert all("it needs at least 132 devices of the 1000 in it and in the waves after it" in text for text in found)


def test_a_plan_has_one_line_on_the_gates_before_the_first_start() -> None:
    of_plan = declared(3, 50)
    shown = PlannedRollout(name="a", environment="e", waves=waves_of(of_plan, empty(of_plan), (), ()))
    alone = PlannedRollout(name="a", environment="e", waves=shown.waves[1:])

    assert plan_lines.gates(shown) == "wave canary passes firmware that fails on 10 % in 73 % of cases"
    assert plan_lines.gates(alone) == "wave fleet passes firmware that fails on 10 % in 3.4 % of cases"
    assert plan_lines.gates(PlannedRollout(name="a", environment="e")) == ""
    assert "  gates: wave canary passes" in text_of_plan(PlanReport(offline=True, rollouts=(shown,)))
    assert "- gates: wave canary passes" in as_markdown(PlanReport(offline=True, rollouts=(shown,)))


def test_a_rollout_that_has_started_has_no_line_on_its_gates() -> None:
    of_plan = declared(3, 50)
    attempt = Attempt(number=1, generation=of_plan.generation, unit_id="u", stage=Stage.RUNNING, vendor_id="v")
    record = empty(of_plan).with_wave(WaveRecord(name="canary", attempts=(attempt,)))

    assert [w.gate_rate for w in waves_of(of_plan, record, (), ())] == [None, None]
