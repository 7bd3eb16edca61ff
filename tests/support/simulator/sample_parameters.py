"""Sample parameters for any operation, from its model: required members only, or all of them."""

from __future__ import annotations

from datetime import UTC, datetime

import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEPTH = 4
# Tried in order against a string's pattern and minimum; the last ones are what single patterns insist on.
WORDS = (
    "a",
    "1",
    "A",
    "aa:bb",
    "a/b",
    "1.0",
    "0" * 6,
    "0" * 8,
    "0" * 16,
    "0" * 32,
    "0" * 64,
    "00000000-0000-4000-8000-000000000001",
    "123456789012",
    "eu-west-1",
    "arn:aws:iot:eu-west-1:123456789012:thing/x",
    "arn:aws:acm:eu-west-1:123456789012:certificate/x",
    ",",
    "24h",
    "00-00-00-00-00-00-00-00",
    "https://ingestion-a.b.sfdcnow.com/streams/a/b/event",
)


def sample(shape: Shape | None, *, full: bool, depth: int = 0) -> object:
    """A value of a shape; structures nest to `DEPTH` levels when full."""
    if shape is None:
        return {}
    if isinstance(shape, StructureShape):
        return _structure(shape, full, depth)
    if isinstance(shape, ListShape):
        return [sample(shape.member, full=full, depth=depth + 1) for _ in range(max(1, shape.metadata.get("min", 1)))]
    if isinstance(shape, MapShape):
        key = sample(shape.key, full=full, depth=depth + 1)
        return {key: sample(shape.value, full=full, depth=depth + 1)}
    return _scalar(shape)


def _structure(shape: StructureShape, full: bool, depth: int) -> dict[str, object]:
    names = [n for n in shape.members if n in shape.required_members or (full and depth < DEPTH)]
    if shape.is_tagged_union:
        names = names[:1] or list(shape.members)[:1]
    return {name: sample(shape.members[name], full=full, depth=depth + 1) for name in names}


def _scalar(shape: Shape) -> object:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.serialization.get("jsonvalue"):
        return {"a": [1]}
    match shape.type_name:
        case "integer" | "long" | "float" | "double":
            number = 1 if low is None or low <= 1 else low
            number = number if high is None or number <= high else high
            return float(number) if shape.type_name in ("float", "double") else number
        case "boolean":
            return True
        case "timestamp":
            return MOMENT
        case "blob":
            return b"blob"
    if shape.metadata.get("enum"):
        return shape.metadata["enum"][0]
    pattern = shape.metadata.get("pattern", ".*")
    for word in WORDS:
        text = word * (low or 1) if len(word) == 1 else word
        if len(text) >= (low or 0) and regex.compile(pattern, regex.DOTALL).fullmatch(text):
            return text
    raise AssertionError(f"no sample word fits {shape.name}: {pattern}, at least {low}")
