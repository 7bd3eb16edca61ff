"""Loads botocore's service models, and finds the operation that a request line names.

A request belongs to the service its signature is scoped to; within it, the route with the most literal text wins, so
`/fuota-tasks/{Id}/multicast-group` is never taken for `/fuota-tasks/{Id}`. A service of the protocol AWS JSON has one
route; there X-Amz-Target names the operation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

import botocore.loaders
from botocore.model import OperationModel, ServiceModel

from otactl_simulator.service import ModelledError

SERVICES = ("iotwireless", "iot", "iot-data", "iot-jobs-data", "signer", "secretsmanager")
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True)
class Route:
    """One operation's request line as a pattern."""

    operation: OperationModel
    method: str
    pattern: re.Pattern[str]
    weight: int


@dataclass(frozen=True)
class Match:
    """The operation a request names, with the labels of its path, decoded."""

    service: str
    operation: OperationModel
    labels: dict[str, str]


@cache
def service_model(service: str) -> ServiceModel:
    """Return a service's model as botocore ships it."""
    return ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


@cache
def signing_names() -> dict[str, str]:
    """Service by the name requests to it are signed with."""
    return {service_model(name).signing_name: name for name in SERVICES}


@cache
def _routes(service: str) -> tuple[Route, ...]:
    model = service_model(service)
    routes = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        uri = str(operation.http["requestUri"]).partition("?")[0]
        literal = _LABEL.sub("", uri)
        routes.append(Route(operation, str(operation.http["method"]), _compile(uri), len(literal)))
    return tuple(sorted(routes, key=lambda route: -route.weight))


def _compile(uri: str) -> re.Pattern[str]:
    parts, end = [], 0
    for label in _LABEL.finditer(uri):
        parts.append(re.escape(uri[end : label.start()]))
        parts.append(f"(?P<{_group(label.group(1))}>{'.+' if label.group(2) else '[^/]+'})")
        end = label.end()
    parts.append(re.escape(uri[end:]))
    return re.compile("".join(parts) + "/?")


def _group(label: str) -> str:
    return "l_" + label.replace("-", "__")


def _label(group: str) -> str:
    return group.removeprefix("l_").replace("__", "-")


def by_target(service: str) -> bool:
    """Return whether a service uses AWS JSON: X-Amz-Target names the operation, `__type` in the body the error."""
    return str(service_model(service).metadata["protocol"]) == "json"


def match(service: str, method: str, raw_path: str, target: str = "") -> Match | None:
    """Find the operation a request line, or X-Amz-Target, names; `raw_path` is still percent-encoded."""
    if by_target(service):
        model = service_model(service)
        prefix, _, name = target.rpartition(".")
        named = (method, raw_path, prefix) == ("POST", "/", model.metadata["targetPrefix"])
        return Match(service, model.operation_model(name), {}) if named and name in model.operation_names else None
    for route in _routes(service):
        if route.method != method:
            continue
        found = route.pattern.fullmatch(raw_path)
        if found is not None:
            labels = {_label(g): unquote(v) for g, v in found.groupdict().items()}
            return Match(service, route.operation, labels)
    return None


def unrouted(service: str, method: str, raw_path: str, target: str) -> ModelledError:
    """Return the refusal of a request that `match` finds no operation for."""
    if by_target(service):
        return ModelledError("UnknownOperationException", f"no operation of {service} is {target or '(no target)'}")
    return ModelledError("ResourceNotFoundException", f"no operation of {service} is {method} {unquote(raw_path)}")


def server_error(operation: OperationModel) -> str:
    """Return the service's own failure: what the operation declares with status 500, else the common one."""
    for shape in operation.error_shapes:
        if shape.metadata.get("error", {}).get("httpStatusCode") == 500 or shape.name == "InternalServiceError":
            return str(shape.name)
    wireless = operation.service_model.service_name == "iotwireless"
    return "InternalServerException" if wireless else "InternalFailureException"


def throttled(operation: OperationModel) -> str:
    """Return the name of the service's refusal of too many calls."""
    names = [shape.name for shape in operation.error_shapes]
    plain = "ThrottlingException" not in names and "TooManyRequestsException" in names
    return "TooManyRequestsException" if plain else "ThrottlingException"
