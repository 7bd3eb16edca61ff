"""The documents are true: every command in them is one that exists, every hold and setting is told."""

from __future__ import annotations

import re
import shlex

import pytest

from otactl.cli import VERBS, cli
from tests.support.paths import ROOT

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS_IN_ORDER = [
    (path.name, line.removeprefix("$ ").split("#")[0].strip())
    for path in DOCS
    for block in re.findall(r"```console\n(.*?)```", path.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
COMMANDS = sorted(set(COMMANDS_IN_ORDER))


def sources() -> str:
    return "\n".join(p.read_text() for p in sorted((ROOT / "controller").rglob("*.py")))


def test_the_documents_have_commands_to_check() -> None:
    assert len(COMMANDS) > 5


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_a_command_in_a_document_exists(document: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), document
        return
    if words[:2] == ["pulumi", "up"]:  # the engine is not to be had here; the stack it names runs in tests/infra
        assert (ROOT / f"Pulumi.{words[words.index('--stack') + 1]}.yaml").exists(), document
        return
    assert words[0] == "otactl", document
    group = cli
    context = cli.make_context("otactl", ["--help"], resilient_parsing=True)
    found = group.get_command(context, words[1])
    assert found is not None, document
    known = {o for p in found.params for o in p.opts}
    assert all(w.split("=")[0] in known for w in words[2:] if w.startswith("-")), command


def test_every_hold_is_told_with_what_to_do_next() -> None:
    told = (ROOT / "docs/rollout.md").read_text()
    holds = set(re.findall(r'(?:reason=|_stall\()"([a-z_]+)"', sources()))

    assert len(holds) > 15
    assert {h for h in holds if f"`{h}`" not in told} == set()


def test_every_reason_of_a_stalled_error_is_told() -> None:
    told = (ROOT / "docs/rollout.md").read_text()
    reasons = set(re.findall(r'StalledError\(\s*"([A-Za-z]+)"', sources()))

    assert len(reasons) > 5
    assert {r for r in reasons if f"`{r}`" not in told} == set()


def test_every_verb_is_in_a_document() -> None:
    text = "\n".join(p.read_text() for p in (*DOCS, ROOT / "CHANGELOG.md"))

    assert {v for v in VERBS if f"otactl {v}" not in text and f"`{v}`" not in text} == set()


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCS:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} -> {target}"
