"""Shows a task as the reads of its service do: its status, and once it has ended its devices' results."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from otactl.model import (
    Attempt,
    Cause,
    DeviceResult,
    JsonObject,
    Outcome,
    Reason,
    ServiceFinding,
    Unit,
    UnitPhase,
    tally,
)
from tests.support.explore.declared import Settings
from tests.support.explore.world import Task

OVERDUE = timedelta(hours=24)
_OUTCOMES = {"good": Outcome.SUCCEEDED, "bad": Outcome.FAILED, "canceled": Outcome.FAILED}


def shown(settings: Settings, task: Task, attempt: Attempt, now: datetime) -> Unit:
    """Return the unit of an attempt as a read shows it now."""
    unit, can = task.unit, settings.shape.capabilities
    if unit.phase in (UnitPhase.OPEN, UnitPhase.DELETING, UnitPhase.FAILED):
        return unit
    creating = unit.phase is UnitPhase.SCHEDULED and not can.starts_explicitly
    results = tuple(_result(settings, d, how) for d, how in sorted(task.work.items()) if _counts(d, attempt))
    gone = (d for d in attempt.devices if d not in task.work)
    results = (*results, *(_left(settings, device) for device in gone))
    changes: JsonObject = {"readable": not creating, "fields": {} if creating else unit.fields}
    if unit.phase is UnitPhase.ENDED:
        changes |= {"results": results, "stopping": True}
    if can.cancels_waiting:
        late = unit.created_at is not None and now - unit.created_at >= OVERDUE and unit.phase is UnitPhase.RUNNING
        waits = sorted(d for d, how in task.work.items() if how in ("waiting", "started", "mute"))
        changes |= {
            "tally": tally(results),
            "findings": _concerns(settings, task),
            "failures": {r.reason: 1 for r in results if r.reason is not None},
            "overdue": f"{len(waits)} devices are waiting for a day" if late and waits else "",
        }
    return msgspec.structs.replace(unit, **changes)


def _counts(device: str, attempt: Attempt) -> bool:
    """Return whether a device is one of those the unit was started with, as far as that is recorded."""
    return not attempt.devices or device in attempt.devices


def _result(settings: Settings, device: str, how: str) -> DeviceResult:
    if how in _OUTCOMES:
        reason = Reason.CANCELED if how == "canceled" else None
        failed = Reason.MISSING_FRAGMENTS if settings.kind == "fuota" else Reason.DOWNLOAD
        return DeviceResult(device=device, outcome=_OUTCOMES[how], reason=failed if how == "bad" else reason)
    if settings.kind == "fuota":
        return _silent(device)
    return DeviceResult(device=device, outcome=Outcome.WAITING)


def _left(settings: Settings, device: str) -> DeviceResult:
    if settings.kind == "fuota":
        return _silent(device)
    return DeviceResult(device=device, outcome=Outcome.FAILED, reason=Reason.REMOVED)


def _silent(device: str) -> DeviceResult:
    return DeviceResult(device=device, outcome=Outcome.FAILED, reason=Reason.TIMEOUT, silent=True)


def _concerns(settings: Settings, task: Task) -> tuple[ServiceFinding, ...]:
    found = []
    stopped = task.unit.stopping and not task.unit.canceled_by_us and "cancel" in task.deeds
    if stopped:
        field = "job" if settings.kind == "otaUpdate" else "batch"
        found.append(
            ServiceFinding(
                field=field, desired="running", observed="canceled by another actor", cause=Cause.OUT_OF_BAND_EDIT
            )
        )
    if bad := sorted(d for d, how in task.work.items() if how == "bad"):
        found.append(ServiceFinding(field="devices.failed", desired=0, observed=", ".join(bad), cause=Cause.VENDOR))
    return tuple(found)
