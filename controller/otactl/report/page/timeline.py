"""Lays out a rollout over time: its phases, windows, sessions, soaks and holds, past and planned.

1. What is past is from the history and the attempts; what is planned is from the manifest and from what the last pass
   was waiting for. Nothing planned is drawn for a rollout that nothing more is done for.
2. Windows and freezes are drawn where the manifest is known, and left out where there are too many to tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from otactl.model import Attempt, Phase, Record, Rollout, Value, WaveRecord, Window, duration, iso
from otactl.report.page.facts import RolloutFacts
from otactl.schedule.openings import openings
from otactl.wording import about, count

MOST_OPENINGS = 60
_STEPS = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000)
_TICKS = 6
_OVER = frozenset({Phase.SUCCEEDED, Phase.ABORTED, Phase.REMOVED})
_LEAST = timedelta(minutes=10)


class Stretch(Value, frozen=True, kw_only=True):
    """A stretch of time of one kind; `title` says what it is."""

    kind: str
    start: datetime
    end: datetime
    title: str


class Mark(Value, frozen=True, kw_only=True):
    """A moment: a gate that was decided."""

    kind: str
    at: datetime
    title: str


class TimeRow(Value, frozen=True, kw_only=True):
    """One row: what it is of, a note, and what lies in it."""

    label: str
    stretches: tuple[Stretch, ...]
    marks: tuple[Mark, ...] = ()


class Timeline(Value, frozen=True, kw_only=True):
    """The rows of a rollout between two moments; `now` lies between them where the rollout is not over."""

    start: datetime
    end: datetime
    now: datetime | None
    ticks: tuple[datetime, ...]
    rows: tuple[TimeRow, ...]

    def percent(self, moment: datetime) -> float:
        """Return where a moment lies, from 0 to 100."""
        share = (moment - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, share)), 2)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of stretches and marks that are in it, for a legend."""
        found = [s.kind for row in self.rows for s in row.stretches] + [m.kind for row in self.rows for m in row.marks]
        return tuple(dict.fromkeys(found))


class _Moment(Value, frozen=True, kw_only=True):
    """A rollout at a moment, while its rows are laid out."""

    facts: RolloutFacts
    now: datetime
    over: bool
    horizon: datetime


def timeline_of(facts: RolloutFacts, freezes: tuple[Window, ...], now: datetime) -> Timeline | None:
    """Lay out a rollout; None where nothing of it happened yet."""
    record = facts.stored.record
    happened = sorted(_happened(facts))
    if not happened:
        return None
    over = record.phase in _OVER and not any(a.live for a in record.attempts)
    ahead = [] if over else [now, *_planned(facts, now)]
    last = max([*happened, *ahead])
    at = _Moment(facts=facts, now=now, over=over, horizon=last)
    rows = [TimeRow(label="phase", stretches=tuple(_phases(at)))]
    holds = () if over else tuple(_holds(record, now))
    if holds:
        rows.append(TimeRow(label="held", stretches=holds))
    rows += [_wave_row(wave, at) for wave in record.waves if wave.attempts]
    first = happened[0]
    length = max(last - first, _LEAST)
    start, end = first - length * 0.01, first + length * 1.02
    windows = tuple(_windows(facts.declared, freezes, start, end))
    if windows:
        rows.insert(1, TimeRow(label="windows", stretches=windows))
    return Timeline(start=start, end=end, now=None if over else now, ticks=_ticks(start, end), rows=tuple(rows))


def session_end(attempt: Attempt, declared: Rollout | None) -> datetime | None:
    """Return when the session of an attempt is planned to end; None where that is not known."""
    if declared is None or attempt.start_at is None or attempt.generation != declared.generation:
        return None
    lasts = declared.session_length(attempt.try_number)
    return attempt.start_at + lasts if lasts is not None else None


def soak_end(wave: WaveRecord, declared: Rollout | None, now: datetime) -> datetime | None:
    """Return when the soak of a passed wave ends; None where it has none, it is over, or other content is declared.

    A wave whose soak is over may still not be released: its devices are tried again, or follow after an abort.
    """
    verdict = wave.verdict_of(declared.generation) if declared is not None else None
    if declared is None or verdict is None or not verdict.passed or wave.released:
        return None
    written = next((w for w in declared.strategy.waves if w.name == wave.name), None)
    soak = declared.gate_of(written).soak if written is not None else None
    end = verdict.at + duration(soak) if soak is not None else None
    return end if end is not None and end > now else None


def _happened(facts: RolloutFacts) -> Iterator[datetime]:
    yield from (event.at for event in facts.events)
    for attempt in facts.stored.record.attempts:
        yield from (t for t in (attempt.created_at, attempt.start_at, attempt.ended_at) if t is not None)


def _planned(facts: RolloutFacts, now: datetime) -> Iterator[datetime]:
    record = facts.stored.record
    for attempt in record.attempts:
        planned = session_end(attempt, facts.declared) if attempt.live else None
        yield from (t for t in (planned,) if t is not None)
    for wave in record.waves:
        yield from (t for t in (soak_end(wave, facts.declared, now),) if t is not None)
    yield from (h.until for h in record.holds if h.until is not None and h.until - now < timedelta(days=400))
    if record.requeue_at is not None and record.requeue_at > now:
        yield record.requeue_at


def _phases(at: _Moment) -> Iterator[Stretch]:
    """Yield the phases a rollout went through, from its history."""
    record, events = at.facts.stored.record, at.facts.events
    since = min(_happened(at.facts))
    phase, why = Phase.PENDING.value, ""
    for event in events:
        following = str(event.data.get("to", "")) if event.kind == "phase" else ""
        if not following:
            continue
        if event.at > since:
            yield _phase(phase, why, since, event.at)
        since, phase, why = max(event.at, since), following, event.message.partition(": ")[2]
    end = at.horizon if at.over else at.now
    yield _phase(record.phase.value if phase != record.phase.value else phase, why, since, max(end, since))


def _phase(name: str, why: str, start: datetime, end: datetime) -> Stretch:
    text = f"{name} for {about(end - start)}, from {iso(start)}" + (f": {why}" if why else "")
    return Stretch(kind=f"phase-{name}", start=start, end=end, title=text)


def _holds(record: Record, now: datetime) -> Iterator[Stretch]:
    for hold in record.holds:
        since = hold.since or now
        until = hold.until if hold.until is not None and hold.until > since else max(now, since)
        kind = "stalled" if hold.stalled else "hold"
        yield Stretch(kind=kind, start=since, end=until, title=f"{hold.reason}: {hold.message}")


def _wave_row(wave: WaveRecord, at: _Moment) -> TimeRow:
    stretches = [s for attempt in wave.attempts for s in _attempt(attempt, at)]
    marks: list[Mark] = []
    verdict = wave.verdict
    for event in at.facts.events:
        if event.kind == "verdict" and event.subject == wave.name:
            word = event.message.removeprefix(f"wave {wave.name} ").partition(":")[0]
            kind = {"passed": "passed", "failed": "failed"}.get(word, "undecided")
            marks.append(Mark(kind=kind, at=event.at, title=event.message))
    if verdict is not None:
        released = next(
            (e.at for e in at.facts.events if e.kind == "released" and e.subject == wave.name and e.at >= verdict.at),
            None,
        )
        end = released or soak_end(wave, at.facts.declared, at.now)
        if end is not None and end > verdict.at:
            text = f"soak of {about(end - verdict.at)}, until {iso(end)}"
            stretches.append(Stretch(kind="soak", start=verdict.at, end=end, title=text))
    return TimeRow(label=f"wave {wave.name}", stretches=tuple(stretches), marks=tuple(marks))


def _attempt(attempt: Attempt, at: _Moment) -> Iterator[Stretch]:
    name = f"attempt {attempt.number}"
    start = attempt.start_at
    sent = attempt.start_sent_at
    created = attempt.created_at
    end = attempt.ended_at
    if created is not None:
        until = min(t for t in (sent, start, end, at.now if attempt.live else created) if t is not None)
        if until > created:
            text = f"{name}: created, not started, for {about(until - created)}"
            yield Stretch(kind="prepared", start=created, end=until, title=text)
    if start is None:
        return
    if sent is not None and start > sent and start - sent >= timedelta(minutes=1):
        text = f"{name}: start sent {about(start - sent)} before {iso(start)}"
        yield Stretch(kind="lead", start=sent, end=start, title=text)
    planned = session_end(attempt, at.facts.declared)
    if attempt.live and start > at.now:
        if planned is not None:
            text = f"{name}: session planned from {iso(start)}, {about(planned - start)}"
            yield Stretch(kind="planned", start=start, end=planned, title=text)
        return
    stop = end or (at.now if attempt.live else start)
    yield Stretch(kind="session", start=start, end=max(stop, start), title=_session_title(attempt, name, stop))
    if attempt.live and planned is not None and planned > at.now:
        text = f"{name}: session planned until {iso(planned)}"
        yield Stretch(kind="planned", start=at.now, end=planned, title=text)


def _session_title(attempt: Attempt, name: str, stop: datetime) -> str:
    start = attempt.start_at or stop
    until = f"results {iso(attempt.ended_at)}" if attempt.ended_at is not None else "no results yet"
    devices = f", {count(attempt.size, 'device')}" if attempt.size else ""
    return f"{name}{devices}: started {iso(start)}, {until} ({about(max(stop - start, timedelta()))})"


def _windows(
    declared: Rollout | None, freezes: tuple[Window, ...], start: datetime, end: datetime
) -> Iterator[Stretch]:
    named: Iterable[tuple[str, Window]] = (
        *((w.kind, w) for w in (declared.windows if declared is not None else ())),
        *(("freeze", w) for w in freezes),
    )
    for kind, window in named:
        found = openings(window, start, end)
        if len(found) > MOST_OPENINGS:
            continue
        words = {"allow": "window", "deny": "no starts", "freeze": "freeze"}[kind]
        for each in found:
            first, last = max(each.start, start), min(each.end, end)
            text = f"{words} {window.schedule} ({window.time_zone}): {iso(each.start)} to {iso(each.end)}"
            yield Stretch(kind=kind, start=first, end=last, title=text)


def _ticks(start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return round times between two moments."""
    whole = (end - start).total_seconds()
    step = next((s for s in _STEPS if whole / s <= _TICKS), None) or max(86400, int(whole / _TICKS))
    first = -(-int(start.timestamp()) // step) * step
    return tuple(datetime.fromtimestamp(t, tz=start.tzinfo) for t in range(first, int(end.timestamp()) + 1, step))
