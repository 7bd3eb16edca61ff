"""A rollout over time: what happened, what is planned, and where it lies."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from otactl.model import Event, Gate, Phase, RecordedHold, Stage, WaveRecord, Window
from otactl.ports import Stored
from otactl.report.page.facts import RolloutFacts
from otactl.report.page.timeline import Stretch, Timeline, timeline_of
from tests.support.builders import rollout
from tests.support.report_values import GENERATION, NOW, attempt, record, verdict

HOUR = timedelta(hours=1)
RUNNING = attempt(created_at=NOW - HOUR, start_sent_at=NOW - HOUR, start_at=NOW - HOUR / 2)


def lay_out(*waves: WaveRecord, events: tuple[Event, ...] = (), declared: bool = False, **changes: object) -> Timeline:
    manifest = rollout()
    held = msgspec.structs.replace(record(*waves), **{"phase": Phase.PROGRESSING, **changes})
    if declared:
        same = tuple(msgspec.structs.replace(a, generation=manifest.generation) for w in held.waves for a in w.attempts)
        first = msgspec.structs.replace(held.waves[0], attempts=same)
        held = msgspec.structs.replace(held, waves=(first,), generation=manifest.generation)
    facts = RolloutFacts(stored=Stored(record=held, revision=1), events=events, declared=manifest if declared else None)
    found = timeline_of(facts, (), NOW)
    assert found is not None
    return found


def kinds(found: Timeline, label: str) -> list[str]:
    return [s.kind for row in found.rows if row.label == label for s in row.stretches]


def stretch(found: Timeline, kind: str) -> Stretch:
    return next(s for row in found.rows for s in row.stretches if s.kind == kind)


def test_a_rollout_of_which_nothing_happened_has_no_timeline() -> None:
    facts = RolloutFacts(stored=Stored(record=record(WaveRecord(name="canary")), revision=1))

    assert timeline_of(facts, (), NOW) is None


def test_a_running_session_has_its_lead_time_and_lasts_until_now() -> None:
    found = lay_out(WaveRecord(name="canary", attempts=(RUNNING,)))

    assert kinds(found, "wave canary") == ["lead", "session"]
    assert (stretch(found, "lead").start, stretch(found, "lead").end) == (NOW - HOUR, NOW - HOUR / 2)
    assert stretch(found, "session").end == NOW
    assert found.now == NOW


def test_the_planned_rest_of_a_session_is_known_from_its_manifest() -> None:
    attempt_now = msgspec.structs.replace(RUNNING, start_at=NOW - timedelta(minutes=1))

    found = lay_out(WaveRecord(name="canary", attempts=(attempt_now,)), declared=True)

    lasts = rollout().session_length()
    assert lasts is not None
    assert stretch(found, "planned").end == NOW - timedelta(minutes=1) + lasts


def test_a_scheduled_session_is_planned_and_has_not_run() -> None:
    later = attempt(stage=Stage.SCHEDULED, created_at=NOW - HOUR, start_sent_at=NOW, start_at=NOW + HOUR)

    found = lay_out(WaveRecord(name="canary", attempts=(later,)), declared=True)

    assert kinds(found, "wave canary") == ["prepared", "lead", "planned"]
    assert found.end > NOW + HOUR


def test_phases_follow_the_history() -> None:
    history = (
        Event(at=NOW - 3 * HOUR, kind="phase", subject="soil", message="a: b: c", data={"to": "Progressing"}),
        Event(at=NOW - HOUR, kind="phase", subject="soil", message="a: DriftIsOpen: x", data={"to": "Stalled"}),
    )
    found = lay_out(WaveRecord(name="canary"), events=history, phase=Phase.STALLED)

    assert kinds(found, "phase") == ["phase-Progressing", "phase-Stalled"]
    assert stretch(found, "phase-Stalled").title.endswith("DriftIsOpen: x")


def test_a_soak_lasts_until_it_was_recorded_as_over() -> None:
    judged = msgspec.structs.replace(verdict(1, 1), at=NOW - 3 * HOUR)
    ended = attempt(stage=Stage.ENDED, created_at=NOW - 5 * HOUR, start_at=NOW - 4 * HOUR, ended_at=NOW - 3 * HOUR)
    wave = WaveRecord(name="canary", attempts=(ended,), verdict=judged, verdict_generation=GENERATION, released=True)
    over = Event(at=NOW - 2 * HOUR, kind="released", subject="canary", message="wave canary stayed well for 1h")

    found = lay_out(wave, events=(over,))

    assert (stretch(found, "soak").start, stretch(found, "soak").end) == (NOW - 3 * HOUR, NOW - 2 * HOUR)


def test_a_soak_that_is_not_over_is_planned_from_the_manifest() -> None:
    manifest = rollout(strategy=msgspec.structs.replace(rollout().strategy, gate=Gate(soak="2h")))
    ended = attempt(stage=Stage.ENDED, start_at=NOW - HOUR, ended_at=NOW, generation=manifest.generation)
    wave = WaveRecord(name="canary", attempts=(ended,), verdict=verdict(1, 1), verdict_generation=manifest.generation)
    held = msgspec.structs.replace(record(wave), phase=Phase.PROGRESSING)

    found = timeline_of(RolloutFacts(stored=Stored(record=held, revision=1), declared=manifest), (), NOW)

    assert found is not None
    assert stretch(found, "soak").end == NOW + 2 * HOUR


def test_a_hold_lasts_until_the_time_it_names() -> None:
    hold = RecordedHold(reason="window_is_closed", message="m", since=NOW - HOUR, until=NOW + 3 * HOUR)

    found = lay_out(WaveRecord(name="canary", attempts=(RUNNING,)), holds=(hold,))

    assert (stretch(found, "hold").start, stretch(found, "hold").end) == (NOW - HOUR, NOW + 3 * HOUR)
    assert found.end > NOW + 3 * HOUR


def test_nothing_planned_is_drawn_for_a_rollout_that_is_over() -> None:
    ended = attempt(stage=Stage.DELETED, created_at=NOW - 5 * HOUR, start_at=NOW - 4 * HOUR, ended_at=NOW - 3 * HOUR)
    hold = RecordedHold(reason="window_is_closed", message="m", since=NOW - HOUR, until=NOW + 3 * HOUR)

    found = lay_out(WaveRecord(name="canary", attempts=(ended,)), phase=Phase.SUCCEEDED, holds=(hold,))

    assert found.now is None
    assert kinds(found, "held") == []
    assert found.end < NOW - 2 * HOUR


def test_windows_and_freezes_are_drawn_where_they_are_known() -> None:
    night = Window(kind="allow", schedule="0 11 * * *", duration="2h", time_zone="UTC")
    freeze = Window(kind="deny", schedule="0 11 * * *", duration="1h", time_zone="UTC")
    held = msgspec.structs.replace(record(WaveRecord(name="canary", attempts=(RUNNING,))), phase=Phase.PROGRESSING)
    facts = RolloutFacts(stored=Stored(record=held, revision=1), declared=rollout(windows=(night,)))

    found = timeline_of(facts, (freeze,), NOW)

    assert found is not None
    assert kinds(found, "windows") == ["allow", "freeze"]


def test_windows_too_many_to_tell_apart_are_left_out() -> None:
    often = Window(kind="allow", schedule="*/2 * * * *", duration="1m", time_zone="UTC")
    early = msgspec.structs.replace(RUNNING, created_at=NOW - 48 * HOUR)
    held = msgspec.structs.replace(record(WaveRecord(name="canary", attempts=(early,))), phase=Phase.PROGRESSING)
    facts = RolloutFacts(stored=Stored(record=held, revision=1), declared=rollout(windows=(often,)))

    found = timeline_of(facts, (), NOW)

    assert found is not None
    assert kinds(found, "windows") == []


def test_places_are_percent_of_the_whole_and_never_outside() -> None:
    found = lay_out(WaveRecord(name="canary", attempts=(RUNNING,)))

    assert found.percent(found.start) == 0
    assert found.percent(found.end + HOUR) == 100
    assert 0 < found.percent(NOW) < 100
    assert len(found.ticks) <= 8
