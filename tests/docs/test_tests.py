"""Rules of the test folder, read from its sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.sampling import FULL, WHOLE_SUITE, examples, left_out

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


class Case:
    """Stands for a collected test: a node id and at most one marker."""

    def __init__(self, nodeid: str, marker: pytest.Mark | None = None) -> None:
        self.nodeid = nodeid
        self._marker = marker

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return self._marker if self._marker is not None and self._marker.name == name else None


CASES = [Case(f"a.py::test_some[{n}]", pytest.mark.sampled(3).mark) for n in range(7)]
CASES += [Case("a.py::test_long", pytest.mark.thorough.mark), Case("a.py::test_short")]


def test_a_run_leaves_out_a_part_of_the_cases_that_are_expensive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FULL, raising=False)
    out = left_out(CASES)

    assert [case.nodeid[6:] for case in CASES if case not in out] == [
        "test_some[0]",
        "test_some[3]",
        "test_some[6]",
        "test_short",
    ]
    assert (examples(400), examples(8)) == (100, 5)


def test_a_run_of_the_whole_suite_takes_every_second_test_of_files_that_are_no_unit_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(FULL, raising=False)
    slow = [Case(f"tests/scenarios/a.py::test_{n}") for n in range(5)]
    units = [Case(f"tests/unit/a.py::test_{n}") for n in range(WHOLE_SUITE)]

    assert [case.nodeid[-6:] for case in left_out([*slow, *units])] == ["test_1", "test_3"]
    assert left_out(slow) == []


def test_a_full_run_leaves_out_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FULL, "1")

    assert left_out(CASES) == []
    assert examples(400) == 400


def test_make_check_runs_every_case() -> None:
    runs = [line for line in Path(ROOT, "Makefile").read_text().splitlines() if "OTACTL_TEST_NO_SKIP=1" in line]

    assert runs
    assert all(f"{FULL}=1" in line for line in runs)
