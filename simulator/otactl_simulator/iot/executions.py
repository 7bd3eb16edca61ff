"""Serves job executions of the control plane: list, describe, cancel, delete.

1. Without `force` only a QUEUED execution is canceled, only an ended one deleted: InvalidStateTransitionException. An
   execution that has ended cannot be canceled (API reference, CancelJobExecution and DeleteJobExecution).
2. `expectedVersion` must be the execution's version: VersionConflictException.
3. An earlier execution of a thing stays listed with its own executionNumber until it is deleted, the newest first
   (seen by the makers of ministack).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from otactl_simulator.iot.common import details_of, page
from otactl_simulator.iot.device_behavior import DELETING, Course
from otactl_simulator.iot.rollout import Rollouts
from otactl_simulator.iot.state import PENDING, Execution, Job, Store, Stores, not_found
from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.iot.views import execution_details, execution_summary
from otactl_simulator.service import Handler, ModelledError, Request


class Executions:
    """The execution operations."""

    def __init__(self, stores: Stores, agenda: Agenda, course: Course, rollouts: Rollouts) -> None:
        self._stores = stores
        self._agenda = agenda
        self._course = course
        self._rollouts = rollouts

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "ListJobExecutionsForJob": self.list_for_job,
            "ListJobExecutionsForThing": self.list_for_thing,
            "DescribeJobExecution": self.describe,
            "CancelJobExecution": self.cancel,
            "DeleteJobExecution": self.delete,
        }

    def list_for_job(self, request: Request) -> dict[str, object]:
        """ListJobExecutionsForJob, by status."""
        store, wanted = self._stores.of(request), request.parameters
        key = str(wanted["jobId"])
        job = store.as_read("job", key, store.jobs.get(key), stale=request.stale)
        if not isinstance(job, Job):
            raise not_found(f"Job {key}")
        chosen = [e for e in attempts(job) if wanted.get("status") in (None, e.status)]
        items, token = page(chosen, wanted)
        listed = [{"thingArn": store.arn("thing", e.thing), "jobExecutionSummary": execution_summary(e)} for e in items]
        return {"executionSummaries": listed, "nextToken": token}

    def list_for_thing(self, request: Request) -> dict[str, object]:
        """ListJobExecutionsForThing, by status and job: the newest first. A deleted thing still has its history."""
        store, wanted = self._stores.of(request), request.parameters
        name = str(wanted["thingName"])
        found = [
            (job, e)
            for job in reversed(jobs_read(store, stale=request.stale))
            if wanted.get("jobId") in (None, job.id) and job.status != DELETING
            for e in attempts(job, name)
            if wanted.get("status") in (None, e.status)
        ]
        if not found and name not in store.things:
            raise not_found(f"Thing {name}")
        items, token = page(found, wanted)
        listed = [{"jobId": job.id, "jobExecutionSummary": execution_summary(e)} for job, e in items]
        return {"executionSummaries": listed, "nextToken": token}

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeJobExecution; without a number the latest."""
        store = self._stores.of(request)
        job, execution = find(store, request.parameters)
        return {"execution": execution_details(store, job, execution, self._agenda.now())}

    def cancel(self, request: Request) -> dict[str, object]:
        """CancelJobExecution (rules 1 and 2)."""
        store, wanted = self._stores.of(request), request.parameters
        job, execution = find(store, wanted)
        details = details_of(wanted)
        force = bool(wanted.get("force"))
        if execution.status != "QUEUED" and not (force and execution.status == "IN_PROGRESS"):
            raise _wrong_state(execution, "canceled")
        if wanted.get("expectedVersion") not in (None, execution.version):
            text = f"the execution has version {execution.version}, not {wanted['expectedVersion']}"
            raise ModelledError("VersionConflictException", text)
        execution.force_canceled = force
        self._course.end(store, job, execution, "CANCELED", details)
        return {}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteJobExecution (rule 1)."""
        store, wanted = self._stores.of(request), request.parameters
        job, execution = find(store, wanted)
        if execution.status in PENDING and not wanted.get("force"):
            raise _wrong_state(execution, "deleted")
        self._course.forget(job, execution)
        self._rollouts.settle(store, job)
        self._course.tell_ended(store, job, execution)
        return {}


def jobs_read(store: Store, *, stale: bool) -> list[Job]:
    """Return every job as a list sees it, oldest first; a stale one lacks new ones and still has deleted ones."""
    keys = [*store.jobs, *(key for kind, key in store.before if kind == "job" and key not in store.jobs)]
    read = (store.as_read("job", key, store.jobs.get(key), stale=stale) for key in keys)
    return sorted((job for job in read if isinstance(job, Job)), key=lambda job: job.created_at)


def attempts(job: Job, thing: str | None = None) -> Iterator[Execution]:
    """Yield a job's executions, earlier ones too, the newest of each thing first; of one thing or of all."""
    if thing is None:
        yield from job.executions.values()
    elif thing in job.executions:
        yield job.executions[thing]
    yield from (e for e in reversed(job.earlier) if thing in (None, e.thing))


def find(store: Store, parameters: Mapping[str, object]) -> tuple[Job, Execution]:
    """Return the execution a call names by job, thing and perhaps number; ResourceNotFoundException."""
    job, name = store.jobs.get(str(parameters["jobId"])), str(parameters["thingName"])
    number = parameters.get("executionNumber")
    if job is not None and job.status != DELETING:
        for execution in attempts(job, name):
            if number in (None, execution.number):
                return job, execution
    raise not_found(f"Execution of job {parameters['jobId']} on thing {name}")


def _wrong_state(execution: Execution, what: str) -> ModelledError:
    text = f"The execution on {execution.thing} is {execution.status} and cannot be {what} so"
    return ModelledError("InvalidStateTransitionException", text)
