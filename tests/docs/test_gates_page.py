"""The figures of docs/gates.md: as recorded and computed, and within the rates that a confidence promises."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import pytest

from tests.support.gates import recorded
from tests.support.gates.simulate import Case, Figures, simulate

SMALL = 150


def error_of(found: Figures) -> float:
    """The part of rollouts that got a wrong verdict from their first wave."""
    return (found.failed if found.case.is_allowed else found.passed) / found.rollouts


def test_the_page_shows_the_recorded_and_the_computed_figures() -> None:
    page = recorded.PAGE.read_text()

    assert recorded.simulated(recorded.read()) in page
    assert recorded.computed() in page
    assert [f.case for f in recorded.read()] == list(recorded.CASES)
    assert sum(f.rollouts for f in recorded.read()) >= 100_000


@pytest.mark.parametrize("found", [f for f in recorded.read() if f.case.confidence is not None], ids=str)
def test_a_recorded_confidence_keeps_its_two_error_rates(found: Figures) -> None:
    assert found.case.confidence is not None
    risk = 1 - found.case.confidence

    assert error_of(found) <= risk + 3 * sqrt(risk * (1 - risk) / found.rollouts)
    assert found.taken_back == 0


@pytest.mark.parametrize("seed", range(0, len(recorded.CASES), 3))
def test_a_small_simulation_gives_what_was_recorded(seed: int) -> None:
    case, before = recorded.CASES[seed], recorded.read()[seed]

    found = simulate(case, SMALL, 1_000 + seed)

    for name in ("passed", "failed", "undecided", "early", "everywhere"):
        share = getattr(before, name) / before.rollouts
        spread = 5 * sqrt(max(share * (1 - share), 0.001) / SMALL)
        assert getattr(found, name) / SMALL == pytest.approx(share, abs=spread), name
    assert found.passed + found.failed + found.undecided == found.rollouts == SMALL


def test_a_simulation_is_the_same_again_by_its_seed() -> None:
    case = Case(canaries=300, confidence=0.95, failing=100, silent_percent=1.0)

    assert simulate(case, 40, 7) == simulate(case, 40, 7) != simulate(case, 40, 8)


def test_recording_replaces_the_tables_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before, found = recorded.PAGE.read_text(), recorded.read()
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text(before.replace("|", ""))
    monkeypatch.setattr(recorded, "PAGE", page)
    monkeypatch.setattr(recorded, "FIGURES", figures)

    recorded.write(found)

    assert recorded.read() == found
    assert page.read_text() == before
