"""May a session start now, why not, and when: the table is the specification."""

from __future__ import annotations

from datetime import datetime

import pytest

from otactl.model import Window
from otactl.schedule.windows import ever_permitted, verdict
from tests.support.windows import (
    ALWAYS,
    CHRISTMAS,
    LENIENT,
    MORNING,
    NIGHT,
    OK,
    PARIS,
    SOFT_CHRISTMAS,
    allow,
    at,
    deny,
    length,
)

Row = tuple[tuple[Window, ...], tuple[Window, ...], str, str | None, str, str | None]
TABLE: dict[str, Row] = {
    # windows, freezes, start, length, reason or ok, earliest
    "no windows: always": ((), (), "05-01T12:00", "9h", OK, "05-01T12:00"),
    "an open window, and the session fits": ((NIGHT,), (), "05-01T22:00", "7h", OK, "05-01T22:00"),
    "a session that ends as the window closes": ((NIGHT,), (), "05-01T23:00", "6h", OK, "05-01T23:00"),
    "a second too late": ((NIGHT,), (), "05-01T23:00:01", "6h", "window_ends_too_soon", "05-02T22:00"),
    "a second too early": ((NIGHT,), (), "05-01T21:59:59", "6h", "window_is_closed", "05-01T22:00"),
    "the moment a window closes": ((NIGHT,), (), "05-02T05:00", "0s", "window_is_closed", "05-02T22:00"),
    "the second before a window closes": ((NIGHT,), (), "05-02T04:59:59", "0s", OK, "05-02T04:59:59"),
    "a session longer than the window": ((NIGHT,), (), "05-01T22:00", "8h", "window_is_too_short", None),
    "a session longer than the window, window closed": ((NIGHT,), (), "05-01T12:00", "8h", "window_is_closed", None),
    "finish: a session may end outside": ((LENIENT,), (), "05-02T04:59", "8h", OK, "05-02T04:59"),
    "finish: it may not start outside": ((LENIENT,), (), "05-02T05:00", "8h", "window_is_closed", "05-02T22:00"),
    "unknown length: only the start counts": ((NIGHT,), (), "05-02T04:59", None, OK, "05-02T04:59"),
    "unknown length, closed": ((NIGHT,), (), "05-02T12:00", None, "window_is_closed", "05-02T22:00"),
    "adjacent windows are one": ((NIGHT, MORNING), (), "05-01T22:00", "9h", OK, "05-01T22:00"),
    "adjacent windows are one, and no more": (
        (NIGHT, MORNING),
        (),
        "05-01T22:00",
        "10h",
        "window_is_too_short",
        None,
    ),
    "the wider window opens later": (
        (allow("0 8 * * *", "1h"), NIGHT),
        (),
        "05-01T08:10",
        "2h",
        "window_is_too_short",
        "05-01T22:00",
    ),
    "a lenient part of a strict stretch opens later": (
        (NIGHT, allow("0 3 * * *", "2h", "finish")),
        (),
        "05-02T00:00",
        "6h",
        "window_ends_too_soon",
        "05-02T03:00",
    ),
    "a freeze is on": ((), (CHRISTMAS,), "12-25T12:00", "1h", "freeze_is_on", "12-27T00:00"),
    "the moment a freeze ends": ((), (CHRISTMAS,), "12-27T00:00", "1h", OK, "12-27T00:00"),
    "a session that ends as a freeze begins": ((), (CHRISTMAS,), "12-23T23:00", "1h", OK, "12-23T23:00"),
    "a session that would run into a freeze": (
        (),
        (CHRISTMAS,),
        "12-23T23:00:01",
        "1h",
        "freeze_begins_too_soon",
        "12-27T00:00",
    ),
    "finish: a session may run into a freeze": ((), (SOFT_CHRISTMAS,), "12-23T23:30", "1h", OK, "12-23T23:30"),
    "finish: none starts in a freeze": ((), (SOFT_CHRISTMAS,), "12-24T00:00", "1h", "freeze_is_on", "12-27T00:00"),
    "an unknown length may start right before a freeze": ((), (CHRISTMAS,), "12-23T23:59", None, OK, "12-23T23:59"),
    "a freeze of kind allow is a freeze": (
        (),
        (allow("0 0 24 12 *", "3d"),),
        "12-25T12:00",
        "1h",
        "freeze_is_on",
        "12-27T00:00",
    ),
    "deny wins over an open window": ((NIGHT,), (CHRISTMAS,), "12-24T23:00", "1h", "freeze_is_on", "12-27T00:00"),
    "after the freeze the window must be open": (
        (MORNING,),
        (CHRISTMAS,),
        "12-24T05:00",
        "1h",
        "freeze_is_on",
        "12-27T05:00",
    ),
    "a deny of the rollout": (
        (NIGHT, deny("0 0 * * *", "1h")),
        (),
        "05-02T00:30",
        "1h",
        "deny_window_is_on",
        "05-02T01:00",
    ),
    "a deny of the rollout ahead": (
        (NIGHT, deny("0 0 * * *", "1h")),
        (),
        "05-01T23:30",
        "1h",
        "deny_window_begins_too_soon",
        "05-02T01:00",
    ),
    "a deny leaves a rest that is too short": (
        (NIGHT, deny("0 1 * * *", "2h")),
        (),
        "05-01T22:00",
        "4h",
        "deny_window_begins_too_soon",
        None,
    ),
    "a freeze is reported before a deny of the rollout": (
        (CHRISTMAS,),
        (CHRISTMAS,),
        "12-25T00:00",
        "1h",
        "freeze_is_on",
        "12-27T00:00",
    ),
    "a freeze without an end": ((NIGHT,), (ALWAYS,), "05-01T22:00", "1h", "freeze_is_on", None),
    "a window of one day a year": (
        (allow("0 0 1 5 *", "1d"),),
        (),
        "05-02T00:00",
        "1h",
        "window_is_closed",
        "2027-05-01T00:00",
    ),
    "a window of one day in four years": (
        (allow("0 0 29 2 *", "1d"),),
        (),
        "05-02T00:00",
        "1h",
        "window_is_closed",
        "2028-02-29T00:00",
    ),
    "a window that opens in 400 days": (
        (allow("0 0 29 2 *", "1d"),),
        (),
        "2027-01-25T00:00",
        "1h",
        "window_is_closed",
        "2028-02-29T00:00",
    ),
    "a window that opens in 400 days and a second": (
        (allow("0 0 29 2 *", "1d"),),
        (),
        "2027-01-24T23:59:59",
        "1h",
        "window_is_closed",
        "2028-02-29T00:00",
    ),
    "a window of one day in 28 years": (
        (allow("0 0 29 2 *", "1d"), deny("0 0 * * mon-sat", "1d")),
        (),
        "2026-05-02T00:00",
        "1h",
        "deny_window_is_on",
        "2032-02-29T00:00",
    ),
    "a window of which a freeze leaves no day": (
        (allow("0 0 29 2 *", "1d"),),
        (deny("0 0 * * *", "1d"),),
        "2026-05-02T00:00",
        "1h",
        "freeze_is_on",
        None,
    ),
    "spring: the night ends an hour later on the clock, and lasts as long": (
        (PARIS,),
        (),
        "2026-03-28T21:00",
        "7h",
        OK,
        "2026-03-28T21:00",
    ),
    "spring: the next night opens an hour earlier": (
        (PARIS,),
        (),
        "2026-03-29T19:59:59",
        "7h",
        "window_is_closed",
        "2026-03-29T20:00",
    ),
    "autumn: the night lasts no longer": (
        (PARIS,),
        (),
        "2026-10-24T20:00:01",
        "7h",
        "window_ends_too_soon",
        "2026-10-25T21:00",
    ),
    "spring: a window at a time that does not exist opens at the jump": (
        (allow("30 2 * * *", "1h", zone="Europe/Paris"),),
        (),
        "2026-03-29T00:30",
        "1h",
        "window_is_closed",
        "2026-03-29T01:00",
    ),
    "autumn: a window at a time that comes twice has had its turn": (
        (allow("30 2 * * *", "1h", zone="Europe/Paris"),),
        (),
        "2026-10-25T01:30",
        "1h",
        "window_is_closed",
        "2026-10-26T01:30",
    ),
}


@pytest.mark.parametrize(
    ("windows", "freezes", "start", "takes", "reason", "earliest"), TABLE.values(), ids=TABLE.keys()
)
def test_a_start_is_judged(
    windows: tuple[Window, ...],
    freezes: tuple[Window, ...],
    start: str,
    takes: str | None,
    reason: str,
    earliest: str | None,
) -> None:
    found = verdict(windows, freezes, at(start), length(takes))
    assert (found.permitted, found.reason or OK) == (reason == OK, reason)
    assert found.earliest == (None if earliest is None else at(earliest))


LATEST: dict[str, tuple[tuple[Window, ...], tuple[Window, ...], str, str | None, str | None]] = {
    # windows, freezes, start, length, latest
    "nothing in the way": ((), (), "05-01T12:00", "1h", None),
    "the session must end inside": ((NIGHT,), (), "05-01T22:00", "3h", "05-02T02:00"),
    "the session just fits": ((NIGHT,), (), "05-01T22:00", "7h", "05-01T22:00"),
    "the session may end outside": ((LENIENT,), (), "05-01T22:00", "3h", "05-02T04:59:59"),
    "the length is unknown": ((NIGHT,), (), "05-01T22:00", None, "05-02T04:59:59"),
    "a freeze is months ahead": ((), (CHRISTMAS,), "05-01T22:00", "3h", "12-23T21:00"),
    "a lenient freeze": ((), (SOFT_CHRISTMAS,), "05-01T22:00", "3h", "12-23T23:59:59"),
    "a window that never closes": ((allow("0 * * * *", "1h"),), (), "05-01T22:00", "3h", None),
    "a window of a month": ((allow("0 0 * 5 *", "1d"),), (), "05-01T22:00", "3h", "05-31T21:00"),
    "a window of a quarter": ((allow("0 0 * 5-7 *", "1d"),), (), "05-01T22:00", "3h", "07-31T21:00"),
    "the last half second": ((NIGHT,), (), "05-02T04:59:59.500000", None, "05-02T04:59:59.500000"),
}


@pytest.mark.parametrize(("windows", "freezes", "start", "takes", "latest"), LATEST.values(), ids=LATEST.keys())
def test_a_permitted_start_may_slip_until(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: str, takes: str | None, latest: str | None
) -> None:
    assert verdict(windows, freezes, at(start), length(takes)).latest == (None if latest is None else at(latest))


EVER: dict[str, tuple[tuple[Window, ...], tuple[Window, ...], str | None, bool]] = {
    "a session that fits": ((NIGHT,), (), "7h", True),
    "a session that fits nowhere": ((NIGHT,), (), "8h", False),
    "one day in four years": ((allow("0 0 29 2 *", "1d"),), (), "1h", True),
    "windows that touch in some years only": (
        (allow("0 0 24 12 *", "1d"), allow("0 0 * * sat", "2d")),
        (),
        "72h",
        True,
    ),
    "windows denied on every day": ((NIGHT, deny("0 20 * * *", "12h")), (), None, False),
    "windows frozen on every day": ((NIGHT,), (deny("0 20 * * *", "12h"),), None, False),
    "windows frozen on all days but one in a year": (
        (NIGHT,),
        (deny("0 0 1 2-12 *", "31d"), deny("0 0 3-31 1 *", "1d")),
        "7h",
        True,
    ),
    "a schedule of every second minute": ((allow("*/2 * * * *", "1m"),), (), "2m", False),
}


@pytest.mark.parametrize(("windows", "freezes", "takes", "expected"), EVER.values(), ids=EVER.keys())
def test_some_day_there_is_a_start(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], takes: str | None, expected: bool
) -> None:
    assert ever_permitted(windows, freezes, length(takes)) is expected


def test_the_answer_is_in_utc_whatever_the_zone_of_the_question() -> None:
    noon = at("05-01T12:00")
    here = noon.astimezone(datetime.fromisoformat("2026-01-01T00:00+05:45").tzinfo)
    assert verdict((NIGHT,), (), here, None) == verdict((NIGHT,), (), noon, None)
    assert verdict((), (), here, None).earliest == noon
