"""Checks what the service checks and the SDK does not: required, types, minima, maxima, enums, patterns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "blob": (bytes,),
}


@cache
def _pattern(text: str) -> regex.Pattern[str]:
    r"""Compile a Java pattern of AWS's models; `regex` reads those that `re` cannot, such as `\p{Graph}`."""
    return regex.compile(text)


def problems(shape: Shape | None, value: object, path: str = "") -> Iterator[str]:
    """Yield every violated rule, in the model's order, each naming its member and its rule."""
    if shape is None:
        return
    if isinstance(shape, StructureShape):
        yield from _structure(shape, value, path)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"{path} must be a list"
            return
        yield from _range(shape, len(value), path, "entries")
        for index, item in enumerate(value):
            yield from problems(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{path} must be a map"
            return
        yield from _range(shape, len(value), path, "entries")
        for key, item in value.items():
            yield from problems(shape.key, key, f"{path} key")
            yield from problems(shape.value, item, f"{path}.{key}")
    else:
        yield from _scalar(shape, value, path)


def _structure(shape: StructureShape, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} must be a structure"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{_join(path, name)} is required"
    for name, item in value.items():
        if name not in shape.members:
            yield f"{_join(path, name)} is unknown"
        else:
            yield from problems(shape.members[name], item, _join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _scalar(shape: Shape, value: object, path: str) -> Iterator[str]:
    if shape.serialization.get("jsonvalue"):
        return
    wanted = _TYPES.get(shape.type_name)
    if wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
        yield f"{path} must be a {shape.type_name}"
        return
    if isinstance(value, str | bytes):
        yield from _range(shape, len(value), path, "characters" if isinstance(value, str) else "bytes")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _range(shape, value, path, "")
    if not isinstance(value, str):
        return
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        yield f"{path} must be one of {', '.join(enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern and _pattern(pattern).fullmatch(value) is None:
        yield f"{path} must match {pattern}"


def _range(shape: Shape, size: float, path: str, unit: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield f"{path} must be at least {low} {unit}".rstrip()
    if high is not None and size > high:
        yield f"{path} must be at most {high} {unit}".rstrip()
