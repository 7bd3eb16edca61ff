"""Decides whether a session may start at a time: windows of a rollout, freezes of an environment.

1. Without an allow window every time is allowed; with some, a start must lie in one of them. Allow windows that touch
   or overlap count as one.
2. `doNotStart` asks that the whole session, from its start to its end, lies inside; `finish` asks it of the start only.
3. Deny wins over allow. A freeze is a deny of the environment, whatever its kind says. No start lies inside a deny;
   with `doNotStart` no session runs into one either, with `finish` a session that started before may.
4. A session may end at the moment its window closes, or a deny starts: stretches do not contain their end.
5. A length of None is a session of unknown length (a unit may end when its devices do): only its start
   is held to the windows, and the sentence says so.
6. The earliest start is searched over 400 days, and if these have none over 41 years (29 February on a Sunday), if
   the windows are not too many to check. It is exact: the requested time, an opening, or the end of a deny.
7. When windows open is decided in `otactl.schedule.openings`, what a schedule means in `otactl.schedule.cron`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from otactl.model import Value, Window, iso
from otactl.schedule.openings import DAY, Interval, covering, following, merged, openings, openings_a_day
from otactl.wording import length

HORIZON = 400 * DAY
"""How far ahead a start is searched: more than a year, so that a window of one day a year is found."""

Refusal = Literal[
    "freeze_is_on",
    "deny_window_is_on",
    "window_is_closed",
    "window_ends_too_soon",
    "window_is_too_short",
    "freeze_begins_too_soon",
    "deny_window_begins_too_soon",
]
"""Why a start is not permitted; of several reasons the first of this list is reported."""

_STAGES = (2 * DAY, 35 * DAY, HORIZON)
_FAR = (9 * 366 * DAY, 41 * 366 * DAY)
"""How far it is searched where the horizon has none: 29 February comes in 8 years, on a given weekday in 40."""
_NOTHING = timedelta()
_SECOND = timedelta(seconds=1)
_CYCLE_BEGINS = datetime(2024, 1, 1, tzinfo=UTC)
_CYCLE_YEARS = 28
"""Dates and weekdays return every 28 years: what none of them has, from any day on, never comes."""
_YEAR = 366 * DAY
_MANY_OPENINGS = 20_000


class StartPermission(Value, frozen=True, kw_only=True):
    """Whether a start is permitted at the moment asked for. Times are in UTC.

    `reason` is None if it is. `earliest` is the first permitted start at or after that moment, None if none was
    found (rule 6). `latest`, of a permitted start, is a moment up to which, itself included, every start is permitted
    too (a call's `notAfter`); None means to the end of the 400 days. `sentence` says all this to people.
    """

    permitted: bool
    reason: Refusal | None
    sentence: str
    earliest: datetime | None
    latest: datetime | None


class _Denial(Value, frozen=True, kw_only=True):
    """The stretches of one sort of deny: of the environment or the rollout, with one overrun."""

    freeze: bool
    overrun: Literal["finish", "doNotStart"]
    intervals: tuple[Interval, ...]


class _Layout(Value, frozen=True, kw_only=True):
    """Everything about a span of time: `allowed` is all that is open, `finishing` what a session may overrun."""

    bounded: bool
    allowed: tuple[Interval, ...]
    finishing: tuple[Interval, ...]
    denials: tuple[_Denial, ...]


def verdict(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: datetime, length: timedelta | None
) -> StartPermission:
    """Decide about a start of a session so long, under the windows of its rollout and the freezes of its environment.

    `start` is the first moment the caller could have: now, or for a service with a lead, now and the lead.
    """
    return _verdict(windows, freezes, start.astimezone(UTC), length)


def window_around(windows: tuple[Window, ...], start: datetime) -> tuple[Window, Interval] | None:
    """Return the allowing window that a start lies in, and when it is open; of several the one that closes last."""
    found = [
        (window, inside)
        for window in windows
        if window.kind == "allow"
        and (inside := covering(openings(window, start, start + _SECOND), start.astimezone(UTC))) is not None
    ]
    return max(found, key=lambda pair: pair[1].end, default=None)


def ever_permitted(windows: tuple[Window, ...], freezes: tuple[Window, ...], length: timedelta | None) -> bool:
    """Return, without a clock, whether any day of any year has a start for a session so long."""
    taken = _NOTHING if length is None else length
    # The denser a schedule, the sooner it has shown all it can; and the more its years cost.
    a_year = 366 * sum(openings_a_day(window) for window in (*windows, *freezes))
    years = max(1, min(_CYCLE_YEARS, _MANY_OPENINGS // (a_year + 1)))
    begins = (_CYCLE_BEGINS + number * _YEAR for number in range(years))
    return any(_earliest(windows, freezes, begin, taken, _YEAR) is not None for begin in begins)


@lru_cache(maxsize=4096)
def _verdict(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: datetime, length: timedelta | None
) -> StartPermission:
    taken = _NOTHING if length is None else length
    layout = _laid_out(windows, freezes, start - taken, start + taken + DAY)
    reason = _refusal(layout, start, taken)
    if reason is None:
        latest = _latest(windows, freezes, start, taken)
        return StartPermission(
            permitted=True,
            reason=None,
            sentence=_permission(latest, windows, freezes, length),
            earliest=start,
            latest=latest,
        )
    earliest = _earliest(windows, freezes, start, taken, HORIZON) or _far(windows, freezes, start, taken)
    never = "no start fits within 400 days; change spec.windows, or the freezes of the environment"
    text = never if earliest is None else f"the earliest start is {iso(earliest)}"
    sentence = f"{_why(reason, windows, freezes, start, taken)}; {text}"
    return StartPermission(permitted=False, reason=reason, sentence=sentence, earliest=earliest, latest=None)


def _laid_out(windows: tuple[Window, ...], freezes: tuple[Window, ...], since: datetime, until: datetime) -> _Layout:
    def spread(chosen: list[Window]) -> tuple[Interval, ...]:
        return merged(each for window in chosen for each in openings(window, since, until))

    allow = [w for w in windows if w.kind == "allow"]
    deny = [w for w in windows if w.kind == "deny"]
    sorts = [(freeze, overrun) for freeze in (True, False) for overrun in _OVERRUNS]
    return _Layout(
        bounded=bool(allow),
        allowed=spread(allow),
        finishing=spread([w for w in allow if w.overrun == "finish"]),
        denials=tuple(
            _Denial(
                freeze=freeze,
                overrun=overrun,
                intervals=spread([w for w in (freezes if freeze else deny) if w.overrun == overrun]),
            )
            for freeze, overrun in sorts
        ),
    )


_OVERRUNS: tuple[Literal["finish", "doNotStart"], ...] = ("doNotStart", "finish")


def _refusal(layout: _Layout, start: datetime, taken: timedelta) -> Refusal | None:
    """Return why a start is refused (rules 1 to 4). The layout must reach from `taken` before the start."""
    for denial in layout.denials:
        if covering(denial.intervals, start) is not None:
            return "freeze_is_on" if denial.freeze else "deny_window_is_on"
    if layout.bounded and covering(layout.finishing, start) is None:
        inside = covering(layout.allowed, start)
        if inside is None:
            return "window_is_closed"
        if start + taken > inside.end:
            return "window_is_too_short" if inside.length < taken else "window_ends_too_soon"
    for denial in layout.denials:
        ahead = following(denial.intervals, start)
        if denial.overrun == "doNotStart" and ahead is not None and ahead.start < start + taken:
            return "freeze_begins_too_soon" if denial.freeze else "deny_window_begins_too_soon"
    return None


def _earliest(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: datetime, taken: timedelta, horizon: timedelta
) -> datetime | None:
    """Find the first permitted start up to the horizon, near days first: most questions end there."""
    for stage in (*(s for s in _STAGES if s < horizon), horizon):
        layout = _laid_out(windows, freezes, start, start + stage + taken)
        for candidate in _candidates(layout, start, start + stage):
            if _refusal(layout, candidate, taken) is None:
                return candidate
    return None


def _far(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: datetime, taken: timedelta
) -> datetime | None:
    """Find the first permitted start beyond the horizon, as long as the openings up to there are not too many."""
    a_day = sum(openings_a_day(window) for window in (*windows, *freezes))
    for horizon in _FAR:
        if a_day * horizon.days > _MANY_OPENINGS:
            return None
        found = _earliest(windows, freezes, start + HORIZON, taken, horizon)
        if found is not None:
            return found
    return None


def _candidates(layout: _Layout, start: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the moments at which permitted times start (rule 6)."""
    moments = {each.start for each in (*layout.allowed, *layout.finishing)}
    moments.update(each.end for denial in layout.denials for each in denial.intervals)
    yield start
    yield from sorted(moment for moment in moments if start < moment <= last)


def _latest(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: datetime, taken: timedelta
) -> datetime | None:
    """Return the end of the permitted starts around a permitted start, as far as the stage knows."""
    for stage in _STAGES:
        layout = _laid_out(windows, freezes, start, start + stage + taken)
        found = min(_bounds(layout, start, taken), default=None)
        if found is not None and found + _SECOND < start + stage:
            return max(found, start)
    return None


def _bounds(layout: _Layout, start: datetime, taken: timedelta) -> Iterator[datetime]:
    """Yield until when each deny window, and the allow windows together, permit what they permit at the start."""
    for denial in layout.denials:
        ahead = following(denial.intervals, start)
        if ahead is not None:
            yield _last_before(ahead.start, taken if denial.overrun == "doNotStart" else _NOTHING)
    if layout.bounded:
        ends = []
        inside, finishing = covering(layout.allowed, start), covering(layout.finishing, start)
        if inside is not None and start + taken <= inside.end:
            ends.append(_last_before(inside.end, taken))
        if finishing is not None:
            ends.append(_last_before(finishing.end, _NOTHING))
        yield max(ends)


def _last_before(end: datetime, taken: timedelta) -> datetime:
    """Return the last start of a session that must be over at `end`: one without length must still start before."""
    return end - (taken or _SECOND)


def _why(
    reason: Refusal, windows: tuple[Window, ...], freezes: tuple[Window, ...], start: datetime, taken: timedelta
) -> str:
    allow = tuple(w for w in windows if w.kind == "allow")
    denies = freezes if reason.startswith("freeze") else tuple(w for w in windows if w.kind == "deny")
    ending = f"a session of {length(taken)} from {iso(start)} would end at {iso(start + taken)}"
    match reason:
        case "window_is_closed":
            return _closed(allow, start)
        case "window_ends_too_soon" | "window_is_too_short":
            window, closing = _last_open(allow, start)
            if reason == "window_is_too_short":
                return f"the window {_named(window)} is shorter than a session of {length(taken)}"
            return f"the window {_named(window)} closes at {iso(closing)}, {ending}"
        case "freeze_is_on" | "deny_window_is_on":
            window, closing = _last_open(denies, start)
            end = f"until {iso(closing)}" if closing <= start + HORIZON else "for 400 days and more"
            return f"the {_sort(reason)} {_named(window)} is on at {iso(start)}, {end}"
        case "freeze_begins_too_soon" | "deny_window_begins_too_soon":
            strict = tuple(w for w in denies if w.overrun == "doNotStart")
            window, opening = _next_open(strict, start, start + taken) or (strict[0], start)
            return f"the {_sort(reason)} {_named(window)} starts at {iso(opening)}, {ending}"


def _sort(reason: Refusal) -> str:
    return "freeze" if reason.startswith("freeze") else "deny window"


def _closed(allow: tuple[Window, ...], start: datetime) -> str:
    for stage in _STAGES:
        found = _next_open(allow, start, start + stage + _SECOND)
        if found is not None:
            return f"no window is open at {iso(start)}, {_named(found[0])} opens at {iso(found[1])}"
    return f"no window is open at {iso(start)}, nor within 400 days"


def _next_open(windows: tuple[Window, ...], start: datetime, until: datetime) -> tuple[Window, datetime] | None:
    """Return the window that opens first after a moment."""
    found = [
        (window, each.start) for window in windows for each in openings(window, start, until) if each.start > start
    ]
    return min(found, key=lambda pair: pair[1], default=None)


def _last_open(windows: tuple[Window, ...], start: datetime) -> tuple[Window, datetime]:
    """Return the window that closes last of an unbroken series open from a moment on, and when it closes."""
    for stage in _STAGES:
        spread = [(window, each) for window in windows for each in openings(window, start, start + stage)]
        whole = covering(merged(each for _, each in spread), start)
        inside = [(window, each.end) for window, each in spread if whole is not None and each.end <= whole.end]
        last = max(inside, key=lambda pair: pair[1])
        if last[1] < start + stage:
            break
    return last


def _permission(
    latest: datetime | None, windows: tuple[Window, ...], freezes: tuple[Window, ...], length: timedelta | None
) -> str:
    if not windows and not freezes:
        return "no window or freeze is declared"
    until = "for 400 days and more" if latest is None else f"until {iso(latest)}"
    unknown = "; how long it takes is not known, so only its start is held to the windows" if length is None else ""
    return f"a start is permitted {until}{unknown}"


def _named(window: Window) -> str:
    return f'"{window.schedule}" for {window.duration} ({window.time_zone})'


__all__ = ["HORIZON", "Refusal", "StartPermission", "ever_permitted", "verdict", "window_around"]
