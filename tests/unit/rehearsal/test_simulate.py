"""When a rehearsal lets time pass, to when, and when it takes a rollout for over: a scripted world, no service."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from otactl.model import Event, Phase, Record, Rollout, WaveRecord
from otactl.model.actions import Hold
from otactl.reconcile.run_report import RolloutReport
from otactl.rehearsal.results import RehearsalOutcome
from otactl.rehearsal.simulate import play
from tests.support.builders import NOW, rollout

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Look = tuple[Phase, RolloutReport]


def report(requeue: int | None = 60, *holds: Hold, **changes: object) -> RolloutReport:
    base = RolloutReport(
        name="probe",
        environment="prod-eu",
        phase="Progressing",
        wave="canary",
        holds=holds,
        requeue_after_seconds=requeue,
    )
    return msgspec.structs.replace(base, **changes)


class Scripted:
    """A world whose looks are a function of time; `change` is when it next changes by itself."""

    def __init__(self, look: Callable[[datetime], Look], change: Callable[[datetime], datetime | None]) -> None:
        self._look, self._change = look, change
        self._now = NOW
        self.ran: list[datetime] = []

    def now(self) -> datetime:
        return self._now

    def go_to(self, moment: datetime) -> None:
        assert moment >= self._now
        self._now = moment

    def next_change(self) -> datetime | None:
        return self._change(self._now)

    def reconcile(self) -> tuple[RolloutReport, ...]:
        self.ran.append(self._now)
        return (self._look(self._now)[1],)

    def record(self, rollout: Rollout) -> Record:
        return Record(environment="prod-eu", name="probe", phase=self._look(self._now)[0])

    def history(self, rollout: Rollout) -> tuple[Event, ...]:
        return ()

    def calls(self) -> int:
        return len(self.ran)


def declared() -> Rollout:
    return msgspec.structs.replace(rollout(), name="probe", environment="prod-eu")


def never(_now: datetime) -> datetime | None:
    return None


def test_a_run_that_sent_something_is_followed_by_the_look_it_asks_for() -> None:
    def look(now: datetime) -> Look:
        if now == NOW:
            return Phase.PROGRESSING, report(90, actions=("createUnit",))
        return Phase.SUCCEEDED, report(None)

    world = Scripted(look, never)
    found = play(world, [declared()], 1, 90 * DAY)

    assert world.ran == [NOW, NOW + timedelta(seconds=90)]
    assert found.rollouts[0].outcome is RehearsalOutcome.SUCCEEDED
    assert found.ended_at == NOW + timedelta(seconds=90)


def test_a_session_that_runs_is_not_polled_but_waited_for() -> None:
    end = NOW + 30 * timedelta(minutes=1)

    def look(now: datetime) -> Look:
        return (Phase.SUCCEEDED, report(None)) if now >= end else (Phase.PROGRESSING, report(60))

    world = Scripted(look, lambda now: end if now < end else None)
    play(world, [declared()], 1, 90 * DAY)

    assert world.ran == [NOW, NOW + timedelta(seconds=60), end]


def test_a_window_of_next_month_is_waited_for_in_days() -> None:
    opens = NOW + 30 * DAY
    closed = Hold(reason="window_is_closed", message="closed", until=opens)

    def look(now: datetime) -> Look:
        return (Phase.SUCCEEDED, report(None)) if now >= opens else (Phase.PENDING, report(60, closed))

    world = Scripted(look, never)
    found = play(world, [declared()], 1, 90 * DAY)

    assert found.ended_at == opens
    assert len(world.ran) < 40
    assert [(w.reason, w.since, w.until) for w in found.rollouts[0].waits] == [("window_is_closed", NOW, opens)]


def test_a_deadline_that_no_one_tells_is_met_within_an_hour() -> None:
    deadline = NOW + 20 * HOUR + timedelta(minutes=7)

    def look(now: datetime) -> Look:
        return (Phase.SUCCEEDED, report(None)) if now >= deadline else (Phase.PROGRESSING, report(60))

    found = play(Scripted(look, never), [declared()], 1, 90 * DAY)

    assert deadline <= found.ended_at <= deadline + HOUR


def test_a_rollout_that_waits_for_a_person_is_over_when_nothing_else_is_to_come() -> None:
    gate = Hold(reason="too_few_reported", message="2 of 3", stalled=True)
    world = Scripted(lambda _now: (Phase.STALLED, report(300, gate)), never)
    found = play(world, [declared()], 1, 90 * DAY).rollouts[0]

    assert (found.outcome, found.ended_at) == (RehearsalOutcome.STALLED, NOW + timedelta(seconds=300))
    assert found.why == "too_few_reported: 2 of 3"


def test_while_the_world_still_changes_a_stalled_rollout_is_looked_at_again() -> None:
    late = NOW + 3 * DAY
    gate = Hold(reason="too_few_reported", message="2 of 3", stalled=True)

    def look(now: datetime) -> Look:
        return (Phase.SUCCEEDED, report(None)) if now >= late else (Phase.STALLED, report(300, gate))

    found = play(Scripted(look, lambda now: late if now < late else None), [declared()], 1, 90 * DAY)

    assert (found.succeeded, found.ended_at) == (True, late)


def test_a_rollout_that_asks_for_no_further_look_has_failed_for_good() -> None:
    gate = Hold(reason="success_rate_is_too_low", message="60 %", stalled=True)
    found = play(Scripted(lambda _now: (Phase.FAILED, report(None, gate)), never), [declared()], 1, 90 * DAY)

    assert (found.rollouts[0].outcome, found.runs) == (RehearsalOutcome.FAILED, 1)


def test_what_never_ends_is_reported_at_the_horizon() -> None:
    overdue = Hold(reason="devices_are_overdue", message="2 devices")
    world = Scripted(lambda _now: (Phase.PROGRESSING, report(300, overdue)), never)
    found = play(world, [declared()], 1, 90 * DAY)

    assert found.rollouts[0].outcome is RehearsalOutcome.NOT_ENDING
    assert found.ended_at == NOW + 90 * DAY
    assert len(world.ran) < 300


def test_how_far_a_rehearsal_is_can_be_seen_after_each_run() -> None:
    def look(now: datetime) -> Look:
        return (Phase.SUCCEEDED if now >= NOW + 2 * HOUR else Phase.PROGRESSING), report(3600)

    seen: list[tuple[timedelta, int]] = []
    play(Scripted(look, lambda _now: None), [declared()], 1, 90 * DAY, lambda passed, over: seen.append((passed, over)))

    assert seen[0] == (timedelta(0), 0)
    assert seen[-1][0] >= 2 * HOUR
    assert seen[-1][1] == 1


class _Watched(WaveRecord, frozen=True, kw_only=True, weakref=True):
    """A wave's memory that shows when it is dropped."""


def test_no_record_is_kept_while_the_loop_runs() -> None:
    given: list[weakref.ref[WaveRecord]] = []
    kept: list[int] = []

    class Watching(Scripted):
        def reconcile(self) -> tuple[RolloutReport, ...]:
            kept.append(sum(each() is not None for each in given))
            return super().reconcile()

        def record(self, rollout: Rollout) -> Record:
            wave = _Watched(name="canary")
            given.append(weakref.ref(wave))
            return msgspec.structs.replace(super().record(rollout), waves=(wave,))

    def look(now: datetime) -> Look:
        return (Phase.SUCCEEDED, report(None)) if now > NOW else (Phase.PROGRESSING, report(60))

    play(Watching(look, never), [declared()], 1, 90 * DAY)

    assert kept == [0, 0]
