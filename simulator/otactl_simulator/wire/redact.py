"""Hides in the request log every member that its model calls sensitive."""

from __future__ import annotations

from botocore.model import ListShape, MapShape, Shape, StructureShape

COVER = "***"


def redacted(shape: Shape | None, value: object) -> object:
    """Return a parsed value with `***` for each sensitive member."""
    if shape is not None and shape.metadata.get("sensitive"):
        return COVER
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {name: redacted(shape.members.get(name), item) for name, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [redacted(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: redacted(shape.value, item) for name, item in value.items()}
    return value
