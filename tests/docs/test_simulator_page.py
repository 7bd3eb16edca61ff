"""The page of the simulator is its tables."""

from __future__ import annotations

from tests.support.paths import ROOT
from tests.support.simulator_page import page


def test_the_page_is_what_the_tables_say() -> None:
    assert (ROOT / "docs/simulator.md").read_text() == page(), "run `make docs`"
