"""Parses cron schedules into times and days, for the manifest rules and for the clock.

1. Five fields: minute, hour, day of month, month, day of week. A field is a list of items joined by commas: `*`, a
   number, or a range upwards, each with a `/step` if wanted. `a/step` runs from `a` to the field's end.
2. Months and days of the week may be written as their first three letters, in any case. 0 and 7 are both Sunday.
3. If day of month and day of week are both restricted, a day that fits either is meant; a field that starts with `*`
   does not restrict, and then a day must fit both (crontab(5), Debian: so `*/2` with `mon` means both).
4. A schedule whose minute or hour starts with `*` follows the running clock, any other names times of day; the two
   differ when clocks are put forward or back (cron(8), Debian; `otactl.schedule.openings` has the consequence).
"""

from __future__ import annotations

import calendar
from datetime import date
from functools import lru_cache

from otactl.model import Value

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LEAP_YEAR = 2028


class Field(Value, frozen=True, kw_only=True):
    """One of the five: what it is called, its first and last number, and names for the numbers from `low` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field(name="minute", low=0, high=59),
    Field(name="hour", low=0, high=23),
    Field(name="day of month", low=1, high=31),
    Field(name="month", low=1, high=12, names=_MONTHS),
    Field(name="day of week", low=0, high=7, names=_WEEKDAYS),
)


class Cron(Value, frozen=True, kw_only=True):
    """A schedule as sets of numbers: `minutes` count from midnight, weekdays from Sunday as 0."""

    minutes: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    running_clock: bool

    def falls_on(self, day: date) -> bool:
        """Return whether the schedule means this day."""
        if day.month not in self.months:
            return False
        fits = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(fits) if self.either_day else all(fits)

    @property
    def ever(self) -> bool:
        """Return whether the calendar has such a day: 30 February never, 29 February on every weekday."""
        last = max(calendar.monthrange(_LEAP_YEAR, month)[1] for month in self.months)
        return self.either_day or min(self.days) <= last


def broken_fields(schedule: str) -> tuple[tuple[str, Field], ...]:
    """List the fields of a schedule that cannot be read, each as written and as what it should be."""
    return tuple((text, field) for text, field in _pairs(schedule) if _numbers(text, field) is None)


@lru_cache(maxsize=1024)
def parse(schedule: str) -> Cron:
    """Read a schedule; ValueError if a field is broken."""
    read: list[frozenset[int]] = []
    for text, field in _pairs(schedule):
        numbers = _numbers(text, field)
        if numbers is None:
            raise ValueError(f"{text} is no {field.name} of a cron schedule")
        read.append(numbers)
    minutes, hours, days, months, weekdays = read
    stars = [text.startswith("*") for text in schedule.split()]
    return Cron(
        minutes=tuple(sorted(60 * hour + minute for hour in hours for minute in minutes)),
        days=days,
        months=months,
        weekdays=frozenset(number % 7 for number in weekdays),
        either_day=not (stars[2] or stars[4]),
        running_clock=stars[0] or stars[1],
    )


def _pairs(schedule: str) -> list[tuple[str, Field]]:
    return list(zip(schedule.split(), FIELDS, strict=True))


def _numbers(text: str, field: Field) -> frozenset[int] | None:
    found: set[int] = set()
    for item in text.split(","):
        numbers = _item(item, field)
        if numbers is None:
            return None
        found.update(numbers)
    return frozenset(found)


def _item(text: str, field: Field) -> range | None:
    span, slash, step = text.partition("/")
    if slash and not (_is_number(step) and 0 < int(step) <= field.high):
        return None
    width = int(step) if slash else 1
    if span == "*":
        return range(field.low, field.high + 1, width)
    begin, dash, end = span.partition("-")
    first = _number(begin, field)
    last = _number(end, field) if dash else (field.high if slash else first)
    if first is None or last is None or last < first:
        return None
    return range(first, last + 1, width)


def _number(text: str, field: Field) -> int | None:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.low
    return int(text) if _is_number(text) and field.low <= int(text) <= field.high else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
