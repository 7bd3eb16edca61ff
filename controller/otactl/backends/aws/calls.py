"""Builds the calls that backends of AWS services share."""

from __future__ import annotations

from collections.abc import Callable

from otactl.backends.aws.tags import tag_list
from otactl.model import JsonObject
from otactl.model.actions import Call, MarkUnit

BuildCall = Callable[[str, str, JsonObject], Call]
"""Builds the call of an operation, by its key, its operation and its parameters."""


def calls_of(service: str) -> BuildCall:
    """Return what builds the calls of a service: repeatable ones, with the permission named after the operation."""

    def build(key: str, operation: str, parameters: JsonObject) -> Call:
        permission = f"{service}:{operation}"
        return Call(key=key, service=service, operation=operation, parameters=parameters, permission=permission)

    return build


def mark_calls(action: MarkUnit, tags: dict[str, str], build: BuildCall, *, capital: bool) -> tuple[Call, ...]:
    """Return the calls that set the tags of a unit and remove those it must not have.

    `capital` says that the service spells its parameters with a capital.
    """

    def spelled(name: str) -> str:
        return name[0].upper() + name[1:] if capital else name

    arn = {spelled("resourceArn"): action.arn}
    key = f"markUnit/{action.unit.unit_id}"
    calls = [build(key, "TagResource", {**arn, spelled("tags"): tag_list(tags)})]
    if action.remove:
        calls.append(build(f"{key}/remove", "UntagResource", {**arn, spelled("tagKeys"): list(action.remove)}))
    return tuple(calls)
