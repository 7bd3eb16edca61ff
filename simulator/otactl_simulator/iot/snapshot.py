"""Shows state as JSON, for people and tests: what things run, and the results of jobs and OTA updates."""

from __future__ import annotations

from otactl_simulator.iot.common import iso
from otactl_simulator.iot.executions import attempts
from otactl_simulator.iot.state import Execution, Job, OtaUpdate, SigningJob, Store, Stream, Thing
from otactl_simulator.iot.views import counts


def snapshot(store: Store) -> dict[str, object]:
    """Return the state of one account's Region."""
    return {
        "things": [_thing(thing) for thing in store.things.values()],
        "groups": [{"name": g.name, "things": g.things} for g in store.groups.values()],
        "jobs": [_job(job, store.tags.get(job.arn, {})) for job in store.jobs.values()],
        "updates": [_update(update, store.tags.get(update.arn, {})) for update in store.updates.values()],
        "streams": [_stream(stream) for stream in store.streams.values()],
        "signingJobs": [_signing_job(job) for job in store.signing_jobs.values()],
    }


def _thing(thing: Thing) -> dict[str, object]:
    return {
        "name": thing.name,
        "firmwareVersion": thing.firmware_version,
        "imageSha256": thing.image_sha256,
        "behaviour": thing.behaviour or "none",
        "installs": thing.installs,
        "attributes": thing.attributes,
        "shadow": thing.shadows.get("", {}).get("state", {}),
    }


def _job(job: Job, tags: dict[str, str]) -> dict[str, object]:
    return {
        "id": job.id,
        "status": job.status,
        "targets": job.targets,
        "targetSelection": job.selection,
        "reasonCode": job.reason_code,
        "comment": job.comment,
        "counts": counts(job),
        "waiting": len(job.waiting),
        "tags": tags,
        "executions": [_execution(execution) for execution in attempts(job)],
    }


def _execution(execution: Execution) -> dict[str, object]:
    return {
        "thing": execution.thing,
        "number": execution.number,
        "status": execution.status,
        "details": execution.details,
        "queuedAt": iso(execution.queued_at),
        "startedAt": iso(execution.started_at),
        "updatedAt": iso(execution.updated_at),
    }


def _update(update: OtaUpdate, tags: dict[str, str]) -> dict[str, object]:
    return {
        "id": update.id,
        "status": update.status,
        "error": update.error,
        "jobId": update.job_id,
        "signerJobs": {str(number): job for number, job in update.signer_jobs.items()},
        "stream": update.stream_id,
        "tags": tags,
    }


def _stream(stream: Stream) -> dict[str, object]:
    return {"id": stream.id, "version": stream.version, "files": stream.files, "serviceMade": stream.service_made}


def _signing_job(job: SigningJob) -> dict[str, object]:
    return {
        "id": job.id,
        "profile": job.profile,
        "status": job.status,
        "reason": job.reason,
        "source": job.source,
        "signed": job.signed,
    }
