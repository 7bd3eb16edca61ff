"""Simulates one seed: runs the loop, moves the clock to the next change, and repeats.

1. After a run that sent or learned something, time goes to the earliest moment a rollout asked to be checked again.
2. After a quiet run nothing happens before the world changes by itself, or a hold's time is up: time goes there, but
   never more than STRIDE at once, because some deadlines are known to the loop alone. After a quiet week it goes by
   days.
3. A rollout is over when it succeeded, when it asks for no further run, or when it has been waiting for a person for a
   day in which nothing else was to come.
4. What is not over at the horizon is reported as not ending.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from otactl.model import Event, Phase, Record, Rollout
from otactl.reconcile.run_report import RolloutReport
from otactl.rehearsal.hold_spans import Waits
from otactl.rehearsal.results import RehearsalOutcome, RehearsalRun, RolloutCourse
from otactl.rehearsal.wave_history import waves_of

STRIDE, LONG_STRIDE = timedelta(hours=1), timedelta(days=1)
PATIENCE, TEDIUM = timedelta(days=1), timedelta(days=7)
LEAST = timedelta(seconds=1)


class World(Protocol):
    """What a rehearsal plays in."""

    def now(self) -> datetime:
        """Return the simulated time."""
        ...

    def go_to(self, moment: datetime) -> None:
        """Advance the clock."""
        ...

    def next_change(self) -> datetime | None:
        """Return the moment the world next changes by itself; None when it waits for calls."""
        ...

    def reconcile(self) -> tuple[RolloutReport, ...]:
        """Run the loop once over every environment."""
        ...

    def record(self, rollout: Rollout) -> Record:
        """Return what the journal holds of a rollout."""
        ...

    def history(self, rollout: Rollout) -> tuple[Event, ...]:
        """Return a rollout's events, oldest first."""
        ...

    def calls(self) -> int:
        """Return how many calls the services have had."""
        ...


class _Open:
    """A rollout on its way."""

    def __init__(self, rollout: Rollout) -> None:
        self.rollout = rollout
        self.waits = Waits()
        self.report: RolloutReport | None = None
        self.phase: Phase | None = None
        self.digest = b""
        self.over: tuple[RehearsalOutcome, datetime, str] | None = None


def play(
    world: World,
    rollouts: Sequence[Rollout],
    seed: int,
    horizon: timedelta,
    counted: Callable[[timedelta, int], None] = lambda _passed, _over: None,
) -> RehearsalRun:
    """Play every rollout to its end, or to the horizon; `counted` learns the time that passed and how many are over."""
    began = world.now()
    every = [_Open(r) for r in rollouts]
    quiet_since: datetime | None = None
    runs = 0
    while True:
        runs += 1
        changed = _run(world, every)
        now = world.now()
        quiet_since = None if changed else (quiet_since or now)
        change = world.next_change()
        for each in every:
            _judge(each, now, quiet_since, pending=change is not None)
        going = [e for e in every if e.over is None]
        counted(now - began, len(every) - len(going))
        if not going:
            break
        moment = _next(going, now, quiet_since, change)
        if moment > began + horizon:
            world.go_to(began + horizon)
            for each in going:
                each.over = (RehearsalOutcome.NOT_ENDING, began + horizon, _why(each))
            break
        world.go_to(moment)
    return RehearsalRun(
        seed=seed,
        ended_at=max(e.over[1] for e in every if e.over is not None) if every else began,
        runs=runs,
        calls=world.calls(),
        rollouts=tuple(_course(world, e) for e in every),
    )


def _run(world: World, every: list[_Open]) -> bool:
    """Run the loop once; return whether anything was sent or learned."""
    reports = {(r.environment, r.name): r for r in world.reconcile()}
    changed = False
    for each in every:
        each.report = reports.get((each.rollout.environment, each.rollout.name))
        record = world.record(each.rollout)
        digest = _digest(record)
        changed = changed or digest != each.digest or bool(each.report is not None and each.report.actions)
        each.phase, each.digest = record.phase, digest
        if each.over is None and each.report is not None:
            each.waits.see(each.report, world.now())
    return changed


def _digest(record: Record) -> bytes:
    """Return the digest of a record without what changes in every pass.

    The record itself is not kept: of 100,000 devices it takes as much memory as the loop's own.
    """
    drift = tuple(msgspec.structs.replace(d, last_seen=d.first_seen) for d in record.drift)
    conditions = tuple(msgspec.structs.replace(c, message="") for c in record.conditions)
    lasting = msgspec.structs.replace(record, requeue_at=None, drift=drift, conditions=conditions)
    return hashlib.sha256(msgspec.json.encode(lasting, order="deterministic")).digest()


def _judge(each: _Open, now: datetime, quiet_since: datetime | None, *, pending: bool) -> None:
    """Set the outcome of a rollout once it is decided (rule 3)."""
    report, phase = each.report, each.phase
    if each.over is not None or report is None or phase is None:
        return
    if phase is Phase.SUCCEEDED:
        each.over = (RehearsalOutcome.SUCCEEDED, now, "")
        return
    failed = phase in (Phase.FAILED, Phase.ABORTED)
    outcome = RehearsalOutcome.FAILED if failed else RehearsalOutcome.STALLED
    if report.requeue_after_seconds is None:
        each.over = (outcome, now, _why(each))
        return
    person = report.error or any(h.stalled or h.reason == "suspended" for h in report.holds)
    later = any(h.until is not None and h.until > now for h in report.holds)
    if person and not later and not pending and quiet_since is not None and now - quiet_since >= PATIENCE:
        each.over = (outcome, quiet_since, _why(each))


def _why(each: _Open) -> str:
    report = each.report
    if report is None:
        return "the loop did not report on it"
    if report.error:
        return report.error
    stalling = [h for h in report.holds if h.stalled] or list(report.holds)
    if stalling:
        return f"{stalling[0].reason}: {stalling[0].message}"
    return f"{report.phase}, wave {report.wave}" if report.wave else report.phase


def _next(going: list[_Open], now: datetime, quiet_since: datetime | None, change: datetime | None) -> datetime:
    """Return the moment to go to next (rules 1 and 2)."""
    asked = min(timedelta(seconds=_requeue(e)) for e in going)
    if quiet_since is None:
        return now + max(asked, LEAST)
    stride = LONG_STRIDE if now - quiet_since >= TEDIUM else STRIDE
    ends = [h.until for e in going if e.report for h in e.report.holds if h.until is not None]
    known = [m for m in (change, *ends) if m is not None and m > now]
    if all(any(h.until is not None and h.until > now for h in e.report.holds) for e in going if e.report):
        stride = LONG_STRIDE  # all of them know how long they wait
    return max(min([*known, now + max(stride, asked)]), now + LEAST)


def _requeue(each: _Open) -> int:
    report = each.report
    return report.requeue_after_seconds if report is not None and report.requeue_after_seconds is not None else 3600


def _course(world: World, each: _Open) -> RolloutCourse:
    outcome, ended_at, why = each.over or (RehearsalOutcome.NOT_ENDING, world.now(), _why(each))
    return RolloutCourse(
        name=each.rollout.name,
        environment=each.rollout.environment,
        outcome=outcome,
        ended_at=ended_at,
        why=why,
        waves=waves_of(world.record(each.rollout), each.rollout, world.now()),
        waits=each.waits.ended(ended_at),
        events=world.history(each.rollout),
    )
