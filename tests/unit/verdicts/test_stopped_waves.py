"""A wave that was stopped midway is judged by the devices that had their turn, and by no others."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import Gate, Outcome, Reason, Retry, Rollout, Stage, Verdict
from otactl.model.actions import CreateUnit
from otactl.planning.assess import Assessment
from tests.support.attempts import BEFORE, NAMES, decided, judged, made, many
from tests.support.builders import NOW


def gated(declared: Rollout, on_failure: Any = "pause", **gate: Any) -> Rollout:
    return replace(declared, strategy=replace(declared.strategy, gate=Gate(**gate), on_failure=on_failure))


def members(found: Assessment) -> list[tuple[str, ...]]:
    return [a.unit.members for a in found.plan.actions if isinstance(a, CreateUnit)]


@pytest.mark.parametrize("withdrawn", [True, False])
def test_the_rest_does_not_follow_failures_beyond_the_gate_whoever_stopped_the_wave(withdrawn: bool) -> None:
    stopped = replace(judged(Reason.FLASH, Reason.FLASH, Reason.CANCELED), withdrawn=withdrawn)
    declared, record = many("otaUpdate", stopped)

    found = decided("otaUpdate", gated(declared, max_failures=0), record)

    assert members(found) == []
    assert [h.reason for h in found.plan.holds] == ["failures_exceed_limit"]


@pytest.mark.parametrize("on_failure", ["abort", "pause"])
def test_an_eased_gate_lets_the_rest_of_a_wave_follow_that_its_failure_aborted(on_failure: str) -> None:
    stopped = replace(judged(None, Reason.FLASH, Reason.CANCELED), withdrawn=False)
    declared, record = many("otaUpdate", stopped)
    verdict = Verdict(
        passed=False, succeeded=1, failed=2, total=3, needed_percent=90, at=NOW, reason="failures_exceed_limit"
    )
    record = record.with_wave(replace(record.waves[0], verdict=verdict, verdict_generation=declared.generation))

    found = decided("otaUpdate", gated(declared, on_failure, max_failures=5, min_success_percent=10), record)

    assert members(found) == [("device:c",)]


@pytest.mark.parametrize("kind", ["otaUpdate", "tuya"])
def test_a_wave_that_was_stopped_before_it_had_a_device_has_not_failed(kind: str) -> None:
    stopped = made(stage=Stage.ENDED, ended_at=BEFORE, canceled_by_us=True, withdrawn=True)
    declared, record = many(kind, stopped)

    found = decided(kind, declared, record)

    assert found.record.waves[0].verdict is None
    assert members(found) == [tuple(f"device:{n}" for n in NAMES)]


def test_a_device_dropped_before_it_began_does_not_count_while_the_others_run() -> None:
    second = made(2, retry_targets=("device:b",), members=("device:b",), devices=("b",), tally={Outcome.WAITING: 1})
    declared, record = many("otaUpdate", judged(None, Reason.CANCELED, Reason.CANCELED), second)
    (wave,) = declared.strategy.waves
    assert wave.targets is not None
    left = replace(wave, targets=wave.targets.only({"device:a", "device:b"}))
    declared = replace(declared, strategy=replace(declared.strategy, waves=(left,)))

    found = decided("otaUpdate", gated(declared, max_failures=0), record)

    assert found.record.waves[0].verdict is None


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_stopped_wave_fails_by_its_confidence_only_if_no_retry_may_follow(attempts: int) -> None:
    stopped = judged(Reason.DOWNLOAD, Reason.DOWNLOAD, Reason.CANCELED)
    declared, record = many("otaUpdate", stopped)
    gate = Gate(min_success_percent=50, silence_after="6h", confidence=0.55)
    retry = Retry(attempts=attempts, on=("download",))
    declared = replace(declared, strategy=replace(declared.strategy, gate=gate, retry=retry))

    found = decided("otaUpdate", declared, record)

    assert members(found) == ([] if attempts == 1 else [("device:c",)])
