"""Finds OTA updates that another actor created, and reads each as a manifest would declare it.

1. Files, protocols and pace are what record and job show. The role they do not show: it is that of the stream or of the
   signed URLs, or it is given.
2. One file is the firmware. Of several, nothing shows which: such an update is not adopted.
3. A file with a version in S3 is read in that version. Without one it counts as it was when the update was created.
4. A job that another actor canceled was stopped on purpose: there is nothing to drive any more.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.existing_image import existing_image
from otactl.backends.aws.existing_units import existing_units
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.aws.tags import carries_marks, tags_of_others
from otactl.backends.iot_ota.executions import newest
from otactl.backends.iot_ota.fields import observed, pinned
from otactl.backends.iot_ota.problems import Concerns
from otactl.backends.iot_ota.reads import JobReader, keys_of, moment
from otactl.backends.iot_ota.statuses import JOB_FIELDS, job_phase, record_phase
from otactl.model import (
    AdoptionRequest,
    Doubt,
    ExistingUnit,
    ExistingUnits,
    Firmware,
    JsonObject,
    UnitPhase,
)

_TARGETS = {"device": "things", "thingGroup": "thingGroups"}
_AS_SHOWN = ("description", "targetSelection", "protocols", *JOB_FIELDS)


class UpdateFinder:
    """Reads every OTA update of the account and Region."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client
        self._reader = JobReader(client)
        self._concerns = Concerns(self._reader, ImageAndRoleReader(client))

    def existing(self, request: AdoptionRequest, known: Collection[str]) -> ExistingUnits:
        """Read the updates that are not `known`."""
        listed = self._reader.pages("ListOTAUpdates", "otaUpdates", {})
        ids = (str(item["otaUpdateId"]) for item in listed)
        return existing_units(ids, known, lambda update: self._unit(update, request))

    def _unit(self, update_id: str, request: AdoptionRequest) -> ExistingUnit | None:
        """Return one update; None when it was deleted meanwhile."""
        record = self._reader.record(update_id)
        if record is None:
            return None
        tags = self._reader.tags(str(record.get("otaUpdateArn", "")))
        marks = cast("dict[str, str]", record.get("additionalParameters") or {})
        job = None if carries_marks(tags) or carries_marks(marks) else self._reader.job(update_id)
        if job is None or record_phase(record.get("otaUpdateStatus")) is not UnitPhase.RUNNING:
            return _thin(record, {**marks, **tags}, job)
        return self._whole(record, job, tags, request)

    def _whole(
        self, record: JsonObject, job: JsonObject, tags: dict[str, str], request: AdoptionRequest
    ) -> ExistingUnit:
        thin = _thin(record, tags, job)
        block, doubts = self._block(record, job, tags, request)
        keys = keys_of(record.get("targets"))
        things = sorted(newest(self._reader.executions(thin.vendor_id)))
        inside = {name for key in keys if key.startswith("thingGroup:") for name in self._reader.things_in(key[11:])}
        singles = {key.partition(":")[2] for key in keys if key.startswith("device:")}
        firmware, doubt = self._firmware(record, request)
        endless = block.get("targetSelection") == "CONTINUOUS"
        targets: JsonObject = {}
        for kind, name in _TARGETS.items():
            if mine := [key.partition(":")[2] for key in keys if key.startswith(f"{kind}:")]:
                targets[name] = mine
        return ExistingUnit(
            vendor_id=thin.vendor_id,
            name=thin.name,
            arn=thin.arn,
            job_id=thin.job_id,
            phase=thin.phase,
            created_at=thin.created_at,
            start_at=thin.start_at,
            tags=tags,
            block=block,
            firmware=firmware,
            targets=targets,
            reaches=tuple(sorted({*keys, *(f"device:{name}" for name in {*things, *inside, *singles})})),
            devices=() if endless else tuple(things),
            doubts=(*thin.doubts, *doubts, *((doubt,) if doubt is not None else ())),
        )

    def _block(
        self, record: JsonObject, job: JsonObject, tags: dict[str, str], request: AdoptionRequest
    ) -> tuple[JsonObject, tuple[Doubt, ...]]:
        """Return the block of the manifest, with what is not known of it."""
        number = len(cast("list[JsonObject]", record.get("otaUpdateFiles") or []))
        shown = observed(record, job, {"files": [{} for _ in range(number)]})
        role = self._role(str(record["otaUpdateId"]), job) or request.role
        files = [_file(shown, index) for index in range(number)]
        block: JsonObject = {"role": role, "files": files}
        block |= {name: shown[name] for name in _AS_SHOWN if shown.get(name)}
        if shown["additionalParameters"]:
            block["additionalParameters"] = shown["additionalParameters"]
        if others := tags_of_others(tags):
            block["tags"] = others
        if role:
            return block, ()
        text = "neither its stream nor its job shows the role it was created with"
        fix = "give the role: --role ARN"
        return block, (Doubt(code="role_is_not_known", message=text, fix=fix),)

    def _role(self, update_id: str, job: JsonObject) -> str:
        """Return the role of the signed URLs, else of the stream (rule 1)."""
        signed = cast("JsonObject", job.get("presignedUrlConfig") or {})
        if signed.get("roleArn"):
            return str(signed["roleArn"])
        stream = self._concerns.stream_of(update_id)
        shown = self._concerns.stream(stream) if stream else None
        return str((shown or {}).get("roleArn") or "")

    def _firmware(self, record: JsonObject, request: AdoptionRequest) -> tuple[Firmware | None, Doubt | None]:
        """Return what it sends, or why that is not known (rules 2 and 3)."""
        files = cast("list[JsonObject]", record.get("otaUpdateFiles") or [])
        if len(files) != 1:
            text = f"it sends {len(files)} files, and nothing shows which of them is the firmware"
            return None, _unknown_image(text, "declare it as a rollout by hand when it is to be sent again")
        (file,) = files
        image = self._place(file)
        if not image:
            text = "its file lies neither in S3 nor in a stream or signing job that is still there"
            return None, _unknown_image(text, "leave it alone: which bytes its devices got is not known")
        versions = {f"s3://{bucket}/{key}": version for bucket, key, version in pinned(record)}
        created = moment(record.get("creationDate"))
        found = existing_image(self._client, image, version=versions.get(image, ""), read_at=created)
        if isinstance(found, Doubt):
            return None, found
        version = str(file.get("fileVersion") or "") or request.versions.get(str(record["otaUpdateId"]), "")
        if not version:
            fix = f"give it: --version {record['otaUpdateId']}=VERSION"
            return None, Doubt(code="version_is_not_known", message="its file has no fileVersion", fix=fix)
        return Firmware(version=version, image=image, sha256=found.sha256, size_bytes=found.size_bytes), None

    def _place(self, file: JsonObject) -> str:
        """Return where a file lies in S3; empty where nothing shows it."""
        location = cast("JsonObject", file.get("fileLocation") or {})
        place = cast("JsonObject", location.get("s3Location") or {})
        if place.get("bucket"):
            return f"s3://{place['bucket']}/{place.get('key', '')}"
        stream = cast("JsonObject", location.get("stream") or {})
        if stream.get("streamId"):
            return self._concerns.streamed(str(stream["streamId"]), cast("int", stream.get("fileId")))
        signing = cast("JsonObject", file.get("codeSigning") or {})
        return self._reader.signed(str(signing.get("awsSignerJobId") or ""), "source")


def _file(shown: JsonObject, index: int) -> JsonObject:
    """Return a file as the manifest has it: of what is the firmware's, version and address are left out."""
    prefix = f"files.{index}."
    parts = {name.removeprefix(prefix): value for name, value in shown.items() if name.startswith(prefix)}
    location = parts.get("fileLocation")
    in_s3 = isinstance(location, dict) and "s3Location" in location
    left_out = ("fileVersion", "fileLocation") if in_s3 else ("fileVersion",)
    return {name: value for name, value in parts.items() if name not in left_out}


def _thin(record: JsonObject, tags: dict[str, str], job: JsonObject | None) -> ExistingUnit:
    update_id = str(record["otaUpdateId"])
    phase = record_phase(record.get("otaUpdateStatus"))
    if phase is UnitPhase.RUNNING:
        phase = UnitPhase.BROKEN if job is None else job_phase(job.get("status"))
    stopped = job is not None and job.get("status") == "CANCELED"
    text = "its job was canceled, so a person stopped it, or its abort criteria did"
    fix = "declare its firmware as a rollout of its own when the devices are to get it"
    return ExistingUnit(
        vendor_id=update_id,
        name=update_id,
        arn=str(record.get("otaUpdateArn", "")),
        job_id=str(record.get("awsIotJobId") or ""),
        phase=phase,
        created_at=moment(record.get("creationDate")),
        start_at=moment(record.get("creationDate")),
        tags=tags,
        doubts=(Doubt(code="unit_was_canceled", message=text, fix=fix),) if stopped else (),
    )


def _unknown_image(message: str, fix: str) -> Doubt:
    return Doubt(code="image_is_not_known", message=message, fix=fix)
