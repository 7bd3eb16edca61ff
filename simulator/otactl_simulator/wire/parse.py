"""Parses a request's path, query, headers and body into the parameters that boto3 was given."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from botocore.model import ListShape, MapShape, Shape, StructureShape

from otactl_simulator.wire.models import Match

Query = Mapping[str, list[str]]


class MalformedError(Exception):
    """The request cannot be read as the operation's input."""


def parse(match: Match, query: Query, headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    """Return the operation's parameters; `headers` have lower-case names. Raises MalformedError."""
    shape = match.operation.input_shape
    if shape is None:
        return {}
    found: dict[str, object] = {}
    bound = {str(m.serialization.get("name", n)) for n, m in shape.members.items()}
    for name, member in shape.members.items():
        value = _located(name, member, match, query, headers, bound)
        if value is not None:
            found[name] = value
    payload = shape.serialization.get("payload")
    if payload is not None:
        value = _payload(shape.members[payload], body)
        if value is not None:
            found[str(payload)] = value
    elif body:
        found |= _body(shape, _json(body))
    return found


def _located(
    name: str, member: Shape, match: Match, query: Query, headers: Mapping[str, str], bound: set[str]
) -> object | None:
    location = member.serialization.get("location")
    wire = str(member.serialization.get("name", name))
    if location == "uri":
        return _scalar(member, match.labels[wire], location)
    if location == "querystring":
        return _query(member, wire, query, bound)
    if location == "header":
        text = headers.get(wire.lower())
        return None if text is None else _scalar(member, text, location)
    if location == "headers":
        prefix = wire.lower()
        return {k.removeprefix(prefix): v for k, v in headers.items() if k.startswith(prefix)} or None
    return None


def _query(member: Shape, wire: str, query: Query, bound: set[str]) -> object | None:
    if isinstance(member, MapShape):
        rest = {k: v for k, v in query.items() if k not in bound}
        many = isinstance(member.value, ListShape)
        return {k: (v if many else v[0]) for k, v in rest.items()} or None
    values = query.get(wire)
    if values is None:
        return None
    if isinstance(member, ListShape):
        return [_scalar(member.member, v, "querystring") for v in values]
    return _scalar(member, values[0], "querystring")


def _scalar(shape: Shape, text: str, location: str) -> object:
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text.lower()]
        if kind == "timestamp":
            return _text_time(shape, text, location)
        if kind == "blob":
            return base64.b64decode(text, validate=True)
        if kind == "list" and isinstance(shape, ListShape):
            return [_scalar(shape.member, part.strip(), location) for part in text.split(",")]
        if shape.serialization.get("jsonvalue"):
            return json.loads(base64.b64decode(text))
    except (ValueError, KeyError, binascii.Error) as error:
        raise MalformedError(f"{text!r} is not a {kind}") from error
    return text


def _text_time(shape: Shape, text: str, location: str) -> datetime:
    form = shape.serialization.get("timestampFormat", "rfc822" if location == "header" else "iso8601")
    if form == "rfc822":
        return parsedate_to_datetime(text)
    if form == "unixTimestamp":
        return datetime.fromtimestamp(float(text), UTC)
    return _iso(text)


def _iso(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _payload(shape: Shape, body: bytes) -> object | None:
    if shape.type_name == "blob":
        return body or None
    if shape.type_name == "string":
        return body.decode() if body else None
    return value_of(shape, _json(body)) if body else None


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedError("the body is not JSON") from error


def _body(shape: StructureShape, document: object) -> dict[str, object]:
    if not isinstance(document, dict):
        raise MalformedError("the body is not a JSON object")
    wires = {
        str(m.serialization.get("name", n)): (n, m)
        for n, m in shape.members.items()
        if "location" not in m.serialization
    }
    unknown = sorted(set(document) - set(wires))
    if unknown:
        raise MalformedError(f"unknown member {', '.join(unknown)}")
    return {wires[k][0]: value_of(wires[k][1], v) for k, v in document.items() if v is not None}


def value_of(shape: Shape, value: object) -> object:
    """Return a JSON value as the SDK gives it: bytes for blobs, aware datetimes, member names."""
    kind = shape.type_name
    if isinstance(shape, StructureShape):
        return _body(shape, value)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise MalformedError(f"{value!r} is not a list")
        return [value_of(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            raise MalformedError(f"{value!r} is not a map")
        return {k: value_of(shape.value, v) for k, v in value.items()}
    try:
        if kind == "blob":
            return base64.b64decode(str(value), validate=True)
        if kind == "timestamp":
            number = isinstance(value, int | float)
            return datetime.fromtimestamp(float(str(value)), UTC) if number else _iso(str(value))
    except (ValueError, binascii.Error, OverflowError) as error:
        raise MalformedError(f"{value!r} is not a {kind}") from error
    return value
