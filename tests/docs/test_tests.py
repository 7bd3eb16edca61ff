"""Rules of the test folder, read from its sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.support.paths import ROOT

TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))


def imported_test_modules(source: str) -> Iterator[str]:
    """Yields the test modules that a source imports, whole or in part."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if any(part.startswith("test_") for part in name.split(".")))


def test_no_file_imports_a_test_module() -> None:
    found = [f"{p.relative_to(ROOT)}: {name}" for p in TEST_FILES for name in imported_test_modules(p.read_text())]

    assert found == [], "move what two files share to tests/support"


def test_imports_of_test_modules_are_recognised_in_each_form() -> None:
    source = "import tests.unit.test_a\nfrom tests.unit.test_b import x\nfrom tests.unit import test_c as c\n"

    assert list(imported_test_modules(source)) == ["tests.unit.test_a", "tests.unit.test_b.x", "tests.unit.test_c"]
