"""What a cron schedule means."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from otactl.schedule.cron import broken_fields, parse

JANUARY = date(2026, 1, 1)  # a Thursday

TIMES: dict[str, tuple[str, list[str]]] = {
    "a minute of an hour": ("5 22 * * *", ["22:05"]),
    "a list": ("0,30 2,4 * * *", ["02:00", "02:30", "04:00", "04:30"]),
    "a range, both ends in it": ("0 2-4 * * *", ["02:00", "03:00", "04:00"]),
    "a step through everything": ("0 */8 * * *", ["00:00", "08:00", "16:00"]),
    "a step through a range": ("0 1-10/4 * * *", ["01:00", "05:00", "09:00"]),
    "a step from a number on": ("0 15/4 * * *", ["15:00", "19:00", "23:00"]),
    "the same minute said twice": ("0 2,2-2 * * *", ["02:00"]),
    "leading zeros": ("05 02 * * *", ["02:05"]),
}

DAYS: dict[str, tuple[str, str]] = {
    "a day of the month": ("0 0 5 1 *", "01-05"),
    "a month by name": ("0 0 1 feb *", "02-01"),
    "months by name, as a range": ("0 0 1 Jan-MAR *", "01-01 02-01 03-01"),
    "a weekday by name": ("0 0 * 1 mon", "01-05 01-12 01-19 01-26"),
    "Sunday as 0": ("0 0 * 1 0", "01-04 01-11 01-18 01-25"),
    "Sunday as 7": ("0 0 * 1 7", "01-04 01-11 01-18 01-25"),
    "Saturday and Sunday as a range": ("0 0 * 1 6-7", "01-03 01-04 01-10 01-11 01-17 01-18 01-24 01-25 01-31"),
    "day of month OR day of week, both restricted": ("0 0 5,6 1 sat", "01-03 01-05 01-06 01-10 01-17 01-24 01-31"),
    "day of month AND day of week, one begins with a star": ("0 0 */10 1 sat", "01-31"),
    "a day no month has": ("0 0 30 2 *", ""),
    "a day no month has OR a weekday": ("0 0 30 2 mon", "02-02 02-09 02-16 02-23"),
}

BROKEN: dict[str, tuple[str, list[str]]] = {
    "minute 60": ("60 * * * *", ["minute"]),
    "day 0": ("0 0 0 * *", ["day of month"]),
    "weekday 8": ("0 0 * * 8", ["day of week"]),
    "a range downwards": ("0 6-2 * * *", ["hour"]),
    "a range downwards by name": ("0 0 * * fri-mon", ["day of week"]),
    "a step of nothing": ("*/0 * * * *", ["minute"]),
    "a step beyond the field": ("*/60 * * * *", ["minute"]),
    "a step that is no number": ("*/x * * * *", ["minute"]),
    "a range without end": ("1- * * * *", ["minute"]),
    "an empty item": ("1,,2 * * * *", ["minute"]),
    "a name of a month among weekdays": ("0 0 * * jan", ["day of week"]),
    "digits of another script": ("٣ * * * *", ["minute"]),
    "two fields at once": ("99 99 * * *", ["minute", "hour"]),
}

EVER: dict[str, tuple[str, bool]] = {
    "29 February": ("0 0 29 2 *", True),
    "29 February, Sundays only": ("0 0 29 2 */7", True),
    "30 February": ("0 0 30 2 *", False),
    "31 of the short months": ("0 0 31 2,4,6,9,11 *", False),
    "31 of a short and a long month": ("0 0 31 2,3 *", True),
    "30 February or a Monday": ("0 0 30 2 mon", True),
}


@pytest.mark.parametrize(("schedule", "expected"), TIMES.values(), ids=TIMES.keys())
def test_the_times_of_day_are(schedule: str, expected: list[str]) -> None:
    assert [f"{m // 60:02}:{m % 60:02}" for m in parse(schedule).minutes] == expected


@pytest.mark.parametrize(("schedule", "expected"), DAYS.values(), ids=DAYS.keys())
def test_the_days_of_the_year_are(schedule: str, expected: str) -> None:
    year = (JANUARY + timedelta(days=n) for n in range(365))
    assert " ".join(f"{day:%m-%d}" for day in year if parse(schedule).falls_on(day)) == expected


@pytest.mark.parametrize(("schedule", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_a_field_is_broken_by(schedule: str, expected: list[str]) -> None:
    assert [field.name for _, field in broken_fields(schedule)] == expected
    with pytest.raises(ValueError, match="of a cron schedule"):
        parse(schedule)


@pytest.mark.parametrize(("schedule", "expected"), EVER.values(), ids=EVER.keys())
def test_a_schedule_comes_to_pass(schedule: str, expected: bool) -> None:
    parsed = parse(schedule)
    assert parsed.ever is expected
    leap_years = (date(1980, 1, 1) + timedelta(days=n) for n in range(365 * 41))
    assert any(parsed.falls_on(day) for day in leap_years) is expected
