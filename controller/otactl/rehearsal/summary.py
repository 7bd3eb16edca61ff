"""Summarises all seeds: duration, devices, failures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from otactl.rehearsal.results import RehearsalOutcome, RehearsalRun, RolloutCourse, RolloutForecast, Spread


def forecasts(courses: tuple[RehearsalRun, ...], began: datetime) -> tuple[RolloutForecast, ...]:
    """Return one forecast for each rollout, in the order of the first course."""
    keys = [r.key for r in courses[0].rollouts] if courses else []
    return tuple(_forecast([r for c in courses for r in c.rollouts if r.key == key], began) for key in keys)


def _forecast(seen: list[RolloutCourse], began: datetime) -> RolloutForecast:
    good = [r for r in seen if r.outcome is RehearsalOutcome.SUCCEEDED]
    reasons = sorted({reason for r in seen for reason in r.failures})
    return RolloutForecast(
        name=seen[0].name,
        environment=seen[0].environment,
        succeeded_seeds=len(good),
        seconds=spread((r.ended_at - began).total_seconds() for r in good) if good else None,
        devices=spread(sum(w.devices for w in r.waves) for r in seen),
        succeeded=spread(sum(w.succeeded for w in r.waves) for r in seen),
        failures={reason: spread(r.failures.get(reason, 0) for r in seen) for reason in reasons},
        why=next((r.why for r in seen if r.outcome is not RehearsalOutcome.SUCCEEDED), ""),
    )


def spread(values: Iterable[float]) -> Spread:
    """Return least, median and most of at least one value."""
    ranked = sorted(values)
    return Spread(least=ranked[0], median=ranked[(len(ranked) - 1) // 2], most=ranked[-1])
