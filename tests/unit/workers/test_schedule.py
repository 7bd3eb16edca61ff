"""Environments are due in slots of their own, and the most urgent goes first without starving another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otactl.workers.schedule import (
    ABORTING,
    LIVE,
    REQUESTED,
    TROUBLED,
    USUAL,
    Urgency,
    priority_of,
    raised,
    seconds_of,
    slot_at,
)

NAMES = st.text("abcdefgh-", min_size=1, max_size=20)
EVERY = st.floats(1, 86400)
NOW = st.floats(1.7e9, 2.0e9)


@given(name=NAMES, every=EVERY, now=NOW)
def test_a_moment_lies_in_its_slot(name: str, every: float, now: float) -> None:
    slot = slot_at(name, every, now)
    assert slot - 1e-3 <= now < slot + every + 1e-3


@given(name=NAMES, every=EVERY, now=NOW)
def test_the_next_slot_starts_one_period_later(name: str, every: float, now: float) -> None:
    slot = slot_at(name, every, now)
    assert abs(slot_at(name, every, slot + every * 1.5) - slot - every) < 1e-3


def test_environments_spread_over_the_period() -> None:
    starts = sorted(slot_at(f"env-{number}", 300.0, 1.8e9) % 300 for number in range(300))
    tenths = [sum(30 * n <= at < 30 * (n + 1) for at in starts) for n in range(10)]
    assert all(15 <= count <= 45 for count in tenths), tenths


def test_an_environment_runs_as_often_as_its_manifest_says_or_as_the_worker_does() -> None:
    assert [seconds_of("30s"), seconds_of("5m"), seconds_of("2h"), seconds_of(None, 7.0)] == [30.0, 300.0, 7200.0, 7.0]


def test_an_abort_goes_before_live_sessions_and_these_before_the_usual() -> None:
    live = Urgency(live=True)
    found = [priority_of(live, {"probe"}), priority_of(live, frozenset()), priority_of(Urgency(), frozenset())]
    assert found == [ABORTING, LIVE, USUAL]
    assert ABORTING < REQUESTED


def test_an_abort_that_is_done_is_urgent_no_more() -> None:
    assert priority_of(Urgency(aborted=("probe",)), {"probe"}) == USUAL
    assert priority_of(Urgency(aborted=("probe",)), {"probe", "meter"}) == ABORTING


def test_an_environment_whose_pass_hung_goes_after_the_others_unless_it_has_an_abort() -> None:
    troubled = Urgency(troubled=True, live=True)
    assert priority_of(troubled, frozenset()) == TROUBLED
    assert priority_of(troubled, {"probe"}) == ABORTING


def test_a_job_is_raised_by_each_slot_it_waits_until_it_goes_before_a_fresh_abort() -> None:
    waited = [raised(USUAL, slots * 300.0, 300.0) for slots in (0, 0.99, 1, 2)]
    assert waited[0] == waited[1] == USUAL < waited[2] < waited[3]
    assert waited[3] > ABORTING
    assert raised(TROUBLED, 3 * 300.0, 300.0) > ABORTING
