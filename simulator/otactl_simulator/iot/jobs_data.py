"""Serves the device's side of jobs, `iot-jobs-data`: list pending, start, report.

1. Pending are IN_PROGRESS ones first, then QUEUED ones by age. StartNext gives the first; one that is IN_PROGRESS
   already is given as it is, its details unchanged. GetPendingJobExecutions tells at most 10 (developer guide, "AWS IoT
   Jobs limits").
2. A device sets IN_PROGRESS, SUCCEEDED, FAILED or REJECTED; any other status, and an execution that has ended, is an
   InvalidStateTransitionException (409). DescribeJobExecution of one that has ended is a TerminalStateException.
3. `expectedVersion` must be the execution's version, else InvalidRequestException (400). Rules 2 and 3 were captured
   live by the makers of ministack, as was that a REJECTED execution never started gets no startedAt, another does.
4. stepTimeoutInMinutes is 1 to 10,080; -1 takes the step timer away.
5. Whoever asks is the thing it names: there are no certificates here.
6. A document's presigned URLs are created for the asking: presigned.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iot.common import details_of, whole
from otactl_simulator.iot.device_behavior import Course
from otactl_simulator.iot.executions import find
from otactl_simulator.iot.job_rules import within
from otactl_simulator.iot.presigned import document_for_device
from otactl_simulator.iot.state import PENDING, Job, Stores, invalid
from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.iot.views import device_details, device_summary
from otactl_simulator.service import Handler, ModelledError, Request

NEXT = "$next"
MAX_PENDING = 10
_BY_DEVICE = ("IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED")


class JobsData:
    """The operations of a device."""

    def __init__(self, stores: Stores, agenda: Agenda, course: Course) -> None:
        self._stores = stores
        self._agenda = agenda
        self._course = course

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "GetPendingJobExecutions": self.pending,
            "StartNextPendingJobExecution": self.start_next,
            "DescribeJobExecution": self.describe,
            "UpdateJobExecution": self.update,
        }

    def pending(self, request: Request) -> dict[str, object]:
        """GetPendingJobExecutions."""
        store = self._stores.of(request)
        thing = store.thing(request.parameters["thingName"])
        found = self._course.pending(store, thing.name)[:MAX_PENDING]
        return {
            "inProgressJobs": [device_summary(j, e) for j, e in found if e.status == "IN_PROGRESS"],
            "queuedJobs": [device_summary(j, e) for j, e in found if e.status == "QUEUED"],
        }

    def start_next(self, request: Request) -> dict[str, object]:
        """StartNextPendingJobExecution (rule 1); nothing pending, nothing answered."""
        store, wanted = self._stores.of(request), request.parameters
        thing, details, step = store.thing(wanted["thingName"]), details_of(wanted), _step(wanted)
        found = self._course.pending(store, thing.name)
        if not found:
            return {}
        job, execution = found[0]
        if execution.status == "QUEUED":
            self._course.take(store, job, execution, details, step)
        return {"execution": device_details(job, execution, self._agenda.now(), self._document(request, job))}

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeJobExecution, of the next one too."""
        store, wanted = self._stores.of(request), request.parameters
        if wanted["jobId"] == NEXT:
            found = self._course.pending(store, store.thing(wanted["thingName"]).name)
            if not found:
                return {}
            job, execution = found[0]
        else:
            job, execution = find(store, wanted)
        if execution.status not in PENDING:
            text = "Job Execution has reached terminal state. It is neither IN_PROGRESS nor QUEUED"
            raise ModelledError("TerminalStateException", text)
        document = self._document(request, job) if wanted.get("includeJobDocument") is not False else None
        return {"execution": device_details(job, execution, self._agenda.now(), document)}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateJobExecution (rules 2 to 4)."""
        store, wanted = self._stores.of(request), request.parameters
        status, details, step = str(wanted["status"]), details_of(wanted), _step(wanted)
        if status not in _BY_DEVICE:
            text = f"The status of job execution cannot be changed to be {status}"
            raise ModelledError("InvalidStateTransitionException", text)
        job, execution = find(store, wanted)
        if wanted.get("expectedVersion") not in (None, execution.version):
            raise invalid(f"Expected version {wanted['expectedVersion']} but found version {execution.version}")
        if execution.status not in PENDING:
            text = f"Job {job.id} for {execution.thing} has already finished with status {execution.status}"
            raise ModelledError("InvalidStateTransitionException", text)
        if status not in ("REJECTED", "IN_PROGRESS") and execution.started_at is None:
            execution.started_at = self._agenda.now()
        if status != "IN_PROGRESS":
            self._course.end(store, job, execution, status, details)
        elif execution.status == "QUEUED":
            self._course.take(store, job, execution, details, step)
        else:
            self._course.report(store, job, execution, details, step)
        answer: dict[str, object] = {}
        if wanted.get("includeJobExecutionState"):
            answer["executionState"] = {
                "status": execution.status,
                "statusDetails": execution.details,
                "versionNumber": execution.version,
            }
        if wanted.get("includeJobDocument"):
            answer["jobDocument"] = self._document(request, job)
        return answer

    def _document(self, request: Request, job: Job) -> str:
        return document_for_device(self._stores.of(request), job, request.host, self._agenda.now())


def _step(parameters: Mapping[str, object]) -> int | None:
    step = whole(parameters.get("stepTimeoutInMinutes"))
    if step is not None and step != -1:
        within("stepTimeoutInMinutes", step, 1, 10_080)
    return step
