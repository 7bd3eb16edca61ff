"""The schemas themselves: every field explained, every example true, and two validators of one mind."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from otactl.backends.fuota.config import FuotaConfig
from otactl.lorawan.regions import REGION_NAMES
from otactl.manifest import schema
from otactl.model import Environment, JsonObject, Reason, Rollout
from tests.support.damaged_documents import DOCUMENT, damaged

ENVIRONMENT: JsonObject = {
    "apiVersion": "otactl.dev/v1",
    "kind": "Environment",
    "metadata": {"name": "prod-eu"},
    "spec": {"owner": "acme", "account": "123456789012", "region": "eu-west-1"},
}


def fields(node: object, home: str, where: str) -> Iterator[tuple[str, JsonObject, str]]:
    """Every field of a schema file: `properties` and the values of open mappings, references followed."""
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from fields(each, home, f"{where}/{index}")
    if not isinstance(node, dict):
        return
    for name, below in node.items():
        if name == "properties" and isinstance(below, dict):
            for field, described in below.items():
                yield f"{where}.{field}", described, home
        if name not in ("examples", "default", "enum", "const"):
            yield from fields(below, home, f"{where}.{name}" if name != "properties" else where)


ALL = [each for name in schema.names() for each in fields(schema.schema(name), name, name)]


def merged(node: JsonObject, home: str) -> tuple[JsonObject, str]:
    while isinstance(node.get("$ref"), str):
        target, home = schema.resolve(str(node["$ref"]), home)
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node, home


@pytest.mark.parametrize(("where", "node", "home"), ALL, ids=[where for where, _, _ in ALL])
def test_the_field_has_a_title_a_description_and_examples(where: str, node: JsonObject, home: str) -> None:
    described, _ = merged(node, home)
    assert described.get("title"), where
    assert str(described.get("description", "")).strip(), where
    assert described.get("examples"), where


MANIFEST_FIELDS = [
    each
    for each in ALL
    if each[2] in ("fuota", "otaUpdate", "otaFile", "tuya", "targets", "strategy", "environment", "common")
]


@pytest.mark.parametrize(("where", "node", "home"), MANIFEST_FIELDS, ids=[where for where, _, _ in MANIFEST_FIELDS])
def test_a_leaf_fields_examples_satisfy_it(where: str, node: JsonObject, home: str) -> None:
    described, _ = merged(node, home)
    if described.get("type") in ("string", "integer", "number", "boolean") or "enum" in described:
        alone = {key: value for key, value in described.items() if key != "$ref"}
        for example in described["examples"]:
            Draft202012Validator(alone).validate(example)


@pytest.mark.parametrize("name", schema.names())
def test_the_file_is_a_valid_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema.schema(name))


@pytest.mark.parametrize("name", schema.names())
def test_the_file_has_its_stable_id(name: str) -> None:
    assert schema.schema(name)["$id"] == f"https://otactl.dev/schemas/v1/{name}.schema.json"


@pytest.mark.parametrize("name", [name for name in schema.names() if name != "common"])
def test_every_mapping_names_its_fields_and_takes_no_other(name: str) -> None:
    def closed(node: object) -> None:
        if isinstance(node, list):
            for each in node:
                closed(each)
        if isinstance(node, dict):
            if isinstance(node.get("properties"), dict) and "type" in node:
                assert "additionalProperties" in node, node.get("title")
            for each in node.values():
                closed(each)

    closed(schema.schema(name))


def test_the_regions_are_those_the_air_planner_knows() -> None:
    assert schema.schema("fuota")["properties"]["rfRegion"]["enum"] == list(REGION_NAMES)


def test_the_reasons_are_those_of_the_model() -> None:
    assert schema.resolve("#/$defs/reason", "common")[0]["enum"] == [reason.value for reason in Reason]


@pytest.mark.parametrize(
    ("block", "name", "value"),
    [("spec", "rollout", Rollout), ("spec", "environment", Environment), ("", "fuota", FuotaConfig)],
)
def test_the_model_has_every_field_of_the_schema(block: str, name: str, value: type) -> None:
    found = schema.resolve("#/$defs/spec", name)[0] if name == "rollout" else schema.schema(name)
    if name == "environment":
        found = found["properties"]["spec"]
    known = set(value.__struct_encode_fields__) | {"fuota", "otaUpdate", "tuya"}
    assert set(found["properties"]) <= known


@settings(deadline=None)
@given(damaged(DOCUMENT))
def test_both_validators_agree_on_any_rollout(document: object) -> None:
    assert schema.is_valid("rollout", document) == (not schema.failures("rollout", document)), json.dumps(document)


@settings(deadline=None)
@given(damaged(ENVIRONMENT))
def test_both_validators_agree_on_any_environment(document: object) -> None:
    assert schema.is_valid("environment", document) == (not schema.failures("environment", document)), json.dumps(
        document
    )


@pytest.mark.parametrize("value", ["EU868\n", "2.4.1\n", "\u0661" * 64, "arn:aws:iam::123456789012:role/x\n"])
def test_a_pattern_ends_where_the_text_ends(value: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    for block, field in (("firmware", "version"), ("firmware", "sha256"), ("fuota", "role"), ("fuota", "rfRegion")):
        changed = copy.deepcopy(document)
        changed["spec"][block][field] = value
        assert not schema.is_valid("rollout", changed)
        assert schema.failures("rollout", changed)
