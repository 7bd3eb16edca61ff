"""Each row of the threat model names tests that exist."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs/security.md").read_text()
TABLE = PAGE.partition("| Threat |")[2].partition("\n\n")[0].splitlines()[2:]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TABLE if not line.startswith("| **")]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@cache
def named_tests(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_the_page_has_a_threat_model() -> None:
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_a_threat_has_an_answer_and_tests_that_exist(row: list[str]) -> None:
    threat, answer, named = row

    assert threat
    assert answer
    assert NAMED.sub("", named).strip() == ""
    found = NAMED.findall(named)
    assert found
    assert [f"{path}::{test}" for path, test in found if test and test not in named_tests(path)] == []
    assert [
        path for path, test in found if not test and not any(t.startswith("test_") for t in named_tests(path))
    ] == []


def test_the_rules_of_bandit_are_on_for_all_code_that_ships() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    shipped = {pattern for pattern in lint["per-file-ignores"] if not pattern.startswith(("tests/", "bench/"))}

    assert "S" in lint["select"]
    assert [rule for rule in lint["ignore"] if re.fullmatch(r"S\d*", rule)] == []
    assert [r for pattern in shipped for r in lint["per-file-ignores"][pattern] if re.fullmatch(r"S\d*", r)] == []
