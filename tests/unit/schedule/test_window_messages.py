"""What people read of a window that is closed."""

from __future__ import annotations

import pytest

from otactl.model import Window
from otactl.schedule.windows import verdict
from tests.support.windows import (
    ALWAYS,
    CHRISTMAS,
    MORNING,
    NIGHT,
    allow,
    at,
    deny,
    length,
)

SENTENCES: dict[str, tuple[tuple[Window, ...], tuple[Window, ...], str, str | None, str]] = {
    "no windows": ((), (), "05-01T12:00", "1h", "no window or freeze is declared"),
    "permitted": ((NIGHT,), (), "05-01T22:00", "3h", "a start is permitted until 2026-05-02T02:00:00Z"),
    "permitted for long": (
        (deny("0 0 29 2 *", "1d"),),
        (),
        "05-01T22:00",
        "3h",
        "a start is permitted for 400 days and more",
    ),
    "permitted, for how long no one knows": (
        (NIGHT,),
        (),
        "05-01T22:00",
        None,
        (
            "a start is permitted until 2026-05-02T04:59:59Z; how long it takes is not known, so only its start is "
            "held to the windows"
        ),
    ),
    "closed": (
        (NIGHT,),
        (),
        "05-01T12:00",
        "3h",
        (
            'no window is open at 2026-05-01T12:00:00Z, "0 22 * * *" for 7h (UTC) opens at 2026-05-01T22:00:00Z; '
            "the earliest start is 2026-05-01T22:00:00Z"
        ),
    ),
    "closed for 400 days": (
        (allow("0 0 29 2 *", "1d"),),
        (),
        "2027-01-25T00:00",
        "1h",
        (
            'no window is open at 2027-01-25T00:00:00Z, "0 0 29 2 *" for 1d (UTC) opens at 2028-02-29T00:00:00Z; '
            "the earliest start is 2028-02-29T00:00:00Z"
        ),
    ),
    "closed for years": (
        (allow("0 0 29 2 *", "1d"),),
        (),
        "05-01T12:00",
        "3h",
        "no window is open at 2026-05-01T12:00:00Z, nor within 400 days; the earliest start is 2028-02-29T00:00:00Z",
    ),
    "ends too soon": (
        (NIGHT, MORNING),
        (),
        "05-02T04:30",
        "190m",
        (
            'the window "0 5 * * *" for 2h (UTC) closes at 2026-05-02T07:00:00Z, a session of 3h 10m from '
            "2026-05-02T04:30:00Z would end at 2026-05-02T07:40:00Z; the earliest start is 2026-05-02T22:00:00Z"
        ),
    ),
    "too short": (
        (NIGHT,),
        (),
        "05-01T22:00",
        "8h",
        (
            'the window "0 22 * * *" for 7h (UTC) is shorter than a session of 8h; '
            "no start fits within 400 days; change spec.windows, or the freezes of the environment"
        ),
    ),
    "frozen": (
        (),
        (CHRISTMAS,),
        "12-25T12:00",
        "1h",
        (
            'the freeze "0 0 24 12 *" for 3d (UTC) is on at 2026-12-25T12:00:00Z, until 2026-12-27T00:00:00Z; '
            "the earliest start is 2026-12-27T00:00:00Z"
        ),
    ),
    "frozen for good": (
        (),
        (ALWAYS,),
        "12-25T12:00",
        "1h",
        (
            'the freeze "* * * * *" for 1m (UTC) is on at 2026-12-25T12:00:00Z, for 400 days and more; '
            "no start fits within 400 days; change spec.windows, or the freezes of the environment"
        ),
    ),
    "a deny ahead": (
        (deny("0 0 * * *", "1h"),),
        (),
        "05-01T23:30",
        "1h",
        (
            'the deny window "0 0 * * *" for 1h (UTC) starts at 2026-05-02T00:00:00Z, a session of 1h from '
            "2026-05-01T23:30:00Z would end at 2026-05-02T00:30:00Z; the earliest start is 2026-05-02T01:00:00Z"
        ),
    ),
}


@pytest.mark.parametrize(("windows", "freezes", "start", "takes", "sentence"), SENTENCES.values(), ids=SENTENCES.keys())
def test_people_see(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: str, takes: str | None, sentence: str
) -> None:
    assert verdict(windows, freezes, at(start), length(takes)).sentence == sentence
