"""Computes when a window is open, as intervals of real time: its schedule in its zone, day by day.

1. A window opens whenever its schedule says so on the wall clock of its zone. Durations in s, m and h are elapsed
   time: 7h are seven hours on every night of the year, and 24h do not fill a day of 25 hours. Durations in d are days
   of the calendar: the window closes so many days later at the same local time, whatever clocks did between (RFC 5545,
   3.3.6, distinguishes P1D from PT24H in this way).
2. Clocks put forward: an opening at a local time that does not exist happens at the jump, the first moment after it.
3. Clocks put back: an opening at a local time that comes twice happens at the first of them only.
4. A schedule whose minute or hour starts with `*` follows the running clock instead: what is skipped does not happen,
   what comes twice happens twice. 2 to 4 are what Debian's cron does with jobs (cron(8)).
   A closing time that does not exist is at the jump, one that comes twice is the first.
5. A stretch contains its start and not its end. Stretches of one window that touch or overlap are one.
6. Zones come from the machine's own zone data, else from the package `tzdata`. Every stretch is in UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from otactl.model import Value, Window, duration
from otactl.schedule.cron import Cron, parse

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_BLOCK = 32
"""Days that are worked out, and remembered, together."""
_LONGEST = timedelta(days=15000)
"""Every schedule that ever opens does so within 40 years (29 February on a Sunday): longer durations are for ever."""


class Interval(Value, frozen=True, kw_only=True):
    """A stretch of real time in UTC, without its end."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Return how long it is."""
        return self.end - self.start


def openings(window: Window, since: datetime, until: datetime) -> tuple[Interval, ...]:
    """List when a window is open between two moments, in order, apart from one another, not cut at the two moments.

    A window that never closes has one stretch, which ends somewhere after `until`. Raises ValueError for a schedule
    that cannot be read and ZoneInfoNotFoundError for an unknown zone; a validated manifest has neither.
    """
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    # Two days more on both sides: local dates differ from UTC by up to 14 hours, and zones have skipped whole days.
    first = (since - _lasting(window) - 2 * DAY).toordinal() // _BLOCK
    last = (until + 2 * DAY).toordinal() // _BLOCK
    whole = merged(each for index in range(first, last + 1) for each in _block(window, index))
    return whole[bisect_right(whole, since, key=_end) : bisect_left(whole, until, key=_start)]


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Join what touches or overlaps; the result is in order and apart."""
    found: list[Interval] = []
    for each in sorted(intervals, key=_start):
        if found and each.start <= found[-1].end:
            if each.end > found[-1].end:
                found[-1] = Interval(start=found[-1].start, end=each.end)
        else:
            found.append(each)
    return tuple(found)


def covering(intervals: tuple[Interval, ...], moment: datetime) -> Interval | None:
    """Return the interval a moment lies in, of intervals in order and apart."""
    index = bisect_right(intervals, moment, key=_start) - 1
    return intervals[index] if index >= 0 and moment < intervals[index].end else None


def following(intervals: tuple[Interval, ...], moment: datetime) -> Interval | None:
    """Return the first interval that starts after a moment, of intervals in order and apart."""
    index = bisect_right(intervals, moment, key=_start)
    return intervals[index] if index < len(intervals) else None


def openings_a_day(window: Window) -> int:
    """Return how many separate stretches an ordinary day of a window has: the cost of searching years of it."""
    return len(_template(window))


def _start(interval: Interval) -> datetime:
    return interval.start


def _end(interval: Interval) -> datetime:
    return interval.end


def _lasting(window: Window) -> timedelta:
    return min(duration(window.duration), _LONGEST)


def _calendar_days(window: Window) -> int:
    """Return how many days of the calendar a window lasts; 0 where its duration is elapsed time."""
    return _lasting(window).days if window.duration.endswith("d") else 0


def _closing(window: Window, zone: ZoneInfo, opening: datetime) -> datetime:
    """Return when a stretch that opens at a moment closes (rule 1)."""
    days = _calendar_days(window)
    if not days:
        return opening + _lasting(window)
    local = (opening.astimezone(zone).replace(tzinfo=None, fold=0) + days * DAY).replace(tzinfo=zone)
    first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    return _jump(zone, second, first) if second < first else first


@lru_cache(maxsize=8192)
def _block(window: Window, index: int) -> tuple[Interval, ...]:
    cron, zone = parse(window.schedule), ZoneInfo(window.time_zone)
    days = (date.fromordinal(index * _BLOCK + offset) for offset in range(_BLOCK))
    return merged(each for day in days if cron.falls_on(day) for each in _on(window, cron, zone, day))


def _on(window: Window, cron: Cron, zone: ZoneInfo, day: date) -> Iterator[Interval]:
    """Yield the openings of one local day; most days have one UTC offset, and cost one shift of a template."""
    midnight = datetime.combine(day, time())
    moments = (midnight, midnight + DAY - _SECOND)
    lasts = _calendar_days(window) * DAY
    ends = {moment + after for moment in moments for after in (timedelta(), lasts)}
    offsets = {zone.utcoffset(end.replace(fold=fold)) for end in ends for fold in (0, 1)}
    if len(offsets) == 1:
        zero = datetime.combine(day, time(), UTC) - (offsets.pop() or timedelta())
        for start, end in _template(window):
            yield Interval(start=zero + start, end=zero + end)
    else:
        for moment in _one_by_one(cron, zone, midnight):
            yield Interval(start=moment, end=_closing(window, zone, moment))


@lru_cache(maxsize=1024)
def _template(window: Window) -> tuple[tuple[timedelta, timedelta], ...]:
    """Return the stretches of a day without a change of clocks, from its midnight on."""
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    starts = [zero + timedelta(minutes=minute) for minute in parse(window.schedule).minutes]
    whole = merged(Interval(start=start, end=start + _lasting(window)) for start in starts)
    return tuple((each.start - zero, each.end - zero) for each in whole)


def _one_by_one(cron: Cron, zone: ZoneInfo, midnight: datetime) -> Iterator[datetime]:
    """Yield openings day by day (rules 2 to 4).

    Python reads a local time in a gap by the old offset (fold 0) or the new.
    """
    for minute in cron.minutes:
        local = (midnight + timedelta(minutes=minute)).replace(tzinfo=zone)
        first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
        if second < first:
            if not cron.running_clock:
                yield _jump(zone, second, first)
            continue
        yield first
        if second > first and cron.running_clock:
            yield second


def _jump(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Find the first second that has the new offset, between a moment that has the old one and one that has not."""
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
