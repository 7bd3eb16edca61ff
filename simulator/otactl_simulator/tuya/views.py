"""Shows packages, batches and tasks: a task's names are the page's [V], the rest Alibaba's in camelCase [I]."""

from __future__ import annotations

from datetime import datetime

from otactl_simulator.tuya.fields import utc
from otactl_simulator.tuya.state import Firmware, Job, Store, Task


def task_row(store: Store, task: Task, moment: datetime) -> dict[str, object] | None:
    """Return a task as it stood at a moment, None before it was there; what both listings share."""
    found = task.shown.at(moment)
    if found is None:
        return None
    firmware, product = task.job.firmware, store.products.get(task.device.product_key)
    return {
        "taskId": task.id,
        "jobId": task.job.id,
        "firmwareId": firmware.id,
        "taskStatus": found[1][0],
        "productKey": task.device.product_key,
        "productName": product.name if product else "",
        "deviceName": task.device.name,
        "iotId": task.device.iot_id,
        "srcVersion": task.src_version,
        "destVersion": firmware.dest_version,
        "utcCreate": utc(task.created_at),
        "utcModified": utc(found[0]),
    }


def task_detail(task: Task, moment: datetime) -> dict[str, object]:
    """Return what only ListOTATaskByJob shows."""
    found = task.shown.at(moment)
    _, progress, words = found[1] if found is not None else ("", None, "")
    limit = task.job.timeout_minutes
    return {
        "progress": "" if progress is None else str(progress),
        "taskDesc": words,
        "timeout": "" if limit is None else str(limit),
    }


def job_row(job: Job, moment: datetime) -> dict[str, object] | None:
    """Return a batch as it stood at a moment; what the listings show."""
    found = job.status.at(moment)
    if found is None:
        return None
    return {
        "jobId": job.id,
        "jobStatus": found[1],
        "jobType": job.type,
        "firmwareId": job.firmware.id,
        "productKey": job.firmware.product_key,
        "targetSelection": job.selection,
        "utcCreate": utc(job.created_at),
        "utcModified": utc(found[0]),
    }


def job_detail(job: Job) -> dict[str, object]:
    """Return what QueryOTAJob adds: no counts, no rate, no device list [V]."""
    options: dict[str, object] = {
        "grayPercent": job.gray_percent or None,
        "groupId": job.group.id if job.group else None,
        "groupName": job.group.name if job.group else None,
        "retryCount": job.retry_count,
        "retryInterval": job.retry_interval,
        "timeoutInMinutes": job.timeout_minutes,
    }
    return {
        "name": f"{job.type}-{job.id}",
        "jobDesc": "",
        "destVersion": job.firmware.dest_version,
        "srcVersions": {"srcVersion": job.src_versions},
        "needPush": job.need_push,
        "needConfirm": job.need_confirm,
        "downloadProtocol": "HTTPS",
        "utcStartTime": utc(job.created_at),
        **{name: value for name, value in options.items() if value is not None},
    }


def firmware_row(store: Store, firmware: Firmware) -> dict[str, object]:
    """Return a package."""
    product = store.products.get(firmware.product_key)
    shown: dict[str, object] = {
        "firmwareId": firmware.id,
        "firmwareName": firmware.name,
        "firmwareDesc": firmware.desc,
        "destVersion": firmware.dest_version,
        "firmwareSign": firmware.sign,
        "signMethod": firmware.sign_method,
        "firmwareSize": firmware.size,
        "moduleName": firmware.module,
        "productKey": firmware.product_key,
        "productName": product.name if product else "",
        "status": firmware.status,
        "type": firmware.type,
        "verifyProgress": firmware.verify_progress,
        "utcCreate": utc(firmware.created_at),
        "utcModified": utc(firmware.modified_at),
    }
    return shown | ({"srcVersion": firmware.src_version} if firmware.src_version else {})
