"""The documents are true: commands exist, links and paths lead somewhere, every reason is in the reference."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from click import Group

from otactl.cli import VERBS, cli
from tests.support.documented_commands import COMMANDS_IN_ORDER, COMMANDS_OF_READERS, DOCS
from tests.support.paths import ROOT

REFERENCE = ROOT / "docs/reference.md"
COMMANDS = sorted(set(COMMANDS_IN_ORDER))


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
    must_be_known(document, words)


@pytest.mark.parametrize(("document", "command"), COMMANDS_OF_READERS)
def test_a_command_for_a_repository_of_the_reader_exists(document: str, command: str) -> None:
    must_be_known(document, shlex.split(command))


def must_be_known(document: str, words: list[str]) -> None:
    assert words[0] == "otactl", document
    context = cli.make_context("otactl", ["--help"], resilient_parsing=True)
    found = cli.get_command(context, words[1])
    assert found is not None, document
    rest = words[2:]
    while isinstance(found, Group):
        found = found.get_command(context, rest.pop(0))
        assert found is not None, document
    known = {o for p in found.params for o in p.opts} | {"--help"}
    assert all(w.split("=")[0] in known for w in rest if w.startswith("-")), words


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


def test_each_decision_has_a_number_of_its_own_and_its_heading_says_it() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers) > 10
    assert [page.read_text().split(":")[0] for page in pages] == [f"# {number}" for number in numbers]
