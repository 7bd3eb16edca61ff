"""The page of the lifecycle is the tables."""

from __future__ import annotations

from pathlib import Path

from controller.gates import GateState
from controller.lifecycle import TRANSITIONS
from controller.model import Stage, UnitPhase
from tests.docs.lifecycle_page import GATE, MEANS, page


def test_the_page_is_what_the_tables_say() -> None:
    written = Path(__file__).parents[2] / "docs/lifecycle.md"

    assert written.read_text() == page(), "run `make docs`"


def test_every_stage_phase_and_gate_state_has_its_place() -> None:
    assert set(TRANSITIONS) == {(s, p) for s in Stage for p in UnitPhase}
    assert set(MEANS) == set(Stage)
    assert set(GATE) == set(GateState)


def test_what_has_ended_never_begins_again() -> None:
    over = (Stage.JUDGED, Stage.CLEANED, Stage.SUPERSEDED)

    assert {after for (stage, _), after in TRANSITIONS.items() if stage in over} == set(over)
