"""Every interleaving of a small world on the product's own code: each invariant holds in each world."""

from __future__ import annotations

import os

import pytest

from tests.support.explore import once
from tests.support.explore.declared import EVERY, Settings
from tests.support.explore.story import story_of
from tests.support.explore.walk import Walk

STATES = 17_000 if os.environ.get("OTACTL_TEST_NO_SKIP") else 300
"""Distinct worlds of each service and answer: 102,000 in all in `make check`."""


@pytest.mark.parametrize("settings", EVERY, ids=lambda s: s.name)
def test_in_every_world_that_is_reached_each_invariant_holds(settings: Settings) -> None:
    walk = Walk(settings)

    with once.installed():
        walk.go(lambda w: w.states >= STATES)

    assert walk.states >= STATES
    assert [story_of(v) for v in walk.violations[:1]] == []
