"""Defines the results of a rehearsal: the course of each seed, and the summary of all."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from otactl.model import Event, Value


class RehearsalOutcome(StrEnum):
    """How a rollout ended in one seed."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # its gate let it go no further, or it was aborted
    STALLED = "stalled"  # it waits for a person
    NOT_ENDING = "notEnding"  # still not over at the horizon


class Span(Value, frozen=True, kw_only=True):
    """One attempt of a wave: `start_at` to `ended_at` is its session or job; None where it came to none."""

    unit: str
    tries: int
    start_at: datetime | None
    ended_at: datetime | None
    succeeded: int
    failed: int


class Wait(Value, frozen=True, kw_only=True):
    """What held a wave, from its first report to its last."""

    wave: str
    reason: str
    message: str
    since: datetime
    until: datetime


class WaveCourse(Value, frozen=True, kw_only=True):
    """One wave: its attempts, its verdict, and what became of its devices at last, failures by reason."""

    name: str
    attempts: tuple[Span, ...] = ()
    passed: bool | None = None
    verdict: str = ""
    verdict_at: datetime | None = None
    released: bool = False
    devices: int = 0
    succeeded: int = 0
    failures: dict[str, int] = msgspec.field(default_factory=dict)


class RolloutCourse(Value, frozen=True, kw_only=True):
    """One rollout in one seed; `why` is what it ended on, empty for a success."""

    name: str
    environment: str
    outcome: RehearsalOutcome
    ended_at: datetime
    why: str = ""
    waves: tuple[WaveCourse, ...] = ()
    waits: tuple[Wait, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def key(self) -> str:
        """Return what distinguishes it from others."""
        return f"{self.environment}/{self.name}"

    @property
    def failures(self) -> dict[str, int]:
        """Return devices that failed at last, by reason, over all waves."""
        found: dict[str, int] = {}
        for wave in self.waves:
            for reason, number in wave.failures.items():
                found[reason] = found.get(reason, 0) + number
        return found


class RehearsalRun(Value, frozen=True, kw_only=True):
    """One seed: `runs` are the times reconcile was run, `calls` what it cost."""

    seed: int
    ended_at: datetime
    runs: int
    calls: int
    rollouts: tuple[RolloutCourse, ...]

    @property
    def succeeded(self) -> bool:
        """Return whether every rollout succeeded."""
        return all(r.outcome is RehearsalOutcome.SUCCEEDED for r in self.rollouts)


class Spread(Value, frozen=True, kw_only=True):
    """A figure over the seeds; the median of an even number is the lower of the middle two."""

    least: float
    median: float
    most: float


class RolloutForecast(Value, frozen=True, kw_only=True):
    """One rollout over the seeds: `seconds` to its end in those that succeeded, None where none did."""

    name: str
    environment: str
    succeeded_seeds: int
    seconds: Spread | None
    devices: Spread
    succeeded: Spread
    failures: dict[str, Spread]
    why: str = ""


class Rehearsal(Value, frozen=True, kw_only=True):
    """All seeds; `assumed` are sentences on what was taken for granted."""

    at: datetime
    horizon_days: float
    assumed: tuple[str, ...]
    courses: tuple[RehearsalRun, ...]
    forecasts: tuple[RolloutForecast, ...]

    @property
    def succeeds(self) -> bool:
        """Return whether every rollout succeeded in every seed."""
        return all(c.succeeded for c in self.courses)

    @property
    def typical(self) -> RehearsalRun:
        """Return the seed to show: the one in the middle, by success and then by its end."""
        ranked = sorted(self.courses, key=lambda c: (not c.succeeded, c.ended_at, c.seed))
        return ranked[(len(ranked) - 1) // 2]
