"""Translates actions to the exact calls of AWS IoT: pure, deterministic, without a client.

1. The otaUpdateId is the unit id, the job's `AFR_OTA-` and it; marks go out in the one create call, as tags and as
   additionalParameters, so an update is never there without its owner.
2. The image's version in S3 goes out with it: what is written over it later reaches no device of this update.
3. Signatures are base64 in manifests, bytes in the SDK, and encoded once on the wire.
4. An update is deleted with its stream and its job; where its record is gone already, its job is deleted.
"""

from __future__ import annotations

import base64
from typing import cast

import msgspec

from otactl.aws_sdk.regions import partition_of
from otactl.backends.aws.calls import calls_of, mark_calls
from otactl.backends.aws.tags import tag_list
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.fields import declared_files, desired, noted
from otactl.backends.iot_ota.statuses import CANCEL_CODE, JOB_FIELDS, JOB_PREFIX, SUSPEND_CODE
from otactl.model import Environment, JsonObject, Observation
from otactl.model.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
)

SERVICE = "iot"
_PASSED_ON = ("protocols", "targetSelection", "description", *JOB_FIELDS)


def job_id(unit_id: str) -> str:
    """Return the id of the job behind an OTA update (AWS IoT guide: `AFR_OTA-` and the update's id)."""
    return f"{JOB_PREFIX}{unit_id}"


def target_arn(key: str, environment: Environment) -> str:
    """Return the ARN of a target key such as `device:…` (a thing) or `thingGroup:…`."""
    kind, _, name = key.partition(":")
    partition = partition_of(environment.region) or "aws"
    noun = "thinggroup" if kind == "thingGroup" else "thing"
    return f"arn:{partition}:iot:{environment.region}:{environment.account}:{noun}/{name}"


def target_key(arn: str) -> str:
    """Return the target key of an ARN."""
    noun, _, name = arn.split(":", 5)[-1].partition("/")  # a thing's name may hold colons itself
    return f"thingGroup:{name}" if noun == "thinggroup" else f"device:{name}"


def lower(action: Action, seen: Observation, environment: Environment) -> tuple[Call, ...]:
    """Return the calls that carry an action out."""
    match action:
        case CreateUnit(unit=unit):
            return (msgspec.structs.replace(_create(unit, seen, environment), not_after=action.not_after),)
        case ResendCreate(call=recorded, unit=unit):
            parameters = cast("JsonObject", _sdk(recorded.parameters))
            return (_call(f"createUnit/{unit.unit_id}", recorded.operation, parameters),)
        case UpdateUnit(unit=unit, vendor_id=vendor_id, fields=fields):
            return (_call(f"updateUnit/{unit.unit_id}", "UpdateJob", _update(unit, vendor_id, fields)),)
        case MarkUnit():
            return mark_calls(action, desired(action.unit)[1], _call, capital=False)
        case CancelUnit(vendor_id=vendor_id):
            code = SUSPEND_CODE if action.why == "suspended" else CANCEL_CODE
            asked: JsonObject = {"jobId": job_id(vendor_id), "reasonCode": code, "comment": _comment(action.reason)}
            return (_call(f"cancelUnit/{action.unit_id}", "CancelJob", asked),)
        case DeleteUnit():
            return (_delete(action, seen),)
        case AddMembers() | RemoveMembers() | StartUnit():
            raise TypeError(f"an OTA update takes no {type(action).__name__}; its capabilities say so")


_call = calls_of(SERVICE)


def _comment(reason: str) -> str:
    """Return a reason as the service takes it: printable, on one line."""
    return "".join(c for c in " ".join(reason.split()) if c.isprintable())


def _create(unit: UnitDeclaration, seen: Observation, environment: Environment) -> Call:
    document, (_, marks) = OtaUpdateConfig.of(unit).document, desired(unit)
    version = seen.image.version if seen.image is not None else ""
    parameters: JsonObject = {
        "otaUpdateId": unit.unit_id,
        "targets": [target_arn(key, environment) for key in unit.members],
        "files": [_file(file, unit, version) for file in declared_files(unit)],
        "roleArn": OtaUpdateConfig.of(unit).role,
        "additionalParameters": noted(unit),
        "tags": tag_list(marks),
        **{name: document[name] for name in _PASSED_ON if name in document},
    }
    return _call(f"createUnit/{unit.unit_id}", "CreateOTAUpdate", parameters)


def _file(given: JsonObject, unit: UnitDeclaration, version: str) -> JsonObject:
    file = dict(given)
    location = file.get("fileLocation")
    place = location.get("s3Location") if isinstance(location, dict) else None
    open_place = version and isinstance(place, dict) and "version" not in place
    if isinstance(place, dict) and open_place and f"s3://{place['bucket']}/{place['key']}" == unit.firmware.image:
        file["fileLocation"] = {"s3Location": {**place, "version": version}}
    signing = file.get("codeSigning")
    custom = signing.get("customCodeSigning") if isinstance(signing, dict) else None
    if isinstance(custom, dict):
        raw = base64.b64decode(str(custom["signature"]["inlineDocument"]))
        file["codeSigning"] = {"customCodeSigning": {**custom, "signature": {"inlineDocument": raw}}}
    return file


def _update(unit: UnitDeclaration, vendor_id: str, fields: tuple[str, ...]) -> JsonObject:
    wanted, _ = desired(unit)
    parameters: JsonObject = {"jobId": job_id(vendor_id)}
    for name in fields:
        config = cast("JsonObject", wanted[name])
        if name == "awsJobAbortConfig":
            config = {"criteriaList": config["abortCriteriaList"]}
        elif name == "awsJobPresignedUrlConfig":
            config = {**config, "roleArn": OtaUpdateConfig.of(unit).role}
        parameters[JOB_FIELDS[name]] = config
    return parameters


def _delete(action: DeleteUnit, seen: Observation) -> Call:
    """Return the calls of a deletion; a unit whose fields cannot be read has only its job left (rule 4)."""
    unit = next((u for u in seen.units if u.vendor_id == action.vendor_id), None)
    key = f"deleteUnit/{action.unit_id}"
    if unit is not None and not unit.readable and not unit.arn:
        return _call(f"{key}/job", "DeleteJob", {"jobId": job_id(action.vendor_id), "force": True})
    asked: JsonObject = {"otaUpdateId": action.vendor_id, "deleteStream": True, "forceDeleteAWSJob": True}
    return _call(key, "DeleteOTAUpdate", asked)


def _sdk(value: object) -> object:
    """Return a recorded parameter as the SDK takes it: `{"base64": …}` is bytes again."""
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return base64.b64decode(str(value["base64"]))
        return {str(k): _sdk(v) for k, v in value.items()}
    return [_sdk(v) for v in value] if isinstance(value, list) else value
