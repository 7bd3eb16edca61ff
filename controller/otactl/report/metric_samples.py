"""Computes the samples of the metrics from records and from what a run came to. Pure.

1. What a failing run does not know is left out, never zero: the last known value stays where metrics are stored.
2. Every phase and cause has a sample, also of zero, so that a query finds it before it first happens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from otactl import __version__
from otactl.model import Cause, DriftEntry, DriftStatus, Outcome, Phase, Reason, Record, Value
from otactl.planning.environment import NAME
from otactl.ports import Lease, Stored
from otactl.report.metric_families import BY_NAME, ROLLOUT_LIMIT
from otactl.report.wave_summary import Devices, wave_line

_QUIET = (Phase.SUCCEEDED, Phase.ABORTED, Phase.REMOVED)


class Sample(Value, frozen=True, kw_only=True):
    """One value of a metric; `labels` are in the order of its family."""

    name: str
    labels: tuple[str, ...]
    value: float


class RunFigures(Value, frozen=True, kw_only=True):
    """What a run over one environment came to; `environment` is empty for a run that could read none.

    `succeeded` is None where another process held the lease; `calls` and `throttled` are by `service:operation`.
    """

    environment: str
    ended_at: datetime
    seconds: float
    exit_code: int
    succeeded: bool | None
    reasons: tuple[str, ...] = ()
    passes: int = 0
    calls: Mapping[str, int] = {}
    throttled: Mapping[str, int] = {}
    writes: int = 0
    budget: int | None = None


class JournalFigures(Value, frozen=True, kw_only=True):
    """What the journal holds of one environment after the run."""

    records: Mapping[str, Stored]
    lease: Lease | None
    size_bytes: int | None


def build_samples() -> tuple[Sample, ...]:
    """Return what is true of every file."""
    return (_sample("otactl_build_info", 1, __version__),)


def run_samples(run: RunFigures, last_good: datetime | None) -> tuple[Sample, ...]:
    """Return the samples of one run; `last_good` is when the last run without an error ended, if that is known."""
    home = run.environment
    found = [
        _sample("otactl_run_last_timestamp_seconds", run.ended_at.timestamp(), home),
        _sample("otactl_run_exit_code", run.exit_code, home),
        _sample("otactl_run_duration_seconds", run.seconds, home),
        _sample("otactl_run_passes", run.passes, home),
        _sample("otactl_run_write_calls", run.writes, home),
    ]
    if run.succeeded is not None:
        found.append(_sample("otactl_run_success", run.succeeded, home))
    good = run.ended_at if run.succeeded else last_good
    if good is not None:
        found.append(_sample("otactl_run_last_success_timestamp_seconds", good.timestamp(), home))
    if run.budget is not None:
        found.append(_sample("otactl_run_call_budget", run.budget, home))
    found += [_sample("otactl_run_error", 1, home, reason) for reason in sorted(set(run.reasons))]
    found += [_sample("otactl_run_calls", n, home, key) for key, n in sorted(run.calls.items())]
    found += [_sample("otactl_run_throttled_calls", run.throttled.get(key, 0), home, key) for key in sorted(run.calls)]
    return tuple(found)


def journal_samples(environment: str, journal: JournalFigures, now: datetime, ours: str) -> tuple[Sample, ...]:
    """Return the samples of an environment's records, lease and journal; `ours` is who this run holds leases as."""
    rollouts = {name: s.record for name, s in sorted(journal.records.items()) if name != NAME}
    shown = _shown(rollouts.values())
    phases = Counter(record.phase for record in rollouts.values())
    found = [_sample("otactl_rollouts", phases[phase], environment, phase.value) for phase in Phase]
    found.append(_sample("otactl_rollouts_without_series", len(rollouts) - len(shown), environment))
    for record in shown:
        found += _rollout(record)
    found += _drift(environment, [e for stored in journal.records.values() for e in stored.record.drift])
    found += _notices(environment, journal.records)
    found.append(_sample("otactl_journal_records", len(journal.records), environment))
    if journal.size_bytes is not None:
        found.append(_sample("otactl_journal_size_bytes", journal.size_bytes, environment))
    lease = journal.lease
    held = lease is not None and not lease.released and lease.expires_at > now and lease.holder != ours
    found.append(_sample("otactl_lease_held", held, environment))
    if lease is not None:
        found.append(_sample("otactl_lease_grants_total", lease.fencing, environment))
        if held:
            found.append(_sample("otactl_lease_expiry_timestamp_seconds", lease.expires_at.timestamp(), environment))
    return tuple(found)


def _sample(name: str, value: float, *labels: str) -> Sample:
    family = BY_NAME[name]
    if len(labels) != len(family.labels):
        raise ValueError(f"{name} has the labels {family.labels}")
    return Sample(name=name, labels=labels, value=float(value))


def _shown(records: Iterable[Record]) -> list[Record]:
    """Return the rollouts with series of their own: those that are not over first, removed ones never."""
    there = [record for record in records if record.phase is not Phase.REMOVED and not record.renamed_to]
    first = sorted(there, key=lambda record: record.phase in _QUIET and not any(e.open for e in record.drift))
    return first[:ROLLOUT_LIMIT]


def _rollout(record: Record) -> list[Sample]:
    home, name = record.environment, record.name
    found = [
        _sample("otactl_rollout_phase", 1, home, name, record.phase.value),
        _sample("otactl_rollout_attempts_total", len(record.attempts), home, name),
        _sample("otactl_rollout_unfinished_calls", len(record.intents), home, name),
    ]
    if record.requeue_at is not None:
        found.append(_sample("otactl_rollout_next_pass_timestamp_seconds", record.requeue_at.timestamp(), home, name))
    since: dict[tuple[str, str], float] = {}
    for hold in record.holds:
        if hold.since is not None:
            key = (hold.reason, "true" if hold.stalled else "false")
            since[key] = min(hold.since.timestamp(), since.get(key, hold.since.timestamp()))
    found += [
        _sample("otactl_rollout_hold_since_timestamp_seconds", at, home, name, *key)
        for key, at in sorted(since.items())
    ]
    return found + _devices(record)


def _devices(record: Record) -> list[Sample]:
    home, name = record.environment, record.name
    counts, reasons = Devices(), Counter[str]()
    for wave in record.waves:
        line = wave_line(wave, record.generation)
        counts = counts.plus(line.devices)
        known = Counter(failure.reason for failure in line.failures)
        running = wave.current
        if running is not None and running.live and running.tally and running.generation == record.generation:
            known = max(known, Counter({r.value: n for r, n in running.failures.items()}), key=lambda c: c.total())
        reasons += known
    reasons[Reason.UNKNOWN.value] += max(counts.failed - reasons.total(), 0)
    by_outcome = {
        Outcome.SUCCEEDED: counts.succeeded,
        Outcome.WAITING: counts.waiting,
        Outcome.UNKNOWN: counts.unknown,
    }
    found = [_sample("otactl_rollout_devices", n, home, name, o.value, "") for o, n in by_outcome.items()]
    failed = sorted((reason, n) for reason, n in reasons.items() if n)
    return found + [_sample("otactl_rollout_devices", n, home, name, Outcome.FAILED.value, r) for r, n in failed]


def _drift(environment: str, entries: list[DriftEntry]) -> list[Sample]:
    found = []
    for cause in Cause:
        mine = [e for e in entries if e.cause is cause]
        left = [e for e in mine if e.open and e.status is not DriftStatus.ACKNOWLEDGED]
        ignored = sum(e.open for e in mine) - len(left)
        found += [
            _sample("otactl_drift_open", len(left), environment, cause.value, "false"),
            _sample("otactl_drift_open", ignored, environment, cause.value, "true"),
            _sample("otactl_drift_found_total", len(mine), environment, cause.value),
        ]
        if left:
            oldest = min(e.first_seen for e in left).timestamp()
            found.append(_sample("otactl_drift_oldest_timestamp_seconds", oldest, environment, cause.value))
    return found


def _notices(environment: str, records: Mapping[str, Stored]) -> list[Sample]:
    waiting = Counter(name for s in records.values() for notice in s.record.notices for name in notice.to)
    own = records.get(NAME)
    failures = own.record.receiver_failures if own is not None else {}
    found = [_sample("otactl_notices_waiting", waiting[n], environment, n) for n in sorted({*waiting, *failures})]
    return found + [
        _sample("otactl_receiver_failing_since_timestamp_seconds", f.since.timestamp(), environment, n)
        for n, f in sorted(failures.items())
    ]
