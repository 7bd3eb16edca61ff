"""Judges manifests: damaged bytes of good ones, and documents drawn from the published JSON Schemas."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from otactl.manifest import schema
from tests.support.damaged_documents import damaged, json_values
from tests.support.fuzz.damage import damaged_bytes
from tests.support.fuzz.kind import BLOCK, Kind, drawn, must
from tests.support.fuzz.lists import problems_are_good
from tests.support.manifest_texts import GOOD, Read
from tests.support.paths import ROOT

PART = 25
"""Documents that Hypothesis draws from one seed."""
_EXAMPLES = [
    *(ROOT / "rollouts").glob("*.yaml"),
    *(ROOT / "rollouts").glob("*.json"),
    *(ROOT / "rollouts").glob("environments/*.yaml"),
]
CORPUS = (GOOD.encode(), *(path.read_bytes() for path in sorted(_EXAMPLES)))


def judge(data: bytes) -> str:
    """Judge one file: it is read into values that the schema takes, or each fault of it is reported with its place."""
    file = "m.json" if data[:1] == b"{" else "m.yaml"
    read = Read(data, file)
    problems_are_good([*read.errors, *read.warnings], file)
    for manifest in read.manifests:
        if manifest.value is None:
            must(read.errors or read.warnings, "a manifest was left out, and nothing reports it")
        elif manifest.kind == "Rollout" and not read.errors:
            must(schema.is_valid("rollout", manifest.document), "a rollout was read that the schema refuses")
            must(manifest.rollout is not None, "a rollout without a fault is none")
    return "refused" if read.errors else "read" if read.manifests else "empty"


def bytes_kind() -> Kind:
    """Return manifests with damaged bytes."""

    def draw(generator: random.Random) -> bytes:
        return damaged_bytes(generator, CORPUS)

    return Kind("manifest-bytes", "manifest, bytes", drawn("manifest-bytes", draw), judge)


def grammar_kind() -> Kind:
    """Return manifests that Hypothesis draws: from the schemas, and good ones with values replaced.

    Hypothesis also draws constants of the modules that are loaded, so a block has the same inputs only in processes
    that loaded the same.
    """

    def block(number: int) -> Iterator[bytes]:
        for part in range(BLOCK // PART):
            yield from _drawn(number * (BLOCK // PART) + part)

    return Kind("manifest-grammar", "manifest, by Hypothesis from the JSON Schemas", block, judge)


def _drawn(number: int) -> list[bytes]:
    found: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=PART,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(documents())
    def collect(document: object) -> None:
        found.append(json.dumps(document).encode())

    collect()
    return found[:PART]


@lru_cache(maxsize=1)
def documents() -> st.SearchStrategy[object]:
    """Return a strategy for whole manifests."""
    good = [yaml.safe_load(text) for text in CORPUS]
    rollouts = [d for d in good if d["kind"] == "Rollout"]
    whole = from_schema("rollout", schema.schema("rollout"), 0)
    return st.one_of(*(damaged(document) for document in good), whole, _grafted(rollouts))


@st.composite
def _grafted(draw: st.DrawFn, rollouts: list[Any]) -> object:
    """A good rollout with one block of its spec drawn from the schema."""
    whole = json.loads(json.dumps(draw(st.sampled_from(rollouts))))
    node: Any
    node, home = schema.resolve("#/properties/spec", "rollout")
    while "$ref" in node:
        node, home = schema.resolve(node["$ref"], home)
    key = draw(st.sampled_from(sorted(node["properties"])))
    whole["spec"][key] = draw(from_schema(home, node["properties"][key], 1))
    return whole


def from_schema(home: str, node: Any, depth: int) -> st.SearchStrategy[Any]:
    """Return a strategy for values that are near a schema: mostly its own, and not beyond eight levels."""
    while isinstance(node, dict) and "$ref" in node:
        node, home = schema.resolve(node["$ref"], home)
    if not isinstance(node, dict) or depth > 8:
        return json_values
    if "const" in node:
        return st.just(node["const"])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    for key in ("oneOf", "anyOf"):
        if key in node and "properties" not in node:
            return st.one_of(*(from_schema(home, each, depth + 1) for each in node[key]))
    if node.get("type") == "object" or "properties" in node:
        return st.deferred(lambda: _object(home, node, depth))
    if node.get("type") == "array":
        return st.deferred(lambda: st.lists(from_schema(home, node.get("items"), depth + 1), max_size=3))
    return _leaf(node)


def _object(home: str, node: Any, depth: int) -> st.SearchStrategy[Any]:
    fields = {name: from_schema(home, below, depth + 1) for name, below in node.get("properties", {}).items()}
    needed = {name: fields[name] for name in node.get("required", ()) if name in fields}
    return st.fixed_dictionaries(needed, optional={n: s for n, s in fields.items() if n not in needed})


def _leaf(node: Any) -> st.SearchStrategy[Any]:
    examples = st.sampled_from(node["examples"]) if node.get("examples") else st.nothing()
    kind = node.get("type")
    if kind == "integer":
        low, high = node.get("minimum", -(2**31)), node.get("maximum", 2**31)
        return examples | st.integers(int(low), int(high)) | st.integers()
    if kind == "number":
        return examples | st.floats(allow_nan=False, allow_infinity=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "string":
        return examples | st.text(max_size=12)
    return examples | json_values
