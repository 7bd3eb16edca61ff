"""Shows jobs and executions in the shapes of DescribeJob, the lists and the data plane."""

from __future__ import annotations

from datetime import datetime

from otactl_simulator.iot.common import seconds
from otactl_simulator.iot.device_behavior import deadline
from otactl_simulator.iot.state import Execution, Job, Store

_COUNTS = {
    "CANCELED": "numberOfCanceledThings",
    "SUCCEEDED": "numberOfSucceededThings",
    "FAILED": "numberOfFailedThings",
    "REJECTED": "numberOfRejectedThings",
    "QUEUED": "numberOfQueuedThings",
    "IN_PROGRESS": "numberOfInProgressThings",
    "REMOVED": "numberOfRemovedThings",
    "TIMED_OUT": "numberOfTimedOutThings",
}


def counts(job: Job) -> dict[str, object]:
    """Return the counts of jobProcessDetails (course.py, rule 3); who waits has no execution yet (inferred)."""
    return {name: job.tally.get(status, 0) for status, name in _COUNTS.items()}


def job_summary(job: Job) -> dict[str, object]:
    """Return a job in a list."""
    return {
        "jobArn": job.arn,
        "jobId": job.id,
        "targetSelection": job.selection,
        "status": job.status,
        "createdAt": job.created_at,
        "lastUpdatedAt": job.updated_at or job.created_at,
        "completedAt": job.completed_at,
        "isConcurrent": bool(job.waiting),
    }


def job_details(job: Job) -> dict[str, object]:
    """Return a job as DescribeJob shows it.

    Configurations never given read back empty, abort and retry are left out (captured live by the makers of ministack).
    """
    return {
        **job_summary(job),
        "forceCanceled": True if job.force_canceled else None,
        "reasonCode": job.reason_code or None,
        "comment": job.comment or None,
        "targets": job.targets,
        "description": job.description or None,
        "presignedUrlConfig": job.presigned,
        "jobExecutionsRolloutConfig": job.rollout,
        "abortConfig": job.abort or None,
        "timeoutConfig": job.timeout,
        "schedulingConfig": {},
        "jobExecutionsRetryConfig": job.retry or None,
        "jobProcessDetails": {**counts(job), "processingTargets": job.targets if job.waiting else None},
        "namespaceId": job.namespace or None,
    }


def execution_summary(execution: Execution) -> dict[str, object]:
    """Return an execution in a list of the control plane."""
    return {
        "status": execution.status,
        "queuedAt": execution.queued_at,
        "startedAt": execution.started_at,
        "lastUpdatedAt": execution.updated_at,
        "executionNumber": execution.number,
        "retryAttempt": execution.retry_attempt,
    }


def execution_details(store: Store, job: Job, execution: Execution, now: datetime) -> dict[str, object]:
    """Return an execution as the control plane's DescribeJobExecution shows it."""
    return {
        "jobId": job.id,
        "status": execution.status,
        "forceCanceled": True if execution.force_canceled else None,
        "statusDetails": {"detailsMap": execution.details},
        "thingArn": store.arn("thing", execution.thing),
        "queuedAt": execution.queued_at,
        "startedAt": execution.started_at,
        "lastUpdatedAt": execution.updated_at,
        "executionNumber": execution.number,
        "versionNumber": execution.version,
        "approximateSecondsBeforeTimedOut": remaining(execution, now),
    }


def device_summary(job: Job, execution: Execution) -> dict[str, object]:
    """Return an execution as GetPendingJobExecutions shows it."""
    return {
        "jobId": job.id,
        "queuedAt": seconds(execution.queued_at),
        "startedAt": seconds(execution.started_at),
        "lastUpdatedAt": seconds(execution.updated_at),
        "versionNumber": execution.version,
        "executionNumber": execution.number,
    }


def device_details(job: Job, execution: Execution, now: datetime, document: str | None) -> dict[str, object]:
    """Return an execution as a device sees it, with the job's document when it is given."""
    return {
        **device_summary(job, execution),
        "thingName": execution.thing,
        "status": execution.status,
        "statusDetails": execution.details,
        "approximateSecondsBeforeTimedOut": remaining(execution, now),
        "jobDocument": document,
    }


def remaining(execution: Execution, now: datetime) -> int | None:
    """Return the seconds until an execution times out; None when no timer runs."""
    due = deadline(execution)
    return max(0, int((due - now).total_seconds())) if due is not None else None
