"""Words that the project no longer uses, searched for in code, docs, schemas and messages.

1. A retired name of a field, type or hold reason is in no file.
2. A package holds no more retired words than `MOST` allows; lower a number when you reword, and never raise one.
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
SUFFIXES = {".py", ".md", ".json", ".yaml", ".yml", ".toml"}
FOLDERS = ("bench", "controller", "docs", "infra", "rollouts", "schemas", "simulator", "tests")
NAMING = (Path(__file__), ROOT / "tests/support/retired_words.py")
MOST = {"controller/otactl/report": 24}


def files(folder: Path) -> list[Path]:
    """Lists the text files of a folder, without this one, which names what it searches for."""
    found = (p for p in sorted(folder.rglob("*")) if p.suffix in SUFFIXES and p not in NAMING)
    return [p for p in found if "__pycache__" not in p.parts]


def packages() -> list[Path]:
    """Lists the packages whose words are counted: those of otactl and of the simulator, and the program."""
    inside = [p for p in (ROOT / "controller/otactl").iterdir() if p.is_dir()]
    return sorted(p for p in [*inside, ROOT / "simulator", ROOT / "infra"] if p.name != "__pycache__")


def count(folder: Path) -> int:
    """Counts the retired words in the sources of a package."""
    return sum(len(RETIRED.findall(p.read_text())) for p in files(folder))


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_holds_a_retired_name(folder: str) -> None:
    # The changelog of names is docs/decisions; it tells what was renamed.
    texts = {p: p.read_text() for p in files(ROOT / folder) if "decisions" not in p.parts}

    found = {f"{p.relative_to(ROOT)}: {name}" for p, text in texts.items() for name in NAMES.findall(text)}

    assert found == set()


@pytest.mark.parametrize("package", packages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_package_holds_no_more_retired_words_than_before(package: Path) -> None:
    name = str(package.relative_to(ROOT))

    assert count(package) <= MOST.get(name, 0), f"reword {name}: CONTRIBUTING.md lists the words to use"


def test_only_packages_that_exist_may_hold_retired_words() -> None:
    assert set(MOST) <= {str(p.relative_to(ROOT)) for p in packages()}
