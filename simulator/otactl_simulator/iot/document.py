"""Builds the job document of an OTA update, as FreeRTOS devices read it.

1. `afr_ota` has protocols, streamname (MQTT only) and files; a file has filepath, filesize, fileid, certfile, fileType
   and one signature member named after its algorithms, such as `sig-sha256-ecdsa` (coreOTA's job parser).
2. With HTTP a file has update_data_url and auth_scheme `aws.s3.presigned`. The URL is presigned only when a device
   fetches the document: what GetJobDocument shows is the placeholder that AWS IoT Jobs replaces (developer guide,
   "Presigned URLs").
3. A signature is base64 in the document exactly once: the blob of customCodeSigning is decoded from the request and
   encoded here, so a caller who encoded it once more sends devices a signature that does not verify.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from otactl_simulator.iot.service_role import Found, Place


@dataclass(frozen=True)
class Signature:
    """How a file is signed: the device's certificate, the document's member and its base64 value."""

    certificate: str
    name: str
    value: str


@dataclass(frozen=True)
class File:
    """One file as devices will get it; `found` is what they download, signed."""

    id: int
    path: str
    type: int
    version: str
    found: Found
    signature: Signature


def job_document(protocols: Sequence[str], stream: str, files: Sequence[File], region: str) -> str:
    """Return the document as text; `stream` is empty without MQTT."""
    document: dict[str, object] = {"protocols": list(protocols)}
    if stream:
        document["streamname"] = stream
    document["files"] = [_file(file, region, http="HTTP" in protocols) for file in files]
    return json.dumps({"afr_ota": document}, separators=(",", ":"))


def _file(file: File, region: str, *, http: bool) -> dict[str, object]:
    document: dict[str, object] = {
        "filepath": file.path,
        "filesize": len(file.found.content),
        "fileid": file.id,
        "certfile": file.signature.certificate,
        "fileType": file.type,
    }
    if http:
        document["update_data_url"] = _url(file.found.place, region)
        document["auth_scheme"] = "aws.s3.presigned"
    return {**document, file.signature.name: file.signature.value}


def _url(place: Place, region: str) -> str:
    version = f"?versionId={place.version}" if place.version else ""
    url = f"https://{place.bucket}.s3.{region}.amazonaws.com/{quote(place.key, safe='/~')}{version}"
    return f"${{aws:iot:s3-presigned-url:{url}}}"
