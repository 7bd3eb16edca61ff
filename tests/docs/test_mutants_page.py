"""The figures of mutants in docs/reliability.md are those that were recorded, and the sample is the same each time."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.support.mutants import recorded
from tests.support.mutants.judged import KILLED, SURVIVED, TIMEOUT
from tests.support.mutants.recorded import Recorded
from tests.support.mutants.sample import COUNT, sample
from tests.support.paths import ROOT

NAMES = [f"otactl.{package}.some.x_f__mutmut_{n}" for package in recorded.PACKAGES for n in range(300)]
METHOD = "otactl.verdicts.gate.xǁGateǁjudge__mutmut_3"
CHANGE = ("a < b or c | d", "a <= b or c | d")


def of(states: dict[str, str], **changes: tuple[str, str]) -> Recorded:
    return recorded.recorded(7, NAMES, states, dict.fromkeys(states, CHANGE) | changes)


def test_the_page_shows_what_is_recorded_of_a_whole_sample() -> None:
    found = recorded.read()

    assert recorded.table(found) in recorded.PAGE.read_text()
    if found is not None:
        assert found.total >= COUNT
        assert found.share_killed >= recorded.LEAST_KILLED
        assert [s.function for s in found.survivors if not s.reason] == []


def test_a_sample_is_the_same_each_time_and_loses_nothing_when_names_come_or_go() -> None:
    first = sample(NAMES)

    assert len(set(first)) == COUNT
    assert sample(reversed(NAMES)) == first
    assert sample(NAMES, seed=8) != first
    assert set(sample([n for n in NAMES if n != first[0]])) > set(first[1:])


def test_a_record_counts_by_package_and_shows_each_survivor_with_its_change() -> None:
    states = {NAMES[0]: KILLED, NAMES[1]: SURVIVED, NAMES[300]: TIMEOUT, METHOD: KILLED}

    found = of(states)

    assert (found.total, found.share_killed) == (4, 0.75)
    assert (found.judged["drift"], found.killed["drift"], found.timeouts["planning"]) == (2, 1, 1)
    assert "75.0 % of 4 killed, drawn by seed out of 1,200; 1 survived" in recorded.table(found)
    assert "| `drift.some.f` | `` a < b or c \\| d `` | `` a <= b or c \\| d `` |" in recorded.table(found)


def test_a_function_is_named_as_people_name_it() -> None:
    assert recorded.function(METHOD) == "verdicts.gate.Gate.judge"
    assert recorded.function("otactl.state.notices.x__why__mutmut_16") == "state.notices._why"


def test_a_reason_belongs_to_one_change_of_one_function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reasons = tmp_path / "survivors.toml"
    text = 'function = "drift.some.f"\nbefore = "a < b or c | d"\nafter = "a <= b or c | d"\nreason = "equal"\n'
    reasons.write_text(f"[[survivor]]\n{text}")
    monkeypatch.setattr(recorded, "REASONS", reasons)

    found = of({NAMES[1]: SURVIVED, NAMES[2]: SURVIVED}, **{NAMES[2]: ("a", "b")})

    assert [s.reason for s in found.survivors] == ["equal", ""]


def test_recording_replaces_the_table_and_nothing_else(tmp_path: Path) -> None:
    before = recorded.PAGE.read_text()
    page, figures = tmp_path / "page.md", tmp_path / "recorded.json"
    page.write_text(before)
    found = of({NAMES[0]: KILLED})

    recorded.write(found, figures, page)

    assert recorded.table(found) in page.read_text()
    assert page.read_text().partition(recorded.BEGIN)[0] == before.partition(recorded.BEGIN)[0]
    assert page.read_text().partition(recorded.END)[2] == before.partition(recorded.END)[2]
    assert "killed" in figures.read_text()


def test_the_packages_of_the_table_are_those_that_are_changed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]

    assert settings["only_mutate"] == [f"src/otactl/{package}/*" for package in recorded.PACKAGES]
    assert all((ROOT / path).exists() for path in settings["pytest_add_cli_args_test_selection"])
