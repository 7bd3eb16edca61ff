"""Prints help on manifest fields from the schemas: purpose, values, children.

A field is named by its path (`spec.strategy.gate`); lists are entered without an index, and a path may start
with its kind (`Environment.spec.region`). Without one, rollouts are checked first.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import NamedTuple, cast

from otactl.manifest import schema
from otactl.manifest.phrases import printable, quoted, type_names
from otactl.model import JsonObject

_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "multipleOf": "multiple of {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} entries",
    "maxLength": "at most {} characters",
    "const": "always {}",
    "patternErrorMessage": "{}",
    "default": "{} if left out",
}


class Field(NamedTuple):
    """Help on one field; `fields` are those inside it, each with its title and whether it must be there."""

    kind: str
    path: str
    title: str
    description: str
    type: str
    rules: tuple[str, ...]
    examples: tuple[str, ...]
    fields: tuple[tuple[str, str, bool], ...]


class _Node(NamedTuple):
    """A schema with its `$ref` followed, and the file it is in."""

    schema: JsonObject
    home: str


def find_field(path: str) -> Field | None:
    """Find the help on a field; None if there is no such field."""
    wanted = re.sub(r"\[[0-9]*\]", "", path).strip(".")
    kinds: tuple[str, ...] = schema.KINDS
    first, _, rest = wanted.partition(".")
    if first in kinds:
        kinds, wanted = (first,), rest
    for kind in kinds:
        nodes = [_follow(schema.schema(kind.lower()), kind.lower())]
        for part in wanted.split(".") if wanted else []:
            nodes = [below for node in nodes for below in _step(node, part)]
        if nodes:
            return _describe(kind, wanted, nodes)
    return None


def example_of(kind: str, path: tuple[str | int, ...]) -> object:
    """Return a field's first example, to replace a wrong value; None if it has none of its own."""
    nodes = [_follow(schema.schema(kind.lower()), kind.lower())]
    for part in path:
        if isinstance(part, str):
            nodes = [below for node in nodes for below in _step(node, part)]
    examples = nodes[0].schema.get("examples") if nodes else None
    return examples[0] if isinstance(examples, list) and examples else None


def similar_fields(path: str) -> list[str]:
    """Name the fields that may have been meant, likeliest first; at most three."""
    wanted = path.lower()
    known = list(dict.fromkeys(name for kind in schema.KINDS for name in field_paths(kind)))
    same_end = [name for name in known if name.lower().split(".")[-1] == wanted.split(".")[-1]]
    close = difflib.get_close_matches(wanted, [name.lower() for name in known], n=3, cutoff=0.6)
    spelled = {name.lower(): name for name in reversed(known)}
    ends = [name for name in known if difflib.SequenceMatcher(None, name.lower().split(".")[-1], wanted).ratio() > 0.8]
    return list(dict.fromkeys([*same_end, *(spelled[name] for name in close), *ends]))[:3]


def field_paths(kind: str) -> Iterator[str]:
    """Name every field of a kind, by path, in the order of the schema."""
    yield from _paths(_follow(schema.schema(kind.lower()), kind.lower()), "")


def _paths(node: _Node, prefix: str) -> Iterator[str]:
    for each in _shapes(node):
        properties = each.schema.get("properties")
        for name, below in properties.items() if isinstance(properties, dict) else ():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from _paths(_follow(below, each.home), path)


def _follow(node: JsonObject, home: str) -> _Node:
    """Follow a `$ref`; its neighbours (title, description) win over what it leads to."""
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return _Node(node, home)
    target, where = schema.resolve(reference, home)
    followed = _follow(target, where)
    return _Node({**followed.schema, **{key: value for key, value in node.items() if key != "$ref"}}, followed.home)


def _shapes(node: _Node) -> Iterator[_Node]:
    """Yield every shape a value may have: the branches of `anyOf`, the entries of a list."""
    yield node
    branches = node.schema.get("anyOf")
    for branch in branches if isinstance(branches, list) else []:
        yield from _shapes(_follow(branch, node.home))
    items = node.schema.get("items")
    if isinstance(items, dict):
        yield from _shapes(_follow(items, node.home))


def _step(node: _Node, part: str) -> Iterator[_Node]:
    for each in _shapes(node):
        properties = each.schema.get("properties")
        others = each.schema.get("additionalProperties")
        if isinstance(properties, dict) and part in properties:
            yield _follow(properties[part], each.home)
        elif isinstance(others, dict):
            yield _follow(others, each.home)


def _describe(kind: str, path: str, nodes: list[_Node]) -> Field:
    first = nodes[0].schema
    inside: dict[str, tuple[str, str, bool]] = {}
    for node in nodes:
        for shape in _shapes(node):
            properties = shape.schema.get("properties")
            needed = cast("list[str]", shape.schema.get("required", []))
            for name, below in properties.items() if isinstance(properties, dict) else ():
                title = str(_follow(below, shape.home).schema.get("title", ""))
                inside.setdefault(name, (name, title, name in needed))
    return Field(
        kind=kind,
        path=path,
        title=str(first.get("title", "")),
        description=str(first.get("description", "")),
        type=_type(nodes[0]),
        rules=tuple(_rules(first)),
        examples=tuple(
            printable(json.dumps(value, ensure_ascii=False))
            for value in cast("list[object]", first.get("examples", []))
        ),
        fields=tuple(inside.values()),
    )


def _type(node: _Node) -> str:
    types = node.schema.get("type")
    if isinstance(types, str):
        return type_names([types])
    if isinstance(types, list):
        return type_names([str(each) for each in types])
    branches = node.schema.get("anyOf")
    if isinstance(branches, list):
        return type_names([str(_follow(branch, node.home).schema["type"]) for branch in branches])
    return "text"


def _rules(first: JsonObject) -> Iterator[str]:
    allowed = first.get("enum")
    if isinstance(allowed, list):
        yield f"one of {', '.join(str(value) for value in allowed)}"
    for keyword, words in _LIMITS.items():
        if keyword in first:
            value = first[keyword]
            yield words.format(
                value if isinstance(value, str | int | float) and not isinstance(value, bool) else quoted(value)
            )
