"""Units of one rollout that stand beside the one to be started: their devices are as busy as a stranger's."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from otactl.model import (
    Attempt,
    Cause,
    DeviceResult,
    Gate,
    Outcome,
    Reason,
    Retry,
    Rollout,
    Stage,
    Strategy,
    Targets,
    Unit,
    UnitPhase,
    Verdict,
    Wave,
)
from otactl.reconcile.reconciler import RunReport
from tests.support.attempts import BEFORE, decided, made, many
from tests.support.builders import FACTS_IMAGE, NOW, look, record_of, rollout, seen, unit_of
from tests.support.in_memory_cloud import Cloud, Memory, run

OTHER = "cd" * 32


def waves(**targets: str) -> Strategy:
    named = (Wave(name=name, targets=Targets(multicast_groups=(group,))) for name, group in targets.items())
    return Strategy(waves=tuple(named), gate=Gate(min_success_percent=90))


def on_air(declared: Rollout) -> tuple[Cloud, Memory, str]:
    """A rollout whose only session has started."""
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, declared)
    cloud.now += timedelta(minutes=50)
    ((key, task),) = cloud.tasks.items()
    cloud.tasks[key] = msgspec.structs.replace(task, phase=UnitPhase.RUNNING)
    run(cloud, journal, declared)
    return cloud, journal, key


def newer(declared: Rollout, monkeypatch: pytest.MonkeyPatch, **changes: object) -> Rollout:
    monkeypatch.setattr("tests.support.in_memory_cloud.FACTS_IMAGE", msgspec.structs.replace(FACTS_IMAGE, sha256=OTHER))
    firmware = msgspec.structs.replace(declared.firmware, version="2.5.0", sha256=OTHER, image=f"s3://b/{OTHER}/x.bin")
    return msgspec.structs.replace(declared, firmware=firmware, **changes)


def reasons(report: RunReport) -> list[str]:
    return [h.reason for r in report.rollouts for h in r.holds]


def test_a_wave_of_new_content_waits_for_the_old_content_on_air_in_another_wave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = rollout(strategy=waves(canary="g1"))
    cloud, journal, _ = on_air(first)

    report = run(cloud, journal, newer(first, monkeypatch, strategy=waves(early="g1", canary="g2")))

    assert cloud.sent.count("StartFuotaTask") == 1
    assert reasons(report) == ["target_is_busy"]


def test_a_session_of_the_content_before_that_came_back_on_air_lets_its_successor_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = rollout(strategy=waves(canary="g1"))
    cloud, journal, key = on_air(first)
    task = cloud.tasks.pop(key)
    for _ in range(2):
        run(cloud, journal, first)
        cloud.now += timedelta(minutes=3)
    second = newer(first, monkeypatch)
    looked = cloud.observe
    monkeypatch.setattr(cloud, "observe", lambda *a: msgspec.structs.replace(looked(*a), units=()))
    run(cloud, journal, second)  # made, and not shown yet
    monkeypatch.setattr(cloud, "observe", looked)
    cloud.tasks[key] = task
    cloud.now += timedelta(minutes=3)

    report = run(cloud, journal, second)

    assert cloud.sent.count("StartFuotaTask") == 1
    assert reasons(report) == ["target_is_busy"]


@pytest.mark.parametrize("kind", ["otaUpdate", "tuya"])
def test_a_retry_is_not_made_while_a_unit_that_came_back_is_with_the_device(kind: str) -> None:
    failed = DeviceResult(device="a", outcome=Outcome.FAILED, reason=Reason.TIMEOUT)
    good = (DeviceResult(device=n, outcome=Outcome.SUCCEEDED) for n in "bc")
    judged = made(2, stage=Stage.ENDED, ended_at=BEFORE, results=(failed, *good))
    declared, record = many(kind, made(devices=("a", "b", "c")), judged)
    retry = Retry(on=("timeout",), attempts=2)
    again = msgspec.structs.replace(declared, strategy=msgspec.structs.replace(declared.strategy, retry=retry))

    alone = decided(kind, again, _without(record.attempts[0], record))
    beside = decided(kind, again, record, _shown(record.attempts[0], stopping=True))

    assert len(alone.plan.actions) == 1
    assert beside.plan.actions == ()
    assert "target_is_busy" in [h.reason for h in beside.plan.holds]


def _shown(attempt: Attempt, **changes: object) -> Unit:
    return Unit(unit_id=attempt.unit_id, phase=UnitPhase.RUNNING, vendor_id=attempt.vendor_id or "", **changes)


def _without(attempt: Attempt, record):
    wave = record.waves[0]
    lost = msgspec.structs.replace(attempt, stage=Stage.LOST)
    return msgspec.structs.replace(record, waves=(msgspec.structs.replace(wave, attempts=(lost, *wave.attempts[1:])),))


def test_a_unit_with_our_marks_beside_a_wave_that_has_passed_is_a_copy_and_not_adopted() -> None:
    declared = rollout()
    passed = Verdict(passed=True, succeeded=1, failed=0, total=1, needed_percent=90, at=NOW)
    record = record_of(declared, unit_of(declared), Stage.DELETED)
    wave = replace(record.waves[0], verdict=passed, verdict_generation=declared.generation, released=True)

    result = look(declared, replace(record, waves=(wave,)), seen(unit_of(declared, number=9, vendor_id="x-2")))

    assert [(e.subject, e.cause) for e in result.record.drift] == [("x-2", Cause.FOREIGN)]
    assert [a.vendor_id for a in result.record.attempts] == ["t-1"]


def test_a_copy_that_was_reported_is_not_adopted_once_the_unit_beside_it_is_over() -> None:
    declared = rollout()
    copy = unit_of(declared, unit_id="probe-canary-copy", vendor_id="x-2")
    known = look(declared, record_of(declared, unit_of(declared), Stage.OPEN), seen(unit_of(declared), copy)).record
    over = replace(known.attempts[0], stage=Stage.SUPERSEDED)
    record = replace(known, waves=(replace(known.waves[0], attempts=(over,)),))

    result = look(declared, record, seen(copy))

    assert [(e.subject, e.open) for e in result.record.drift] == [("x-2", True)]
    assert "x-2" not in {a.vendor_id for a in result.record.attempts}
