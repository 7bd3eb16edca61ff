"""The device's side of jobs, `iot-jobs-data`: see what is pending, take it, report on it.

1. Pending are IN_PROGRESS ones first, then QUEUED ones by age. StartNext gives the first; one that is IN_PROGRESS
   already is given as it is, its details unchanged.
2. A device sets IN_PROGRESS, SUCCEEDED, FAILED or REJECTED. An execution that has ended takes no update:
   InvalidStateTransitionException; DescribeJobExecution of it is a TerminalStateException.
3. `expectedVersion` must be the execution's version. MQTT calls that VersionMismatch; over HTTP the model has no such
   error, so it is an InvalidStateTransitionException (409) that says VersionMismatch (inferred).
4. stepTimeoutInMinutes is 1 to 10,080; -1 takes the step timer away.
5. Whoever asks is the thing it names: there are no certificates here.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.iot.agenda import Agenda
from simulator.iot.common import details_of, whole
from simulator.iot.course import Course
from simulator.iot.executions import find
from simulator.iot.job_rules import within
from simulator.iot.state import PENDING, Stores, invalid
from simulator.iot.views import device_details, device_summary
from simulator.service import Handler, ModelledError, Request

NEXT = "$next"
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
        found = self._course.pending(store, thing.name)
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
        return {"execution": device_details(job, execution, self._agenda.now(), document=True)}

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeJobExecution, of the next one too."""
        store, wanted = self._stores.of(request), request.parameters
        document, now = wanted.get("includeJobDocument") is not False, self._agenda.now()
        if wanted["jobId"] == NEXT:
            found = self._course.pending(store, store.thing(wanted["thingName"]).name)
            return {"execution": device_details(*found[0], now, document=document)} if found else {}
        job, execution = find(store, wanted)
        if execution.status not in PENDING:
            raise ModelledError("TerminalStateException", f"The execution is {execution.status}")
        return {"execution": device_details(job, execution, now, document=document)}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateJobExecution (rules 2 to 4)."""
        store, wanted = self._stores.of(request), request.parameters
        status, details, step = str(wanted["status"]), details_of(wanted), _step(wanted)
        if status not in _BY_DEVICE:
            raise invalid(f"a device cannot set {status}; it sets {', '.join(_BY_DEVICE)}")
        job, execution = find(store, wanted)
        if execution.status not in PENDING:
            text = f"The execution is {execution.status} and cannot become {status}"
            raise ModelledError("InvalidStateTransitionException", text)
        if wanted.get("expectedVersion") not in (None, execution.version):
            text = f"VersionMismatch: the execution has version {execution.version}, not {wanted['expectedVersion']}"
            raise ModelledError("InvalidStateTransitionException", text)
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
            answer["jobDocument"] = job.document
        return answer


def _step(parameters: Mapping[str, object]) -> int | None:
    step = whole(parameters.get("stepTimeoutInMinutes"))
    if step is not None and step != -1:
        within("stepTimeoutInMinutes", step, 1, 10_080)
    return step
