"""Runs the asynchronous half of CreateOTAUpdate: role, S3, AWS Signer, stream, job.

1. The steps, each of which can end the creation CREATE_FAILED: assume the role; it may iam:GetRole and iam:PassRole
   itself (FreeRTOS user guide, "Create an OTA Update service role"); read every file; sign; make the stream (MQTT
   only); make the job. The order is inferred, as is that one failing file fails the update.
2. What was created before the failing step stays: a signed object, a stream (FreeRTOS user guide, "Cleaning up").
3. Protocols left out mean MQTT [inferred from the oldest API, which had no member for them].
4. Files that all lie in one stream of the caller's are served from it; else the service makes `AFR_OTA-<uuid>`.
   Such a file is read with the role of its own stream [inferred: the stream is what reads it for devices].
5. The job's id is `AFR_OTA-` and the update's; its presigned URLs carry the update's role [inferred]; whether it has
   the description is the switch `jobDescription`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from otactl_simulator.iam.policy import UnsupportedPolicyError
from otactl_simulator.iot.document import File, job_document
from otactl_simulator.iot.file_signing import signed_file
from otactl_simulator.iot.service_role import (
    IAM,
    IOT,
    PRINCIPAL,
    S3,
    SIGNER,
    Actor,
    CreationError,
    Found,
    Place,
    assume,
    failed,
)
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import Job, JobOrder, OtaUpdate, Store, Stream
from otactl_simulator.iot.streams import MAX_FILES, place_of
from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.iot.update_rules import MAX_JOB_ID, items, members
from otactl_simulator.service import ModelledError

DEFAULT_EXPIRES = 1800
_STATUS = {"ResourceAlreadyExistsException": 409, "ResourceNotFoundException": 404, "LimitExceededException": 410}


class Jobs(Protocol):
    """What an update needs of the jobs; `agenda` is what is to happen at which moment, to both."""

    agenda: Agenda

    def create(self, store: Store, order: JobOrder) -> Job:
        """Make a job; ModelledError when it cannot be."""
        ...

    def delete(self, store: Store, job: Job) -> None:
        """Delete a job."""
        ...


def protocols_of(parameters: Mapping[str, object]) -> list[str]:
    """Return the update's protocols (rule 3)."""
    return [str(protocol) for protocol in items(parameters, "protocols")] or ["MQTT"]


class Creation:
    """Carries creations out."""

    def __init__(self, settings: Settings, jobs: Jobs) -> None:
        self._settings = settings
        self._jobs = jobs

    def carry_out(self, store: Store, update: OtaUpdate, at: datetime) -> None:
        """Make everything an update consists of, as of a moment; CreationError with the first step that fails."""
        try:
            actor = assume(store, str(update.parameters["roleArn"]), update.arn)
            actor.require("iam:GetRole", actor.session.role.arn, IAM)
            actor.require("iam:PassRole", actor.session.role.arn, IOT, {"iam:PassedToService": PRINCIPAL})
            files = self._files(actor, update, at)
            stream = self._stream(actor, update, files, at) if "MQTT" in protocols_of(update.parameters) else ""
            self._job(actor, update, files, stream)
        except UnsupportedPolicyError as error:
            # A limit of the simulator: reported where the author of the policy sees it, never guessed.
            text = f"the simulator cannot judge this policy: {error}"
            raise CreationError("UnsupportedPolicy", text) from error

    def _files(self, actor: Actor, update: OtaUpdate, at: datetime) -> list[File]:
        given = [file for file in items(update.parameters, "files") if isinstance(file, dict)]
        read = [_read(actor, update, file) for file in given]
        files = []
        for number, (file, found) in enumerate(zip(given, read, strict=True)):
            served, signature = signed_file(actor, update, number, file, found, at)
            kind, version = file.get("fileType"), str(file.get("fileVersion", ""))
            path, stream = str(file.get("fileName", "")), members(members(file, "fileLocation"), "stream")
            identifier = stream["fileId"] if _own_stream(update) else number
            files.append(
                File(int(str(identifier)), path, kind if isinstance(kind, int) else 0, version, served, signature)
            )
        return files

    def _stream(self, actor: Actor, update: OtaUpdate, files: Sequence[File], at: datetime) -> str:
        own = _own_stream(update)
        if own:
            return own
        store = actor.store
        identifier = f"AFR_OTA-{store.new()}"
        arn = store.arn("stream", identifier)
        actor.require("iot:CreateStream", arn)
        if len(files) > MAX_FILES:
            text = f"a stream has at most {MAX_FILES} files"
            raise failed(store, IOT, 400, "InvalidRequestException", text)
        listed: list[dict[str, object]] = [{"fileId": f.id, "s3Location": _location(f.found.place)} for f in files]
        description = f"OTA update {update.id}"
        role = str(update.parameters["roleArn"])
        store.remember("stream", identifier, None)
        store.streams[identifier] = Stream(identifier, arn, description, listed, role, at, service_made=True)
        update.stream_id = identifier
        return identifier

    def _job(self, actor: Actor, update: OtaUpdate, files: Sequence[File], stream: str) -> None:
        store, given = actor.store, update.parameters
        targets = [str(target) for target in items(given, "targets")]
        for arn in (store.arn("job", update.job_id), *targets):
            actor.require("iot:CreateJob", arn)
        if len(update.job_id) > MAX_JOB_ID:
            text = f"1 validation error detected: Value '{update.job_id}' at 'jobId' failed to satisfy constraint: "
            text += f"Member must have length less than or equal to {MAX_JOB_ID}"
            raise failed(store, IOT, 400, "InvalidRequestException", text)
        protocols = protocols_of(given)
        presigned: dict[str, object] = {}
        if "HTTP" in protocols:
            presigned = {"roleArn": given["roleArn"], "expiresInSec": DEFAULT_EXPIRES}
            presigned |= members(given, "awsJobPresignedUrlConfig")
        criteria = items(members(given, "awsJobAbortConfig"), "abortCriteriaList")
        configs: dict[str, dict[str, object]] = {
            "rollout": dict(members(given, "awsJobExecutionsRolloutConfig")),
            "presigned": presigned,
            "abort": {"criteriaList": criteria} if criteria else {},
            "timeout": dict(members(given, "awsJobTimeoutConfig")),
        }
        order = JobOrder(
            id=update.job_id,
            targets=targets,
            selection=str(given.get("targetSelection", "SNAPSHOT")),
            document=job_document(protocols, stream, files, store.region),
            description=str(given.get("description", "")) if self._settings["jobDescription"] == "copied" else "",
            configs=configs,
            image_sha256=hashlib.sha256(files[0].found.content).hexdigest(),
            image_version=files[0].version,
        )
        try:
            self._jobs.create(store, order)
        except ModelledError as error:
            raise failed(store, IOT, _STATUS.get(error.code, 400), error.code, error.message) from error
        update.made_job = True


def _own_stream(update: OtaUpdate) -> str:
    """Return the stream that serves every file as it is; empty without one, or if AWS Signer signs a file."""
    streams = set()
    for file in items(update.parameters, "files"):
        given = file if isinstance(file, dict) else {}
        custom = members(given, "codeSigning").get("customCodeSigning")
        streams.add(str(members(members(given, "fileLocation"), "stream").get("streamId", "")) if custom else "")
    return streams.pop() if len(streams) == 1 else ""


def _read(actor: Actor, update: OtaUpdate, file: Mapping[str, object]) -> Found | None:
    """Return a file's bytes where it lies; None when an AWS Signer job has them."""
    location, signing = members(file, "fileLocation"), members(file, "codeSigning")
    if signing.get("awsSignerJobId"):
        return None
    starts = bool(signing.get("startSigningJobParameter"))
    place, stream = members(location, "s3Location"), members(location, "stream")
    if place:
        return actor.read(place_of(place), SIGNER if starts else S3)
    found = actor.store.streams.get(str(stream["streamId"]))
    listed = [f for f in found.files if f.get("fileId") == stream["fileId"]] if found is not None else []
    if found is None or not listed:
        text = f"file {stream['fileId']} of stream {stream['streamId']} not found"
        raise failed(actor.store, IOT, 404, "ResourceNotFoundException", text)
    reader = assume(actor.store, found.role_arn, update.arn)
    return reader.read(place_of(members(listed[0], "s3Location")))


def _location(place: Place) -> dict[str, object]:
    located: dict[str, object] = {"bucket": place.bucket, "key": place.key}
    return {**located, "version": place.version} if place.version else located
