"""Serves jobs of AWS IoT: create, read, change, cancel, delete.

Rules, each from the API reference unless said otherwise:

1. A job id is unique while its job is there, one being deleted too: ResourceAlreadyExistsException. Targets are ARNs of
   things and static groups, at most 100 (AssociateTargetsWithJob); one that is not there, or is of another account or
   Region, is a ResourceNotFoundException (the latter is the word of ministack's makers).
2. UpdateJob changes description, pacing, abort, timeout, retry and presigned URL configurations of a job IN_PROGRESS.
   Inferred: in any other state it is an InvalidRequestException. Whom a changed timeout reaches is a switch.
3. CancelJob keeps reasonCode and comment. Inferred: a job that is not IN_PROGRESS is an InvalidRequestException.
4. DeleteJob takes COMPLETED and CANCELED jobs, with `force` any; the job is DELETION_IN_PROGRESS, then gone with its
   executions. At most 10 jobs may be so at once. Deleting again is an InvalidStateTransitionException (inferred name).
5. AssociateTargetsWithJob takes a CONTINUOUS job IN_PROGRESS.
6. At most 100 jobs of each targetSelection are IN_PROGRESS at once, and a document has at most 32,768 bytes and 10
   presigned URLs (AWS General Reference, IoT Device Management quotas). Inferred: the error is LimitExceededException.
7. A document by link is an object of S3, read once, when the job is created; a caller passes it or the document, not
   both (wordings as captured live by the makers of ministack).
8. Not simulated, and refused by name: templates, schedules, namespaces, package versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from otactl_simulator.clock import Clock
from otactl_simulator.iot.common import page, tags_of
from otactl_simulator.iot.device_behavior import DELETING, Course
from otactl_simulator.iot.devices import Devices
from otactl_simulator.iot.executions import Executions, jobs_read
from otactl_simulator.iot.job_rules import check, check_abort_types, check_document, check_retry_update, check_update
from otactl_simulator.iot.presigned import linked
from otactl_simulator.iot.rollout import Rollouts
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import PENDING, Job, JobOrder, Store, Stores, invalid, not_found
from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.iot.views import job_details, job_summary
from otactl_simulator.service import Handler, ModelledError, Request

MAX_TARGETS = 100
MAX_DELETING = 10
MAX_ACTIVE = 100
_NOT_SIMULATED = (
    "jobTemplateArn",
    "documentParameters",
    "schedulingConfig",
    "namespaceId",
    "destinationPackageVersions",
)


class Jobs:
    """The job operations, and everything behind them that moves by the clock."""

    def __init__(self, stores: Stores, clock: Clock, settings: Settings) -> None:
        self._stores = stores
        self._settings = settings
        self.agenda = clock if isinstance(clock, Agenda) else Agenda(clock)
        self.course = Course(self.agenda, settings)
        self.rollouts = Rollouts(self.agenda, self.course, settings)
        self.devices = Devices(self.agenda, self.course)
        self._executions = Executions(stores, self.agenda, self.course, self.rollouts)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler, those of executions among them."""
        return {
            "CreateJob": self.create_job,
            "DescribeJob": self.describe,
            "ListJobs": self.list_jobs,
            "UpdateJob": self.update,
            "CancelJob": self.cancel,
            "DeleteJob": self.delete_job,
            "GetJobDocument": self.document,
            "AssociateTargetsWithJob": self.associate,
            **self._executions.handlers,
        }

    def advance(self, now: datetime) -> None:
        """Do everything that is due until a moment."""
        self.agenda.run(now)

    def create(self, store: Store, order: JobOrder) -> Job:
        """Make a job and start its roll-out (rule 1); the image is what a device installs from it."""
        arn = store.arn("job", order.id)
        if order.id in store.jobs:
            text = f"Job {order.id} already exists"
            raise ModelledError("ResourceAlreadyExistsException", text, resourceId=order.id, resourceArn=arn)
        chosen = list(dict.fromkeys(order.targets))
        _check_targets(store, chosen)
        if self._settings["abortTypeTwice"] == "refuse":
            check_abort_types(order.configs.get("abort", {}))
        check_document(order.id, order.document, order.configs.get("presigned", {}))
        self._check_active(store, order.selection)
        now = self.agenda.now()
        store.remember("job", order.id, None)
        job = Job(order.id, arn, chosen, order.selection, order.document, now, description=order.description)
        job.image_sha256, job.image_version, job.updated_at = order.image_sha256, order.image_version, now
        _configure(job, order.configs)
        store.jobs[order.id] = job
        self.rollouts.start(store, job)
        return job

    @staticmethod
    def _check_active(store: Store, selection: str) -> None:
        if sum(j.status == "IN_PROGRESS" and j.selection == selection for j in store.jobs.values()) >= MAX_ACTIVE:
            raise ModelledError("LimitExceededException", f"only {MAX_ACTIVE} {selection} jobs may be active at once")

    def delete(self, store: Store, job: Job) -> None:
        """Start to delete a job, whatever its state (rule 4)."""
        if sum(j.status == DELETING for j in store.jobs.values()) >= MAX_DELETING:
            raise ModelledError(
                "LimitExceededException", f"only {MAX_DELETING} jobs may be {DELETING} at the same time"
            )
        store.remember("job", job.id, job)
        job.status = DELETING
        job.updated_at = now = self.agenda.now()
        job.delete_at = now + timedelta(seconds=self._settings.number("jobDeleteSeconds"))
        self.agenda.at(job.delete_at, partial(self._gone, store, job))
        for execution in job.executions.values():
            if execution.status in PENDING:
                self.devices.look_again(store, execution.thing)

    @staticmethod
    def _gone(store: Store, job: Job) -> None:
        if store.jobs.get(job.id) is job:
            store.remember("job", job.id, job)
            del store.jobs[job.id]
            store.tags.pop(job.arn, None)

    def create_job(self, request: Request) -> dict[str, object]:
        """CreateJob (rules 1, 6, 7 and 8)."""
        store, wanted = self._stores.of(request), request.parameters
        for name in _NOT_SIMULATED:
            if wanted.get(name) is not None:
                raise invalid(f"the simulator makes no jobs with {name}")
        source = str(wanted.get("documentSource", ""))
        if wanted.get("document") and source:
            raise invalid("Job document and job document source cannot be specified at the same time.")
        if not wanted.get("document") and not source:
            raise invalid("a job needs a document")
        document = str(wanted["document"]) if not source else linked(source)
        given, targets = check(wanted, self._settings), wanted["targets"]
        order = JobOrder(
            id=str(wanted["jobId"]),
            targets=[str(arn) for arn in targets] if isinstance(targets, list) else [],
            selection=str(wanted.get("targetSelection", "SNAPSHOT")),
            document=document,
            description=str(wanted.get("description", "")),
            configs=given,
        )
        job = self.create(store, order)
        job.source = source
        store.tags[job.arn] = tags_of(wanted)
        return _named(job)

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeJob."""
        job = self._read(request)
        return {"job": job_details(job), "documentSource": job.source or None}

    def document(self, request: Request) -> dict[str, object]:
        """GetJobDocument."""
        return {"document": self._read(request).document}

    def list_jobs(self, request: Request) -> dict[str, object]:
        """ListJobs: newest first, by status, selection and a group among the targets."""
        store, wanted = self._stores.of(request), request.parameters
        group = self._group(store, wanted)
        chosen = [
            job
            for job in reversed(jobs_read(store, stale=request.stale))
            if wanted.get("status") in (None, job.status)
            and wanted.get("targetSelection") in (None, job.selection)
            and (group is None or group in job.targets)
        ]
        items, token = page(chosen, wanted)
        return {"jobs": [job_summary(job) for job in items], "nextToken": token}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateJob (rule 2)."""
        store, wanted = self._stores.of(request), request.parameters
        given = check_update(wanted, self._settings)
        job = _job(store, wanted["jobId"])
        if job.status != "IN_PROGRESS":
            raise invalid(f"Job {job.id} in status {job.status} cannot be updated.")
        if "retry" in given and self._settings["updateJobChecks"] is True:
            check_retry_update(job, given["retry"])
        store.remember("job", job.id, job)
        _configure(job, given)
        if "description" in wanted:
            job.description = str(wanted["description"])
        job.updated_at = self.agenda.now()
        if "timeout" in given and self._settings["timeoutChangeReaches"] == "all":
            for execution in job.executions.values():
                if execution.status == "IN_PROGRESS":
                    self.course.set_timer(store, job, execution)
        return {}

    def cancel(self, request: Request) -> dict[str, object]:
        """CancelJob (rule 3)."""
        store, wanted = self._stores.of(request), request.parameters
        job = _job(store, wanted["jobId"])
        if job.status != "IN_PROGRESS":
            raise invalid(f"Job {job.id} is {job.status}; only a job IN_PROGRESS can be canceled")
        store.remember("job", job.id, job)
        code, comment = str(wanted.get("reasonCode", "")), str(wanted.get("comment", ""))
        self.rollouts.cancel(store, job, code=code, comment=comment, force=bool(wanted.get("force")))
        return _named(job)

    def delete_job(self, request: Request) -> dict[str, object]:
        """DeleteJob (rule 4)."""
        store = self._stores.of(request)
        job = _job(store, request.parameters["jobId"])
        takes = ("COMPLETED", "CANCELED", *(("IN_PROGRESS", "SCHEDULED") if request.parameters.get("force") else ()))
        if job.status not in takes:
            text = f"Job {job.id} is {job.status} and cannot be deleted"
            raise ModelledError("InvalidStateTransitionException", text)
        self.delete(store, job)
        return {}

    def associate(self, request: Request) -> dict[str, object]:
        """AssociateTargetsWithJob (rule 5)."""
        store, wanted = self._stores.of(request), request.parameters
        job = _job(store, wanted["jobId"])
        if job.selection != "CONTINUOUS" or job.status != "IN_PROGRESS":
            raise invalid(f"Job {job.id} is {job.selection} and {job.status}; it must be CONTINUOUS and IN_PROGRESS")
        given = wanted["targets"]
        fresh = [str(arn) for arn in given if arn not in job.targets] if isinstance(given, list) else []
        _check_targets(store, [*job.targets, *fresh])
        store.remember("job", job.id, job)
        job.targets = [*job.targets, *dict.fromkeys(fresh)]
        job.comment, job.updated_at = str(wanted.get("comment", job.comment)), self.agenda.now()
        self.rollouts.added(store, job, fresh)
        return _named(job)

    def _read(self, request: Request) -> Job:
        store, key = self._stores.of(request), str(request.parameters["jobId"])
        found = store.as_read("job", key, store.jobs.get(key), stale=request.stale)
        if not isinstance(found, Job):
            raise not_found(f"Job {key}")
        return found

    @staticmethod
    def _group(store: Store, wanted: Mapping[str, object]) -> str | None:
        name, key = wanted.get("thingGroupName"), wanted.get("thingGroupId")
        if name is None and key is None:
            return None
        for group in store.groups.values():
            if name in (None, group.name) and key in (None, group.id):
                return group.arn
        raise not_found(f"Thing group {name or key}")


def _job(store: Store, key: object) -> Job:
    job = store.jobs.get(str(key))
    if job is None:
        raise not_found(f"Job {key}")
    return job


def _configure(job: Job, configs: Mapping[str, dict[str, object]]) -> None:
    for name, value in configs.items():
        setattr(job, name, value)


def _named(job: Job) -> dict[str, object]:
    return {"jobArn": job.arn, "jobId": job.id, "description": job.description or None}


def _check_targets(store: Store, arns: list[str]) -> None:
    if len(arns) > MAX_TARGETS:
        raise ModelledError("LimitExceededException", f"a job has at most {MAX_TARGETS} targets")
    for arn in arns:
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if kind not in ("thing", "thinggroup") or not arn.startswith("arn:"):
            raise invalid(f"Invalid target arn: {arn}")
        if arn != store.arn(kind, name) or name not in (store.things if kind == "thing" else store.groups):
            raise not_found(f"Target {arn}")
