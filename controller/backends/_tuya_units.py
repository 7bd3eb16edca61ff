"""One batch as a unit: its status, its tasks' progress, what is wrong, and its devices' results once all have ended.

1. A batch has ended when each of its tasks has; its own COMPLETED may be early or late.
2. Who canceled a batch nothing at the gateway tells: our journal does.
3. Tasks that wait for a confirmation, or were told and show no progress, for a day are overdue.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from controller.backends._missing import NotFoundError
from controller.backends._tuya_calls import COMPARED, DEFAULT_MODULE
from controller.backends._tuya_reads import BatchReader
from controller.backends._tuya_shapes import JobInfo, TaskInfo, moment
from controller.backends._tuya_words import COUNTS, UNFINISHED, job_phase, task_outcome
from controller.model import (
    Attempt,
    Cause,
    Concern,
    DeviceResult,
    Json,
    JsonObject,
    Outcome,
    Reason,
    Rollout,
    TuyaSpec,
    Unit,
    UnitPhase,
    VersionConfirm,
    duration,
)
from controller.proof import DEFAULT_WITHIN, proved, undecided

OVERDUE = timedelta(hours=24)
NAMES = 5


class BatchUnits:
    """Reads units."""

    def __init__(self, reader: BatchReader) -> None:
        self._reader = reader

    def unit(self, attempt: Attempt, job_id: str, rollout: Rollout) -> Unit | None:
        """The unit of an attempt; None when the gateway does not know its batch."""
        batch = self._reader.batch(job_id)
        if batch is None:
            return None
        tasks = self._reader.tasks(job_id)
        phase = job_phase(batch.job_status)
        open_tasks = [t for t in tasks if t.task_status.upper() in UNFINISHED]
        unknown = [t for t in tasks if task_outcome(t.task_status, t.progress, "")[0] is Outcome.UNKNOWN]
        canceled = batch.job_status.upper() == "CANCELED"
        if phase is UnitPhase.ENDED and open_tasks:
            phase = UnitPhase.RUNNING
        elif phase is UnitPhase.RUNNING and tasks and not open_tasks and not unknown:
            phase = UnitPhase.ENDED  # rule 1
        concerns = (*_canceled(batch, attempt), *self._overdue(open_tasks), *_failed(tasks))
        inside = {*attempt.devices, *(t.device_name for t in tasks)}
        unit = Unit(
            unit_id=attempt.unit_id, phase=phase, vendor_id=job_id, arn=f"tuya:{job_id}", fields=_fields(batch),
            members=tuple(sorted(f"device:{name}" for name in inside)), start_at=moment(batch.utc_create),
            created_at=moment(batch.utc_create), stopping=canceled or phase is UnitPhase.ENDED, concerns=concerns,
            canceled=canceled and attempt.canceled, progress=_counts(tasks), overdue=_sentence(concerns),
        )  # fmt: skip
        if phase is not UnitPhase.ENDED or not attempt.live:
            return unit
        return self._judged(unit, attempt, rollout, tasks, batch)

    def _judged(
        self, unit: Unit, attempt: Attempt, rollout: Rollout, tasks: tuple[TaskInfo, ...], batch: JobInfo
    ) -> Unit:
        results = {t.device_name: _result(t) for t in tasks}
        named = {k.partition(":")[2] for k in attempt.members} | set(attempt.devices)
        for name in sorted(named - set(results)):
            results[name] = self._without_task(name, rollout)
        found = tuple(results[name] for name in sorted(results))
        confirm = rollout.strategy.confirm
        if not isinstance(confirm, VersionConfirm) or unit.canceled or attempt.generation != rollout.generation:
            return msgspec.structs.replace(unit, results=found)
        return self._confirmed(unit, found, confirm, rollout, batch)

    def _confirmed(
        self, unit: Unit, results: tuple[DeviceResult, ...], confirm: VersionConfirm, rollout: Rollout, batch: JobInfo
    ) -> Unit:
        version, module = rollout.firmware.version, confirm.version.module or DEFAULT_MODULE
        reported = {r.device: self._version(r.device, rollout, module) for r in results}
        ended = moment(batch.utc_modified)
        final = ended is not None and self._reader.now() - ended >= duration(confirm.within or DEFAULT_WITHIN)
        waiting = sum(undecided(r, reported, version) for r in results)
        told = tuple(proved(r, reported, version, final=final) for r in results)
        if waiting and not final:
            progress = {**unit.progress, "waitingForVersion": waiting}
            progress["succeeded"] = sum(r.outcome is Outcome.SUCCEEDED for r in told)
            return msgspec.structs.replace(unit, phase=UnitPhase.RUNNING, progress=progress)
        return msgspec.structs.replace(unit, results=told)

    def _version(self, device: str, rollout: Rollout, module: str) -> str | None:
        assert isinstance(rollout.backend, TuyaSpec)  # noqa: S101 - the sibling only reads its own rollouts
        try:
            return self._reader.versions(str(rollout.backend.document["productKey"]), device).get(module)
        except NotFoundError:
            return None

    def _without_task(self, device: str, rollout: Rollout) -> DeviceResult:
        """A device the service made no task for: it had the version already, or was no target."""
        assert isinstance(rollout.backend, TuyaSpec)  # noqa: S101 - as above
        runs = self._version(device, rollout, str(rollout.backend.document.get("moduleName", DEFAULT_MODULE)))
        if runs == rollout.firmware.version:
            return DeviceResult(device=device, name=device, outcome=Outcome.SUCCEEDED, detail="had it already")
        told = f"the service made no task for it; it reports {runs or 'no version'}"
        return DeviceResult(device=device, name=device, outcome=Outcome.FAILED, reason=Reason.OFFLINE, detail=told)

    def _overdue(self, tasks: Iterable[TaskInfo]) -> list[Concern]:
        late: dict[str, list[str]] = {}
        for task in tasks:
            moved = moment(task.utc_modified) or moment(task.utc_create)
            if moved is not None and self._reader.now() - moved >= OVERDUE:
                late.setdefault(COUNTS[task.task_status.upper()], []).append(task.device_name)
        return [
            _concern(f"devices.{kind}", "to go on within a day", _some(names), Cause.VENDOR)
            for kind, names in sorted(late.items())
        ]


def _fields(batch: JobInfo) -> JsonObject:
    shown: JsonObject = {
        "targetSelection": batch.target_selection,
        "version": batch.dest_version,
        "srcVersions": sorted(batch.src_versions),
        "groupId": batch.group_id or None,
        "grayPercent": int(batch.gray_percent) if batch.gray_percent.isdigit() else None,
        "timeoutInMinutes": batch.timeout_in_minutes,
        "needPush": batch.need_push,
        "needConfirm": batch.need_confirm,
        "retryInterval": batch.retry_interval,
        "retryCount": batch.retry_count,
    }
    kept = (*COMPARED, "targetSelection", "version", "srcVersions")
    return {name: value for name, value in shown.items() if name in kept and value not in (None, "", [])}


def _counts(tasks: Iterable[TaskInfo]) -> dict[str, int]:
    found: dict[str, int] = {}
    for task in tasks:
        name = COUNTS.get(task.task_status.upper(), "unknown")
        found[name] = found.get(name, 0) + 1
    return found


def _result(task: TaskInfo) -> DeviceResult:
    outcome, reason = task_outcome(task.task_status, task.progress, task.task_desc)
    return DeviceResult(
        device=task.device_name, name=task.device_name, outcome=outcome, reason=reason, detail=task.task_desc
    )


def _canceled(batch: JobInfo, attempt: Attempt) -> list[Concern]:
    if batch.job_status.upper() != "CANCELED" or attempt.canceled:
        return []
    return [_concern("batch", "running", "canceled by somebody", Cause.OUT_OF_BAND_EDIT)]


def _failed(tasks: Iterable[TaskInfo]) -> list[Concern]:
    names = [t.device_name for t in tasks if t.task_status.upper() == "FAILED"]
    return [_concern("devices.failed", 0, _some(names), Cause.VENDOR)] if names else []


def _sentence(concerns: Iterable[Concern]) -> str:
    late = [c for c in concerns if c.field.startswith("devices.") and c.field != "devices.failed"]
    told = [(c.field.partition(".")[2], c.observed) for c in late]
    return ", ".join(f"{o['devices']} devices are {k} for a day" for k, o in told if isinstance(o, dict))


def _some(names: list[str]) -> Json:
    return {"devices": len(names), "some": list(sorted(names)[:NAMES])}


def _concern(field: str, desired: Json, observed: Json, cause: Cause) -> Concern:
    return Concern(field=field, desired=desired, observed=observed, cause=cause)
