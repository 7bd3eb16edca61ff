"""Tests that inputs are looked for by the coverage of the code, and that one that breaks a rule is kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.fuzz import by_coverage

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(bool(by_coverage.missing()), reason=by_coverage.missing()),
]
PLANTED = """
from tests.support.fuzz import by_coverage_process
from tests.support.fuzz.kind import Kind, must

def kind_of(name, _files):
    return Kind(name, "", lambda _block: iter([b"a"]), lambda data: str(must(b"k" not in data, "a guess")))

by_coverage_process.kind_of = kind_of
by_coverage_process.main(__import__("sys").argv[1:])
"""


# Journals in SQLite are left to `make fuzz`: their process grew to 1 GiB once, why is not known (docs/reliability.md).
@pytest.mark.parametrize("name", ["manifest-bytes", "csv", "outputs"])
def test_an_input_that_reaches_other_code_is_read_or_refused(tmp_path: Path, name: str) -> None:
    found = by_coverage.run(name, tmp_path, 400, seed=1)

    assert found.failures == []
    assert found.inputs == 400
    assert found.places > 50
    assert found.kept > 1


def test_an_input_that_breaks_a_rule_is_kept_and_reported(tmp_path: Path) -> None:
    found = by_coverage.run("planted", tmp_path, 100_000, (sys.executable, "-c", PLANTED), seed=1)

    (failed,) = (tmp_path / "failing").iterdir()
    assert b"k" in failed.read_bytes()
    assert found.failures == [f"{failed.name}: BrokenRuleError: a guess"]


def test_a_process_that_ends_otherwise_is_a_failure(tmp_path: Path) -> None:
    found = by_coverage.run("planted", tmp_path, 1, (sys.executable, "-c", "raise SystemExit('no such kind')"))

    assert found.failures == ["it ended with code 1: no such kind\n"]
