"""Generates the JSON Schemas of outputs from the report values.

1. Descriptions, patterns, limits and examples stand on the field, in its annotation; an object's example is built from
   the examples of its fields.
2. Every field is required except those that a report adds only where a journal was read.
3. `python -m tests.support.output_schemas` writes the files; a test compares them with what it would write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from otactl.report.adoption import AdoptionReport
from otactl.report.airtime_values import AirtimeResult
from otactl.report.drift import Ledger
from otactl.report.evidence_check import Verification
from otactl.report.evidence_values import Evidence
from otactl.report.gate_values import GateReport
from otactl.report.history import History
from otactl.report.journals_used import Journals
from otactl.report.plan_values import PlanResult
from otactl.report.reconcile import RunResult
from otactl.report.rehearsal_values import RehearsalResult
from otactl.report.status_summary import StatusReport
from otactl.report.validation import Validation
from otactl.report.workers import WorkersStatus
from tests.support.paths import ROOT

Node = dict[str, Any]
REPORTS: dict[str, type[msgspec.Struct]] = {
    "adopt": AdoptionReport,
    "airtime": AirtimeResult,
    "drift": Ledger,
    "evidence": Evidence,
    "evidence-verify": Verification,
    "gate": GateReport,
    "history": History,
    "plan": PlanResult,
    "reconcile": RunResult,
    "rehearse": RehearsalResult,
    "status": StatusReport,
    "validate": Validation,
    "workers": WorkersStatus,
}
WITHOUT_JOURNAL = {"airtime", "evidence", "evidence-verify", "gate", "rehearse", "validate", "workers"}
TITLES = {
    "workers": "otactl workers status -o json",
    "evidence": "Predicate of the evidence of a rollout",
    "evidence-verify": "otactl evidence verify -o json",
}
FOLDER = ROOT / "schemas/v1"
_ANY: Node = {"$comment": "any JSON"}


def generated(name: str) -> Node:
    """Returns the schema of `otactl <name> -o json`."""
    (root, journals), named = msgspec.json.schema_components(
        (REPORTS[name], Journals), schema_hook=lambda _: dict(_ANY), ref_template="#/$defs/{name}"
    )
    definitions = {key: _node(key, node) for key, node in named.items()}
    whole = definitions.pop(root["$ref"].rpartition("/")[2])
    added = definitions.pop(journals["$ref"].rpartition("/")[2])
    if name not in WITHOUT_JOURNAL:
        whole["properties"] = {**added["properties"], **whole["properties"]}
    built = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://otactl.dev/schemas/v1/{name}.schema.json",
        **whole,
        "title": TITLES.get(name, f"otactl {name} -o json"),
    }
    if definitions:
        built["$defs"] = definitions
    _add_examples(built, built)
    return built


def text(name: str) -> str:
    """Returns a schema as its file holds it."""
    return json.dumps(generated(name), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Writes the schema of each report."""
    for name in REPORTS:
        Path(FOLDER / f"{name}.schema.json").write_text(text(name))


def title(name: str) -> str:
    """Returns a field's title: `closedAt` becomes "Closed at"."""
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name)
    return spaced.strip().capitalize()


def _node(name: str, node: Node) -> Node:
    """Normalises what msgspec gives for one struct or enum."""
    node = _simple({**node, "title": title(name)})
    if "description" in node:
        node["description"] = node["description"].split("\n\n")[0].replace("\n", " ")
    if "properties" in node:
        node["properties"] = {key: {"title": title(key), **_simple(value)} for key, value in node["properties"].items()}
        node["required"] = list(node["properties"])
        node["additionalProperties"] = False
    return node


def _simple(node: Node) -> Node:
    """Joins alternatives of plain types into one list of types, and leaves defaults out."""
    node = {key: value for key, value in node.items() if key != "default"}
    alternatives = node.get("anyOf", [])
    if {"type": "null"} in alternatives and len(alternatives) > len(("a value", "null")):
        del node["anyOf"]  # any JSON
    elif alternatives and all("$ref" not in a and "enum" not in a for a in alternatives):
        kinds = [a["type"] for a in alternatives]
        for alternative in node.pop("anyOf"):
            node |= {key: value for key, value in alternative.items() if key != "type"}
        node["type"] = kinds
    if node.get("additionalProperties") == _ANY:
        del node["additionalProperties"]
    if isinstance(node.get("items"), dict):
        node["items"] = _simple(node["items"])
    return node


def _example(node: Node, root: Node) -> object:
    """Returns an example of a node: its own first, or one built from its parts."""
    if node.get("examples"):
        return node["examples"][0]
    if "$ref" in node:
        return _example(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    if "enum" in node:
        return node["enum"][0]
    if "anyOf" in node:
        return _example(next(a for a in node["anyOf"] if a.get("type") != "null"), root)
    if "properties" in node:
        return {key: _example(node["properties"][key], root) for key in node["required"]}
    if node.get("type") == "array":
        return [_example(node["items"], root)]
    return {}


def _add_examples(node: Node, root: Node) -> None:
    """Adds an example to every object and property that has none."""
    for definition in root.get("$defs", {}).values():
        for value in definition.get("properties", {}).values():
            value.setdefault("examples", [_example(value, root)])
        definition.setdefault("examples", [_example(definition, root)])
    for value in node.get("properties", {}).values():
        value.setdefault("examples", [_example(value, root)])
    node.setdefault("examples", [_example(node, root)])


if __name__ == "__main__":
    write()
