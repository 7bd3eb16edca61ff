"""Serves upgrade batches: create, show, list. The gateway has no call that changes one [V].

1. A package is sent when its status is 1 or -1 [D Alibaba]; a verification takes 0 or 3 [I] to 2, and its devices
   bring it to 1 (one of them succeeded) or 3 [I].
2. SPECIFIC names at most 200 devices, a verification at most 10 [V Alibaba, I Tuya].
3. A device that never reported the module is no target, nor one whose version SrcVersion does not name; one at the
   target version is skipped [D]. A SPECIFIC batch that finds no one is refused [D].
4. GRAY takes the percentage of those, rounded up [I], drawn by the seed.
5. RetryInterval and RetryCount come together, need SrcVersion, and the interval is below the timeout [V Alibaba].
6. There is no idempotency: the same request twice makes two batches [V: no client token among the parameters].
7. A device with an unfinished task fails the later one at once, or the batch is refused: a switch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping

from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.service import Handler, ModelledError, Request
from otactl_simulator.tuya.device_behavior import Course
from otactl_simulator.tuya.fields import Given, missing, paged, utc, wrong
from otactl_simulator.tuya.settings import Settings
from otactl_simulator.tuya.state import (
    CONFIRM,
    IN_PROGRESS,
    QUEUED,
    UNCHECKED,
    UNVERIFIED,
    UPGRADE,
    VERIFIED,
    VERIFY,
    VERIFY_FAILED,
    VERIFYING,
    Device,
    Firmware,
    Group,
    Job,
    Store,
    Task,
    Timeline,
)
from otactl_simulator.tuya.views import job_detail, job_row

SELECTIONS = ("ALL", "SPECIFIC", "GRAY", "GROUP")
INTERVALS, COUNTS = (0, 10, 30, 60, 1440), (1, 2, 5)
_FIRST_ID = 183634077921266000
_MOST_NAMES, _MOST_VERIFIED, _MOST_VERSIONS = 200, 10, 10


class Batches:
    """The operations on batches."""

    def __init__(self, store: Store, agenda: Agenda, settings: Settings, course: Course) -> None:
        self._store, self._agenda, self._settings, self._course = store, agenda, settings, course

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateOTAStaticUpgradeJob": self.create,
            "CreateOTAVerifyJob": self.verify,
            "QueryOTAJob": self.query,
            "ListOTAJobByFirmware": self.list_by_firmware,
            "ListOTAJobByDevice": self.list_by_device,
        }

    def create(self, request: Request) -> dict[str, object]:
        """Return a static batch."""
        given = Given(request.parameters)
        firmware = self._firmware(given)
        selection = given.one_of("TargetSelection", SELECTIONS)
        if not selection:
            raise missing("TargetSelection")
        if firmware.status not in (VERIFIED, UNCHECKED):
            raise ModelledError("iot.ota.FirmwareNotVerified", f"firmware {firmware.id} has status {firmware.status}")
        job = self._job(given, firmware, UPGRADE)
        job.selection = selection
        job.src_versions = given.texts("SrcVersion", _MOST_VERSIONS)
        _retries(given, job)
        reached = [d for d in self._named(given, job) if _reached(d, job)]
        chosen = reached if selection != "GRAY" else self._drawn(given, job, reached)
        return self._open(job, chosen)

    def verify(self, request: Request) -> dict[str, object]:
        """Return a verification of a package on a few devices (rules 1 and 2)."""
        given = Given(request.parameters)
        firmware = self._firmware(given)
        if firmware.status not in (UNVERIFIED, VERIFY_FAILED):
            raise ModelledError("iot.ota.FirmwareStatusError", f"firmware {firmware.id} has status {firmware.status}")
        names = given.texts("TargetDeviceName", _MOST_VERIFIED)
        if not names:
            raise missing("TargetDeviceName.1")
        job = self._job(given, firmware, VERIFY)
        return self._open(job, [d for d in self._found(firmware, names) if _reached(d, job)])

    def query(self, request: Request) -> dict[str, object]:
        """Return one batch."""
        job = self._store.job(Given(request.parameters).needed("JobId"))
        return {"data": {**(job_row(job, self._agenda.now()) or {}), **job_detail(job)}}

    def list_by_firmware(self, request: Request) -> dict[str, object]:
        """Return the batches of a package, the newest first."""
        given = Given(request.parameters)
        identifier, page = given.needed("FirmwareId"), given.page(200)
        jobs = [job for job in self._store.jobs.values() if job.firmware.id == identifier]
        if not jobs:
            self._store.firmware(identifier)
        return self._listed(request, jobs, page)

    def list_by_device(self, request: Request) -> dict[str, object]:
        """Return the batches of a package that reach a device, the newest first."""
        given = Given(request.parameters)
        device = self._store.device(given.needed("ProductKey"), given.needed("DeviceName"))
        identifier, page = given.needed("FirmwareId"), given.page(100)
        jobs = [task.job for task in device.tasks if task.job.firmware.id == identifier]
        return self._listed(request, jobs, page)

    def _listed(self, request: Request, jobs: list[Job], page: tuple[int, int]) -> dict[str, object]:
        moment = self._agenda.now() - self._settings.lag(stale=request.stale)
        rows, page_of = paged([row for job in reversed(jobs) if (row := job_row(job, moment)) is not None], page)
        return {"data": {"simpleOTAJobInfo": rows}, **page_of}

    def _firmware(self, given: Given) -> Firmware:
        identifier, key = given.needed("FirmwareId"), given.needed("ProductKey")
        self._store.product(key)
        firmware = self._store.firmware(identifier)
        if firmware.product_key != key:
            raise ModelledError("iot.ota.FirmwareNotExist", f"firmware {identifier} is not of product {key}")
        return firmware

    def _job(self, given: Given, firmware: Firmware, kind: str) -> Job:
        """Return a batch with what both kinds share; not yet kept."""
        given.one_of("DownloadProtocol", ("HTTPS",))
        default = int(self._settings.number("tuyaDefaultTimeoutMinutes")) or None
        return Job(
            id="",
            firmware=firmware,
            type=kind,
            created_at=self._agenda.now(),
            status=Timeline(self._agenda.now(), IN_PROGRESS),
            need_push=given.flag("NeedPush", default=True),
            need_confirm=given.flag("NeedConfirm", default=False),
            timeout_minutes=given.whole("TimeoutInMinutes", 1, 1440) or default,
        )

    def _named(self, given: Given, job: Job) -> list[Device]:
        """Return the devices a batch is for, before any filter."""
        everybody = [d for d in self._store.devices.values() if d.product_key == job.firmware.product_key]
        if job.selection == "SPECIFIC":
            names = given.texts("TargetDeviceName", _MOST_NAMES)
            if not names:
                raise missing("TargetDeviceName.1")
            return self._found(job.firmware, names)
        if job.selection == "GROUP":
            job.group = self._group(given, job.firmware)
            members = set(job.group.devices)
            return [device for device in everybody if device.name in members]
        return everybody

    def _found(self, firmware: Firmware, names: Iterable[str]) -> list[Device]:
        """Return those of the named devices that exist; a name that does not is no target [I]."""
        known = [self._store.devices.get((firmware.product_key, name)) for name in names]
        return [device for device in known if device is not None]

    def _group(self, given: Given, firmware: Firmware) -> Group:
        group = self._store.groups.get(given.needed("GroupId"))
        if group is None or group.product_key != firmware.product_key:
            raise ModelledError("iot.group.GroupNotExist", f"group {given.text('GroupId')} does not exist")
        return group

    def _drawn(self, given: Given, job: Job, reached: list[Device]) -> list[Device]:
        percent = given.whole("GrayPercent", 1, 100)
        if percent is None:
            raise missing("GrayPercent")
        job.gray_percent = str(percent)
        draw = random.Random(f"{self._store.seed}/{job.firmware.id}")  # noqa: S311 - the seed decides, no secret
        return draw.sample(reached, math.ceil(len(reached) * percent / 100))

    def _open(self, job: Job, reached: list[Device]) -> dict[str, object]:
        """Keep a batch and its tasks, and let them start."""
        module, target = job.firmware.module, job.firmware.dest_version
        due = [device for device in reached if device.versions[module].now != target]
        if not reached or (not due and self._settings["tuyaNoDeviceLeft"] == "refused"):
            raise ModelledError("iot.ota.NoTargetDevice", "no device is to be upgraded")
        busy = {device.iot_id for device in due if device.unfinished()}
        if busy and self._settings["tuyaSecondBatch"] == "refused":
            raise ModelledError("iot.ota.TaskUnfinished", f"{len(busy)} devices have an unfinished task")
        job.id = self._store.number(_FIRST_ID)
        self._store.jobs[job.id] = job
        if job.type == VERIFY:
            job.firmware.status = VERIFYING
        for device in due:
            self._task(job, device)
        for task in job.tasks:
            if task.device.iot_id in busy:
                self._course.refuse(task, "the device has another unfinished task")
            elif not job.need_confirm:
                self._course.begin(task)
        self._course.settle(job)
        return {"data": {"jobId": job.id, "utcCreate": utc(job.created_at)}}

    def _task(self, job: Job, device: Device) -> None:
        now = self._agenda.now()
        shown: Timeline[tuple[str, int | None, str]] = Timeline(
            now, (CONFIRM if job.need_confirm else QUEUED, None, "")
        )
        version = device.versions[job.firmware.module].now
        task = Task(self._store.number(_FIRST_ID), job, device, version, now, shown, job.retry_count or 0)
        job.tasks.append(task)
        device.tasks.append(task)
        self._store.tasks[task.id] = task


def _reached(device: Device, job: Job) -> bool:
    reported = device.versions.get(job.firmware.module)
    return reported is not None and (not job.src_versions or reported.now in job.src_versions)


def _retries(given: Given, job: Job) -> None:
    """Return the automatic retry (rule 5)."""
    interval, count = given.whole("RetryInterval", 0, 1440), given.whole("RetryCount", 1, 5)
    if interval is None and count is None:
        return
    if interval is None or count is None:
        raise missing("RetryInterval and RetryCount")
    if interval not in INTERVALS or count not in COUNTS:
        raise wrong("RetryInterval", f"is one of {INTERVALS}, RetryCount one of {COUNTS}")
    if not job.src_versions:
        raise missing("SrcVersion.1")
    if job.timeout_minutes is not None and interval >= job.timeout_minutes:
        raise wrong("RetryInterval", "must be below TimeoutInMinutes")
    job.retry_interval, job.retry_count = interval, count
