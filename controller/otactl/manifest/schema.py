"""Validates documents against the JSON Schemas: a fast yes or no, and the errors in full.

1. `jsonschema-rs` answers in microseconds whether a document is valid; only for an invalid one is `jsonschema`
   imported to say why. A test holds the two equal.
2. Patterns mean the same to both: `$` is the end of the text, not the place before a last line break.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from otactl.model import JsonObject
from otactl.package_data import schemas

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

API_VERSION = "otactl.dev/v1"
KINDS = ("Rollout", "Environment")
_BASE = "https://otactl.dev/schemas/v1/"  # a name only: the registry holds every schema, nothing is fetched
_SUFFIX = ".schema.json"


class _Fast(Protocol):
    def is_valid(self, instance: object) -> bool: ...


class Failure(NamedTuple):
    """One keyword a value does not satisfy, as JSON Schema sees it.

    `limit` is the keyword's own value; `in_names` says that `instance` is a field's name, not a value; `whole` that a
    branch of `anyOf` failed at its root, and `branch` which one; `context` are the failures of those branches.
    `examples` are those of the field itself, where it has its own beside a shared definition.
    """

    keyword: str
    limit: Any
    instance: Any
    schema: Mapping[str, Any]
    path: tuple[str | int, ...]
    message: str
    in_names: bool
    whole: bool
    branch: int
    context: list[Failure]
    examples: list[object]


def _folder() -> Path:
    return schemas() / "v1"


@cache
def schema(name: str) -> JsonObject:
    """Read one schema of v1 by its short name (`rollout`, `strategy`, `plan`, …)."""
    text = (_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    return cast("JsonObject", json.loads(text))


@cache
def names() -> tuple[str, ...]:
    """Name every schema of v1."""
    found = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def resolve(reference: str, home: str) -> tuple[JsonObject, str]:
    """Follow a `$ref` of schema `home`; return the target and the name of its schema."""
    file, _, fragment = reference.partition("#")
    name = file.removesuffix(_SUFFIX) or home
    here: object = schema(name)
    for part in fragment.split("/")[1:]:
        here = cast("JsonObject", here)[part]
    return cast("JsonObject", here), name


def is_valid(name: str, document: object) -> bool:
    """Return whether a document satisfies a schema."""
    return _fast(name).is_valid(document)


def failures(name: str, document: object) -> list[Failure]:
    """Return every failure of a document against a schema."""
    return [_failure(name, error) for error in _full(name).iter_errors(cast("Any", document))]


def _failure(name: str, error: ValidationError) -> Failure:
    route = list(error.schema_path)
    return Failure(
        keyword=str(error.validator),
        limit=error.validator_value,
        instance=error.instance,
        schema=error.schema if isinstance(error.schema, Mapping) else {},
        path=tuple(error.absolute_path),
        message=error.message,
        in_names="propertyNames" in route[-2:] and isinstance(error.instance, str),
        whole=not error.relative_path,
        branch=int(route[0]) if error.parent is not None else 0,
        context=[_failure(name, child) for child in error.context or ()],
        examples=_examples(name, list(error.absolute_schema_path)),
    )


def _examples(name: str, route: list[str | int]) -> list[object]:
    """Walk to the keyword that failed; of a field with a shared definition its own examples win."""
    node: Any = schema(name)
    home = name
    found: list[object] = []
    for step in route[:-1]:
        node = node[step]
        found = list(node.get("examples", [])) if isinstance(node, dict) else []
        while isinstance(node, dict) and "$ref" in node:  # jsonschema leaves references out of the route
            node, home = resolve(node["$ref"], home)
            found = found or list(node.get("examples", []))
    return found


@cache
def _fast(name: str) -> _Fast:
    import jsonschema_rs

    registry = jsonschema_rs.Registry([(f"{_BASE}{other}{_SUFFIX}", schema(other)) for other in names()])
    wanted = {"$ref": f"{_BASE}{name}{_SUFFIX}"}
    return cast("_Fast", jsonschema_rs.Draft202012Validator(wanted, registry=registry))


@cache
def _full(name: str) -> Validator:
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    # Without `$schema`: where it stands in a referenced file, jsonschema continues with its own class and its own `$`.
    plain = {other: {key: value for key, value in schema(other).items() if key != "$schema"} for other in names()}
    known = [(f"{_BASE}{other}{_SUFFIX}", DRAFT202012.create_resource(plain[other])) for other in names()]
    registry: Registry[Any] = Registry().with_resources(known)
    strict = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # the stub gives it no types
    return cast("Validator", strict({"$ref": f"{_BASE}{name}{_SUFFIX}"}, registry=registry))


def _pattern(_validator: object, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$(?=\)?$)", r"\\Z", pattern), re.ASCII)
