"""Shows state as JSON, for people and tests: what devices run, and the results of batches and tasks."""

from __future__ import annotations

from otactl_simulator.tuya.state import Device, Firmware, Job, Store, Task


def snapshot(store: Store) -> dict[str, object]:
    """Return the instance, without its secrets."""
    return {
        "keys": sorted(store.keys),
        "products": [
            {"productKey": p.key, "name": p.name, "modules": list(p.modules)} for p in store.products.values()
        ],
        "devices": [_device(device) for device in store.devices.values()],
        "groups": [{"groupId": g.id, "productKey": g.product_key, "devices": g.devices} for g in store.groups.values()],
        "firmwares": [_firmware(firmware) for firmware in store.firmwares.values()],
        "jobs": [_job(job) for job in store.jobs.values()],
    }


def _device(device: Device) -> dict[str, object]:
    return {
        "productKey": device.product_key,
        "deviceName": device.name,
        "iotId": device.iot_id,
        "versions": {module: reported.now for module, reported in device.versions.items()},
        "behaviour": device.behaviour,
        "installs": device.installs,
    }


def _firmware(firmware: Firmware) -> dict[str, object]:
    return {
        "firmwareId": firmware.id,
        "productKey": firmware.product_key,
        "module": firmware.module,
        "destVersion": firmware.dest_version,
        "sign": firmware.sign,
        "status": firmware.status,
    }


def _job(job: Job) -> dict[str, object]:
    return {
        "jobId": job.id,
        "firmwareId": job.firmware.id,
        "type": job.type,
        "status": job.status.now,
        "targetSelection": job.selection,
        "createdAt": job.created_at.isoformat(),
        "tasks": [_task(task) for task in job.tasks],
    }


def _task(task: Task) -> dict[str, object]:
    status, progress, words = task.shown.now
    return {
        "taskId": task.id,
        "deviceName": task.device.name,
        "status": status,
        "progress": progress,
        "taskDesc": words,
        "since": task.shown.since.isoformat(),
    }
