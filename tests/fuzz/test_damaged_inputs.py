"""Tests that damaged inputs are read or refused: no traceback, no hang, no guess."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fuzz.kind import BLOCK, Kind, must
from tests.support.fuzz.kinds import NAMES, every
from tests.support.fuzz.run import Progress, failure, load, run_block, save
from tests.support.sampling import everything

LEAST = 30
INPUTS = 2000 if everything() else LEAST
KEPT = Path(__file__).parent / "kept"


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Kind]:
    return every(tmp_path_factory.mktemp("fuzz"), lambda: request.getfixturevalue("postgres_server"))


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_input_is_read_or_refused(kinds: dict[str, Kind], tmp_path: Path, name: str) -> None:
    progress, inputs = Progress(name), max(LEAST, INPUTS // kinds[name].share)

    while progress.inputs < inputs:
        run_block(kinds[name], progress, tmp_path, min(BLOCK, inputs - progress.inputs))

    assert progress.failures == []
    assert progress.outcomes["refused"] > 0


@pytest.mark.parametrize("path", sorted(KEPT.iterdir()), ids=lambda path: path.name)
def test_an_input_that_once_broke_a_rule_breaks_none(kinds: dict[str, Kind], path: Path) -> None:
    assert failure(kinds[path.name.rpartition("-")[0]], path.read_bytes()) is None


def test_a_run_that_was_saved_goes_on_with_the_next_block(kinds: dict[str, Kind], tmp_path: Path) -> None:
    progress = Progress("outputs")
    run_block(kinds["outputs"], progress, tmp_path, 5)
    save(tmp_path, progress)

    assert load(tmp_path, "outputs") == progress
    assert (progress.blocks, progress.inputs) == (1, 5)
    assert list(kinds["outputs"].block(1)) != list(kinds["outputs"].block(0)) == list(kinds["outputs"].block(0))


def _endless() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (lambda data: must(data == b"", "a guess"), "BrokenRuleError: a guess"),
        (lambda data: [][len(data)], "IndexError"),
        (lambda _data: _endless(), "TookTooLongError"),
    ],
    ids=["broken rule", "traceback", "hang"],
)
def test_what_the_product_does_wrong_is_a_failure_and_its_input_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, judge: object, words: str
) -> None:
    monkeypatch.setattr("tests.support.fuzz.run.MOST_SECONDS", 0.05)
    progress = Progress("planted")

    def block(_number: int) -> Iterator[bytes]:
        yield b"input"

    run_block(Kind("planted", "", block, judge), progress, tmp_path)  # type: ignore[arg-type]

    assert words in progress.failures[0]
    assert (tmp_path / "planted-0-0").read_bytes() == b"input"
