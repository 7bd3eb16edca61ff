"""Reads an attempt's batches as one unit: status, task progress, and device results once all have ended.

1. A batch has ended when each of its tasks has; its own COMPLETED may be early or late. A list of tasks that is not
   whole ends nothing, and a task in an unknown status makes its running batch unknown: it may never end.
2. A unit has ended when each of its batches has and none is still to be made, or may still come to be seen.
3. A device without a task had the version already, or was no target: what it reports tells which. Who is gone, or has
   a version that was not asked for, never gets one: it counts as failed and does not delay the others.
4. With `confirm: version` what the devices report decides. While a batch runs, those whose task succeeded are claims,
   read only while the wave passes with them (version_claims); once all have ended, every device is read, except those
   that were canceled. Under an abort, and for a revision that is not declared any more, no device is waited for.
   Versions that cannot be read decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from otactl.backends.errors import NotFoundError
from otactl.backends.transport.shown_urls import without_credentials
from otactl.backends.tuya.batching import Parts
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.problems import late_in, late_of, of_batches, of_lists, of_package, of_tasks, overdue_of
from otactl.backends.tuya.reads import LAG, BatchReader, not_asked_for
from otactl.backends.tuya.responses import is_number
from otactl.backends.tuya.schemas import JobInfo, TaskInfo, moment
from otactl.backends.tuya.statuses import (
    CANCELED_BATCH,
    CANCELED_TASK,
    COUNTS,
    STARTED,
    TO_CONFIRM,
    UNFINISHED,
    WAITS,
    job_phase,
    task_outcome,
)
from otactl.backends.tuya.task_list import TaskList
from otactl.errors import StalledError
from otactl.model import (
    Attempt,
    DeviceResult,
    JsonObject,
    Outcome,
    Reason,
    Rollout,
    ServiceFinding,
    Unit,
    UnitPhase,
    VersionClaims,
    VersionConfirm,
    WaveRecord,
)
from otactl.verdicts import version_claims
from otactl.verdicts.version_proof import ReportedVersions, confirmed
from otactl.verdicts.wave_verdict import needs_proof, passed

_FIRST = (UnitPhase.UNKNOWN, UnitPhase.RUNNING, UnitPhase.SCHEDULED)


class BatchUnits:
    """Reads units."""

    def __init__(self, reader: BatchReader) -> None:
        self._reader = reader

    def unit(
        self,
        attempt: Attempt,
        parts: Parts,
        lacks: tuple[str, ...],
        rollout: Rollout,
        spec: TuyaConfig,
        wave: WaveRecord | None = None,
        *,
        canceling: bool = False,
    ) -> Unit | None:
        """Return the unit of an attempt at a wave; None when the gateway knows none of its batches.

        `lacks` are targets of parts that are still to be made; `canceling` says that a cancel of ours got no answer.
        """
        batches = {job_id: self._reader.batch(job_id) for job_id in parts.jobs.values()}
        there = {job_id: batch for job_id, batch in batches.items() if batch is not None}
        if not there:
            return None
        lists = {job_id: self._reader.tasks(job_id) for job_id in there}
        phases = {job_id: batch_phase(batch, lists[job_id]) for job_id, batch in there.items()}
        phase = next((p for p in _FIRST if p in phases.values()), UnitPhase.ENDED)
        if phase is UnitPhase.ENDED and (lacks or parts.pending or self._hidden(attempt, batches)):
            phase = UnitPhase.RUNNING  # rule 2
        canceled = [job_id for job_id, b in there.items() if b.job_status.upper() == CANCELED_BATCH]
        started = {j for j, found in lists.items() if found.tasks and not any(_cancelable(t) for t in found.tasks)}
        done = [j for j, p in phases.items() if p is UnitPhase.ENDED or j in canceled or j in started]
        every = tuple(task for found in lists.values() for task in found.tasks)
        if canceling and (canceled or any(t.task_status.upper() == CANCELED_TASK for t in every)):
            attempt = msgspec.structs.replace(attempt, canceled_by_us=True)
        first = next(iter(there.values()))
        now = self._reader.now()
        late = late_of(every, now)
        concerns = (*of_batches(batches, attempt), *of_tasks(every, late, attempt))
        concerns = (*concerns, *self._packages(attempt, there, rollout), *of_lists(there, lists))
        specific = first.target_selection.upper() == "SPECIFIC"
        inside = {*attempt.devices, *(t.device_name for t in every)} if specific else set()
        made = min((m for b in there.values() if (m := moment(b.utc_create)) is not None), default=None)
        vendor_id = attempt.vendor_id or next(iter(parts.jobs.values()))
        tally, failures = _tally(every, lacks)
        unit = Unit(
            unit_id=attempt.unit_id,
            phase=phase,
            vendor_id=vendor_id,
            arn=f"tuya:{vendor_id}",
            fields={**fields_of(first), TO_CONFIRM: sorted(t.task_id for t in every if t.task_status.upper() == WAITS)},
            members=tuple(sorted(f"device:{name}" for name in inside)),
            start_at=made,
            created_at=made,
            stopping=len(done) == len(there),
            canceled_by_us=len(canceled) == len(there) and attempt.canceled_by_us,
            findings=concerns,
            progress=_counts(every),
            tally=tally,
            failures=failures,
            overdue=overdue_of(late),
            overdue_in=late_in(lists, now),
            ids_by_call=dict(parts.jobs) if parts.several else {},
            finished_calls=tuple(sorted(done)),
            missing_targets=lacks,
        )
        proof = version_claims.proof_of(rollout, attempt.generation)
        if proof is not None:
            unit = self._with_claims(unit, attempt, wave, rollout, spec, proof.confirm, every)
        if phase is not UnitPhase.ENDED:
            return unit
        return self._judged(unit, attempt, rollout, spec, every, there)

    def _with_claims(
        self,
        unit: Unit,
        attempt: Attempt,
        wave: WaveRecord | None,
        rollout: Rollout,
        spec: TuyaConfig,
        confirm: VersionConfirm,
        tasks: tuple[TaskInfo, ...],
    ) -> Unit:
        """Return a unit with its claims as waiting (rule 4)."""
        took, known = _took(tasks), attempt.claims
        runs = unit.phase is UnitPhase.RUNNING
        if not (runs and took and needs_proof(wave, attempt, unit, rollout, self._reader.now())):
            return version_claims.counted(unit, version_claims.unread(known, len(took)))
        module, released = confirm.version.module or spec.module, passed(wave, rollout)
        reported: dict[str, str | None] | None = None
        try:
            asked = version_claims.to_read(took, known, released=released)
            reported = {name: self._version(name, spec, module) for name in asked}
        except StalledError as error:
            unit = version_claims.unreadable(unit, error)
        claims = version_claims.after(took, known, reported, rollout.firmware.version, released=released)
        return version_claims.counted(unit, claims)

    def _packages(self, attempt: Attempt, batches: dict[str, JobInfo], rollout: Rollout) -> list[ServiceFinding]:
        """Return what is wrong with the packages of batches whose content is still declared."""
        if attempt.generation != rollout.generation:
            return []
        ids = sorted({b.firmware_id for b in batches.values() if b.firmware_id})
        return [c for i in ids for c in of_package(self._reader.package_of(i), rollout.firmware)]

    def _hidden(self, attempt: Attempt, batches: dict[str, JobInfo | None]) -> bool:
        """Return whether a batch made a moment ago is not shown yet."""
        young = attempt.start_sent_at is not None and self._reader.now() - attempt.start_sent_at < LAG
        return young and None in batches.values()

    def _judged(
        self,
        unit: Unit,
        attempt: Attempt,
        rollout: Rollout,
        spec: TuyaConfig,
        tasks: tuple[TaskInfo, ...],
        batches: dict[str, JobInfo],
    ) -> Unit:
        version, current = rollout.firmware.version, attempt.generation == rollout.generation
        specific = any(b.target_selection.upper() == "SPECIFIC" for b in batches.values()) and attempt.devices
        results = {t.device_name: result_of(t) for t in tasks if not specific or t.device_name in attempt.devices}
        for name in _by_hand(tasks, attempt.canceled_before) if attempt.canceled_by_us else ():
            results[name] = msgspec.structs.replace(results[name], by_hand=True, detail="canceled by hand")
        named = {k.partition(":")[2] for k in attempt.members} | set(attempt.devices)
        for name in sorted(named - set(results)):
            asked = current and not attempt.canceled_by_us
            results[name] = self._without_task(name, spec, version) if asked else _not_asked(name, attempt)
        found = tuple(results[name] for name in sorted(results))
        proof = version_claims.proof_of(rollout, attempt.generation, attempt.version)
        if proof is None:
            return msgspec.structs.replace(unit, results=found)
        module = proof.confirm.version.module or spec.module
        devices = [r.device for r in found if not (attempt.canceled_by_us and r.reason is Reason.CANCELED)]
        try:
            reported = {device: self._version(device, spec, module) for device in devices}
        except StalledError as error:
            if proof.declared:
                return version_claims.unreadable(msgspec.structs.replace(unit, phase=UnitPhase.RUNNING), error)
            reported = {}
        ended = max((m for b in batches.values() if (m := moment(b.utc_modified)) is not None), default=None)
        now = self._reader.now()
        final = version_claims.is_final(proof, attempt, rollout, ended, now, canceled=attempt.canceled_by_us)
        before = {t.device_name: t.src_version for t in tasks if t.src_version} if module == spec.module else {}
        proved = confirmed(unit, found, ReportedVersions(versions=reported, before=before), proof.version, final=final)
        if proved.phase is UnitPhase.ENDED:
            return proved
        claims = version_claims.after(_took(tasks), VersionClaims(), reported, version)
        return msgspec.structs.replace(proved, claims=claims)

    def _without_task(self, device: str, spec: TuyaConfig, version: str) -> DeviceResult:
        """Rule 3."""
        try:
            runs = self._reader.versions(spec.product, device).get(spec.module)
        except NotFoundError:
            return _failed(device, Reason.REMOVED, "it is not there any more")
        if runs == version:
            return DeviceResult(device=device, name=device, outcome=Outcome.SUCCEEDED, detail="had it already")
        if runs is not None and (detail := not_asked_for(spec, runs)):
            return _failed(device, Reason.VERSION, detail)
        return _failed(device, Reason.OFFLINE, f"the service made no task for it; it reports {runs or 'no version'}")

    def _version(self, device: str, spec: TuyaConfig, module: str) -> str | None:
        try:
            return self._reader.versions(spec.product, device).get(module)
        except NotFoundError:
            return None


def batch_phase(batch: JobInfo, listed: TaskList) -> UnitPhase:
    """Return how far a batch is (rule 1)."""
    phase, tasks = job_phase(batch.job_status), listed.tasks
    outcomes = [task_outcome(t.task_status, t.progress, "")[0] for t in tasks]
    waiting = any(t.task_status.upper() in UNFINISHED for t in tasks)
    if phase is UnitPhase.ENDED and (waiting or listed.lacks):
        return UnitPhase.RUNNING
    if phase is UnitPhase.RUNNING and Outcome.UNKNOWN in outcomes:
        return UnitPhase.UNKNOWN
    if phase is UnitPhase.RUNNING and tasks and not waiting and not listed.lacks:
        return UnitPhase.ENDED
    return phase


def _cancelable(task: TaskInfo) -> bool:
    """Return whether a device has not started it, so that it can still be canceled."""
    status = task.task_status.upper()
    return status in UNFINISHED and status != STARTED


def _not_asked(device: str, attempt: Attempt) -> DeviceResult:
    """Return a device without a task whose batch was canceled, or is of another revision: its report is not read."""
    reason = Reason.CANCELED if attempt.canceled_by_us else Reason.OFFLINE
    return _failed(device, reason, "the service made no task for it")


def _failed(device: str, reason: Reason, detail: str) -> DeviceResult:
    return DeviceResult(device=device, name=device, outcome=Outcome.FAILED, reason=reason, detail=detail)


def fields_of(batch: JobInfo) -> JsonObject:
    """Return what a batch shows of its settings, by their names in a manifest."""
    shown: JsonObject = {
        "targetSelection": batch.target_selection,
        "version": batch.dest_version,
        "srcVersions": sorted(batch.src_versions),
        "groupId": batch.group_id or None,
        "grayPercent": int(batch.gray_percent) if is_number(batch.gray_percent) else None,
        "timeoutInMinutes": batch.timeout_in_minutes,
        "needPush": batch.need_push,
        "needConfirm": batch.need_confirm,
        "retryInterval": batch.retry_interval,
        "retryCount": batch.retry_count,
    }
    return {name: value for name, value in shown.items() if value not in (None, "", [])}


def _counts(tasks: tuple[TaskInfo, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for task in tasks:
        name = COUNTS.get(task.task_status.upper(), "unknown")
        found[name] = found.get(name, 0) + 1
    return found


def _tally(tasks: tuple[TaskInfo, ...], lacks: tuple[str, ...]) -> tuple[dict[Outcome, int], dict[Reason, int]]:
    """Return the devices by outcome, and those that failed by reason."""
    found = {Outcome.WAITING: len(lacks)} if lacks else {}
    failures: dict[Reason, int] = {}
    for result in map(result_of, tasks):
        found[result.outcome] = found.get(result.outcome, 0) + 1
        if result.outcome is Outcome.FAILED and result.reason is not None:
            failures[result.reason] = failures.get(result.reason, 0) + 1
    return found, failures


def _took(tasks: Iterable[TaskInfo]) -> dict[str, datetime | None]:
    """Return the devices whose transfer succeeded, each with the time it did, as far as the gateway shows it."""
    return {t.device_name: moment(t.utc_modified) for t in tasks if result_of(t).outcome is Outcome.SUCCEEDED}


def _by_hand(tasks: Iterable[TaskInfo], before: int) -> frozenset[str]:
    """Return the devices whose tasks another actor canceled, of those canceled when we canceled: the first `before`."""
    canceled = [t for t in tasks if t.task_status.upper() == CANCELED_TASK]
    return frozenset(t.device_name for t in sorted(canceled, key=lambda t: t.utc_modified or "~")[:before])


def result_of(task: TaskInfo) -> DeviceResult:
    """Return what a task says of its device."""
    outcome, reason = task_outcome(task.task_status, task.progress, task.task_desc)
    said = without_credentials(task.task_desc)
    return DeviceResult(device=task.device_name, name=task.device_name, outcome=outcome, reason=reason, detail=said)
