"""Summarises rollouts from their records: the values behind `status` in every format.

The wave shown is the first one that has not passed and been let go; none when all have.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from otactl.model import DriftStatus, Outcome, Record, Value, iso_or_none
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

    name: str
    environment: str
    version: str
    phase: str
    generation: str
    manifest: str
    source: str
    revision: int
    wave: str | None
    attempt: int | None
    devices: Devices
    waves: tuple[WaveLine, ...]
    conditions: tuple[ConditionLine, ...]
    holds: tuple[HoldLine, ...]
    failure: FailureLine | None
    requeue_at: str | None
    open_drift: int
    acknowledged_drift: int
    intents: int


class DeviceLine(Value, frozen=True, kw_only=True):
    """What one attempt did to a device; `version` is None for an attempt at content declared earlier."""

    rollout: str
    environment: str
    version: str | None
    wave: str
    attempt: int
    unit_id: str
    stage: str
    outcome: str
    reason: str | None
    detail: str
    via: str | None
    ended_at: str | None


class DeviceStatus(Value, frozen=True, kw_only=True):
    """One device across rollouts, oldest attempt first within a rollout; `live` is what services say of it now."""

    id: str
    results: tuple[DeviceLine, ...]
    live: tuple[LiveLine, ...] = ()


class StatusReport(Value, frozen=True, kw_only=True):
    """All that `status` shows; `device` only when one was asked for, and then only rollouts that hold it."""

    rollouts: tuple[RolloutLine, ...]
    device: DeviceStatus | None = None
    environments: tuple[EnvironmentLine, ...] = ()

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
        environments = tuple(environment_of(name, own.get(name)) for name in names)
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
