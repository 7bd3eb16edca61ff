"""Serves device tasks (list, cancel, confirm) and the versions that devices reported.

1. The list of unfinished tasks shows CONFIRM, QUEUED, NOTIFIED and IN_PROGRESS, with moduleName and without progress;
   the list by job the other way round [V].
2. Cancel by job takes three flags, none of them on unless given; with none given it is refused [V Alibaba, I Tuya], and
   an IN_PROGRESS task is never canceled [V: no flag for it].
3. Cancel by device takes a package and at most 200 names [V Alibaba, I Tuya], and the same states.
4. ConfirmOTATask takes at most 10 ids [V]; one that waits for nothing is refused, and then none is confirmed [I].
5. At most 50 DeviceNames, which override the pages [V Alibaba, I Tuya].
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.service import Handler, ModelledError, Request
from otactl_simulator.tuya.device_behavior import Course
from otactl_simulator.tuya.fields import Given, missing, paged
from otactl_simulator.tuya.settings import Settings
from otactl_simulator.tuya.state import (
    CANCELED,
    CONFIRM,
    FAILED,
    NOTIFIED,
    QUEUED,
    SUCCEEDED,
    UNFINISHED,
    Device,
    Store,
    Task,
)
from otactl_simulator.tuya.views import task_detail, task_row

_ALL = (*UNFINISHED, SUCCEEDED, FAILED, CANCELED)
_MOST_NAMES, _MOST_LISTED, _MOST_CONFIRMED = 200, 50, 10


class Tasks:
    """The operations on device tasks."""

    def __init__(self, store: Store, agenda: Agenda, settings: Settings, course: Course) -> None:
        self._store, self._agenda, self._settings, self._course = store, agenda, settings, course

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "ListOTAUnfinishedTaskByDevice": self.list_unfinished,
            "ListOTATaskByJob": self.list_by_job,
            "ListOTAModuleVersionsByDevice": self.list_versions,
            "CancelOTATaskByJob": self.cancel_by_job,
            "CancelOTATaskByDevice": self.cancel_by_device,
            "ConfirmOTATask": self.confirm,
        }

    def list_unfinished(self, request: Request) -> dict[str, object]:
        """Return what a device has yet to do; no pages [V]."""
        given, moment = Given(request.parameters), self._moment(request)
        device = self._device(given)
        wanted = given.texts("TaskStatusList", len(UNFINISHED))
        if given.has("TaskStatus"):
            wanted.append(given.one_of("TaskStatus", UNFINISHED))
        strange = [status for status in wanted if status not in UNFINISHED]
        if strange:
            text = f"TaskStatusList is of {', '.join(UNFINISHED)}, not {', '.join(strange)}"
            raise ModelledError("iot.check.InvalidParameter", text)
        module = given.text("ModuleName")
        rows = []
        for task in device.tasks:
            row = task_row(self._store, task, moment)
            if row is None or row["taskStatus"] not in (wanted or UNFINISHED):
                continue
            if module in ("", task.job.firmware.module):
                rows.append({**row, "moduleName": task.job.firmware.module})
        return {"data": {"simpleOTATaskInfo": rows}}

    def list_by_job(self, request: Request) -> dict[str, object]:
        """Return the tasks of a batch."""
        given, moment = Given(request.parameters), self._moment(request)
        job = self._store.job(given.needed("JobId"))
        status, names = given.one_of("TaskStatus", _ALL), given.texts("DeviceNames", _MOST_LISTED)
        page = (1, _MOST_LISTED) if names else given.page(100, needed=False)
        rows = []
        for task in job.tasks:
            row = task_row(self._store, task, moment)
            if row is None or status not in ("", row["taskStatus"]) or (names and task.device.name not in names):
                continue
            rows.append({**row, **task_detail(task, moment)})
        shown, page_of = paged(rows, page)
        return {"data": {"simpleOTATaskInfo": shown}, **page_of}

    def list_versions(self, request: Request) -> dict[str, object]:
        """Return what a device reported, by module."""
        given, moment = Given(request.parameters), self._moment(request)
        page, device = given.page(200), self._device(given)
        rows = [
            {
                "moduleName": name,
                "moduleVersion": found[1],
                "productKey": device.product_key,
                "deviceName": device.name,
                "iotId": device.iot_id,
            }
            for name, reported in device.versions.items()
            if (found := reported.at(moment)) is not None
        ]
        shown, paging = paged(rows, page)
        return {"data": {"simpleOTAModuleInfo": shown}, **paging}

    def cancel_by_job(self, request: Request) -> dict[str, object]:
        """Cancel the tasks of a batch that are in the states asked for (rule 2)."""
        given = Given(request.parameters)
        job = self._store.job(given.needed("JobId"))
        queued, notified = (given.flag(f"Cancel{what}Task", default=False) for what in ("Queued", "Notified"))
        silent = queued and not given.has("CancelUnconfirmedTask")
        taken = silent and self._settings["tuyaCancelQueuedTakesUnconfirmed"] is True
        unconfirmed = given.flag("CancelUnconfirmedTask", default=taken)
        flags = {QUEUED: queued, NOTIFIED: notified, CONFIRM: unconfirmed}
        if not any(flags.values()):
            raise missing("one of CancelQueuedTask, CancelNotifiedTask and CancelUnconfirmedTask")
        self._cancel([task for task in job.tasks if flags.get(task.status)])
        return {}

    def cancel_by_device(self, request: Request) -> dict[str, object]:
        """Cancel the tasks of a package on some devices (rule 3)."""
        given = Given(request.parameters)
        product, firmware = given.needed("ProductKey"), given.needed("FirmwareId")
        names, job = given.texts("DeviceName", _MOST_NAMES), given.text("JobId")
        if not names:
            raise missing("DeviceName.1")
        self._store.product(product)
        if job:
            self._store.job(job)
        self._cancel(
            [
                task
                for task in self._store.tasks.values()
                if task.device.product_key == product
                and task.device.name in names
                and task.job.firmware.id == firmware
                and job in ("", task.job.id)
                and task.status in (CONFIRM, QUEUED, NOTIFIED)
            ]
        )
        return {}

    def confirm(self, request: Request) -> dict[str, object]:
        """Confirm tasks that wait for it (rule 4)."""
        ids = Given(request.parameters).texts("TaskId", _MOST_CONFIRMED)
        if not ids:
            raise missing("TaskId.1")
        tasks = [self._task(identifier) for identifier in ids]
        for task in tasks:
            if task.status != CONFIRM:
                raise ModelledError("iot.ota.TaskStatusError", f"task {task.id} is {task.status}")
        for task in tasks:
            self._course.confirm(task)
        return {}

    def _cancel(self, tasks: list[Task]) -> None:
        for task in tasks:
            task.job.cancel_asked = True
        for task in tasks:
            self._course.cancel(task)

    def _task(self, identifier: str) -> Task:
        found = self._store.tasks.get(identifier)
        if found is None:
            raise ModelledError("iot.ota.TaskNotExist", f"task {identifier} does not exist")
        return found

    def _device(self, given: Given) -> Device:
        for name in ("IotId", "IoTID"):  # Alibaba's SDKs and Tuya's own page spell it differently
            if given.has(name):
                return self._store.by_iot_id(given.text(name))
        return self._store.device(given.needed("ProductKey"), given.needed("DeviceName"))

    def _moment(self, request: Request) -> datetime:
        return self._agenda.now() - self._settings.lag(stale=request.stale)
