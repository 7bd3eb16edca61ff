"""Reads what a resource takes from the classes of the installed `pulumi_aws`: names, nesting, what is required."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi import _types

Schema = Mapping[str, Any]
"""`properties`: nested schemas by Pulumi's names, None for a plain value; `required`: the names without a default."""


def write(tokens: typing.Iterable[str], file: Path) -> None:
    """Write the schemas of some resources and of the provider's own configuration, which cost seconds to import."""
    found = {token: of_class(_arguments(token)) for token in tokens}
    provider = importlib.import_module("pulumi_aws.provider")
    file.write_text(json.dumps({**found, "pulumi:providers:aws": of_class(provider.ProviderArgs)}))


def _arguments(token: str) -> type:
    """Return the class that a resource's arguments have: `FooInitArgs` where a nested type has the name `FooArgs`."""
    _, path, kind = token.split(":")
    package, name = path.split("/")
    module = importlib.import_module(f"pulumi_aws.{package}.{_snake(name)}")
    found: type = getattr(module, f"{kind}InitArgs", None) or getattr(module, f"{kind}Args")
    return found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def of_class(kind: type) -> dict[str, Any]:
    """Return the schema of a class of arguments."""
    names = _types.input_type_py_to_pulumi_names(kind)
    hints = _types.input_type_types(kind)
    parameters = list(inspect.signature(kind).parameters.values())
    properties: dict[str, Any] = {}
    for python_name, name in names.items():
        nested = _nested(hints.get(python_name, hints.get(name)))
        properties[name] = of_class(nested) if nested is not None else None
    required = [names[p.name] for p in parameters if p.default is inspect.Parameter.empty and p.name in names]
    return {"properties": properties, "required": required}


def _nested(hint: Any) -> type | None:
    """Return the class of arguments inside a type such as Optional[Sequence[Input[FooArgs]]]."""
    if isinstance(hint, type) and _types.is_input_type(hint):
        return hint
    for inner in typing.get_args(hint):
        if isinstance(inner, (type, typing._GenericAlias, typing._UnionGenericAlias)) or typing.get_args(inner):  # type: ignore[attr-defined]
            found = _nested(inner)
            if found is not None:
                return found
    return None


def failures(schema: Schema, given: Mapping[str, Any], at: str = "") -> list[tuple[str, str]]:
    """Return what is wrong with properties, as (path, reason): unknown names, and required ones that are missing."""
    found = [(f"{at}{name}", "Missing required argument") for name in schema["required"] if given.get(name) is None]
    for name, value in given.items():
        if name.startswith("__"):
            continue  # Pulumi's own, such as __defaults
        if name not in schema["properties"]:
            found.append((f"{at}{name}", "Invalid or unknown key"))
            continue
        nested = schema["properties"][name]
        for number, one in enumerate(value if isinstance(value, list) else [value]):
            if nested is not None and isinstance(one, Mapping):
                place = f"{at}{name}[{number}]." if isinstance(value, list) else f"{at}{name}."
                found += failures(nested, one, place)
    return found
