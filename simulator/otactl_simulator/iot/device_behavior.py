"""Runs a job execution: queued, started, reported, ended, retried.

1. An execution's version grows with every change (API reference, JobExecution.versionNumber).
2. The in-progress timer starts when the execution becomes IN_PROGRESS and ends it as TIMED_OUT (TimeoutConfig). The
   step timer is the device's own and runs beside it (UpdateJobExecution.stepTimeoutInMinutes); the earlier one counts.
3. A retry is a new execution of the same thing, its number one higher (JobExecutionSummary.retryAttempt). Inferred:
   it is queued at once. What a job counts is the switch `jobCounts`: every execution, as live AWS does (measured by the
   makers of ministack; github.com/boto/boto3, issue 4656), or each thing once, by its latest.
4. What a device tells replaces its former statusDetails, or is merged: switch `deviceDetails`. "If not specified, the
   statusDetails are unchanged" (API reference, UpdateJobExecution).
5. Whose job is being deleted, or who was deleted, has no course any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from otactl_simulator.iot.common import mapping, whole
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import PENDING, Execution, Job, Store
from otactl_simulator.iot.timeline import Agenda

DELETING = "DELETION_IN_PROGRESS"
Watcher = Callable[[Store, Job, Execution], None]


class Course:
    """Moves executions, and tells those who watch."""

    def __init__(self, agenda: Agenda, settings: Settings) -> None:
        self._agenda = agenda
        self._settings = settings
        self.when_queued: list[Watcher] = []
        self.when_ended: list[Watcher] = []

    def pending(self, store: Store, thing: str) -> list[tuple[Job, Execution]]:
        """Return what a thing has to do: IN_PROGRESS first, then QUEUED, the oldest first."""
        found = [
            (job, job.executions[thing])
            for job in store.jobs.values()
            if thing in job.executions and job.status != DELETING and job.executions[thing].status in PENDING
        ]
        return sorted(found, key=lambda pair: (pair[1].status != "IN_PROGRESS", pair[1].queued_at, pair[0].created_at))

    def stands(self, store: Store, job: Job, execution: Execution) -> bool:
        """Return whether an execution still is its thing's latest of a job that is there (rule 5)."""
        there = store.jobs.get(job.id) is job and job.status != DELETING
        return there and job.executions.get(execution.thing) is execution

    def queue(self, store: Store, job: Job, thing: str, status: str = "QUEUED") -> Execution:
        """Add a thing's next execution of a job."""
        before = job.executions.get(thing)
        now = self._agenda.now()
        execution = Execution(thing, before.number + 1 if before else 1, status, now, updated_at=now)
        if before is not None:
            job.earlier.append(before)
            if self._settings["jobCounts"] == "things":
                self._count(job, before.status, -1)
        job.executions[thing] = execution
        self._count(job, status, 1)
        if status == "QUEUED":
            job.notified.append(now)
            self._tell(self.when_queued, store, job, execution)
        return execution

    def take(
        self, store: Store, job: Job, execution: Execution, details: dict[str, str], step: int | None = None
    ) -> None:
        """Start an execution: IN_PROGRESS, its timer runs (rule 2)."""
        now = self._agenda.now()
        execution.started_at = execution.took_at = now
        self._move(job, execution, "IN_PROGRESS")
        self.set_timer(store, job, execution)
        self.report(store, job, execution, details, step)

    def report(
        self, store: Store, job: Job, execution: Execution, details: dict[str, str], step: int | None = None
    ) -> None:
        """Record a device's progress (rule 4). A step of -1 removes the step timer."""
        self._tell_details(execution, details)
        execution.version += 1
        execution.updated_at = self._agenda.now()
        if step is not None:
            execution.step_timeout_at = execution.updated_at + timedelta(minutes=step) if step > 0 else None
            self._watch_timer(store, job, execution)

    def end(
        self, store: Store, job: Job, execution: Execution, status: str, details: dict[str, str] | None = None
    ) -> None:
        """End an execution; a failure may be tried again (rule 3)."""
        self._move(job, execution, status)
        self._tell_details(execution, details or {})
        execution.version += 1
        execution.updated_at = self._agenda.now()
        execution.timeout_at = execution.step_timeout_at = None
        if job.status == "IN_PROGRESS" and execution.retry_attempt < _retries(job, status):
            self.queue(store, job, execution.thing).retry_attempt = execution.retry_attempt + 1
        self.tell_ended(store, job, execution)

    def remove(self, store: Store, job: Job, execution: Execution) -> None:
        """Remove a QUEUED execution because its thing left: its version stays (measured, as rule 3)."""
        self._move(job, execution, "REMOVED")
        execution.updated_at = self._agenda.now()
        self.tell_ended(store, job, execution)

    def set_timer(self, store: Store, job: Job, execution: Execution) -> None:
        """Set the in-progress timer as the job has it now."""
        minutes = whole(job.timeout.get("inProgressTimeoutInMinutes"))
        start = execution.started_at
        execution.timeout_at = start + timedelta(minutes=minutes) if minutes and start else None
        self._watch_timer(store, job, execution)

    def forget(self, job: Job, execution: Execution) -> None:
        """Drop a deleted execution."""
        if job.executions.get(execution.thing) is execution:
            del job.executions[execution.thing]
            self._count(job, execution.status, -1)
        else:
            job.earlier.remove(execution)
            if self._settings["jobCounts"] == "executions":
                self._count(job, execution.status, -1)

    def tell_ended(self, store: Store, job: Job, execution: Execution) -> None:
        """Notify the watchers that a thing has one execution less to do."""
        self._tell(self.when_ended, store, job, execution)

    def _tell_details(self, execution: Execution, details: dict[str, str]) -> None:
        if details and self._settings["deviceDetails"] == "replace":
            execution.details = {}
        execution.details |= details

    def _watch_timer(self, store: Store, job: Job, execution: Execution) -> None:
        due = deadline(execution)
        if due is not None:
            self._agenda.at(max(due, self._agenda.now()), partial(self._time_out, store, job, execution))

    def _time_out(self, store: Store, job: Job, execution: Execution) -> None:
        due = deadline(execution)
        if due is None or due > self._agenda.now() or not self.stands(store, job, execution):
            return
        if execution.status == "IN_PROGRESS":
            self.end(store, job, execution, "TIMED_OUT")

    def _move(self, job: Job, execution: Execution, status: str) -> None:
        self._count(job, execution.status, -1)
        self._count(job, status, 1)
        execution.status = status

    @staticmethod
    def _count(job: Job, status: str, by: int) -> None:
        job.tally[status] = job.tally.get(status, 0) + by

    @staticmethod
    def _tell(watchers: list[Watcher], store: Store, job: Job, execution: Execution) -> None:
        for watcher in watchers:
            watcher(store, job, execution)


def deadline(execution: Execution) -> datetime | None:
    """Return when an execution in progress times out: the earlier of its two timers."""
    return min((t for t in (execution.timeout_at, execution.step_timeout_at) if t is not None), default=None)


def _retries(job: Job, status: str) -> int:
    """Return how many retries a job allows after a failure of a kind."""
    if status not in ("FAILED", "TIMED_OUT"):
        return 0
    listed = job.retry.get("criteriaList")
    criteria = [mapping(c) for c in listed] if isinstance(listed, list) else []
    return max((whole(c["numberOfRetries"]) or 0 for c in criteria if c["failureType"] in (status, "ALL")), default=0)
