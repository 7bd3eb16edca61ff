"""What a run commits names who ran it and by which commit."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from otactl.model import Author, Cause, DriftEntry, DriftStatus, Event, Record
from otactl.ports import Commit
from otactl.state.authorship import attributed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Author(actor="ada", commit="a" * 40)
BOB = Author(actor="bob", commit="b" * 40)
EVENT = Event(at=NOW, kind="sent", subject="u", message="sent")
DRIFT = DriftEntry(
    subject="u",
    field="redundancyPercent",
    desired=12,
    observed=30,
    cause=Cause.OUT_OF_BAND_EDIT,
    first_seen=NOW,
    last_seen=NOW,
    status=DriftStatus.WAITING,
)


def commit(record: Record, *events: Event) -> Commit:
    return Commit(record=record, expected_revision=1, events=events)


def record(manifest: str = "one", *drift: DriftEntry) -> Record:
    return Record(environment="prod-eu", name="soil", manifest=manifest, drift=drift)


def test_every_event_names_actor_and_commit() -> None:
    found = attributed(commit(record(), EVENT, EVENT), ADA, record())
    assert [(e.actor, e.commit) for e in found.events] == [("ada", "a" * 40)] * 2


def test_without_an_author_a_commit_stays_as_it_is() -> None:
    given = commit(record("one", DRIFT), EVENT)
    assert attributed(given, Author(), None) is given


def test_a_drift_keeps_the_commit_of_the_run_that_saw_it_first() -> None:
    first = attributed(commit(record("one", DRIFT)), ADA, record()).record
    (entry,) = first.drift
    assert entry.commit == "a" * 40
    later = msgspec.structs.replace(first, drift=(msgspec.structs.replace(entry, observed=40),))
    assert attributed(commit(later), BOB, first).record.drift[0].commit == "a" * 40


def test_a_drift_from_before_authors_were_recorded_names_none_later() -> None:
    assert attributed(commit(record("one", DRIFT)), ADA, record("one", DRIFT)).record.drift == (DRIFT,)


@pytest.mark.parametrize(("manifest", "expected"), [("one", "a" * 40), ("two", "b" * 40)])
def test_a_record_names_the_commit_that_first_had_its_manifest(manifest: str, expected: str) -> None:
    first = attributed(commit(record("one")), ADA, None).record
    assert first.commit == "a" * 40
    now = msgspec.structs.replace(first, manifest=manifest)
    assert attributed(commit(now), BOB, first).record.commit == expected
