"""Checks that an answer of AWS fits the service's own model, once, before it is used.

1. The SDK takes a body that is not JSON for an empty answer, and an item without its id for an item. Here both are
   errors: an answer that does not fit raises `UnreadableError`, and no list is ever shorter for it.
2. Members may be missing or null, except those in `ALWAYS`; what is there has the model's type. Members that the model
   does not know are ignored, an answer that has no others is of something else. Texts in `ALWAYS` name something: each
   is one line that no name is longer than; a person writes tags as they like.
3. An answer whose status says error is read by the SDK; one that has no error of the service in it (a page of a proxy)
   did not come from the service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient

ALWAYS: dict[tuple[str, str], tuple[str, ...]] = {
    ("iotwireless", "ListFuotaTasks"): ("FuotaTaskList[].Id",),
    ("iotwireless", "GetFuotaTask"): ("Arn", "Id", "Status"),
    ("iotwireless", "ListTagsForResource"): ("Tags[].Key", "Tags[].Value"),
    ("iotwireless", "ListMulticastGroupsByFuotaTask"): ("MulticastGroupList[].Id",),
    ("iotwireless", "ListMulticastGroups"): ("MulticastGroupList[].Id",),
    ("iotwireless", "ListWirelessDevices"): ("WirelessDeviceList[].Id",),
    ("iotwireless", "GetWirelessDevice"): ("Id",),
    ("iotwireless", "CreateFuotaTask"): ("Arn", "Id"),
    ("iot", "ListOTAUpdates"): ("otaUpdates[].otaUpdateId",),
    ("iot", "GetOTAUpdate"): ("otaUpdateInfo.otaUpdateId", "otaUpdateInfo.otaUpdateStatus"),
    ("iot", "ListTagsForResource"): ("tags[].Key",),  # a value is optional in the model
    ("iot", "ListJobs"): ("jobs[].jobId",),
    ("iot", "DescribeJob"): ("job.jobId", "job.jobArn", "job.status"),
    ("iot", "ListJobExecutionsForJob"): (
        "executionSummaries[].thingArn",
        "executionSummaries[].jobExecutionSummary.status",
    ),
    ("iot", "ListJobExecutionsForThing"): ("executionSummaries[].jobId",),
    ("iot", "DescribeJobExecution"): ("execution.status",),
    ("iot", "ListStreams"): ("streams[].streamId",),
    ("iot", "DescribeStream"): ("streamInfo.streamId",),
    ("iot", "ListThingsInThingGroup"): ("things[]",),
    ("iot", "SearchIndex"): ("things[].thingName",),
    ("iot", "CreateOTAUpdate"): ("otaUpdateId",),
    ("sts", "GetCallerIdentity"): ("Account",),
    ("iam", "GetRole"): ("Role.Arn", "Role.AssumeRolePolicyDocument"),
    ("iam", "ListRolePolicies"): ("PolicyNames", "PolicyNames[]"),
    ("iam", "GetRolePolicy"): ("PolicyDocument",),
    ("iam", "ListAttachedRolePolicies"): ("AttachedPolicies", "AttachedPolicies[].PolicyArn"),
    ("iam", "GetPolicy"): ("Policy.DefaultVersionId",),
    ("iam", "GetPolicyVersion"): ("PolicyVersion.Document",),
    ("iam", "SimulatePrincipalPolicy"): ("EvaluationResults", "EvaluationResults[].EvalDecision"),
    ("s3", "HeadObject"): ("ContentLength", "ETag"),
}
"""Members without which an answer cannot be used; a test holds them against the models."""

LONGEST_NAME = 2048  # of an ARN
_JSON = ("rest-json", "json")
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "structure": ((dict,), "an object"),
    "map": ((dict,), "an object"),
    "list": ((list,), "a list"),
    "string": ((str,), "text"),
    "blob": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "long": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "timestamp": ((str, int, float), "a time"),
}
_LEAVES = frozenset(_TYPES) - {"structure", "map", "list"}


class UnreadableError(Exception):
    """An answer that cannot be understood; its words quote nothing of it, for it may hold secrets."""


def watch(client: BaseClient) -> None:
    """Check every answer of a client before the SDK parses it; once, however often the client is watched."""
    client.meta.events.register("before-parse", _before_parse, unique_id="otactl-answers")


def _before_parse(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
    status = int(response_dict["status_code"])
    if not isinstance(response_dict["body"], bytes | bytearray):
        return  # a stream: whoever reads it looks at it
    body = bytes(response_dict["body"])
    protocol = operation_model.service_model.resolved_protocol
    headers = response_dict["headers"]
    if status >= 300:
        if not (protocol in _JSON and _is_object(body)):
            _not_the_service(status, headers, body, any_words=protocol in _JSON)
        if protocol in _JSON and not _is_object(body):
            response_dict["body"] = b""  # the SDK trips over what is no object
        return
    shape = operation_model.output_shape
    has_body = shape is not None and not shape.serialization.get("payload") and _in_body(shape)
    if protocol not in _JSON or not has_body:
        if _is_page(headers, body):
            raise UnreadableError(f"HTTP {status} with a web page")
        if has_body and not body.strip():
            raise UnreadableError(f"HTTP {status} without a body")
        return
    check(_parsed(body, status), shape)


def check(answer: object, shape: Any) -> None:
    """Hold a parsed JSON body against the shape of its operation (rule 2).

    Raises: UnreadableError when it does not match.
    """
    if not isinstance(answer, dict):
        raise UnreadableError("the answer is no JSON object")
    names = {_wire(name, member) for name, member in shape.members.items()}
    if answer and not names & set(answer):
        raise UnreadableError("the answer has none of its members")
    if _fits(answer, shape):
        return
    for where, wanted in _misfits(answer, shape, ""):
        raise UnreadableError(f"{where.lstrip('.')} is not {wanted}")


def check_members(service: str, operation: str, answer: Mapping[str, object]) -> None:
    """Hold an answer of any protocol, as the SDK parsed it, against `ALWAYS`."""
    for path in ALWAYS.get((service, operation), ()):
        _require(answer, path.split("."), "")


def _require(value: object, parts: list[str], where: str) -> None:
    if not parts:
        if value in (None, ""):
            raise UnreadableError(f"{where} is missing")
        if isinstance(value, str) and not _is_name(value) and not where.lower().startswith("tags["):
            raise UnreadableError(f"{where} has more than {LONGEST_NAME} characters, or such as no name has")
        return
    name = parts[0].removesuffix("[]")
    here = f"{where}.{name}".lstrip(".")
    found = value.get(name) if isinstance(value, Mapping) else None
    if not parts[0].endswith("[]"):
        _require(found, parts[1:], here)
        return
    for index, item in enumerate(found if isinstance(found, list) else ()):
        _require(item, parts[1:], f"{here}[{index}]")


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and text.isprintable()


def _fits(value: object, shape: Any) -> bool:
    """Return whether `_misfits` has nothing to say: the same rules without the words, for answers of 250 devices."""
    if isinstance(value, dict) and shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for wire, member, types, is_leaf in _members(shape):
            found = value.get(wire)
            if found is not None and not (type(found) in types if is_leaf else _fits(found, member)):
                return False
        return True
    if isinstance(value, list) and shape.type_name == "list":
        return all(_fits(item, shape.member) for item in value)
    return not any(_misfits(value, shape, ""))


@lru_cache(maxsize=4096)
def _members(shape: Any) -> tuple[tuple[str, Any, tuple[type, ...], bool], ...]:
    """Return the members of a structure: name on the wire, shape, types in JSON, and whether those say all of it."""
    return tuple(
        (_wire(name, member), member, _TYPES.get(member.type_name, ((),))[0], member.type_name in _LEAVES)
        for name, member in shape.members.items()
    )


def _misfits(value: object, shape: Any, where: str) -> Iterator[tuple[str, str]]:
    types, wanted = _TYPES.get(shape.type_name, ((object,), ""))
    if not isinstance(value, types) or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield where, wanted
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _misfits(item, shape.member, f"{where}[{index}]")
    elif isinstance(value, dict) and shape.type_name == "map":
        for item in value.values():
            if item is not None:
                yield from _misfits(item, shape.value, f"{where}.*")
    elif isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        for name, member in shape.members.items():
            found = value.get(_wire(name, member))
            if found is not None:
                yield from _misfits(found, member, f"{where}.{name}")


def _wire(name: str, member: Any) -> str:
    return str(member.serialization.get("name", name))


def _in_body(shape: Any) -> bool:
    """Return whether an operation answers with a body: some members travel in headers."""
    return any("location" not in member.serialization for member in shape.members.values())


def _parsed(body: bytes, status: int) -> object:
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        what = "an empty body" if not body.strip() else "a body that is not JSON"
        raise UnreadableError(f"HTTP {status} with {what}") from None


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _not_the_service(status: int, headers: Mapping[str, str], body: bytes, *, any_words: bool) -> None:
    """Raise UnreadableError for an answer of a proxy or a portal: errors of the service have a name (rule 3).

    A page that says 404 is none that says that a unit is gone. A 429 is repeated, whoever it is of. In XML (`any_words`
    False) the SDK reads the name, and only a web page is looked for.
    """
    named = any(str(name).lower() == "x-amzn-errortype" for name in headers)
    words = body.strip() if any_words else _is_page(headers, body)
    if not named and status < 500 and status != 429 and (words or (any_words and status < 400)):
        text = f"HTTP {status} without an error of the service in it, as a proxy or a portal gives"
        raise UnreadableError(text)


def _is_page(headers: Mapping[str, str], body: bytes) -> bool:
    kind = next((str(value) for name, value in headers.items() if str(name).lower() == "content-type"), "")
    start = body[:256].lstrip().lower()
    return bool(body) and (kind.lower().startswith("text/html") or start.startswith((b"<!doctype html", b"<html")))
