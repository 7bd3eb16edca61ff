"""What status sums up from a record: which wave is shown, how devices count, what one device has been through."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otactl.model import Attempt, DriftStatus, Outcome, Reason, Stage, WaveRecord
from otactl.report.status_summary import Devices, summarise
from tests.support.report_values import GENERATION, NOW, attempt, entry, record, result, stored, verdict

S, F, W, U = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.WAITING, Outcome.UNKNOWN
PASSED = WaveRecord(
    name="canary",
    attempts=(attempt(stage=Stage.ENDED),),
    verdict=verdict(1, 1),
    verdict_generation=GENERATION,
    released=True,
)
FLEET = WaveRecord(name="fleet")


def _devices(*attempts: Attempt, members: tuple[str, ...] = ()) -> Devices:
    report = summarise(stored(record(WaveRecord(name="canary", attempts=attempts, members=members))))
    return report.rollouts[0].devices


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ((), Devices()),
        ((attempt(members=("g1", "g2")),), Devices(waiting=2)),
        (
            (attempt(members=("g1", "g2"), results=(result("1", S, via="g1"), result("2", F, via="g1"))),),
            Devices(succeeded=1, failed=1, waiting=1),
        ),
        ((attempt(members=("devEui:70b31",), results=(result("1", W),)),), Devices(waiting=1)),
        (
            (attempt(stage=Stage.ENDED, members=("g1",), results=(result("1", S), result("2", U))),),
            Devices(succeeded=1, unknown=1),
        ),
        (
            (
                attempt(1, Stage.ENDED, results=(result("1", F), result("2", S))),
                attempt(2, Stage.ENDED, results=(result("1", S),)),
            ),
            Devices(succeeded=2),
        ),
        ((attempt(1, Stage.ENDED, generation="b" * 64, results=(result("1", F),)),), Devices()),
    ],
    ids=[
        "no attempt",
        "groups not heard of",
        "one group heard of",
        "a DevEUI that answered is not silent",
        "judged: no target is silent",
        "the newest attempt wins",
        "other content does not count",
    ],
)
def test_devices_are_counted(attempts: tuple[Attempt, ...], expected: Devices) -> None:
    assert _devices(*attempts) == expected


def test_frozen_members_of_a_wave_without_an_attempt_are_waiting() -> None:
    assert _devices(members=("g1", "g2", "g3")) == Devices(waiting=3)


def test_the_wave_shown_is_the_first_that_has_not_passed() -> None:
    (line,) = summarise(stored(record(PASSED, FLEET))).rollouts
    assert (line.wave, line.attempt) == ("fleet", 0)


def test_a_verdict_on_other_content_does_not_count_as_passed() -> None:
    old = WaveRecord(name="canary", verdict=verdict(1, 1), verdict_generation="b" * 64)
    (line,) = summarise(stored(record(old))).rollouts
    assert line.wave == "canary"
    assert line.waves[0].verdict is not None
    assert not line.waves[0].verdict.current


def test_no_wave_is_shown_when_all_have_passed() -> None:
    (line,) = summarise(stored(record(PASSED))).rollouts
    assert (line.wave, line.attempt) == (None, None)


def test_acknowledged_and_closed_drift_do_not_count_as_open() -> None:
    drift = (entry("a"), entry("b", DriftStatus.ACKNOWLEDGED), entry("c", DriftStatus.CLOSED, closed=True))
    (line,) = summarise(stored(record(drift=drift))).rollouts
    assert (line.open_drift, line.acknowledged_drift) == (1, 1)


def test_rollouts_are_sorted_by_environment_and_name() -> None:
    records = (record(name="b"), record(name="a"), record(name="z", environment="dev"))
    assert [(r.environment, r.name) for r in summarise(stored(*records)).rollouts] == [
        ("dev", "z"),
        ("prod-eu", "a"),
        ("prod-eu", "b"),
    ]


@pytest.mark.parametrize("asked", ["1", "70b31", "70B31", "devEui:70B31"])
def test_a_device_is_found_by_id_and_by_dev_eui_in_either_case(asked: str) -> None:
    ended = attempt(1, Stage.ENDED, ended_at=NOW, results=(result("1", F, Reason.INTEGRITY, "g1"), result("2", S)))
    holding = record(WaveRecord(name="canary", attempts=(ended,)))
    report = summarise(stored(holding, record(name="other")), asked)
    assert report.device is not None
    (line,) = report.device.results
    assert (line.outcome, line.reason, line.via, line.version) == ("failed", "integrity", "g1", "2.4.1")
    assert [r.name for r in report.rollouts] == ["soil"]


@pytest.mark.parametrize(("stage", "outcome"), [(Stage.RUNNING, "waiting"), (Stage.LOST, "unknown")])
def test_a_named_device_without_a_result_waits_while_its_attempt_lives(stage: Stage, outcome: str) -> None:
    report = summarise(stored(record(WaveRecord(name="canary", attempts=(attempt(1, stage, members=("1",)),)))), "1")
    assert report.device is not None
    assert [line.outcome for line in report.device.results] == [outcome]


def test_a_result_for_other_content_names_no_version() -> None:
    old = attempt(1, Stage.ENDED, generation="b" * 64, results=(result("1", S),))
    report = summarise(stored(record(WaveRecord(name="canary", attempts=(old, attempt(2, members=("1",)))))), "1")
    assert report.device is not None
    assert [(line.attempt, line.version) for line in report.device.results] == [(1, None), (2, "2.4.1")]


def test_times_are_reported_in_utc_whole_seconds() -> None:
    planned = attempt(1, Stage.SCHEDULED, start_at=NOW + timedelta(minutes=35, milliseconds=7))
    (line,) = summarise(stored(record(WaveRecord(name="canary", attempts=(planned,)), requeue_at=NOW))).rollouts
    assert (line.requeue_at, line.waves[0].start_at) == ("2026-03-01T12:00:00Z", "2026-03-01T12:35:00Z")
