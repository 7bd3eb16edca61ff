"""Every bench runs at a tiny size, so that `make bench` cannot break unseen. What it times is not judged here."""

from __future__ import annotations

import pytest

from bench import validating
from bench.__main__ import BENCHES, page
from bench.measure import Cost, Figure


@pytest.mark.server
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_runs_at_a_tiny_size_and_what_it_counts_holds(name: str) -> None:
    figures = BENCHES[name].figures(tiny=True)

    assert figures
    assert [f for f in figures if not f.timed and not f.holds] == []


def test_the_page_names_every_figure_and_marks_a_broken_promise() -> None:
    kept = Figure("speed", "3 times", "at least 2", True)
    broken = Figure("memory", "70 KiB", "at most 60 KiB", False)

    text = page([kept, broken])

    assert "| speed | 3 times | at least 2 | yes |" in text
    assert "| memory | 70 KiB | at most 60 KiB | **no** |" in text


def test_a_manifest_without_the_value_to_break_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validating, "manifest_text", lambda name, group: "kind: Rollout\n")
    monkeypatch.setattr(validating, "run", lambda words: Cost(1.0, 1.0, ""))

    with pytest.raises(RuntimeError, match="manifest_text"):
        validating.figures(tiny=True)
