"""Summarises rollouts from their records: the values behind `status` in every format.

The wave shown is the first one that has not passed and been let go; none when all have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from otactl.model import DriftStatus, Outcome, Reason, Record, Value, iso_or_none
from otactl.planning.environment import NAME
from otactl.ports import Stored
from otactl.report.conditions import (
    ConditionLine,
    EnvironmentLine,
    FailureLine,
    HoldLine,
    conditions_of,
    environment_of,
    failure_of,
    holds_of,
)
from otactl.report.device_status import LiveLine
from otactl.report.wave_summary import Devices, WaveLine, wave_line
from otactl.verdicts.device_results import fold, names_of


class RolloutLine(Value, frozen=True, kw_only=True):
    """The state of one rollout; `open_drift` leaves acknowledged drift out, `intents` are calls without an outcome."""

    name: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    version: Annotated[str, Meta(description="Firmware version declared.", examples=["2.4.1"])]
    phase: Annotated[
        str,
        Meta(
            description="The state of the rollout as a whole.",
            examples=["Progressing"],
            extra_json_schema={
                "enum": [
                    "Pending",
                    "Progressing",
                    "Succeeded",
                    "Failed",
                    "Stalled",
                    "Suspended",
                    "Aborted",
                    "Orphaned",
                    "Removed",
                ]
            },
        ),
    ]
    generation: Annotated[
        str,
        Meta(
            description="Names what is declared.",
            examples=["9f2c4e5a7b1d8c3f6e0a9b2d4c7f1e8a5b3d6c9f0e2a4b7d1c8f5e3a6b9d0c2e"],
        ),
    ]
    manifest: Annotated[
        str,
        Meta(
            description="sha256 of the manifest seen last.",
            examples=["9f2c4e5a7b1d8c3f6e0a9b2d4c7f1e8a5b3d6c9f0e2a4b7d1c8f5e3a6b9d0c2e"],
        ),
    ]
    source: Annotated[str, Meta(description="File it was read from.", examples=["rollouts/soil-probe.yaml"])]
    revision: Annotated[int, Meta(description="How often it was recorded.", ge=0, examples=[7])]
    wave: Annotated[
        str | None, Meta(description="First wave that has not passed; null when all have.", examples=["canary"])
    ]
    attempt: Annotated[
        int | None,
        Meta(
            description="Newest attempt of that wave, 0 before the first; null when all waves have passed.",
            examples=[1],
            extra_json_schema={"minimum": 0},
        ),
    ]
    devices: Devices
    waves: Annotated[tuple[WaveLine, ...], Meta(description="Every wave, in order.")]
    conditions: Annotated[
        tuple[ConditionLine, ...],
        Meta(
            description=(
                "Ready, Reconciling, Stalled, and Overdue where something waits too long; empty before the first pass."
            )
        ),
    ]
    holds: Annotated[
        tuple[HoldLine, ...], Meta(description="Every hold of the last pass that was not stopped by an error.")
    ]
    failure: Annotated[
        FailureLine | None,
        Meta(description="The error that stopped the last pass, or calls that were sent; null when there was none."),
    ]
    requeue_at: Annotated[
        str | None,
        Meta(
            description="When the next pass is due; null if nothing is due.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]
    open_drift: Annotated[int, Meta(description="Open entries not acknowledged.", ge=0, examples=[0])]
    acknowledged_drift: Annotated[int, Meta(description="Open entries the manifest ignores.", ge=0, examples=[0])]
    intents: Annotated[int, Meta(description="Calls meant, without outcome yet.", ge=0, examples=[0])]


class DeviceLine(Value, frozen=True, kw_only=True):
    """What one attempt did to a device; `version` is None for an attempt at content declared earlier."""

    rollout: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    version: Annotated[
        str | None, Meta(description="Firmware version; null for content declared earlier.", examples=["2.4.1"])
    ]
    wave: Annotated[str, Meta(description="Name of the wave.", examples=["canary"])]
    attempt: Annotated[int, Meta(description="Number of the attempt.", ge=0, examples=[1])]
    unit_id: Annotated[
        str, Meta(description="Our id of the attempt's unit.", examples=["soil-probe-canary-1-0a1b2c3d"])
    ]
    stage: Annotated[
        str,
        Meta(
            description="How far the attempt has come.",
            examples=["ended"],
            extra_json_schema={
                "enum": ["declared", "open", "scheduled", "running", "ended", "deleted", "superseded", "lost", "failed"]
            },
        ),
    ]
    outcome: Annotated[
        str,
        Meta(
            description="What became of the device.",
            examples=["failed"],
            extra_json_schema={"enum": ["waiting", "succeeded", "failed", "unknown"]},
        ),
    ]
    reason: Annotated[
        str | None,
        Meta(
            description="Why it failed; null otherwise.",
            examples=["missingFragments"],
            extra_json_schema={"enum": [*Reason, None]},
        ),
    ]
    detail: Annotated[
        str,
        Meta(
            description="What the device or its service says of it; empty when nothing.",
            examples=["0x23000000: 0x00000000"],
        ),
    ]
    via: Annotated[str | None, Meta(description="Group it was reached through, if any.", examples=["3f0c"])]
    ended_at: Annotated[
        str | None,
        Meta(
            description="When the results were recorded.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]


class DeviceStatus(Value, frozen=True, kw_only=True):
    """One device across rollouts, oldest attempt first within a rollout; `live` is what services say of it now."""

    id: Annotated[str, Meta(description="The device as it was asked for.", examples=["70b3d57ed0000001"])]
    results: Annotated[
        tuple[DeviceLine, ...], Meta(description="One entry per attempt that held it; empty if none is recorded.")
    ]
    live: Annotated[
        tuple[LiveLine, ...],
        Meta(
            description=(
                "What each service that was asked says of the device now; empty when none was asked "
                "(--offline, or a device that no such service has)."
            )
        ),
    ] = ()


class StatusReport(Value, frozen=True, kw_only=True):
    """All that `status` shows; `device` only when one was asked for, and then only rollouts that hold it."""

    rollouts: Annotated[
        tuple[RolloutLine, ...],
        Meta(description="One entry per rollout, by environment and name; with --device only those that held it."),
    ]
    device: Annotated[DeviceStatus | None, Meta(description="The device asked for with --device; null otherwise.")] = (
        None
    )
    environments: Annotated[
        tuple[EnvironmentLine, ...],
        Meta(description=("The environments of these rollouts, each with its last recorded run; empty with --device.")),
    ] = ()

    def with_live(self, live: tuple[LiveLine, ...]) -> StatusReport:
        """Return the same with what services say now of the device that was asked for."""
        device = msgspec.structs.replace(self.device, live=live) if self.device is not None else None
        return msgspec.structs.replace(self, device=device)


def summarise(stored: Iterable[Stored], device: str | None = None) -> StatusReport:
    """Sum up rollouts, by environment and name; with `device` (id or DevEUI) only what concerns it."""
    everything = sorted(stored, key=lambda s: (s.record.environment, s.record.name))
    known = [s for s in everything if s.record.name != NAME]
    if device is None:
        own = {s.record.environment: s.record for s in everything if s.record.name == NAME and s.revision}
        names = dict.fromkeys(s.record.environment for s in everything)
        records = [s.record for s in everything]
        environments = tuple(
            environment_of(name, own.get(name), (r for r in records if r.environment == name)) for name in names
        )
        return StatusReport(rollouts=tuple(_rollout(s) for s in known), environments=environments)
    holding = [(s, lines) for s in known if (lines := _device_lines(s.record, device))]
    results = tuple(line for _, lines in holding for line in lines)
    return StatusReport(
        rollouts=tuple(_rollout(s) for s, _ in holding), device=DeviceStatus(id=device, results=results)
    )


def _rollout(stored: Stored) -> RolloutLine:
    record = stored.record
    waves = tuple(wave_line(w, record.generation) for w in record.waves)
    current = next((w for w in waves if not (w.verdict is not None and w.verdict.released)), None)
    devices = Devices()
    for wave in waves:
        devices = devices.plus(wave.devices)
    acknowledged = sum(e.open and e.status is DriftStatus.ACKNOWLEDGED for e in record.drift)
    return RolloutLine(
        name=record.name,
        environment=record.environment,
        version=record.version,
        phase=record.phase.value,
        generation=record.generation,
        manifest=record.manifest,
        source=record.source,
        revision=stored.revision,
        wave=current.name if current is not None else None,
        attempt=current.attempt if current is not None else None,
        devices=devices,
        waves=waves,
        conditions=conditions_of(record.conditions),
        holds=holds_of(record.holds),
        failure=failure_of(record.failure),
        requeue_at=iso_or_none(record.requeue_at),
        open_drift=sum(e.open for e in record.drift) - acknowledged,
        acknowledged_drift=acknowledged,
        intents=len(record.intents),
    )


def _device_lines(record: Record, device: str) -> list[DeviceLine]:
    wanted = fold(device)
    lines: list[DeviceLine] = []
    for wave in record.waves:
        for attempt in wave.attempts:
            result = next((r for r in attempt.results if wanted in names_of(r)), None)
            if result is None and wanted not in {fold(key) for key in attempt.keys}:
                continue
            outcome = Outcome.WAITING if attempt.live else Outcome.UNKNOWN
            lines.append(
                DeviceLine(
                    rollout=record.name,
                    environment=record.environment,
                    version=record.version if attempt.generation == record.generation else None,
                    wave=wave.name,
                    attempt=attempt.number,
                    unit_id=attempt.unit_id,
                    stage=attempt.stage.value,
                    outcome=(result.outcome if result is not None else outcome).value,
                    reason=result.reason.value if result is not None and result.reason is not None else None,
                    detail=result.detail if result is not None else "",
                    via=result.via if result is not None else None,
                    ended_at=iso_or_none(attempt.ended_at),
                )
            )
    return lines
