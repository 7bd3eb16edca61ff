"""What the metrics say of records, drift, leases and runs."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import DriftStatus, Outcome, Phase, Reason, Record, RecordedHold, Stage, WaveRecord
from otactl.model.notices import Notice, NoticeKind, ReceiverFailure
from otactl.planning.environment import NAME
from otactl.ports import Lease, Stored
from otactl.report.metric_families import FAMILIES, ROLLOUT_LIMIT
from otactl.report.metric_samples import JournalFigures, RunFigures, journal_samples, run_samples
from tests.support.report_values import GENERATION, NOW, attempt, entry, result

Values = dict[tuple[str, ...], float]


def record(name: str = "soil", **changes: object) -> Record:
    plain = Record(environment="prod-eu", name=name, generation=GENERATION, phase=Phase.PROGRESSING)
    return msgspec.structs.replace(plain, **changes)


def figures(*records: Record, lease: Lease | None = None, size: int | None = 4096) -> Values:
    stored = {r.name: Stored(record=r, revision=1) for r in records}
    journal = JournalFigures(records=stored, lease=lease, size_bytes=size)
    return {(s.name, *s.labels): s.value for s in journal_samples("prod-eu", journal, NOW, "ci/1")}


def run(**changes: object) -> RunFigures:
    plain = RunFigures(environment="prod-eu", ended_at=NOW, seconds=1.5, exit_code=0, succeeded=True)
    return msgspec.structs.replace(plain, **changes)


def of(name: str, values: Values) -> Values:
    return {labels[1:]: value for labels, value in values.items() if labels[0] == f"otactl_{name}"}


def test_rollouts_are_counted_by_every_phase_and_the_environments_own_record_is_none() -> None:
    found = of("rollouts", figures(record(), record("b", phase=Phase.STALLED), record(NAME)))

    assert found == {("prod-eu", p.value): float(p in (Phase.PROGRESSING, Phase.STALLED)) for p in Phase}


def test_devices_are_counted_by_outcome_and_failed_ones_by_reason() -> None:
    ended = attempt(
        stage=Stage.ENDED,
        results=(
            result("1", Outcome.SUCCEEDED),
            result("2", Outcome.FAILED, Reason.INTEGRITY),
            result("3", Outcome.FAILED, Reason.INTEGRITY),
            result("4", Outcome.FAILED),
        ),
    )
    found = of("rollout_devices", figures(record(waves=(WaveRecord(name="canary", attempts=(ended,)),))))

    assert found == {
        ("prod-eu", "soil", "succeeded", ""): 1,
        ("prod-eu", "soil", "waiting", ""): 0,
        ("prod-eu", "soil", "unknown", ""): 0,
        ("prod-eu", "soil", "failed", "integrity"): 2,
        ("prod-eu", "soil", "failed", "unknown"): 1,
    }


def test_devices_of_a_running_unit_are_counted_as_its_service_counts_them() -> None:
    running = attempt(
        devices=("a", "b", "c"), tally={Outcome.FAILED: 2, Outcome.SUCCEEDED: 1}, failures={Reason.NO_MEMORY: 1}
    )
    found = of("rollout_devices", figures(record(waves=(WaveRecord(name="canary", attempts=(running,)),))))

    assert found[("prod-eu", "soil", "failed", "noMemory")] == 1
    assert found[("prod-eu", "soil", "failed", "unknown")] == 1
    assert found[("prod-eu", "soil", "succeeded", "")] == 1


def test_a_hold_counts_from_its_oldest_time_by_reason_and_by_who_must_act() -> None:
    holds = (
        RecordedHold(reason="approval_is_missing", message="a", stalled=False, since=NOW),
        RecordedHold(reason="approval_is_missing", message="b", since=NOW - timedelta(hours=1)),
        RecordedHold(reason="role_is_missing", message="c", stalled=True, since=NOW),
        RecordedHold(reason="window_is_closed", message="d"),
    )
    found = of("rollout_hold_since_timestamp_seconds", figures(record(holds=holds)))

    assert found == {
        ("prod-eu", "soil", "approval_is_missing", "false"): NOW.timestamp() - 3600,
        ("prod-eu", "soil", "role_is_missing", "true"): NOW.timestamp(),
    }


def test_drift_is_counted_by_cause_and_its_age_leaves_out_what_is_acknowledged_or_closed() -> None:
    old = msgspec.structs.replace(entry("a", DriftStatus.ACKNOWLEDGED), first_seen=NOW - timedelta(days=9))
    own = record(NAME, drift=(entry("b"),))
    values = figures(record(drift=(old, entry("c", closed=True), entry("d"))), own)

    assert of("drift_open", values)[("prod-eu", "out-of-band edit", "false")] == 2
    assert of("drift_open", values)[("prod-eu", "out-of-band edit", "true")] == 1
    assert of("drift_open", values)[("prod-eu", "role", "false")] == 0
    assert of("drift_found_total", values)[("prod-eu", "out-of-band edit")] == 4
    assert of("drift_oldest_timestamp_seconds", values) == {
        ("prod-eu", "out-of-band edit"): (NOW - timedelta(hours=2)).timestamp()
    }


@pytest.mark.parametrize(
    ("changes", "held"),
    [({}, 1), ({"released": True}, 0), ({"holder": "ci/1"}, 0), ({"expires_at": NOW - timedelta(seconds=1)}, 0)],
)
def test_a_lease_is_held_by_another_living_process_alone(changes: dict[str, object], held: int) -> None:
    other = Lease(
        environment="prod-eu", holder="b/2", host="b", pid=2, expires_at=NOW + timedelta(seconds=60), fencing=7
    )
    values = figures(lease=msgspec.structs.replace(other, **changes))

    assert of("lease_held", values) == {("prod-eu",): held}
    assert of("lease_grants_total", values) == {("prod-eu",): 7}
    assert bool(of("lease_expiry_timestamp_seconds", values)) is bool(held)


def test_rollouts_above_the_limit_are_counted_and_those_that_need_attention_come_first() -> None:
    many = [record(f"r{n:03}", phase=Phase.SUCCEEDED) for n in range(ROLLOUT_LIMIT + 5)]
    values = figures(*many, record("zz", phase=Phase.FAILED), record("gone", phase=Phase.REMOVED))

    phases = of("rollout_phase", values)
    assert len(phases) == ROLLOUT_LIMIT
    assert phases[("prod-eu", "zz", "Failed")] == 1
    assert of("rollouts_without_series", values) == {("prod-eu",): 7}


def test_notices_that_wait_are_counted_by_receiver_and_a_failing_one_has_its_start() -> None:
    notice = Notice(id="a", kind=NoticeKind.HELD, at=NOW, rollout="soil", reason="r", message="m", to=("ops", "chat"))
    own = record(NAME, receiver_failures={"ops": ReceiverFailure(since=NOW, error="it answered 500")})
    values = figures(record(notices=(notice, msgspec.structs.replace(notice, to=("chat",)))), own)

    assert of("notices_waiting", values) == {("prod-eu", "ops"): 1, ("prod-eu", "chat"): 2}
    assert of("receiver_failing_since_timestamp_seconds", values) == {("prod-eu", "ops"): NOW.timestamp()}


def test_no_label_names_a_device() -> None:
    ended = attempt(stage=Stage.ENDED, results=(result("d-1", Outcome.FAILED, Reason.FLASH),))
    values = figures(record(waves=(WaveRecord(name="canary", members=("device:d-1",), attempts=(ended,)),)))

    assert not [labels for labels in values for each in labels if "d-1" in each]


def test_the_last_success_is_this_run_or_what_is_known_of_an_earlier_one() -> None:
    def good(figures: RunFigures, known: object) -> list[float]:
        samples = run_samples(figures, known)
        return [s.value for s in samples if s.name == "otactl_run_last_success_timestamp_seconds"]

    before = NOW - timedelta(hours=3)
    assert good(run(), before) == [NOW.timestamp()]
    assert good(run(succeeded=False), before) == [before.timestamp()]
    assert good(run(succeeded=None), before) == [before.timestamp()]
    assert good(run(succeeded=False), None) == []


def test_a_run_tells_its_calls_throttles_budget_and_errors() -> None:
    shown = run(
        calls={"iot:DescribeJob": 3, "sts:GetCallerIdentity": 1},
        throttled={"iot:DescribeJob": 2},
        budget=50,
        succeeded=False,
        exit_code=1,
        reasons=("NoCredentials", "NoCredentials"),
    )
    values = {(s.name, *s.labels): s.value for s in run_samples(shown, None)}

    assert of("run_calls", values) == {("prod-eu", "iot:DescribeJob"): 3, ("prod-eu", "sts:GetCallerIdentity"): 1}
    assert of("run_throttled_calls", values) == {
        ("prod-eu", "iot:DescribeJob"): 2,
        ("prod-eu", "sts:GetCallerIdentity"): 0,
    }
    assert of("run_call_budget", values) == {("prod-eu",): 50}
    assert of("run_error", values) == {("prod-eu", "NoCredentials"): 1}
    assert (of("run_success", values), of("run_exit_code", values)) == ({("prod-eu",): 0}, {("prod-eu",): 1})


def test_names_are_unique_and_each_metric_has_a_sentence() -> None:
    assert len({f.name for f in FAMILIES}) == len(FAMILIES)
    assert [f.name for f in FAMILIES if not f.text.endswith(".")] == []
    assert [f.name for f in FAMILIES if f.name.endswith("_total") != (f.kind == "counter")] == []
