"""Defines the JSON of `rehearse`: schemas/v1/rehearse.schema.json is generated from it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from otactl.model import Value
from otactl.rehearsal.results import RehearsalOutcome


class SpreadResult(Value, frozen=True, kw_only=True):
    """A figure over the seeds; the median of an even number is the lower of the middle two."""

    least: Annotated[float, Meta(description="In the seed where it is least.", ge=0, examples=[1])]
    median: Annotated[float, Meta(description="In the seed in the middle.", ge=0, examples=[2])]
    most: Annotated[float, Meta(description="In the seed where it is most.", ge=0, examples=[4])]


class ForecastResult(Value, frozen=True, kw_only=True):
    """One rollout over all seeds."""

    name: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe-2-4-1"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    succeeded_seeds: Annotated[int, Meta(description="In how many seeds it succeeded.", ge=0, examples=[3])]
    seconds: Annotated[
        SpreadResult | None,
        Meta(
            description="From the start to its end, over the seeds in which it succeeded; null if there are none.",
            examples=[{"least": 1, "median": 2, "most": 4}],
        ),
    ]
    devices: Annotated[
        SpreadResult,
        Meta(description="Devices of the waves that started.", examples=[{"least": 1, "median": 2, "most": 4}]),
    ]
    succeeded: Annotated[
        SpreadResult, Meta(description="Devices updated in the end.", examples=[{"least": 1, "median": 2, "most": 4}])
    ]
    failures: Annotated[
        dict[str, SpreadResult],
        Meta(
            description="Devices that failed in the end, by reason.",
            examples=[{"missingFragments": {"least": 1, "median": 2, "most": 4}}],
        ),
    ]
    why: Annotated[
        str,
        Meta(
            description="What it ended on in a seed in which it did not succeed; empty if it always does.",
            examples=[""],
        ),
    ]


class AttemptResult(Value, frozen=True, kw_only=True):
    """One attempt of a wave."""

    unit: Annotated[str, Meta(description="Its name.", examples=["soil-probe-2-4-1-canary-1-2f6c0d1e"])]
    tries: Annotated[int, Meta(description="Which try of the wave it is.", ge=0, examples=[1])]
    start_at: Annotated[
        datetime | None,
        Meta(description="When its session or job starts; null if it never did.", examples=["2026-11-21T22:00:00Z"]),
    ]
    ended_at: Annotated[
        datetime | None, Meta(description="When it ended; null if it did not.", examples=["2026-11-21T22:00:00Z"])
    ]
    succeeded: Annotated[int, Meta(description="Devices that were updated.", ge=0, examples=[9])]
    failed: Annotated[int, Meta(description="Devices that did not.", ge=0, examples=[1])]


class WaveCourseResult(Value, frozen=True, kw_only=True):
    """How a wave went."""

    name: Annotated[str, Meta(description="Name of the wave.", examples=["canary"])]
    attempts: Annotated[tuple[AttemptResult, ...], Meta(description="Its attempts, oldest first.")]
    passed: Annotated[
        bool | None, Meta(description="Whether its gate passed; null while it is not decided.", examples=[True])
    ]
    verdict: Annotated[
        str,
        Meta(
            description="The arithmetic of its gate; empty while it is not decided.",
            examples=["100.0 % of 10 devices, 90 % needed"],
        ),
    ]
    verdict_at: Annotated[
        datetime | None, Meta(description="When its gate was decided.", examples=["2026-11-21T22:00:00Z"])
    ]
    released: Annotated[bool, Meta(description="Whether the next wave may start.", examples=[True])]
    devices: Annotated[int, Meta(description="Its devices; 0 if it never started.", ge=0, examples=[10])]
    succeeded: Annotated[int, Meta(description="Devices updated in the end.", ge=0, examples=[10])]
    failures: Annotated[
        dict[str, int],
        Meta(description="Devices that failed in the end, by reason.", examples=[{"missingFragments": 2}]),
    ]


class WaitResult(Value, frozen=True, kw_only=True):
    """What held a wave, and how long."""

    wave: Annotated[str, Meta(description="Name of the wave, empty for the whole rollout.", examples=["fleet"])]
    reason: Annotated[str, Meta(description="Name of the hold.", examples=["window_is_closed"])]
    message: Annotated[str, Meta(description="What it says.", examples=["no window is open"])]
    since: Annotated[datetime, Meta(description="When it was first reported.", examples=["2026-11-21T22:00:00Z"])]
    until: Annotated[datetime, Meta(description="When it was last reported.", examples=["2026-11-21T22:00:00Z"])]


class EventResult(Value, frozen=True, kw_only=True):
    """A line of its history."""

    at: Annotated[datetime, Meta(description="When.", examples=["2026-11-21T22:00:00Z"])]
    kind: Annotated[str, Meta(description="What kind of event.", examples=["verdict"])]
    subject: Annotated[str, Meta(description="Wave, unit or rollout.", examples=["canary"])]
    message: Annotated[str, Meta(description="What happened.", examples=["wave canary passed"])]


class RolloutCourseResult(Value, frozen=True, kw_only=True):
    """One rollout in one seed."""

    name: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe-2-4-1"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    outcome: Annotated[
        RehearsalOutcome,
        Meta(
            description="How it ended: failed at a gate, waiting for a person, or still in progress at the horizon.",
            examples=["succeeded"],
        ),
    ]
    ended_at: Annotated[datetime, Meta(description="When.", examples=["2026-11-21T22:00:00Z"])]
    seconds: Annotated[float, Meta(description="Seconds from the start to its end.", ge=0, examples=[6120])]
    why: Annotated[str, Meta(description="What it ended on; empty for a success.", examples=[""])]
    waves: Annotated[tuple[WaveCourseResult, ...], Meta(description="Its waves in order.")]
    waits: Annotated[tuple[WaitResult, ...], Meta(description="What held it, oldest first.")]
    events: Annotated[tuple[EventResult, ...], Meta(description="Its history.")]


class SeedResult(Value, frozen=True, kw_only=True):
    """One fleet, from start to end."""

    seed: Annotated[int, Meta(description="Seed of its fleet.", ge=0, examples=[1])]
    succeeded: Annotated[bool, Meta(description="Whether every rollout succeeded.", examples=[True])]
    ended_at: Annotated[datetime, Meta(description="When the last rollout ended.", examples=["2026-11-21T22:00:00Z"])]
    runs: Annotated[int, Meta(description="How often `reconcile` ran.", ge=0, examples=[8])]
    calls: Annotated[int, Meta(description="Vendor calls of all runs.", ge=0, examples=[159])]
    rollouts: Annotated[tuple[RolloutCourseResult, ...], Meta(description="One entry per rollout.")]


class RehearsalResult(Value, frozen=True, kw_only=True):
    """Rollouts run to their end against a simulated fleet."""

    succeeds: Annotated[bool, Meta(description="Whether every rollout succeeded in every seed.", examples=[True])]
    at: Annotated[datetime, Meta(description="When it starts.", examples=["2026-11-21T22:00:00Z"])]
    horizon_days: Annotated[
        float, Meta(description="Simulated days after which a rollout counts as not ending.", ge=0, examples=[90])
    ]
    assumed: Annotated[tuple[str, ...], Meta(description="Assumptions, one sentence each.", examples=[[]])]
    forecasts: Annotated[tuple[ForecastResult, ...], Meta(description="One entry per rollout, over all seeds.")]
    seeds: Annotated[tuple[SeedResult, ...], Meta(description="One entry per seed.")]
