"""Public functions at the edges say which errors they raise to their callers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

EDGES = ("backends", "cli", "journal", "manifest")
SAYS = re.compile(r"\braises?\b|\b\w+Error\b", re.IGNORECASE)
OF_PROGRAMMERS = {"TypeError"}
"""Errors that only a wrong call in the code itself causes."""
CONTROL = {"Exit"}
"""What ends a verb with its exit code, and is no error."""


def raised(function: ast.FunctionDef) -> set[str]:
    """The names of what a function raises itself, without what functions inside it raise."""
    found: set[str] = set()
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Raise) and node.exc is not None:
            raising = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(raising, ast.Name):
                found.add(raising.id)
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            left += ast.iter_child_nodes(node)
    return found - OF_PROGRAMMERS - CONTROL


def functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """Public functions, and public methods of public classes; a verb's own text is its help."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.ClassDef) and not inner.name.startswith("_"):
            yield from functions(inner)
        elif isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_") and not _is_verb(inner):
            yield inner


def _is_verb(function: ast.FunctionDef) -> bool:
    return any("command" in ast.unparse(each) or "group" in ast.unparse(each) for each in function.decorator_list)


def silent(text: str) -> list[str]:
    """The public functions of a source that raise and do not say so."""
    return [
        function.name
        for function in functions(ast.parse(text))
        if raised(function) and not SAYS.search(ast.get_docstring(function) or "")
    ]


@pytest.mark.parametrize("package", EDGES)
def test_a_public_function_that_raises_says_so(package: str) -> None:
    sources = sorted((ROOT / "controller/otactl" / package).rglob("*.py"))

    assert [f"{path.name}: {name}" for path in sources for name in silent(path.read_text())] == []


def test_a_function_that_raises_without_a_word_is_found() -> None:
    body = "    if name:\n        raise UsageError(name)\n"

    assert silent(f'def load(name):\n    """Load it."""\n{body}') == ["load"]
    assert silent(f'def load(name):\n    """Load it; raises UsageError for a name."""\n{body}') == []
