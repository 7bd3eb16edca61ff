"""Summarises one wave for `status`: devices, failures, verdict.

1. Devices are counted over the attempts at the content declared now, a device's newest result winning; while a unit
   runs, by what its service counts.
2. Waiting are devices without a final result, and targets (a device, or a whole group whose devices are not known
   yet) without any result while their attempt lives. Devices that a suspension took back wait, and have not failed.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from otactl.model import Attempt, DeviceResult, Outcome, Reason, Value, WaveRecord, iso, iso_or_none, tally
from otactl.verdicts.device_results import fold, names_of, newest_of


class Devices(Value, frozen=True, kw_only=True):
    """Devices by what became of them."""

    succeeded: Annotated[int, Meta(description="Devices that were updated.", ge=0, examples=[0])] = 0
    failed: Annotated[int, Meta(description="Devices that were not.", ge=0, examples=[0])] = 0
    waiting: Annotated[
        int,
        Meta(
            description="Devices without a final result, and targets (a device or a group) without any.",
            ge=0,
            examples=[1],
        ),
    ] = 0
    unknown: Annotated[int, Meta(description="Devices with results not understood.", ge=0, examples=[0])] = 0

    def plus(self, other: Devices) -> Devices:
        """Add two counts."""
        return Devices(
            succeeded=self.succeeded + other.succeeded,
            failed=self.failed + other.failed,
            waiting=self.waiting + other.waiting,
            unknown=self.unknown + other.unknown,
        )


class VerdictLine(Value, frozen=True, kw_only=True):
    """A wave's verdict, with the percentage worked out; `current` is False if it judged other content.

    `reason` is what keeps it from passing, `unanswered` devices among the failed that gave no answer; `released` that
    it stayed well for its soak.
    """

    passed: Annotated[bool, Meta(description="If the gate let it pass.", examples=[True])]
    succeeded: Annotated[int, Meta(description="Devices updated.", ge=0, examples=[97])]
    failed: Annotated[int, Meta(description="All other devices of the wave.", ge=0, examples=[3])]
    total: Annotated[int, Meta(description="Devices judged.", ge=0, examples=[100])]
    percent: Annotated[float, Meta(description="Devices updated, in percent of all.", ge=0, le=100, examples=[97.0])]
    needed_percent: Annotated[float, Meta(description="What the gate asks for.", ge=0, le=100, examples=[95.0])]
    at: Annotated[
        str,
        Meta(description="When it was judged.", pattern="^[0-9-]{10}T[0-9:]{8}Z$", examples=["2026-11-20T09:00:00Z"]),
    ]
    current: Annotated[bool, Meta(description="False if it judged content declared earlier.", examples=[True])]
    reason: Annotated[
        str,
        Meta(
            description="The fact that keeps it from passing; empty when it passed.",
            examples=["success_rate_is_too_low"],
        ),
    ]
    unanswered: Annotated[int, Meta(description="Devices among the failed that gave no answer.", ge=0, examples=[0])]
    released: Annotated[bool, Meta(description="If it passed and stayed well for its soak.", examples=[True])]


class FailureLine(Value, frozen=True, kw_only=True):
    """A device that failed in a wave's newest attempt, by the name people know it by, and why."""

    device: Annotated[
        str, Meta(description="The service's id of the device.", examples=["d1a5f0c0-0000-4000-8000-000000000003"])
    ]
    name: Annotated[
        str | None,
        Meta(description="What people call it, its DevEUI; null when it has none.", examples=["a81758fffe000003"]),
    ]
    reason: Annotated[str, Meta(description="Why it failed, in otactl's words.", examples=["noMemory"])]
    detail: Annotated[
        str,
        Meta(
            description="What the device or its service says of it; empty when nothing.",
            examples=["0x23000000: 0x00000000"],
        ),
    ]


class WaveLine(Value, frozen=True, kw_only=True):
    """The state of one wave; `attempt` 0 and `stage` None before its first attempt.

    `service_id`, `arn` and `job_id` are the service's own names of the unit, `parts` those of its parts, where it
    has several. `progress` counts devices by what its service says while it runs.
    """

    name: Annotated[str, Meta(description="Name of the wave.", examples=["canary"])]
    attempt: Annotated[int, Meta(description="Newest attempt; 0 before the first.", ge=0, examples=[1])]
    stage: Annotated[
        str | None,
        Meta(
            description="How far that attempt has come; null before the first.",
            examples=["scheduled"],
            extra_json_schema={
                "enum": [
                    "declared",
                    "open",
                    "scheduled",
                    "running",
                    "ended",
                    "deleted",
                    "superseded",
                    "lost",
                    "failed",
                    None,
                ]
            },
        ),
    ]
    unit_id: Annotated[
        str | None, Meta(description="Our id of that attempt's unit.", examples=["soil-probe-canary-1-0a1b2c3d"])
    ]
    service_id: Annotated[
        str | None, Meta(description="What the service calls that attempt's unit.", examples=["b2e1f0aa"])
    ]
    arn: Annotated[
        str | None, Meta(description="ARN of that attempt's unit, where its service has one.", examples=[None])
    ]
    job_id: Annotated[
        str | None, Meta(description="The job that carries the unit out, where its service has one.", examples=[None])
    ]
    parts: Annotated[
        tuple[str, ...],
        Meta(description="The service's ids of the unit's parts, where making it took several calls.", examples=[[]]),
    ]
    start_at: Annotated[
        str | None,
        Meta(
            description="When it goes, or went, on air.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]
    ended_at: Annotated[
        str | None,
        Meta(
            description="When its results were recorded.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]
    devices: Devices
    progress: Annotated[
        dict[str, Annotated[int, Meta(ge=0)]],
        Meta(
            description="Devices by what their service says while the attempt runs; empty otherwise.",
            examples=[{"queued": 12, "inProgress": 3}],
        ),
    ]
    failures: Annotated[tuple[FailureLine, ...], Meta(description="Devices that failed, each with its reason.")]
    verdict: Annotated[VerdictLine | None, Meta(description="The wave's newest verdict; null before one.")]


def wave_line(wave: WaveRecord, generation: str) -> WaveLine:
    attempts = [a for a in wave.attempts if a.generation == generation]
    attempt = attempts[-1] if attempts else None
    verdict = None
    if wave.verdict is not None:
        judged = wave.verdict
        verdict = VerdictLine(
            passed=judged.passed,
            succeeded=judged.succeeded,
            failed=judged.failed,
            total=judged.total,
            percent=judged.percent,
            needed_percent=judged.needed_percent,
            at=iso(judged.at),
            current=wave.verdict_generation == generation,
            reason=judged.reason,
            unanswered=judged.unanswered,
            released=judged.passed and wave.released and wave.verdict_generation == generation,
        )
    return WaveLine(
        name=wave.name,
        attempt=attempt.number if attempt is not None else 0,
        stage=attempt.stage.value if attempt is not None else None,
        unit_id=attempt.unit_id if attempt is not None else None,
        service_id=attempt.vendor_id if attempt is not None else None,
        arn=(attempt.arn or None) if attempt is not None else None,
        job_id=(attempt.job_id or None) if attempt is not None else None,
        parts=tuple(attempt.ids_by_call.values()) if attempt is not None else (),
        start_at=iso_or_none(attempt.start_at) if attempt is not None else None,
        ended_at=iso_or_none(attempt.ended_at) if attempt is not None else None,
        devices=_devices(wave, attempts),
        progress=dict(attempt.progress) if attempt is not None and attempt.live else {},
        failures=_failures(attempts),
        verdict=verdict,
    )


def _failures(attempts: list[Attempt]) -> tuple[FailureLine, ...]:
    return tuple(
        FailureLine(
            device=r.device, name=r.name, reason=r.reason.value if r.reason is not None else "unknown", detail=r.detail
        )
        for r in newest_results(attempts).values()
        if r.outcome is Outcome.FAILED
    )


def newest_results(attempts: list[Attempt]) -> dict[str, DeviceResult]:
    """Return the newest result of each device, by rule 2."""
    withdrawn = any(a.withdrawn for a in attempts)
    return {
        device: msgspec.structs.replace(r, outcome=Outcome.WAITING, reason=None)
        if withdrawn and r.reason is Reason.CANCELED and not r.by_hand
        else r
        for device, r in newest_of(attempts).items()
    }


def _devices(wave: WaveRecord, attempts: list[Attempt]) -> Devices:
    newest = newest_results(attempts)
    if attempts and attempts[-1].live and attempts[-1].tally:
        return _running(attempts[-1], newest)
    counts, silent = tally(tuple(newest.values())), 0
    if not attempts or attempts[-1].live:
        answered = {name for r in newest.values() for name in names_of(r)} | {
            fold(r.via or "") for r in newest.values()
        }
        members = (attempts[-1].members if attempts else ()) or wave.members
        silent = sum(fold(m) not in answered for m in members)
    return Devices(
        succeeded=counts[Outcome.SUCCEEDED],
        failed=counts[Outcome.FAILED],
        waiting=counts[Outcome.WAITING] + silent,
        unknown=counts[Outcome.UNKNOWN],
    )


def _running(attempt: Attempt, newest: dict[str, DeviceResult]) -> Devices:
    """Return devices of a unit that runs, and of a retry those it does not try again."""
    again = attempt.retried_devices
    kept = tally(tuple(r for r in newest.values() if r.device not in again)) if again else {}
    counts = {o: attempt.counted.get(o, 0) + kept.get(o, 0) for o in Outcome}
    return Devices(
        succeeded=counts[Outcome.SUCCEEDED],
        waiting=counts[Outcome.WAITING],
        failed=counts[Outcome.FAILED],
        unknown=counts[Outcome.UNKNOWN],
    )
