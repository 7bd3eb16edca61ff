"""A wave passes while its unit runs; devices of it that failed are tried again when the unit has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from otactl.model import (
    Abort,
    Attempt,
    Device,
    DeviceResult,
    Gate,
    Outcome,
    Phase,
    Reason,
    Record,
    Retry,
    Rollout,
    Stage,
    Suspend,
    Targets,
    Unit,
    UnitPhase,
    Verdict,
    Wave,
    WaveRecord,
)
from tests.support.attempts import NAMES, SHAPES, decided, made, many
from tests.support.builders import NOW
from tests.support.plans import actions, holds

replace = msgspec.structs.replace
START = NOW - timedelta(hours=7)
TALLY = {Outcome.SUCCEEDED: 1, Outcome.FAILED: 1, Outcome.WAITING: 1}
RESULTS = tuple(
    DeviceResult(device=n, outcome=Outcome.FAILED if r else Outcome.SUCCEEDED, reason=r)
    for n, r in zip(NAMES, (None, Reason.DOWNLOAD, Reason.TIMEOUT), strict=True)
)
GATE = Gate(min_success_percent=30, silence_after="6h")
RETRY = Retry(attempts=2, on=("download",))


def of(kind: str, attempt: Attempt, **changes: Any) -> tuple[Rollout, Record]:
    declared, record = many(kind, attempt)
    strategy = replace(declared.strategy, gate=GATE, **({"retry": RETRY} | changes))
    return replace(declared, strategy=strategy), record


def running(**changes: Any) -> Attempt:
    return made(**({"start_at": START, "tally": TALLY, "devices": NAMES} | changes))


def shown(record: Record, **changes: Any) -> Unit:
    """The unit of the newest attempt as its service shows it."""
    attempt = record.attempts[0]
    given: dict[str, Any] = {
        "phase": UnitPhase.RUNNING,
        "tally": TALLY,
        "failures": {Reason.DOWNLOAD: 1},
        "members": attempt.members,
        "start_at": START,
    }
    return Unit(unit_id=attempt.unit_id, vendor_id=str(attempt.vendor_id), readable=False, **(given | changes))


def look(kind: str, *, unit: dict[str, Any] | None = None, attempt: dict[str, Any] | None = None, **changes: Any):
    declared, record = of(kind, running(**(attempt or {})), **changes)
    return decided(kind, declared, record, shown(record, **(unit or {})))


@pytest.mark.parametrize("kind", SHAPES)
def test_a_rollout_has_not_succeeded_while_a_retry_waits_for_the_end_of_the_unit_of_a_passed_wave(kind: str) -> None:
    found = look(kind)

    assert found.record.waves[0].released
    assert (actions(found), holds(found), found.record.phase) == ([], ["waiting_for_retry"], Phase.PROGRESSING)
    (hold,) = found.plan.holds
    assert "1 device that failed is tried again when" in hold.message
    assert "v-1" in hold.message, "the command that ends the unit"
    assert hold.limit == timedelta(days=7)
    assert found.plan.requeue_at is not None


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    "given",
    [
        {"retry": None},
        {"retry": Retry(attempts=2, on=("flash",))},
        {"retry": Retry(attempts=1, on=("download",))},
        {"attempt": {"try_number": 2, "retry_targets": tuple(f"device:{n}" for n in NAMES)}},
        {"unit": {"tally": {Outcome.SUCCEEDED: 2, Outcome.WAITING: 1}, "failures": {}}},
    ],
    ids=["no retry", "of other failures", "one attempt", "the last one", "no failure"],
)
def test_a_rollout_has_succeeded_where_no_retry_is_to_come(kind: str, given: dict[str, Any]) -> None:
    found = look(kind, **given)

    assert (holds(found), found.record.phase) == ([], Phase.SUCCEEDED)


def two_waves(first: Attempt, second: Attempt) -> tuple[Rollout, Record]:
    """A wave of the devices a to c that has passed, and one of device d that runs."""
    declared, record = of("tuya", first)
    waves = (*declared.strategy.waves, Wave(name="rest", targets=Targets(devices=(Device(id="d"),))))
    both = replace(declared, strategy=replace(declared.strategy, waves=waves))
    verdict = Verdict(passed=True, succeeded=1, failed=2, total=3, needed_percent=30, at=NOW - timedelta(hours=1))
    passed = replace(record.waves[0], verdict=verdict, verdict_generation=both.generation, released=True)
    rest = replace(second, generation=both.generation, unit_id="rest-1", members=("device:d",), devices=("d",))
    return both, replace(record, waves=(passed, WaveRecord(name="rest", members=("device:d",), attempts=(rest,))))


RUNS = {"tally": {Outcome.WAITING: 1}, "failures": {}}


@pytest.mark.parametrize("ended", [False, True])
def test_a_wave_that_runs_says_that_devices_of_a_wave_before_are_tried_again(ended: bool) -> None:
    first = running(**({"stage": Stage.ENDED, "ended_at": NOW, "results": RESULTS} if ended else {}))
    declared, record = two_waves(first, running(vendor_id="v-2", start_at=NOW, tally=RUNS["tally"]))
    rest = replace(shown(record, **RUNS), unit_id="rest-1", vendor_id="v-2", members=("device:d",), start_at=NOW)

    found = decided("tuya", declared, record, *([] if ended else [shown(record)]), rest)

    assert (actions(found), holds(found), found.record.phase) == ([], ["waiting_for_retry"], Phase.PROGRESSING)
    text = found.plan.holds[0].message
    assert ("tried again after wave rest, unless" if ended else f"when {first.unit_id}") in text


@pytest.mark.parametrize(("on_failure", "reason"), [("pause", "success_rate_is_too_low"), ("abort", "aborted")])
@pytest.mark.parametrize("first", ["ended", "runs", "was withdrawn"])
def test_nothing_of_a_wave_before_follows_once_a_wave_has_failed(first: str, on_failure: str, reason: str) -> None:
    ended = {"stage": Stage.ENDED, "ended_at": NOW - timedelta(minutes=5), "results": RESULTS}
    canceled = tuple(replace(r, reason=Reason.CANCELED) if r.reason is Reason.TIMEOUT else r for r in RESULTS)
    withdrawn = ended | {"results": canceled, "canceled_by_us": True, "withdrawn": True}
    before = running(**{"ended": ended, "runs": {}, "was withdrawn": withdrawn}[first])
    bad = (DeviceResult(device="d", outcome=Outcome.FAILED, reason=Reason.FLASH),)
    failed = running(vendor_id="v-2", tally={}, stage=Stage.ENDED, ended_at=NOW - timedelta(minutes=1), results=bad)
    declared, record = two_waves(before, failed)
    declared = replace(declared, strategy=replace(declared.strategy, on_failure=on_failure))
    unit = shown(record, stopping=on_failure == "abort")

    found = decided("tuya", declared, record, *([unit] if first == "runs" else []))

    assert (actions(found), holds(found), found.record.phase) == ([], [reason], Phase.FAILED)


@pytest.mark.parametrize("stop", [{"abort": Abort(reason="stop")}, {"suspend": Suspend(reason="wait", owner="ops")}])
def test_a_stopped_rollout_does_not_say_that_devices_are_tried_again(stop: dict[str, Any]) -> None:
    declared, record = of("tuya", running(canceled_by_us=True, withdrawn=True))

    found = decided("tuya", replace(declared, **stop), record, shown(record, stopping=True))

    assert "waiting_for_retry" not in holds(found)
