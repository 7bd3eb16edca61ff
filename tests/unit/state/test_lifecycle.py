"""The transition table is whole, and what it says holds for every stage and phase."""

from __future__ import annotations

import itertools

import pytest

from otactl.model import Stage, UnitPhase
from otactl.state.lifecycle import TRANSITIONS

OVER = (Stage.DELETED, Stage.SUPERSEDED)
ORDER = [Stage.DECLARED, Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING, Stage.ENDED, Stage.DELETED]


def test_every_stage_has_an_answer_to_every_phase() -> None:
    assert set(TRANSITIONS) == set(itertools.product(Stage, UnitPhase))


@pytest.mark.parametrize("stage", OVER)
def test_what_is_over_stays_over(stage: Stage) -> None:
    assert {TRANSITIONS[stage, phase] for phase in UnitPhase} == {stage}


def test_what_is_seen_again_is_not_lost() -> None:
    found = {p: TRANSITIONS[Stage.LOST, p] for p in UnitPhase if TRANSITIONS[Stage.LOST, p] is not Stage.LOST}
    assert found == {
        UnitPhase.OPEN: Stage.OPEN,
        UnitPhase.SCHEDULED: Stage.SCHEDULED,
        UnitPhase.RUNNING: Stage.RUNNING,
        UnitPhase.ENDED: Stage.RUNNING,
    }


@pytest.mark.parametrize("stage", [Stage.DECLARED, Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING])
def test_no_observation_alone_judges_a_unit(stage: Stage) -> None:
    assert Stage.ENDED not in {TRANSITIONS[stage, phase] for phase in UnitPhase}


@pytest.mark.parametrize("stage", [Stage.DECLARED, Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING, Stage.ENDED])
def test_an_unknown_status_moves_nothing(stage: Stage) -> None:
    assert TRANSITIONS[stage, UnitPhase.UNKNOWN] is stage


def test_only_a_schedule_taken_back_moves_a_unit_backwards() -> None:
    backwards = {
        (before, phase)
        for (before, phase), after in TRANSITIONS.items()
        if before in ORDER and after in ORDER and ORDER.index(after) < ORDER.index(before)
    }

    assert backwards == {(Stage.SCHEDULED, UnitPhase.OPEN)}
