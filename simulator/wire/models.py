"""botocore's service models, and which operation a request line names.

A request belongs to the service its signature is scoped to; within it, the route with the most literal text wins, so
`/fuota-tasks/{Id}/multicast-group` is never taken for `/fuota-tasks/{Id}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

import botocore.loaders
from botocore.model import OperationModel, ServiceModel

SERVICES = ("iotwireless", "iot", "iot-data", "iot-jobs-data", "signer")
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
    """A service's model as botocore ships it."""
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


def match(service: str, method: str, raw_path: str) -> Match | None:
    """Find the operation a request line names; `raw_path` is still percent-encoded."""
    for route in _routes(service):
        if route.method != method:
            continue
        found = route.pattern.fullmatch(raw_path)
        if found is not None:
            labels = {_label(g): unquote(v) for g, v in found.groupdict().items()}
            return Match(service, route.operation, labels)
    return None


def server_error(operation: OperationModel) -> str:
    """The name of the service's own failure: what the operation declares with status 500, else the common one."""
    for shape in operation.error_shapes:
        if shape.metadata.get("error", {}).get("httpStatusCode") == 500:
            return str(shape.name)
    wireless = operation.service_model.service_name == "iotwireless"
    return "InternalServerException" if wireless else "InternalFailureException"


def throttled(operation: OperationModel) -> str:
    """The name of the service's refusal of too many calls."""
    names = [shape.name for shape in operation.error_shapes]
    plain = "ThrottlingException" not in names and "TooManyRequestsException" in names
    return "TooManyRequestsException" if plain else "ThrottlingException"
