"""Reads the waves of a rollout from its final record: attempts, verdicts, devices."""

from __future__ import annotations

from datetime import datetime

from otactl.model import Attempt, Outcome, Record, Rollout, WaveRecord
from otactl.rehearsal.results import Span, WaveCourse
from otactl.verdicts import wave_verdict
from otactl.verdicts.device_results import results_of


def waves_of(record: Record, rollout: Rollout, now: datetime) -> tuple[WaveCourse, ...]:
    """Return every declared wave, started or not, then those that were added later; `now` is the end.

    A start that is still to come then has not happened: it came to none.
    """
    names = dict.fromkeys((*(w.name for w in rollout.strategy.waves), *(w.name for w in record.waves)))
    return tuple(_course(name, record.wave(name), rollout, now) for name in names)


def _course(name: str, known: WaveRecord | None, rollout: Rollout, now: datetime) -> WaveCourse:
    if known is None:
        return WaveCourse(name=name)
    results = results_of(known, rollout.generation)
    failures: dict[str, int] = {}
    for result in results:
        if result.outcome is Outcome.FAILED:
            reason = result.reason.value if result.reason is not None else "unknown"
            failures[reason] = failures.get(reason, 0) + 1
    running = known.current.counted if known.current is not None and not results else {}
    declared = next((w for w in rollout.strategy.waves if w.name == name), None)
    verdict = known.verdict
    gate = rollout.gate_of(declared) if declared is not None else rollout.strategy.gate
    return WaveCourse(
        name=name,
        attempts=tuple(_span(a, now) for a in known.attempts),
        passed=verdict.passed if verdict is not None else None,
        verdict=wave_verdict.arithmetic(verdict, gate) if verdict is not None else "",
        verdict_at=verdict.at if verdict is not None else None,
        released=known.released,
        devices=len(results) or sum(running.values()),
        succeeded=sum(r.outcome is Outcome.SUCCEEDED for r in results) or running.get(Outcome.SUCCEEDED, 0),
        failures=failures,
    )


def _span(attempt: Attempt, now: datetime) -> Span:
    began = attempt.start_at is not None and attempt.start_at <= now
    return Span(
        unit=attempt.unit_id,
        tries=attempt.try_number,
        start_at=attempt.start_at if began else None,
        ended_at=attempt.ended_at,
        succeeded=sum(r.outcome is Outcome.SUCCEEDED for r in attempt.results),
        failed=sum(r.outcome is Outcome.FAILED for r in attempt.results),
    )
