"""Fills job documents from S3: a document behind a link, and presigned URLs when a device asks for the document.

1. A placeholder is `${aws:iot:s3-presigned-url:URL}` around an object's URL, virtual-hosted or path style; the form
   `-v2` takes it percent-encoded (developer guide, "Presigned URLs").
2. Each device that asks gets fresh URLs; they are good for expiresInSec, 3,600 s without it (API reference,
   PresignedUrlConfig).
3. They are signed with the role of presignedUrlConfig. Inferred: with a role that AWS IoT may not assume the
   placeholder stays; what the role may not read shows at the download.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import parse_qs, unquote, urlsplit

from otactl_simulator.iam.role_session import find_bucket, find_object
from otactl_simulator.iot.common import whole
from otactl_simulator.iot.service_role import Actor, CreationError, Place, assume
from otactl_simulator.iot.state import Job, Store, invalid
from otactl_simulator.presigned import presign, session_of

DEFAULT_SECONDS = 3600
_PLACEHOLDER = re.compile(r"\$\{aws:iot:s3-presigned-url(?:-v2)?:([^}]*)\}")
_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")


def locations(document: str) -> dict[str, Place | None]:
    """Return the URLs a document wants presigned, each with its object; None for one that names no object of S3."""
    return {url: _place(url) for url in _PLACEHOLDER.findall(document)}


def linked(source: str) -> str:
    """Return the document behind a link to an object of S3; InvalidRequestException."""
    place = _place(source)
    if place is None:
        raise invalid(f"Job document source {source} is invalid.")
    bucket = find_bucket(place.bucket)
    found = find_object(bucket, place.key, place.version) if bucket is not None else None
    if bucket is None:
        raise invalid(f"Bucket specified by url: {source} is not found.")
    if found is None:
        raise invalid(f"Job document located at {source} is not found.")
    try:
        return bytes(found.value).decode()
    except UnicodeDecodeError as error:
        raise invalid(f"Job document located at {source} is an invalid JSON document.") from error


def document_for_device(store: Store, job: Job, host: str, now: datetime) -> str:
    """Return the job's document as a device gets it, from a simulator that it reached at a host (rules 2 and 3)."""
    places = locations(job.document)
    actor = _actor(store, job) if places else None
    if actor is None:
        return job.document
    session = session_of(actor.session.role, store.region)
    seconds = whole(job.presigned.get("expiresInSec")) or DEFAULT_SECONDS

    def replaced(found: re.Match[str]) -> str:
        place = places[found[1]]
        if place is None:
            return found[0]
        return presign(session, store.region, host, f"/{place.bucket}/{place.key}", place.version, now, seconds)

    return _PLACEHOLDER.sub(replaced, job.document)


def _actor(store: Store, job: Job) -> Actor | None:
    try:
        return assume(store, str(job.presigned.get("roleArn", "")), job.arn)
    except CreationError:
        return None


def _place(url: str) -> Place | None:
    parts = urlsplit(url if "://" in url else unquote(url))
    if parts.scheme == "s3":
        return Place(parts.netloc, unquote(parts.path[1:])) if parts.netloc and parts.path[1:] else None
    host = _HOST.fullmatch(parts.hostname or "")
    if parts.scheme not in ("http", "https") or host is None:
        return None
    bucket, key = host["bucket"] or "", unquote(parts.path[1:])
    if not bucket:
        bucket, _, key = key.partition("/")
    version = parse_qs(parts.query).get("versionId", [""])[0]
    return Place(bucket, key, version) if bucket and key else None
