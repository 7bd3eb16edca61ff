"""Finds problems of an OTA update that only AWS IoT shows: stream, image version, devices, cancellation.

1. Each is reported in one entry a unit, with counts and a few names: a thousand offline gateways are one drift.
2. An abort by the criteria we declared is the service's doing, any other cancel another actor's. AWS fills reason
   code and comment of an abort itself, with undocumented values: a code or comment that says abort is one, and so is a
   cancel without either when the counts meet a criterion.
3. Devices count as overdue after a day without a move: offline while queued, stuck (in a self test, say) when started.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import cast

from otactl.backends.aws.client import NotFoundError
from otactl.backends.aws.image_and_role import DELETED, ImageAndRoleReader, split_uri
from otactl.backends.iot_ota.calls import job_id
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.fields import pinned
from otactl.backends.iot_ota.reads import JobReader, counts, moment, moving
from otactl.backends.iot_ota.statuses import JOB_PREFIX, OUR_CODES, UNSUCCESSFUL
from otactl.model import Cause, Firmware, JsonObject, ServiceFinding
from otactl.wording import count

OVERDUE = timedelta(hours=24)
LAG = timedelta(seconds=120)
OLD = timedelta(hours=1)
NAMES = 5


class Concerns:
    """Looks for them."""

    def __init__(self, reader: JobReader, facts: ImageAndRoleReader) -> None:
        self._reader, self._facts = reader, facts

    def of(
        self, update_id: str, record: JsonObject | None, job: JsonObject, firmware: Firmware
    ) -> tuple[ServiceFinding, ...]:
        """Return everything wrong with an update whose job is there."""
        found = [*_canceled(job), *_devices(job)]
        if record is None:
            found.append(_concern("record", "present", "deleted; only its job is left", Cause.DELETED))
        found += self._bytes(record or {}, firmware)
        if moving(job):
            found += self._sources(update_id, record, job)
            found += self._overdue(update_id, job)
        return tuple(found)

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource, read once a pass."""
        return self._facts.once(("tags", arn), lambda: self._reader.tags(arn))

    @staticmethod
    def overdue(concerns: tuple[ServiceFinding, ...]) -> str:
        """Return which devices are waited for too long, in one sentence; empty when none are."""
        value = {c.field: c.observed for c in concerns if c.field in ("devices.queued", "devices.inProgress")}
        numbers = {field: shown.get("devices") for field, shown in value.items() if isinstance(shown, dict)}
        words = {"devices.queued": "not started", "devices.inProgress": "not ended"}
        parts = [(n, words[field]) for field, n in numbers.items() if isinstance(n, int)]
        return " and ".join(f"{count(n, 'device has', 'devices have')} {word} for a day" for n, word in parts)

    def leftovers(self, record: JsonObject) -> tuple[str, ...]:
        """Return what a failed creation left behind.

        Signed objects (S3 URIs), and streams that hold the same file (ids).
        """
        signed = self._signed(record)
        places = _places(record) | {split_uri(uri) for uri in signed}  # a signed file is streamed, not the one given
        return tuple(sorted({*signed, *self._streams(places, moment(record.get("creationDate")))}))

    def is_there(self, leftover: str) -> bool:
        """Return whether a leftover still exists."""
        if leftover.startswith("s3://"):
            return self._facts.image(leftover).exists
        return self.stream_is_there(leftover)

    def unproved(self, spec: OtaUpdateConfig, image: str) -> str:
        """Return why a file from a stream or of a signing job is not the declared image; empty when all are."""
        for file in spec.fields.files:
            stream = file.file_location.stream if file.file_location is not None else None
            job = file.code_signing.aws_signer_job_id
            if stream is not None:
                value = f"file {stream.file_id} of stream {stream.stream_id}"
                found = self.streamed(stream.stream_id, stream.file_id)
            elif job is not None:
                value, found = f"signing job {job}", self._reader.signed(job, "source")
            else:
                continue
            if found != image:
                return f"{value} is {found or 'not there'}"
        return ""

    def streamed(self, stream: str, number: int) -> str:
        """Return where a file of a stream lies in S3; empty when it is not there."""
        shown = self.stream(stream) or {}
        for file in cast("list[JsonObject]", shown.get("files") or []):
            if file.get("fileId") == number:
                return "s3://" + "/".join(_place(file))
        return ""

    def stream_of(self, update_id: str) -> str:
        """Return the stream the service made for an update, from the document its devices get.

        Empty when there is none.
        """
        return self._facts.once(("stream", update_id), lambda: self._stream_of(update_id))

    def _stream_of(self, update_id: str) -> str:
        try:
            document = json.loads(str(self._reader.get("GetJobDocument", {"jobId": job_id(update_id)}).get("document")))
        except NotFoundError:
            return ""
        except (ValueError, RecursionError):
            return ""  # a document of another owner, which names no stream we know
        value = document.get("afr_ota") if isinstance(document, dict) else None
        return str(value.get("streamname") or "") if isinstance(value, dict) else ""

    def _bytes(self, record: JsonObject, firmware: Firmware) -> list[ServiceFinding]:
        """Report an image that no version pins: devices get what is there when they fetch it."""
        places = {split_uri(firmware.image)}
        pins = {(bucket, key) for bucket, key, _ in pinned(record)}
        if not _places(record) & places or places & pins:
            return []
        image = self._facts.image(firmware.image)
        if image.unreadable or image.sha256 == firmware.sha256:
            return []
        value = image.sha256 or ("bytes that cannot be proved" if image.exists else "deleted")
        return [_concern("image.sha256", firmware.sha256, value, Cause.IMAGE_BYTES)]

    def _sources(self, update_id: str, record: JsonObject | None, job: JsonObject) -> list[ServiceFinding]:
        found: list[ServiceFinding] = []
        made = moment(job.get("createdAt"))
        if made is None or self._reader.now() - made < LAG:
            return found  # what was made with it may not be shown yet
        for bucket, key, version in pinned(record or {}):
            if wrong := self._facts.version_missing(bucket, key, version):
                value = f"version {version} of s3://{bucket}/{key} {wrong}"
                cause = Cause.DELETED if wrong == DELETED else Cause.VENDOR
                found.append(_concern("files.version", "present", value, cause))
        stream = self.stream_of(update_id)
        if stream and not self.stream_is_there(stream):
            found.append(_concern("stream", "present", f"{stream} is deleted", Cause.DELETED))
        return found

    def is_old(self, stream: str) -> bool:
        """Return whether a stream was not made just now: an update's stream is there before its job."""
        made = moment((self.stream(stream) or {}).get("createdAt"))
        return made is not None and self._reader.now() - made >= OLD

    def stream_is_there(self, stream: str) -> bool:
        """Return whether a stream exists."""
        return self.stream(stream) is not None

    def stream(self, stream: str) -> JsonObject | None:
        """Return a stream as DescribeStream shows it, or None."""
        try:
            return cast("JsonObject", self._reader.get("DescribeStream", {"streamId": stream}).get("streamInfo") or {})
        except NotFoundError:
            return None

    def _overdue(self, update_id: str, job: JsonObject) -> list[ServiceFinding]:
        created = moment(job.get("createdAt"))
        if created is None or self._reader.now() - created < OVERDUE:
            return []
        found = []
        queued = self._reader.overdue(update_id, "QUEUED", OVERDUE)
        if queued:
            found.append(_concern("devices.queued", "to begin within a day", _named(queued), Cause.VENDOR))
            others = {t: list(o) for t in queued[:NAMES] if (o := self._reader.other_updates(t, job_id(update_id)))}
            if others:
                found.append(_concern("devices.otherUpdates", "none", dict(others), Cause.FOREIGN))
        started = self._reader.overdue(update_id, "IN_PROGRESS", OVERDUE)
        if started:
            said = {thing: self._reader.words(update_id, thing) for thing in started[:NAMES]}
            value = {"devices": len(started), "said": said}
            found.append(_concern("devices.inProgress", "to end within a day", value, Cause.VENDOR))
        return found

    def _signed(self, record: JsonObject) -> list[str]:
        found = []
        for file in cast("list[JsonObject]", record.get("otaUpdateFiles") or []):
            signing = cast("JsonObject", file.get("codeSigning") or {})
            place = self._reader.signed(str(signing.get("awsSignerJobId") or ""))
            if place and signing.get("startSigningJobParameter"):
                found.append(place)
        return found

    def _streams(self, places: set[tuple[str, str]], since: datetime | None) -> list[str]:
        """Return streams of the service's own naming, made since, that hold one of these files."""
        found = []
        for item in self._reader.pages("ListStreams", "streams", {}):
            name = str(item.get("streamId"))
            if not name.startswith(JOB_PREFIX):
                continue
            shown = self.stream(name) or {}
            made = moment(shown.get("createdAt"))
            held = {_place(f) for f in cast("list[JsonObject]", shown.get("files") or [])}
            if held & places and made is not None and since is not None and made >= since:
                found.append(name)
        return found


def _places(record: JsonObject) -> set[tuple[str, str]]:
    files = cast("list[JsonObject]", record.get("otaUpdateFiles") or [])
    return {_place(cast("JsonObject", f.get("fileLocation") or {})) for f in files} - {("", "")}


def _place(holder: JsonObject) -> tuple[str, str]:
    place = cast("JsonObject", holder.get("s3Location") or {})
    return str(place.get("bucket", "")), str(place.get("key", ""))


def _canceled(job: JsonObject) -> list[ServiceFinding]:
    code, comment = str(job.get("reasonCode") or ""), str(job.get("comment") or "")
    if job.get("status") != "CANCELED" or code in OUR_CODES:
        return []
    words = " ".join(part for part in (code, comment) if part)
    if "abort" in words.lower() or (not words and _meets_criteria(job)):
        value = f"stopped by its abort criteria{f' ({words})' if words else ''}"
        return [_concern("job", "running", value, Cause.VENDOR)]
    return [
        _concern("job", "running", f"canceled by another actor ({words or 'no reason given'})", Cause.OUT_OF_BAND_EDIT)
    ]


def _meets_criteria(job: JsonObject) -> bool:
    ended = {name: n for name, n in counts(job).items() if name not in ("queued", "inProgress", "canceled", "removed")}
    executed = sum(ended.values())
    failures = {"FAILED": ("failed",), "REJECTED": ("rejected",), "TIMED_OUT": ("timedOut",), "ALL": UNSUCCESSFUL}
    abort = cast("JsonObject", job.get("abortConfig") or {})
    for criterion in cast("list[JsonObject]", abort.get("criteriaList") or []):
        failed = sum(ended[name] for name in failures.get(str(criterion["failureType"]), ()))
        enough = executed >= int(cast("int", criterion["minNumberOfExecutedThings"]))
        if enough and executed and 100.0 * failed / executed >= float(cast("float", criterion["thresholdPercentage"])):
            return True
    return False


def _devices(job: JsonObject) -> list[ServiceFinding]:
    numbers = counts(job)
    found = []
    failed: JsonObject = {name: numbers[name] for name in UNSUCCESSFUL if numbers[name]}
    if failed:
        found.append(_concern("devices.failed", {}, failed, Cause.VENDOR))
    if numbers["removed"]:
        found.append(_concern("devices.removed", 0, numbers["removed"], Cause.MEMBERSHIP))
    return found


def _named(things: tuple[str, ...]) -> JsonObject:
    return {"devices": len(things), "some": list(things[:NAMES])}


def _concern(field: str, desired: object, observed: object, cause: Cause) -> ServiceFinding:
    return ServiceFinding(field=field, desired=cast("str", desired), observed=cast("str", observed), cause=cause)
