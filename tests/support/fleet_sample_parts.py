"""Says what the rollouts of the sample fleet wait for, what differs, and what their manifests declare."""

from __future__ import annotations

from datetime import datetime, timedelta

from otactl.backends.fuota.config import FuotaConfig
from otactl.model import (
    Cause,
    Condition,
    Device,
    DriftEntry,
    DriftStatus,
    Event,
    Firmware,
    Gate,
    JsonObject,
    Phase,
    RecordedHold,
    Rollout,
    Source,
    Strategy,
    Targets,
    Value,
    Wave,
    Window,
    iso,
)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ENVIRONMENT = "prod-eu"
SITES = ("berlin", "lyon", "porto", "turin", "graz", "delft")
MODELS = ("rev-b", "rev-c")


class Plan(Value, frozen=True, kw_only=True):
    """What a rollout of the sample is to look like."""

    name: str
    version: str
    phase: Phase
    days_ago: float
    fleet: str = "passed"
    """How far its second wave is: passed, failed, running, scheduled, held or none."""
    soak: str | None = None
    older: bool = False
    """Whether its canary had an attempt at another revision."""
    labels: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    loss: float = 0.03


def phase_event(plan: Plan, at: datetime, before: str, after: str, why: str) -> Event:
    """Return the event of a change of phase."""
    data: JsonObject = {"from": before, "to": after, "reason": why.partition(":")[0]}
    return Event(at=at, kind="phase", subject=plan.name, message=f"{before} -> {after}: {why}", data=data)


def conditions(plan: Plan, now: datetime) -> tuple[Condition, ...]:
    """Return the conditions of a phase."""
    done = plan.phase is Phase.SUCCEEDED
    return (
        Condition(
            type="Ready", status=done, reason=plan.phase.value, message="every wave passed" if done else "", since=now
        ),
        Condition(type="Stalled", status=plan.phase is Phase.STALLED, reason="No", message="", since=now - 5 * HOUR),
    )


def holds(plan: Plan, now: datetime) -> list[RecordedHold]:
    """Return what a rollout waits for."""
    if plan.phase is Phase.STALLED:
        text = "image.bucketVersioning differs; set it back, or accept it in spec.drift.ignore with a reason"
        return [
            RecordedHold(reason="drift_is_open", message=text, stalled=True, since=now - 5 * HOUR),
            RecordedHold(
                reason="window_is_closed",
                message=f"no window is open; the next one opens at {iso(now + 80 * MINUTE)}",
                since=now - 3 * HOUR,
                until=now + 80 * MINUTE,
            ),
        ]
    if plan.phase is Phase.SUSPENDED:
        text = "suspended by ada: crash reports from the canary; remove spec.suspend to continue"
        return [RecordedHold(reason="suspended", message=text, since=now - 26 * HOUR)]
    if plan.phase is Phase.FAILED:
        text = "wave fleet: too few devices succeeded; change spec.firmware, or the gate, by pull request"
        return [RecordedHold(reason="success_rate_is_too_low", message=text, stalled=True, since=now - 50 * HOUR)]
    return []


def drift(plan: Plan, now: datetime) -> list[DriftEntry]:
    """Return the ledger of a rollout."""
    closed = DriftEntry(
        subject=f"{plan.name}-canary-1-0a1b2c3d",
        field="redundancyPercent",
        desired=20,
        observed=3,
        cause=Cause.OUT_OF_BAND_EDIT,
        first_seen=now - 40 * HOUR,
        last_seen=now - 40 * HOUR,
        status=DriftStatus.CORRECTED,
        closed_at=now - 40 * HOUR,
        closed_by="otactl",
    )
    if plan.phase is not Phase.STALLED:
        return [closed] if plan.older else []
    opened = DriftEntry(
        subject=f"{plan.name}-fleet-1-0a1b2c3d",
        field="image.bucketVersioning",
        desired=True,
        observed=False,
        cause=Cause.IMAGE_BYTES,
        first_seen=now - 5 * HOUR,
        last_seen=now - 6 * MINUTE,
        status=DriftStatus.IMPOSSIBLE,
        action="reported: nothing can set it back",
    )
    return [closed, opened]


def stray(now: datetime) -> DriftEntry:
    """Return the drift of a task that no manifest declares."""
    return DriftEntry(
        subject="field-trial-42",
        field="unit",
        desired="declared, or foreignTasks: ignore",
        observed="present, not ours (5f0c1d52)",
        cause=Cause.FOREIGN,
        first_seen=now - 9 * HOUR,
        last_seen=now - 6 * MINUTE,
        status=DriftStatus.IMPOSSIBLE,
        action="reported: it is not otactl's",
    )


def declared(plan: Plan, canary: list[str], rest: list[str]) -> Rollout:
    """Return the manifest of a rollout: two waves of single devices with labels, and a window each night."""

    def labelled(names: list[str]) -> Targets:
        devices = (
            Device(id=n, labels={"site": SITES[int(n, 16) % len(SITES)], "model": MODELS[int(n, 16) % 5 == 0]})
            for n in names
        )
        return Targets(wireless_devices=tuple(devices))

    night = Window(kind="allow", schedule="0 22 * * *", duration="7h", time_zone="Europe/Berlin")
    return Rollout(
        name=plan.name,
        environment=ENVIRONMENT,
        firmware=Firmware(version=plan.version, image="s3://b/x.bin", sha256="02867c576527804c" * 4, size_bytes=8960),
        backend=FuotaConfig(
            rf_region="EU868",
            role="arn:aws:iam::123456789012:role/fuota",
            data_rate=3,
            fragment_size_bytes=112,
            fragment_interval_ms=30000,
            redundancy_percent=20,
        ),
        strategy=Strategy(
            waves=(
                Wave(name="canary", targets=labelled(canary), gate=Gate(min_success_percent=80, soak=plan.soak)),
                Wave(name="fleet", targets=labelled(rest)),
            ),
            gate=Gate(min_success_percent=90, silence_after="24h"),
        ),
        source=Source(file=f"rollouts/{plan.name}.yaml", digest="d" * 64, place=f"rollouts/{plan.name}.yaml"),
        labels={"product": plan.name.rsplit("-", 3)[0]},
        windows=(night,),
    )
