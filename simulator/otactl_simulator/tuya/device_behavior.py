"""Runs a task: what the gateway does by the clock, and how a device behaves.

1. CONFIRM waits for ConfirmOTATask; QUEUED for a device that is online and is notified (NeedPush) or asks (otherwise);
   NOTIFIED for its first progress report; IN_PROGRESS for its version [V states, edges V Alibaba].
2. SUCCEEDED only when the device reports the target version; 100 % alone is not enough [V Alibaba].
3. FAILED with progress -1 general, -2 download, -3 verify, -4 flash; by another version than was asked for; by the
   timeout, counted from the first progress report and not started again by later ones [V Alibaba].
4. The automatic retry hides in the same status; it never follows a timeout or a cancel [V Alibaba]. That it starts
   RetryInterval minutes after the failure, and that the timeout continues meanwhile, is inferred [I].
5. A version that is neither the target nor the one before fails a task that is IN_PROGRESS; the one before says nothing
   [I]. The target version ends the task in whatever state it is in [I].
6. A batch is COMPLETED when its last task has ended, whatever became of them [I].
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.tuya.settings import Settings
from otactl_simulator.tuya.state import (
    CANCELED,
    COMPLETED,
    CONFIRM,
    FAILED,
    IN_PROGRESS,
    NOTIFIED,
    QUEUED,
    SUCCEEDED,
    UNFINISHED,
    VERIFIED,
    VERIFY,
    VERIFY_FAILED,
    Device,
    Job,
    Task,
    Timeline,
)

FAILURES = {
    "failsGeneral": (-1, "the device failed to upgrade"),
    "failsDownload": (-2, "the device failed to download the package"),
    "failsVerify": (-3, "the device failed to verify the package"),
    "failsFlash": (-4, "the device failed to write the package"),
}
WORDS = dict(FAILURES.values())
# "" as it should be; manual: does nothing by itself, a test reports for it.
BEHAVIOURS = frozenset(("", "offline", "slow", "neverReports", "wrongVersion", "stuckNotified", "manual", *FAILURES))
_PASSIVE = ("offline", "stuckNotified", "manual")
# Which part of the device's time has passed at which progress; 100 % is written, the version comes with the reboot.
_STEPS = ((0.2, 20), (0.5, 50), (0.8, 80), (0.9, 100))
_SLOW = 10.0


class Course:
    """Moves tasks by the agenda."""

    def __init__(self, agenda: Agenda, settings: Settings) -> None:
        self._agenda = agenda
        self._settings = settings

    def begin(self, task: Task) -> None:
        """Start a task as QUEUED."""
        if task.device.behaviour != "offline" and (task.job.need_push or task.device.behaviour != "manual"):
            wait = self._settings.number("tuyaPushSeconds") if task.job.need_push else task.device.seconds
            self._later(task, wait, partial(self._notify, task))

    def confirm(self, task: Task) -> None:
        """Confirm a task for the user."""
        self._show(task, QUEUED)
        self.begin(task)

    def cancel(self, task: Task) -> None:
        """Cancel a task for the user."""
        self._end(task, CANCELED, "canceled by the user")

    def refuse(self, task: Task, why: str) -> None:
        """Fail a task that never started, as the gateway does."""
        self._end(task, FAILED, why)

    def look_again(self, device: Device) -> None:
        """Change how a device behaves: its unfinished tasks continue as it now does."""
        for task in device.unfinished():
            task.turn += 1
            if task.status == QUEUED:
                self.begin(task)
            elif task.status == NOTIFIED or (task.status == IN_PROGRESS and task.progress != 100):
                self._work(task)
            elif task.status == IN_PROGRESS:
                self._later(task, device.seconds / 10, partial(self._reboot, task))

    def report_progress(self, device: Device, module: str, progress: int) -> None:
        """Record a device's progress; a negative number is a failure."""
        for task in device.unfinished():
            if task.job.firmware.module == module and task.status != CONFIRM:
                task.turn += 1
                self._progress(task, progress)

    def report_version(self, device: Device, module: str, version: str) -> None:
        """Record the version a device runs (rules 2 and 5)."""
        known = device.versions.get(module)
        if known is None:
            device.versions[module] = Timeline(self._agenda.now(), version)
        elif known.now != version:
            known.set(self._agenda.now(), version)
        for task in device.unfinished():
            if task.job.firmware.module != module:
                continue
            if version == task.job.firmware.dest_version:
                self._end(task, SUCCEEDED, "", progress=100)
            elif task.status == IN_PROGRESS and version != task.src_version:
                self._end(task, FAILED, f"the device reported the unexpected version {version}")

    def settle(self, job: Job) -> None:
        """Complete a batch whose last task has ended (rule 6), and with it the verification of its package."""
        if job.type == VERIFY and job.tasks:
            job.firmware.verify_progress = 100 * job.ended // len(job.tasks)
        if job.status.now != IN_PROGRESS or job.ended < len(job.tasks):
            return
        canceled = job.cancel_asked and any(task.status == CANCELED for task in job.tasks)
        job.status.set(self._agenda.now(), str(self._settings["tuyaCanceledBatch"]) if canceled else COMPLETED)
        if job.type == VERIFY:
            fine = any(task.status == SUCCEEDED for task in job.tasks)
            job.firmware.status = VERIFIED if fine else VERIFY_FAILED

    def _notify(self, task: Task) -> None:
        self._show(task, NOTIFIED)
        self._work(task)

    def _work(self, task: Task) -> None:
        """Schedule what the device will do."""
        device = task.device
        if device.behaviour in _PASSIVE:
            return
        length = device.seconds * (_SLOW if device.behaviour == "slow" else 1.0)
        for part, progress in _STEPS:
            if device.behaviour in FAILURES and progress > 50:
                self._later(task, length * part, partial(self._progress, task, FAILURES[device.behaviour][0]))
                return
            self._later(task, length * part, partial(self._progress, task, progress))
        if device.behaviour != "neverReports":
            self._later(task, length, partial(self._reboot, task))

    def _reboot(self, task: Task) -> None:
        firmware, behaviour = task.job.firmware, task.device.behaviour
        if behaviour not in (*_PASSIVE, "neverReports"):
            version = "0.0.0" if behaviour == "wrongVersion" else firmware.dest_version
            self.report_version(task.device, firmware.module, version)

    def _progress(self, task: Task, progress: int) -> None:
        if progress < 0:
            self._failed(task, progress)
            return
        if task.deadline is None and task.job.timeout_minutes:
            task.deadline = self._agenda.now() + timedelta(minutes=task.job.timeout_minutes)
            self._agenda.at(task.deadline, partial(self._time_out, task))
        if progress == 100 and task.progress != 100:
            installs, sign = task.device.installs, task.job.firmware.sign
            installs[sign] = installs.get(sign, 0) + 1
        self._show(task, IN_PROGRESS, progress)

    def _failed(self, task: Task, progress: int) -> None:
        if task.retries_left and task.job.retry_interval is not None:
            task.retries_left -= 1
            self._show(task, IN_PROGRESS, 0)
            self._later(task, task.job.retry_interval * 60, partial(self._work, task))
            return
        self._end(task, FAILED, WORDS.get(progress, "the device failed to upgrade"), progress=progress)

    def _time_out(self, task: Task) -> None:
        if task.status == IN_PROGRESS:
            self._end(task, FAILED, "the upgrade timed out")

    def _end(self, task: Task, status: str, words: str, *, progress: int | None = None) -> None:
        task.turn += 1
        task.job.ended += 1
        self._show(task, status, task.progress if progress is None else progress, words)
        self.settle(task.job)

    def _show(self, task: Task, status: str, progress: int | None = None, words: str = "") -> None:
        task.shown.set(self._agenda.now(), (status, progress, words))

    def _later(self, task: Task, seconds: float, action: Callable[[], None]) -> None:
        """Schedule a step; it is dropped when the task has changed before."""
        turn = task.turn

        def step() -> None:
            if task.turn == turn and task.status in UNFINISHED:
                action()

        self._agenda.at(self._agenda.now() + timedelta(seconds=seconds), step)
