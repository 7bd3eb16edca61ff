"""Finds problems of a running batch, its tasks and its package: reported as drift, never corrected.

1. The gateway does not show who canceled a batch; our journal does.
2. Tasks that wait for a confirmation, or were notified and show no progress, for a day are overdue. A task in an
   unknown status is reported with it.
3. A list of tasks that does not become whole though its batch has ended keeps the batch from ending, so it is reported.
4. The package is checked while its batch runs: devices that are offline fetch it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from otactl.backends.tuya.schemas import FirmwareInfo, JobInfo, TaskInfo, moment
from otactl.backends.tuya.statuses import (
    CANCELED_BATCH,
    CANCELED_TASK,
    COUNTS,
    FAILED_TASK,
    UNFINISHED,
    UNVERIFIED,
    VERIFIED,
    job_phase,
)
from otactl.backends.tuya.task_list import TaskList
from otactl.model import Attempt, Cause, Firmware, ServiceFinding, UnitPhase
from otactl.verdicts.version_proof import some
from otactl.wording import count

OVERDUE = timedelta(hours=24)


def of_batches(batches: dict[str, JobInfo | None], attempt: Attempt) -> list[ServiceFinding]:
    """Return batches canceled by another actor, or missing (rule 1)."""
    found = []
    for job_id, batch in batches.items():
        field = "batch" if len(batches) == 1 else f"batch.{job_id}"
        if batch is None:
            found.append(ServiceFinding(field=field, desired="present", observed="not there", cause=Cause.DELETED))
        elif batch.job_status.upper() == CANCELED_BATCH and not attempt.canceled_by_us:
            found.append(
                ServiceFinding(
                    field=field, desired="running", observed="canceled by another actor", cause=Cause.OUT_OF_BAND_EDIT
                )
            )
    return found


def late_of(tasks: Iterable[TaskInfo], now: datetime) -> dict[str, list[str]]:
    """Return the devices that are waited for too long, by what their tasks wait for (rule 2)."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        if _late(task, now):
            found.setdefault(COUNTS[task.task_status.upper()], []).append(task.device_name)
    return {kind: found[kind] for kind in sorted(found)}


def of_tasks(tasks: Iterable[TaskInfo], late: Mapping[str, list[str]], attempt: Attempt) -> list[ServiceFinding]:
    """Return tasks that do not go on, that failed, that another actor canceled, or whose status is unknown."""
    found = [
        ServiceFinding(
            field=f"devices.{kind}", desired="to go on within a day", observed=some(names), cause=Cause.VENDOR
        )
        for kind, names in late.items()
    ]
    ended: dict[str, list[str]] = {}
    for task in tasks:
        ended.setdefault(task.task_status.upper(), []).append(task.device_name)
    if names := ended.get(FAILED_TASK):
        found.append(ServiceFinding(field="devices.failed", desired=0, observed=some(names), cause=Cause.VENDOR))
    if (names := ended.get(CANCELED_TASK)) and not attempt.canceled_by_us:
        found.append(
            ServiceFinding(field="devices.canceled", desired=0, observed=some(names), cause=Cause.OUT_OF_BAND_EDIT)
        )
    if strange := [f"{t.device_name} ({t.task_status})" for t in tasks if t.task_status.upper() not in COUNTS]:
        found.append(ServiceFinding(field="devices.unknown", desired=0, observed=some(strange), cause=Cause.VENDOR))
    return found


def of_lists(batches: dict[str, JobInfo], lists: dict[str, TaskList]) -> list[ServiceFinding]:
    """Return lists that are not whole, of batches that say they have ended (rule 3)."""
    return [
        ServiceFinding(
            field=f"tasks.{job_id}", desired="a whole list", observed=lists[job_id].lacks, cause=Cause.VENDOR
        )
        for job_id, batch in sorted(batches.items())
        if lists[job_id].lacks and job_phase(batch.job_status) is UnitPhase.ENDED
    ]


def of_package(package: FirmwareInfo | None, firmware: Firmware) -> list[ServiceFinding]:
    """Return the package of a running batch (rule 4)."""
    if package is None:
        return [ServiceFinding(field="package", desired="present", observed="deleted", cause=Cause.DELETED)]
    found = []
    if package.status not in VERIFIED:
        observed = UNVERIFIED.get(package.status, f"has status {package.status}")
        found.append(
            ServiceFinding(field="package.status", desired="verified", observed=observed, cause=Cause.OUT_OF_BAND_EDIT)
        )
    sign = package.firmware_sign.lower()
    if is_sha256(package) and sign != firmware.sha256:
        found.append(
            ServiceFinding(field="image.sha256", desired=firmware.sha256, observed=sign, cause=Cause.IMAGE_BYTES)
        )
    elif package.firmware_size != firmware.size_bytes:
        found.append(
            ServiceFinding(
                field="image.sizeBytes",
                desired=firmware.size_bytes,
                observed=package.firmware_size,
                cause=Cause.IMAGE_BYTES,
            )
        )
    return found


def is_sha256(package: FirmwareInfo) -> bool:
    """Return whether its signature is a digest that proves the bytes."""
    return package.sign_method.upper() in ("SHA256", "SHA-256")


def late_in(lists: dict[str, TaskList], now: datetime) -> tuple[str, ...]:
    """Return the batches that have tasks which are waited for too long."""
    return tuple(sorted(job_id for job_id, listed in lists.items() if any(_late(t, now) for t in listed.tasks)))


def overdue_of(late: Mapping[str, list[str]]) -> str:
    """Return what is waited for too long, in a sentence; empty when nothing is."""
    return ", ".join(
        f"{count(len(names), 'device is', 'devices are')} {kind} for a day" for kind, names in late.items()
    )


def _late(task: TaskInfo, now: datetime) -> bool:
    """Return whether a task has not moved for too long (rule 2)."""
    moved = moment(task.utc_modified) or moment(task.utc_create)
    return task.task_status.upper() in UNFINISHED and moved is not None and now - moved >= OVERDUE
