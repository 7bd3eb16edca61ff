"""Every code that the sources report is explained, every explanation is of a code, and the pages show the same text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from otactl.cli import VERBS
from otactl.explanations import PAGES, page
from tests.support import codes
from tests.support.reference_pages import FOLDER, text

KINDS: dict[str, tuple[Callable[[], set[str]], tuple[str, ...], int]] = {
    "holds": (codes.holds, ("holds",), 60),
    "errors": (codes.errors, ("errors",), 40),
    "problems": (codes.problems, ("manifest", "airtime", "journal"), 180),
    "conditions": (codes.conditions, ("conditions",), 12),
    "failures": (codes.failures, ("failures",), 18),
    "adoption": (codes.adoption, ("adoption",), 17),
}


def explained(pages: tuple[str, ...]) -> set[str]:
    return {code for name in pages for code in page(name).codes}


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_in_the_sources_is_explained(kind: str) -> None:
    find, pages, least = KINDS[kind]
    found = find()

    assert len(found) >= least
    assert sorted(found - explained(pages)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_explained_code_is_in_the_sources(kind: str) -> None:
    find, pages, _ = KINDS[kind]

    assert sorted(explained(pages) - find()) == []


def test_each_failure_reason_of_a_backend_is_explained() -> None:
    assert codes.reported_by_backends() - explained(("failures",)) == set()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_the_text_of_explain(name: str) -> None:
    assert (FOLDER / f"{name}.md").read_text() == text(name), "run `make docs`"


def test_the_reference_has_no_page_besides() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {*PAGES, "metrics"}


@pytest.mark.parametrize("name", PAGES)
def test_each_part_of_an_explanation_is_made_of_whole_sentences(name: str) -> None:
    parts = [(code, part) for code, each in page(name).codes.items() for part in (each.means, each.why, each.fix)]

    assert [(code, part) for code, part in parts if not part.endswith(".") or part[0].isspace()] == []


@pytest.mark.parametrize("name", PAGES)
def test_each_command_in_an_explanation_exists(name: str) -> None:
    commands = [
        command
        for each in page(name).codes.values()
        for command in re.findall(r"`otactl ([a-z]+)", f"{each.means} {each.why} {each.fix}")
    ]

    assert set(commands) <= set(VERBS)
