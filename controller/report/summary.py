"""Sum rollouts up from what the journal remembers: the values behind `status`, the same for text, Markdown and JSON.

1. Devices are counted for the generation declared now, wave by wave, a device's newest attempt winning.
2. Waiting are devices without a final result, and targets (a device, or a whole group whose devices are not known
   yet) without any result while their attempt lives.
3. The wave shown is the first one not passed; none when all have.
"""

from __future__ import annotations

from collections.abc import Iterable

from controller.model import (
    Attempt,
    Condition,
    DeviceResult,
    DriftStatus,
    Outcome,
    Record,
    Value,
    WaveRecord,
    iso,
    tally,
)
from controller.ports import Stored
from controller.report.live import LiveLine


class Devices(Value, frozen=True, kw_only=True):
    """Devices by what became of them."""

    succeeded: int = 0
    failed: int = 0
    waiting: int = 0
    unknown: int = 0

    def plus(self, other: Devices) -> Devices:
        """Add two counts."""
        return Devices(
            succeeded=self.succeeded + other.succeeded,
            failed=self.failed + other.failed,
            waiting=self.waiting + other.waiting,
            unknown=self.unknown + other.unknown,
        )


class VerdictLine(Value, frozen=True, kw_only=True):
    """A wave's verdict, with the percentage worked out; `current` is False if it judged other content."""

    passed: bool
    succeeded: int
    failed: int
    total: int
    percent: float
    needed_percent: float
    at: str
    current: bool


class FailureLine(Value, frozen=True, kw_only=True):
    """A device that failed in a wave's newest attempt, by the name people know it by, and why."""

    device: str
    name: str | None
    reason: str
    detail: str


class WaveLine(Value, frozen=True, kw_only=True):
    """Where one wave stands; `attempt` 0 and `stage` None before its first attempt.

    `progress` counts devices by what its service says while it runs.
    """

    name: str
    attempt: int
    stage: str | None
    unit_id: str | None
    start_at: str | None
    ended_at: str | None
    devices: Devices
    progress: dict[str, int]
    failures: tuple[FailureLine, ...]
    verdict: VerdictLine | None


class RolloutLine(Value, frozen=True, kw_only=True):
    """Where one rollout stands; `open_drift` leaves acknowledged drift out, `intents` are calls without an outcome."""

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
    conditions: tuple[Condition, ...]
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


def summarise(stored: Iterable[Stored], device: str | None = None) -> StatusReport:
    """Sum up rollouts, by environment and name; with `device` (id or DevEUI) only what concerns it."""
    known = sorted(stored, key=lambda s: (s.record.environment, s.record.name))
    if device is None:
        return StatusReport(rollouts=tuple(_rollout(s) for s in known))
    holding = [(s, lines) for s in known if (lines := _device_lines(s.record, device))]
    results = tuple(line for _, lines in holding for line in lines)
    return StatusReport(
        rollouts=tuple(_rollout(s) for s, _ in holding), device=DeviceStatus(id=device, results=results)
    )


def _rollout(stored: Stored) -> RolloutLine:
    record = stored.record
    waves = tuple(_wave(w, record.generation) for w in record.waves)
    current = next((w for w in waves if w.verdict is None or not (w.verdict.passed and w.verdict.current)), None)
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
        conditions=record.conditions,
        requeue_at=iso(record.requeue_at) if record.requeue_at is not None else None,
        open_drift=sum(e.open for e in record.drift) - acknowledged,
        acknowledged_drift=acknowledged,
        intents=len(record.intents),
    )


def _wave(wave: WaveRecord, generation: str) -> WaveLine:
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
        )
    return WaveLine(
        name=wave.name,
        attempt=attempt.number if attempt is not None else 0,
        stage=attempt.stage.value if attempt is not None else None,
        unit_id=attempt.unit_id if attempt is not None else None,
        start_at=_moment(attempt, "start"),
        ended_at=_moment(attempt, "end"),
        devices=_devices(wave, attempts),
        progress=dict(attempt.progress) if attempt is not None and attempt.live else {},
        failures=_failures(attempts),
        verdict=verdict,
    )


def _failures(attempts: list[Attempt]) -> tuple[FailureLine, ...]:
    newest = {r.device: r for attempt in attempts for r in attempt.results}
    return tuple(
        FailureLine(
            device=r.device, name=r.name, reason=r.reason.value if r.reason is not None else "unknown", detail=r.detail
        )
        for r in newest.values()
        if r.outcome is Outcome.FAILED
    )


def _moment(attempt: Attempt | None, which: str) -> str | None:
    if attempt is None:
        return None
    moment = attempt.start_at if which == "start" else attempt.ended_at
    return iso(moment) if moment is not None else None


def _devices(wave: WaveRecord, attempts: list[Attempt]) -> Devices:
    newest: dict[str, DeviceResult] = {}
    for attempt in attempts:
        newest |= {r.device: r for r in attempt.results}
    counts = tally(tuple(newest.values()))
    if attempts and attempts[-1].live and attempts[-1].progress:
        return _running(attempts[-1].progress)
    silent = 0
    if not attempts or attempts[-1].live:
        answered = {name for r in newest.values() for name in _names(r)} | {_fold(r.via or "") for r in newest.values()}
        members = (attempts[-1].members if attempts else ()) or wave.members
        silent = sum(_fold(m) not in answered for m in members)
    return Devices(
        succeeded=counts[Outcome.SUCCEEDED],
        failed=counts[Outcome.FAILED],
        waiting=counts[Outcome.WAITING] + silent,
        unknown=counts[Outcome.UNKNOWN],
    )


_SUCCEEDED, _WAITING = ("succeeded",), ("queued", "inProgress", "waitingForVersion")


def _running(progress: dict[str, int]) -> Devices:
    """Devices by what their service says while they are at it."""
    succeeded, waiting = (sum(progress.get(n, 0) for n in names) for names in (_SUCCEEDED, _WAITING))
    return Devices(succeeded=succeeded, waiting=waiting, failed=sum(progress.values()) - succeeded - waiting)


def _device_lines(record: Record, device: str) -> list[DeviceLine]:
    wanted = _fold(device)
    lines: list[DeviceLine] = []
    for wave in record.waves:
        for attempt in wave.attempts:
            result = next((r for r in attempt.results if wanted in _names(r)), None)
            if result is None and wanted not in {_fold(m) for m in (*attempt.members, *attempt.devices)}:
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
                    ended_at=_moment(attempt, "end"),
                )
            )
    return lines


def _names(result: DeviceResult) -> set[str]:
    return {_fold(result.device), _fold(result.name or result.device)}


def _fold(name: str) -> str:
    """Compare names as people write them: a DevEUI in either case, with or without the manifest's prefix."""
    return name.lower().removeprefix("deveui:").removeprefix("device:")
