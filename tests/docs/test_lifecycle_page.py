"""The page of the lifecycle is the tables."""

from __future__ import annotations

from otactl.model import Stage, UnitPhase
from otactl.state.lifecycle import TRANSITIONS
from otactl.verdicts.gate import GateState
from tests.support.lifecycle_page import GATE, MEANS, page
from tests.support.paths import ROOT


def test_the_page_is_what_the_tables_say() -> None:
    written = ROOT / "docs/lifecycle.md"

    assert written.read_text() == page(), "run `make docs`"


def test_every_stage_phase_and_gate_state_has_its_place() -> None:
    assert set(TRANSITIONS) == {(s, p) for s in Stage for p in UnitPhase}
    assert set(MEANS) == set(Stage)
    assert set(GATE) == set(GateState)


def test_what_has_ended_never_begins_again() -> None:
    over = (Stage.ENDED, Stage.DELETED, Stage.SUPERSEDED)

    assert {after for (stage, _), after in TRANSITIONS.items() if stage in over} == set(over)
