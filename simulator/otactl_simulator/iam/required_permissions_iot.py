"""Maps a call of AWS IoT, its data planes or AWS Signer to what it needs of IAM.

Source: AWS service authorization reference, "Actions, resources, and condition keys" of IoT, IoT jobs data plane and
Signer. Rules where it leaves a choice:

1. An operation on two resources is asked for on each; one without a resource type is asked for on `*`.
2. A job is created for targets: CreateJob and AssociateTargetsWithJob are asked for on the job and on each target.
3. A role that is handed over needs iam:PassRole with iam:PassedToService `iot.amazonaws.com`.
4. A signing job reads a version of its source and writes into its destination with the caller's own rights.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iam.patterns import ContextValue
from otactl_simulator.iam.required_permissions import Need, TagsOf

SERVICE = "iot.amazonaws.com"
SERVICES = ("iot", "iot-data", "iot-jobs-data", "signer")

_PREFIX = {"iot-jobs-data": "iotjobsdata", "signer": "signer"}
_JOB, _THING, _GROUP = {"job": "jobId"}, {"thing": "thingName"}, {"thinggroup": "thingGroupName"}
_TYPE = {"thingtype": "thingTypeName"}
_EXECUTION, _MEMBER = {**_JOB, **_THING}, {**_THING, **_GROUP}
_UPDATE, _STREAM, _PROFILE = {"otaupdate": "otaUpdateId"}, {"stream": "streamId"}, {"/signing-profiles": "profileName"}
_RESOURCES: dict[str, dict[str, Mapping[str, str]]] = {
    "iot": {
        "CreateOTAUpdate": _UPDATE,
        "GetOTAUpdate": _UPDATE,
        "DeleteOTAUpdate": _UPDATE,
        "CreateStream": _STREAM,
        "DescribeStream": _STREAM,
        "UpdateStream": _STREAM,
        "DeleteStream": _STREAM,
        "CreateJob": _JOB,
        "DescribeJob": _JOB,
        "UpdateJob": _JOB,
        "CancelJob": _JOB,
        "DeleteJob": _JOB,
        "GetJobDocument": _JOB,
        "AssociateTargetsWithJob": _JOB,
        "ListJobExecutionsForJob": _JOB,
        "ListJobExecutionsForThing": _THING,
        "DescribeJobExecution": _EXECUTION,
        "CancelJobExecution": _EXECUTION,
        "DeleteJobExecution": _EXECUTION,
        "CreateThing": _THING,
        "DescribeThing": _THING,
        "UpdateThing": _THING,
        "DeleteThing": _THING,
        "ListThingGroupsForThing": _THING,
        "CreateThingGroup": _GROUP,
        "DescribeThingGroup": _GROUP,
        "UpdateThingGroup": _GROUP,
        "DeleteThingGroup": _GROUP,
        "ListThingsInThingGroup": _GROUP,
        "AddThingToThingGroup": _MEMBER,
        "RemoveThingFromThingGroup": _MEMBER,
        "UpdateThingGroupsForThing": _THING,
        "CreateThingType": _TYPE,
        "DescribeThingType": _TYPE,
        "UpdateThingType": _TYPE,
        "DeprecateThingType": _TYPE,
        "DeleteThingType": _TYPE,
        "SearchIndex": {"index": "indexName"},
        "DescribeIndex": {"index": "indexName"},
    },
    "iot-data": {
        "GetThingShadow": _THING,
        "UpdateThingShadow": _THING,
        "DeleteThingShadow": _THING,
        "ListNamedShadowsForThing": _THING,
        "Publish": {"topic": "topic"},
    },
    "iot-jobs-data": {
        "DescribeJobExecution": _THING,
        "GetPendingJobExecutions": _THING,
        "StartNextPendingJobExecution": _THING,
        "UpdateJobExecution": _THING,
    },
    "signer": {
        "PutSigningProfile": _PROFILE,
        "GetSigningProfile": _PROFILE,
        "CancelSigningProfile": _PROFILE,
        "StartSigningJob": _PROFILE,
        "DescribeSigningJob": {"/signing-jobs": "jobId"},
    },
}
_TAGGED = ("TagResource", "UntagResource", "ListTagsForResource")
_DEFAULT_INDEX = "AWS_Things"
_PASSED = {"CreateOTAUpdate": "roleArn", "CreateStream": "roleArn", "UpdateStream": "roleArn"}


def needs(
    service: str, operation: str, parameters: Mapping[str, object], account: str, region: str, tags_of: TagsOf
) -> list[Need]:
    """Return the needs of a call of one of SERVICES."""
    action = f"{_PREFIX.get(service, 'iot')}:{operation}"
    asked = _request_tags(parameters)
    owner = "signer" if service == "signer" else "iot"
    named = [
        f"arn:aws:{owner}:{region}:{account}:{kind}/{parameters.get(parameter, _DEFAULT_INDEX)}"
        for kind, parameter in _RESOURCES[service].get(operation, {}).items()
        if parameter in parameters or kind == "index"
    ]
    if operation in ("CreateJob", "AssociateTargetsWithJob"):
        named += _texts(parameters.get("targets"))
    if operation in _TAGGED:
        named = [str(parameters.get("resourceArn"))]
    found = [
        Need(action, arn, {**asked, **{f"aws:ResourceTag/{k}": v for k, v in tags_of(arn).items()}}) for arn in named
    ] or [Need(action, "*", asked)]
    return [
        *found,
        *_passed(operation, parameters),
        *(_signing(parameters) if action.endswith("StartSigningJob") else ()),
    ]


def _passed(operation: str, parameters: Mapping[str, object]) -> list[Need]:
    """Return what passing a role requires (rule 3)."""
    role = parameters.get(_PASSED.get(operation, ""))
    presigned = parameters.get("presignedUrlConfig")
    if operation in ("CreateJob", "UpdateJob") and isinstance(presigned, dict):
        role = presigned.get("roleArn")
    return [Need("iam:PassRole", role, {"iam:PassedToService": SERVICE})] if isinstance(role, str) else []


def _signing(parameters: Mapping[str, object]) -> list[Need]:
    """Return what signing requires (rule 4); what is not given is refused by the operation itself."""
    source, destination = (_s3(parameters.get(name)) for name in ("source", "destination"))
    found = []
    if "bucketName" in source and "key" in source:
        bucket = str(source["bucketName"])
        found.append(Need("s3:GetObjectVersion", f"arn:aws:s3:::{bucket}/{source['key']}", bucket=bucket))
    if "bucketName" in destination:
        bucket = str(destination["bucketName"])
        prefix = destination.get("prefix", "")
        found.append(Need("s3:PutObject", f"arn:aws:s3:::{bucket}/{prefix}signed", bucket=bucket))
    return found


def _s3(given: object) -> Mapping[str, object]:
    place = given.get("s3") if isinstance(given, dict) else None
    return place if isinstance(place, dict) else {}


def _texts(given: object) -> list[str]:
    return [str(item) for item in given] if isinstance(given, list) else []


def _request_tags(parameters: Mapping[str, object]) -> dict[str, ContextValue]:
    """Return the tags of a request: AWS IoT takes a list of Key and Value, AWS Signer a map."""
    given = parameters.get("tags")
    tags: dict[str, str] = {}
    if isinstance(given, list):
        tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in given}
    elif isinstance(given, dict):
        tags = {str(key): str(value) for key, value in given.items()}
    if not tags:
        return {}
    keys: dict[str, ContextValue] = {"aws:TagKeys": list(tags)}
    return {**keys, **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}
