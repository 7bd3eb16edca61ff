"""The ledger gives every drift a life and forgets none."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.drift.ledger import (
    CORRECTION_SENT,
    PERHAPS_OTACTL,
    REFRESH,
    TO_CORRECT,
    UNANSWERED,
    correcting,
    fold,
    reported,
)
from otactl.model import Cause, DriftEntry, DriftPolicy, DriftStatus, Ignore
from otactl.model.actions import Finding
from tests.support.builders import NOW

DRIFT = Finding(
    subject="u1", field="redundancyPercent", desired=12, observed=3, cause=Cause.OUT_OF_BAND_EDIT, correctable=True
)
GONE = msgspec.structs.replace(DRIFT, field="unit", desired="present", observed="deleted", correctable=False)
POLICY = DriftPolicy()


def once(finding: Finding = DRIFT, policy: DriftPolicy = POLICY) -> tuple[DriftEntry, ...]:
    return fold((), (finding,), policy, "m1", frozenset(), NOW)[0]


@pytest.mark.parametrize(
    ("finding", "policy", "status"),
    [
        (DRIFT, POLICY, DriftStatus.WAITING),
        (DRIFT, DriftPolicy(mode="report"), DriftStatus.WAITING),
        (GONE, POLICY, DriftStatus.IMPOSSIBLE),
        (DRIFT, DriftPolicy(ignore=(Ignore(field=DRIFT.field, reason="known"),)), DriftStatus.ACKNOWLEDGED),
        (
            DRIFT,
            DriftPolicy(ignore=(Ignore(field=DRIFT.field, reason="known", until=NOW - timedelta(hours=1)),)),
            DriftStatus.WAITING,
        ),
    ],
)
def test_a_new_drift_says_what_is_being_done_about_it(
    finding: Finding, policy: DriftPolicy, status: DriftStatus
) -> None:
    (entry,) = once(finding, policy)

    assert entry.status is status
    assert entry.first_seen == entry.last_seen == NOW
    assert entry.open


def test_a_drift_seen_again_soon_changes_nothing_so_that_a_quiet_pass_writes_nothing() -> None:
    entries = once()

    again, events = fold(entries, (DRIFT,), POLICY, "m1", frozenset(), NOW + REFRESH / 2)

    assert again == entries
    assert events == ()


def test_a_drift_seen_again_late_keeps_its_first_date_and_moves_its_last() -> None:
    later = NOW + REFRESH

    (entry,), events = fold(once(), (DRIFT,), POLICY, "m1", frozenset(), later)

    assert (entry.first_seen, entry.last_seen) == (NOW, later)
    assert events == ()


def test_a_drift_with_another_value_is_the_same_drift_reported_again() -> None:
    other = msgspec.structs.replace(DRIFT, observed=5)

    entries, events = fold(once(), (other,), POLICY, "m1", frozenset(), NOW + timedelta(minutes=1))

    assert [e.observed for e in entries] == [5]
    assert [e.kind for e in events] == ["drift"]


@pytest.mark.parametrize(
    ("correction", "gone", "status", "by"),
    [
        (CORRECTION_SENT, frozenset(), DriftStatus.CORRECTED, "otactl"),
        (UNANSWERED, frozenset(), DriftStatus.CLOSED, PERHAPS_OTACTL),
        (UNANSWERED, frozenset({"u1"}), DriftStatus.CLOSED, "the unit ended"),
        (TO_CORRECT, frozenset({"u1"}), DriftStatus.CLOSED, "the unit ended"),
        (TO_CORRECT, frozenset(), DriftStatus.CLOSED, "set back out of band, or declared so"),
    ],
)
def test_a_drift_that_went_away_tells_who_closed_it(
    correction: str, gone: frozenset[str], status: DriftStatus, by: str
) -> None:
    entries = correcting(once(), correction, "u1", frozenset({"redundancyPercent"}))

    (entry,), events = fold(entries, (), POLICY, "m1", gone, NOW + timedelta(minutes=1))

    assert (entry.status, entry.closed_by, entry.open) == (status, by, False)
    assert [e.kind for e in events] == ["driftClosed"]


@pytest.mark.parametrize(("observed", "closed"), [(3, DriftStatus.CORRECTED), (7, DriftStatus.CLOSED)])
def test_a_read_that_lags_behind_a_correction_takes_nothing_from_it(observed: int, closed: DriftStatus) -> None:
    entries = correcting(once(), CORRECTION_SENT, "u1", frozenset({DRIFT.field}))
    shown = msgspec.structs.replace(DRIFT, observed=observed)

    again, events = fold(entries, (shown,), POLICY, "m1", frozenset(), NOW + timedelta(minutes=2))
    (entry,), _ = fold(again, (), POLICY, "m1", frozenset(), NOW + timedelta(minutes=4))

    assert entry.status is closed
    assert bool(events) is (observed != 3)


def test_a_correction_is_noted_only_on_what_waits_for_one() -> None:
    waiting, impossible = once()[0], once(GONE)[0]

    noted = correcting((waiting, impossible), CORRECTION_SENT, "u1", frozenset({"redundancyPercent", "unit"}))

    assert [e.action == CORRECTION_SENT for e in noted] == [True, False]


def test_a_drift_that_comes_back_is_a_new_entry_beside_the_closed_one() -> None:
    closed, _ = fold(once(), (), POLICY, "m1", frozenset(), NOW + timedelta(minutes=1))

    both, _ = fold(closed, (DRIFT,), POLICY, "m1", frozenset(), NOW + timedelta(minutes=2))

    assert [e.open for e in both] == [False, True]


def test_what_a_pass_did_not_compare_is_the_same_finding_as_before() -> None:
    shown = msgspec.structs.replace(DRIFT, origin="iotwireless")

    assert reported(once(shown)[0], correctable=True) == shown


def test_a_message_holds_the_beginning_of_a_long_value_and_the_entry_all_of_it() -> None:
    long = msgspec.structs.replace(DRIFT, observed="9" * 20_000)
    entries, (event,) = fold((), (long,), POLICY, "m1", frozenset(), NOW)
    _, (again,) = fold(once(), (long,), POLICY, "m1", frozenset(), NOW)

    assert entries[0].observed == "9" * 20_000
    assert len(event.message) < 1200
    assert "9…, declared 12" in event.message
    assert len(again.message) < 1200
