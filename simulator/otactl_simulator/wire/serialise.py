"""Serialises a handler's answer, or a modelled error, to status, headers and body."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from otactl_simulator.service import ModelledError
from otactl_simulator.wire.models import by_target

Response = tuple[int, dict[str, str], bytes]


def serialise(operation: OperationModel, answer: dict[str, object]) -> Response:
    """Return a success as the model describes it."""
    shape = operation.output_shape
    status = int(operation.http.get("responseCode", 200))
    headers: dict[str, str] = {}
    if shape is None:
        return status, headers, b"" if status == 204 else b"{}"
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header" and name in answer:
            headers[str(member.serialization.get("name", name))] = _text(member, answer[name])
    payload = shape.serialization.get("payload")
    if payload is not None:
        return status, headers, _payload(shape.members[payload], answer.get(payload))
    if status == 204:
        return status, headers, b""
    body = {
        str(m.serialization.get("name", n)): json_of(m, answer[n])
        for n, m in shape.members.items()
        if n in answer and answer[n] is not None and "location" not in m.serialization
    }
    headers["content-type"] = _content_type(operation.service_model.service_name)
    return status, headers, json.dumps(body).encode()


def _payload(shape: Shape, value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(json_of(shape, value)).encode()


def _text(shape: Shape, value: object) -> str:
    if isinstance(value, datetime):
        return format_datetime(value, usegmt=True)
    if shape.serialization.get("jsonvalue"):
        return base64.b64encode(json.dumps(value).encode()).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_of(shape: Shape, value: object) -> object:
    """Return a value as rest-json writes it: numbers for times, base64 for blobs, wire names."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        found: dict[str, object] = {}
        for name, wire, member, plain in _members(shape):
            below = value.get(name)
            if below is not None:
                found[wire] = below if plain and isinstance(below, str) else json_of(member, below)
        return found
    if isinstance(shape, ListShape) and isinstance(value, list | tuple):
        return [json_of(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {str(k): json_of(shape.value, v) for k, v in value.items()}
    if isinstance(value, datetime):
        if shape.serialization.get("timestampFormat") == "iso8601":
            return value.isoformat().replace("+00:00", "Z")
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


@lru_cache(maxsize=4096)
def _members(shape: StructureShape) -> tuple[tuple[str, str, Shape, bool], ...]:
    """Return the members of a structure: name, name on the wire, shape, and whether it is a string."""
    return tuple((n, str(m.serialization.get("name", n)), m, m.type_name == "string") for n, m in shape.members.items())


def _content_type(service: str) -> str:
    return "application/x-amz-json-1.1" if by_target(service) else "application/json"


def refuse(service: str, operation: OperationModel | None, error: ModelledError) -> Response:
    """Return an error as its shape describes it; one the operation does not declare still has its usual status.

    AWS JSON has two: 400, and 500 for what the service itself did wrong.
    """
    declared = {s.name: s for s in operation.error_shapes} if operation is not None else {}
    shape = declared.get(error.code)
    status = int(shape.metadata.get("error", {}).get("httpStatusCode", 400)) if shape else _STATUS.get(error.code, 400)
    body: dict[str, object] = {}
    headers = {"content-type": _content_type(service)}
    if by_target(service):
        status = 500 if error.code in _SERVER_ERRORS else 400
        body["__type"] = error.code
    else:
        headers["x-amzn-errortype"] = error.code
    if shape is not None:
        for name in shape.members:
            if name.lower() == "message":
                body[name] = error.message
            elif name in error.members:
                body[name] = error.members[name]
    body.setdefault("message", error.message)
    return status, headers, json.dumps(body).encode()


_SERVER_ERRORS = ("InternalServiceError", "InternalFailure")
_STATUS = {
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "InternalFailureException": 500,
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "ResourceNotFoundException": 404,
}


def bad_request(operation: OperationModel | None) -> str:
    """Return the name of the service's bad-request error for an operation."""
    names = [s.name for s in operation.error_shapes] if operation is not None else []
    for name in ("ValidationException", "InvalidRequestException", "InvalidParameterException"):
        if name in names:
            return name
    return (
        "InvalidRequestException"
        if operation and operation.service_model.service_name != "iotwireless"
        else "ValidationException"
    )
