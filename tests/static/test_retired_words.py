"""Words that the project no longer uses, searched for in code, docs, schemas and messages.

1. A retired name of a field, type or hold reason is in no file.
2. No file holds a retired word, in prose or in a name.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.retired_words import RETIRED

NAMES = re.compile(
    r"\b(reads_are_behind|version_would_go_back|devices_are_waited_for|retry_waits|old_content_is_on_air"
    r"|unit_could_not_be_made|drift_is_only_reported|stood_on|broken_at|touched_at|JUDGED|CLEANED)\b"
)
SUFFIXES = {".py", ".md", ".json", ".yaml", ".yml", ".toml", ".svg"}
FOLDERS = ("bench", "controller", "docs", "infra", "rollouts", "schemas", "simulator", "tests")
NAMING = (Path(__file__), ROOT / "tests/support/retired_words.py")


def files(folder: Path) -> list[Path]:
    """Lists the text files of a folder, without this one, which names what it searches for."""
    found = (p for p in sorted(folder.rglob("*")) if p.suffix in SUFFIXES and p not in NAMING)
    return [p for p in found if "__pycache__" not in p.parts]


def retired(paths: list[Path]) -> list[str]:
    """Lists each retired word with its file and line; the table of CONTRIBUTING.md that names them does not count."""
    texts = {p: p.read_text().split("| Retired |")[0] for p in paths}
    return [
        f"{p.relative_to(ROOT)}:{number}: {found[0]}"
        for p, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        for found in RETIRED.finditer(line)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_holds_a_retired_name(folder: str) -> None:
    # The changelog of names is docs/decisions; it tells what was renamed.
    texts = {p: p.read_text() for p in files(ROOT / folder) if "decisions" not in p.parts}

    found = {f"{p.relative_to(ROOT)}: {name}" for p, text in texts.items() for name in NAMES.findall(text)}

    assert found == set()


@pytest.mark.parametrize("folder", [*FOLDERS, ".github"])
def test_no_file_holds_a_retired_word(folder: str) -> None:
    assert retired(files(ROOT / folder)) == []


def test_no_page_at_the_root_holds_a_retired_word() -> None:
    pages = [p for p in sorted(ROOT.iterdir()) if p.suffix in SUFFIXES or p.name == "Makefile"]

    assert retired([p for p in pages if p.name != "CHANGELOG.md"]) == []  # its merges keep the lines of both sides


@pytest.mark.parametrize("line", ["the rung", "Nobody knows", "def test_a_unit_is_told(", "begun = 1", "SIBLINGS"])
def test_a_retired_word_is_found_in_prose_and_in_names(line: str) -> None:
    assert RETIRED.search(line) is not None


@pytest.mark.parametrize("line", ["wrong", "grungy", "amendment", "bungalow", "stole", "untold"])
def test_a_word_that_only_contains_a_retired_one_is_allowed(line: str) -> None:
    assert RETIRED.search(line) is None
