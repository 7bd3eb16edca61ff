"""When a window is open, above all on the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from otactl.model import Window
from otactl.schedule.openings import Interval, covering, following, openings

PARIS, NEW_YORK, SANTIAGO, LORD_HOWE = "Europe/Paris", "America/New_York", "America/Santiago", "Australia/Lord_Howe"

# On 29 March 2026 Paris skips 02:00 to 03:00 (01:00Z); on 25 October 02:00 to 03:00 comes twice (00:00Z and 01:00Z).
NIGHTS: dict[str, tuple[str, str, str, str, list[str]]] = {
    # schedule, duration, zone, local day, openings as UTC
    "a winter night": ("0 22 * * *", "7h", PARIS, "2026-01-10", ["10T21:00 11T04:00"]),
    "a summer night": ("0 22 * * *", "7h", PARIS, "2026-07-10", ["10T20:00 11T03:00"]),
    "spring: seven hours are seven hours, to 06:00 local": (
        "0 22 * * *",
        "7h",
        PARIS,
        "2026-03-28",
        ["28T21:00 29T04:00"],
    ),
    "autumn: seven hours are seven hours, to 04:00 local": (
        "0 22 * * *",
        "7h",
        PARIS,
        "2026-10-24",
        ["24T20:00 25T03:00"],
    ),
    "spring: an opening at 02:30, which does not exist, is at the jump": (
        "30 2 * * *",
        "1h",
        PARIS,
        "2026-03-29",
        ["29T01:00 29T02:00"],
    ),
    "spring: two openings in the gap are one at the jump": (
        "10,50 2 * * *",
        "1h",
        PARIS,
        "2026-03-29",
        ["29T01:00 29T02:00"],
    ),
    "spring: an opening at 03:00 is at the jump as well": (
        "0 3 * * *",
        "1h",
        PARIS,
        "2026-03-29",
        ["29T01:00 29T02:00"],
    ),
    "spring: the last minute before the gap": ("59 1 * * *", "1m", PARIS, "2026-03-29", ["29T00:59 29T01:00"]),
    "autumn: an opening at 02:30, which comes twice, is at the first": (
        "30 2 * * *",
        "1h",
        PARIS,
        "2026-10-25",
        ["25T00:30 25T01:30"],
    ),
    "autumn: an opening at 03:00 comes once": ("0 3 * * *", "1h", PARIS, "2026-10-25", ["25T02:00 25T03:00"]),
    "spring: every hour on the running clock skips the gap": (
        "30 * * * *",
        "10m",
        PARIS,
        "2026-03-29",
        [f"{d}T{h:02}:30 {d}T{h:02}:40" for d, h in [(28, 23), *((29, h) for h in range(22))]],
    ),
    "autumn: every hour on the running clock is open in both": (
        "30 * * * *",
        "10m",
        PARIS,
        "2026-10-25",
        [f"{d}T{h:02}:30 {d}T{h:02}:40" for d, h in [(24, 22), (24, 23), *((25, h) for h in range(23))]],
    ),
    "autumn: an hour of minutes is open twice": ("* 2 * * *", "1m", PARIS, "2026-10-25", ["25T00:00 25T02:00"]),
    "spring: an hour of minutes that does not exist is not open": ("* 2 * * *", "1m", PARIS, "2026-03-29", []),
    "across the ocean, spring": ("30 2 * * *", "1h", NEW_YORK, "2026-03-08", ["08T07:00 08T08:00"]),
    "across the ocean, autumn": ("30 1 * * *", "1h", NEW_YORK, "2026-11-01", ["01T05:30 01T06:30"]),
    "spring at midnight: the day begins at 01:00": ("0 0 * * *", "1h", SANTIAGO, "2026-09-06", ["06T04:00 06T05:00"]),
    "autumn at midnight: 23:30 comes twice": ("30 23 * * *", "1h", SANTIAGO, "2026-04-04", ["05T02:30 05T03:30"]),
    "half an hour of summer time, spring": ("15 2 * * *", "1h", LORD_HOWE, "2026-10-04", ["03T15:30 03T16:30"]),
    "half an hour of summer time, autumn": ("45 1 * * *", "1h", LORD_HOWE, "2026-04-05", ["04T14:45 04T15:45"]),
    "a day that a zone skipped": ("0 12 * * *", "1h", "Pacific/Apia", "2011-12-30", ["30T10:00 30T11:00"]),
    "an opening at the end of a year": ("0 22 31 12 *", "7h", "UTC", "2026-12-31", ["31T22:00 01T05:00"]),
}


def window(schedule: str, duration: str, zone: str = "UTC") -> Window:
    return Window(kind="allow", schedule=schedule, duration=duration, time_zone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def reported(intervals: tuple[Interval, ...]) -> list[str]:
    return [f"{i.start:%dT%H:%M} {i.end:%dT%H:%M}" for i in intervals]


@pytest.mark.parametrize(("schedule", "duration", "zone", "day", "expected"), NIGHTS.values(), ids=NIGHTS.keys())
def test_a_window_is_open(schedule: str, duration: str, zone: str, day: str, expected: list[str]) -> None:
    _, month, number = day.split("-")
    fields = schedule.split()
    dated = window(" ".join([*fields[:2], number, month, "*"]), duration, zone)
    noon = at(day) + timedelta(hours=12)
    assert reported(openings(dated, noon - timedelta(days=10), noon + timedelta(days=10))) == expected


def test_a_stretch_that_only_touches_the_time_asked_for_is_left_out() -> None:
    hour = window("0 * * * *", "30m")
    found = openings(hour, at("2026-01-01T00:30"), at("2026-01-01T02:00"))
    assert reported(found) == ["01T01:00 01T01:30"]


def test_a_stretch_is_not_cut_at_the_time_asked_for() -> None:
    night = window("0 22 * * *", "7h")
    found = openings(night, at("2026-01-02T01:00"), at("2026-01-02T02:00"))
    assert reported(found) == ["01T22:00 02T05:00"]


def test_openings_that_touch_are_one() -> None:
    found = openings(window("0 22,23 * * *", "1h"), at("2026-01-01"), at("2026-01-02"))
    assert reported(found) == ["01T22:00 02T00:00"]


def test_openings_of_neighbouring_days_that_overlap_are_one() -> None:
    found = openings(window("0 0 1-3 1 *", "30h"), at("2026-01-01"), at("2026-02-01"))
    assert reported(found) == ["01T00:00 04T06:00"]


def test_24_hours_do_not_fill_a_day_of_25() -> None:
    found = openings(window("0 0 * * *", "24h", PARIS), at("2026-10-24T23:00"), at("2026-10-25T23:30"))
    assert [i.end - i.start > timedelta(days=1) for i in found] == [True, True]
    assert (found[0].end, found[1].start) == (at("2026-10-25T22:00"), at("2026-10-25T23:00"))


@pytest.mark.parametrize(
    ("schedule", "duration", "zone", "day", "expected"),
    [
        ("0 0 * * sat", "2d", PARIS, "2027-10-30", "29T22:00 31T23:00"),  # clocks go back on Sunday: 49 hours
        ("0 0 * * sat", "2d", PARIS, "2027-03-27", "26T23:00 28T22:00"),  # clocks go forward: 47 hours
        ("0 0 * * sat", "48h", PARIS, "2027-10-30", "29T22:00 31T22:00"),  # elapsed time ends on Sunday at 23:00
        ("30 2 * * sat", "1d", PARIS, "2027-03-27", "27T01:30 28T01:00"),  # 02:30 is skipped: it closes at the jump
        ("30 2 * * sat", "1d", PARIS, "2027-10-30", "30T00:30 31T00:30"),  # 02:30 comes twice: it closes at the first
        ("0 0 24 12 *", "3d", "UTC", "2026-12-24", "24T00:00 27T00:00"),
    ],
)
def test_days_of_a_duration_are_days_of_the_calendar(
    schedule: str, duration: str, zone: str, day: str, expected: str
) -> None:
    found = openings(window(schedule, duration, zone), at(f"{day}T12:00"), at(f"{day}T13:00"))

    assert reported(found) == [expected]


def test_a_window_of_one_day_every_day_never_closes() -> None:
    (found,) = openings(window("0 0 * * *", "1d", PARIS), at("2026-10-20"), at("2026-10-30"))

    assert (found.start < at("2026-10-20"), found.end > at("2026-10-30")) == (True, True)


def test_a_window_of_centuries_is_always_open() -> None:
    (found,) = openings(window("0 0 29 2 *", "999999d"), at("2026-01-01"), at("2026-01-02"))
    assert found.start < at("2026-01-01")
    assert found.end > at("2026-01-02")


def test_the_zone_of_the_question_does_not_matter() -> None:
    night = window("0 22 * * *", "7h", PARIS)
    since, until = datetime.fromisoformat("2026-01-01T00:00+05:45"), datetime.fromisoformat("2026-01-03T00:00-09:00")
    assert openings(night, since, until) == openings(night, since.astimezone(UTC), until.astimezone(UTC))


def test_a_moment_lies_in_a_stretch_from_its_start_to_before_its_end() -> None:
    found = openings(window("0 2 * * *", "1h"), at("2026-01-01"), at("2026-01-03"))
    assert covering(found, at("2026-01-01T01:59:59")) is None
    assert covering(found, at("2026-01-01T02:00")) == found[0]
    assert covering(found, at("2026-01-01T02:59:59")) == found[0]
    assert covering(found, at("2026-01-01T03:00")) is None


def test_what_follows_a_moment_begins_after_it() -> None:
    found = openings(window("0 2 * * *", "1h"), at("2026-01-01"), at("2026-01-03"))
    assert following(found, at("2026-01-01T01:59:59")) == found[0]
    assert following(found, at("2026-01-01T02:00")) == found[1]
    assert following(found, at("2026-01-02T02:00")) is None
