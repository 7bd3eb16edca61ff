"""Brings declared and observed fields of an OTA update into one comparable form: pure.

1. Names are the manifest's; one field for each part of each file (`files.0.codeSigning`).
2. What the service adds by itself is taken out: `{}` and `maximumPerMinute: 0` for an unset rate, 1800 seconds for an
   unset URL life, empty parts of code signing, the id of the signing job it started (samples of the AWS IoT guide).
3. The version of an image is compared only where one is declared: we add it when we create, from what S3 shows.
4. A file beyond those declared would reach devices too: `files.undeclared` names each.
5. Pace, abort and timeout are the Job's, which GetOTAUpdate does not show or shows as it was; the role nothing shows.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import cast

from otactl.backends.aws.tags import marks_of
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.statuses import DEFAULT_URL_SECONDS, JOB_FIELDS
from otactl.model import JsonObject, as_json
from otactl.model.actions import UnitDeclaration
from otactl.model.tags import TAG_JOURNAL

_FORMS = ("customCodeSigning", "startSigningJobParameter", "awsSignerJobId")
_PARTS = ("fileName", "fileType", "fileVersion", "fileLocation", "codeSigning", "attributes")


def declared_files(unit: UnitDeclaration) -> list[JsonObject]:
    """Return the files with what is left out filled in: the version and the address of the firmware."""
    return [_file(each, unit) for each in OtaUpdateConfig.of(unit).written_files]


def _file(given: JsonObject, unit: UnitDeclaration) -> JsonObject:
    file: JsonObject = {"fileVersion": unit.firmware.version, **given}
    signing = given.get("codeSigning")
    signed = isinstance(signing, dict) and "awsSignerJobId" in signing
    if "fileLocation" not in file and not signed:
        bucket, _, key = unit.firmware.image.removeprefix("s3://").partition("/")
        file["fileLocation"] = {"s3Location": {"bucket": bucket, "key": key}}
    return file


def noted(unit: UnitDeclaration) -> dict[str, str]:
    """Return the additionalParameters: what is declared, and our marks, which tags alone could lose."""
    return {**OtaUpdateConfig.of(unit).fields.additional_parameters, **marks_of(unit)}


def maker(record: JsonObject) -> str:
    """Return the journal that an update's own record names, whatever became of its tags."""
    given = record.get("additionalParameters")
    return str(given.get(TAG_JOURNAL, "")) if isinstance(given, dict) else ""


def _without_journal(given: Mapping[str, object]) -> JsonObject:
    """Drop journal ids: no update writes them again, so a missing or former one is no drift."""
    return {name: value for name, value in given.items() if name != TAG_JOURNAL}


def desired(unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
    """Return the fields and tags that the service is to show."""
    spec = OtaUpdateConfig.of(unit)
    document = spec.document
    fields: JsonObject = {k: document[k] for k in ("description", "targetSelection") if k in document}
    if "protocols" in document:
        fields["protocols"] = sorted(spec.fields.protocols)
    fields |= {name: document.get(name) for name in JOB_FIELDS}
    fields["additionalParameters"] = _without_journal(noted(unit))
    for index, file in enumerate(declared_files(unit)):
        fields |= {f"files.{index}.{part}": file[part] for part in _PARTS if part in file}
    fields["files.undeclared"] = None  # rule 4
    return fields, {**spec.fields.tags, **marks_of(unit)}


def observed(record: JsonObject, job: JsonObject | None, document: JsonObject) -> JsonObject:
    """Return the same fields as GetOTAUpdate and DescribeJob show them.

    `document` holds what was declared (rules 2, 3).
    """
    fields: JsonObject = {}
    for name in ("description", "targetSelection"):
        if record.get(name):
            fields[name] = record[name]
    if isinstance(record.get("protocols"), list):
        fields["protocols"] = sorted(str(p) for p in cast("list[object]", record["protocols"]))
    fields["additionalParameters"] = _without_journal(cast("JsonObject", record.get("additionalParameters") or {}))
    if job is not None:
        fields |= {name: _config(name, job.get(member), document) for name, member in JOB_FIELDS.items()}
    declared = cast("list[JsonObject]", document.get("files") or [])
    shown = cast("list[JsonObject]", record.get("otaUpdateFiles") or [])
    if len(shown) > len(declared):
        fields["files.undeclared"] = [_named(file) for file in shown[len(declared) :]]
    for index, file in enumerate(shown[: len(declared)]):
        asked = declared[index]
        for part in _PARTS:
            value = _part(part, file.get(part), asked.get(part))
            if value not in (None, {}, ""):
                fields[f"files.{index}.{part}"] = value
    return fields


def _named(file: JsonObject) -> str:
    """Return what a file of an update is called: its name on the device, else where it lies."""
    place = _location(cast("dict[str, object]", file.get("fileLocation") or {}), None)
    return str(file.get("fileName") or place or "a file without a name")


def _config(name: str, value: object, document: JsonObject) -> object:
    config = value if isinstance(value, dict) else {}
    if name == "awsJobAbortConfig":
        listed = config.get("criteriaList") or []
        return {"abortCriteriaList": as_json(listed)} if listed else None
    if name == "awsJobPresignedUrlConfig":
        seconds = config.get("expiresInSec")
        default = name not in document and seconds == DEFAULT_URL_SECONDS
        return {"expiresInSec": seconds} if seconds and not default else None
    kept = {k: v for k, v in config.items() if v}
    return as_json(kept) if kept else None


def _part(part: str, value: object, declared: object) -> object:
    if part == "fileLocation" and isinstance(value, dict):
        return _location(value, declared)
    if part == "codeSigning" and isinstance(value, dict):
        return _signing(value, declared)
    return as_json(value)


def _location(value: dict[str, object], declared: object) -> object:
    shown = cast("JsonObject", _without_empty(value))
    asked = declared.get("s3Location") if isinstance(declared, dict) else None
    place = shown.get("s3Location")
    if isinstance(place, dict) and not (isinstance(asked, dict) and "version" in asked):
        shown["s3Location"] = {k: v for k, v in place.items() if k != "version"}
    return shown


def _signing(value: dict[str, object], declared: object) -> object:
    shown = cast("JsonObject", _without_empty(value))
    forms = [form for form in _FORMS if form in shown]
    if len(forms) > 1:  # the service tells the job it started next to the order for it
        wanted = next((f for f in forms if isinstance(declared, dict) and f in declared), forms[0])
        return {wanted: shown[wanted]}
    return shown


def _without_empty(value: object) -> object:
    """Return JSON without empty parts; bytes in base64, as manifests write them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        parts = {str(k): _without_empty(v) for k, v in value.items()}
        return {k: v for k, v in parts.items() if v not in (None, {}, "")}
    return as_json(value)


def pinned(record: JsonObject) -> tuple[tuple[str, str, str], ...]:
    """Return bucket, key and version of each file that names a version in S3."""
    found = []
    for file in cast("list[JsonObject]", record.get("otaUpdateFiles") or []):
        location = file.get("fileLocation")
        place = location.get("s3Location") if isinstance(location, dict) else None
        if isinstance(place, dict) and place.get("version"):
            found.append((str(place.get("bucket")), str(place.get("key")), str(place["version"])))
    return tuple(found)
