"""The documents are true: commands exist, links and paths lead somewhere, every reason is in the reference."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from typing import get_args

import pytest

from otactl.cli import VERBS, cli
from otactl.errors import (
    BudgetSpentError,
    ConflictError,
    ManifestError,
    OtactlError,
    TransientError,
    UsageError,
    reason_of,
)
from otactl.model import Phase
from otactl.schedule.windows import Refusal
from tests.support.documented_commands import COMMANDS_IN_ORDER, DOCS
from tests.support.paths import ROOT

REFERENCE = ROOT / "docs/reference.md"
COMMANDS = sorted(set(COMMANDS_IN_ORDER))


def sources() -> str:
    return "\n".join(p.read_text() for p in sorted((ROOT / "controller").rglob("*.py")))


def calls_of(names: frozenset[str]) -> Iterator[ast.Call]:
    """Every call in the controller of a function or class with one of these names."""
    for path in sorted((ROOT / "controller").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
                yield node


def first_texts(names: frozenset[str]) -> set[str]:
    """The reasons among the literal first arguments of these calls, and their arguments `reason`."""
    arguments = [
        value
        for call in calls_of(names)
        for value in (*call.args[:1], *(k.value for k in call.keywords if k.arg == "reason"))
    ]
    texts = {a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return {text for text in texts if re.fullmatch(r"[A-Z][A-Za-z]+", text)}


def reasons_in_the_table(pattern: str) -> set[str]:
    rows = [line.split("|")[1] for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(pattern, row)}


def test_the_documents_have_commands_to_check() -> None:
    assert len(COMMANDS) > 5


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_a_command_in_a_document_exists(document: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), document
        return
    if words[:2] == ["pulumi", "up"]:  # the engine is not installed here; the stack it names runs in tests/infra
        assert (ROOT / f"Pulumi.{words[words.index('--stack') + 1]}.yaml").exists(), document
        return
    assert words[0] == "otactl", document
    group = cli
    context = cli.make_context("otactl", ["--help"], resilient_parsing=True)
    found = group.get_command(context, words[1])
    assert found is not None, document
    known = {o for p in found.params for o in p.opts} | {"--help"}
    assert all(w.split("=")[0] in known for w in words[2:] if w.startswith("-")), command


def test_every_hold_is_in_the_reference_with_what_to_do() -> None:
    holds = set(re.findall(r'(?:reason=|_stall\()"([a-z_]+)"', sources())) | set(get_args(Refusal))

    assert len(holds) > 60
    assert holds - reasons_in_the_table(r"`([a-z_]+)`") == set()


def test_every_hold_in_the_reference_is_one_of_the_code() -> None:
    in_code = set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', sources()))
    listed = reasons_in_the_table(r"`([a-z]+(?:_[a-z]+)+)`")

    assert len(listed) > 60
    assert listed - in_code == set()


def test_every_error_reason_is_in_the_reference_with_what_to_do() -> None:
    reasons = first_texts(frozenset({"StalledError", "RunError", "_refused"}))
    families: tuple[OtactlError, ...] = (
        ManifestError(()),
        ConflictError(""),
        TransientError(""),
        UsageError(""),
        BudgetSpentError(budget=1, limit=1, calls=1),
    )
    reasons |= {reason_of(error) for error in families} | {"JournalMissing"}

    assert len(reasons) > 30
    assert reasons - reasons_in_the_table(r"`([A-Z][A-Za-z]+)`") == set()


def test_every_error_reason_in_the_reference_is_one_of_the_code() -> None:
    code = sources()
    listed = reasons_in_the_table(r"`([A-Z][A-Za-z]+)`")

    assert len(listed) > 30
    assert {r for r in listed if f'"{r}' not in code} == set()


def test_every_phase_is_in_the_reference() -> None:
    text = REFERENCE.read_text()

    assert {p.value for p in Phase if f"| {p.value} |" not in text} == set()


def test_every_json_output_is_in_the_reference() -> None:
    text = REFERENCE.read_text()
    schemas = sorted((ROOT / "schemas/v1").glob("*.schema.json"))
    outputs = [s for s in schemas if json.loads(s.read_text())["title"].endswith("-o json")]

    assert len(outputs) > 5
    assert {s.name for s in outputs if f"`schemas/v1/{s.name}`" not in text} == set()


def test_every_verb_is_in_a_document() -> None:
    text = "\n".join(p.read_text() for p in (*DOCS, ROOT / "CHANGELOG.md"))

    assert {v for v in VERBS if f"otactl {v}" not in text and f"`{v}`" not in text} == set()


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} -> {target}"


def test_files_that_the_documents_name_exist() -> None:
    named = {
        (path.name, word)
        for path in DOCS
        for word in re.findall(r"`((?:controller|simulator|tests|schemas|infra|docs)/[\w./-]+)`", path.read_text())
    }

    assert len(named) > 10
    assert {(name, word) for name, word in named if not (ROOT / word).exists()} == set()
