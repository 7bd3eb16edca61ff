"""The stored link of an event, and what is none."""

from __future__ import annotations

import pytest

from otactl.journal.sqlite_events import UNREADABLE, link_of


@pytest.mark.parametrize("text", ["{", '{"a":' + "[" * 5000 + "]" * 5000 + "}", "[" * 5000])
def test_a_link_that_cannot_be_read_fits_nowhere(text: str) -> None:
    assert link_of(text) is UNREADABLE
