"""The figures of docs/reliability.md are those that were recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.explore import recorded
from tests.support.explore.declared import EVERY
from tests.support.explore.planted import FAULTS
from tests.support.explore.walk import Walk
from tests.support.faults import recorded as faults
from tests.support.faults.cases import BACKENDS, JOURNALS, MODES, SCENARIOS, Fault
from tests.support.fuzz import by_coverage
from tests.support.fuzz import recorded as fuzzed
from tests.support.fuzz.kinds import NAMES

LEAST_FAULTS = 5_000


def test_the_page_shows_the_figures_of_the_recorded_walk_of_every_service_and_answer() -> None:
    found = recorded.read()

    assert recorded.table(found) in recorded.PAGE.read_text()
    assert [r.name for r in found] == sorted(s.name for s in EVERY)
    assert [r.violations for r in found] == [0] * len(found)


def test_the_page_lists_each_invariant_that_a_planted_fault_breaks() -> None:
    page = recorded.PAGE.read_text().lower()

    missing = {f.invariant for f in FAULTS if f.invariant.lower() not in page}

    assert missing == set()


def test_recording_replaces_the_table_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = recorded.PAGE.read_text()
    page, figures = tmp_path / "page.md", tmp_path / "recorded.json"
    page.write_text(before)
    monkeypatch.setattr(recorded, "PAGE", page)
    monkeypatch.setattr(recorded, "FIGURES", figures)
    walk = Walk(EVERY[0])

    recorded.write([recorded.row(walk)])

    assert recorded.read() == [recorded.row(walk)]
    assert page.read_text().partition(recorded.BEGIN)[0] == before.partition(recorded.BEGIN)[0]
    assert page.read_text().partition(recorded.END)[2] == before.partition(recorded.END)[2]


def test_the_page_shows_the_figures_of_the_recorded_fuzzing_of_every_kind_of_input() -> None:
    found = fuzzed.read()

    assert fuzzed.table(found) in fuzzed.PAGE.read_text()
    assert [p.name for p in found] == list(NAMES) == list(fuzzed.TITLES)
    assert [p.failures for p in found] == [[] for _ in found]


def test_the_page_shows_the_figures_of_the_inputs_by_coverage() -> None:
    found = by_coverage.read()

    assert by_coverage.table(found) in by_coverage.PAGE.read_text()
    assert [c.name for c in found] == list(by_coverage.NAMES)
    assert [c.failures for c in found] == [[] for _ in found]


def test_the_page_shows_the_figures_of_the_recorded_faults() -> None:
    found = faults.read()

    assert faults.table(found) in faults.PAGE.read_text()
    assert sum(f.cases for f in found) >= LEAST_FAULTS
    assert all(f.codes for f in found if f.outcome == "led")


def test_no_recorded_fault_fails() -> None:
    assert [f for f in faults.read() if f.outcome == "failed"] == []


def test_the_recorded_faults_are_of_every_service_scenario_journal_mode_and_kind() -> None:
    found = faults.read()

    assert {f.backend for f in found} == set(BACKENDS)
    assert {f.scenario for f in found} == set(SCENARIOS)
    assert {f.journal for f in found} == set(JOURNALS)
    assert {f.mode for f in found} == set(MODES)
    assert {f.fault for f in found} == {fault.value for fault in Fault}
