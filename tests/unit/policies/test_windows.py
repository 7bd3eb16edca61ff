"""Rules of windows: those that never open, that leave no time, or too little for a session."""

from __future__ import annotations

import pytest

from otactl import policies
from otactl.backends.registry import BACKENDS
from otactl.model import Environment, Window
from tests.support.policy_tables import GOOD, HOME, OTA, changed, found, home, value_of, with_backend

ALLOW = '    - {kind: allow, schedule: "%s", duration: %s, timeZone: Europe/Paris, overrun: %s}\n'
DENY = '    - {kind: deny, schedule: "%s", duration: %s, timeZone: Europe/Paris}\n'
RETRY = "    retry: {attempts: %d, on: [offline], raiseRedundancyPercent: 40}\n"


def allow(schedule: str = "0 22 * * *", duration: str = "7h", overrun: str = "doNotStart") -> str:
    return ALLOW % (schedule, duration, overrun)


def deny(schedule: str, duration: str) -> str:
    return DENY % (schedule, duration)


def good(*windows: str, text: str = GOOD) -> str:
    """The good manifest, whose session lasts 12m 55s, with windows."""
    return f"{text}  windows:\n{''.join(windows)}"


def frozen(schedule: str, duration: str) -> Environment:
    return home(freezes=(Window(kind="deny", schedule=schedule, duration=duration, time_zone="UTC"),))


SHORT = "window_shorter_than_session /spec/windows/%d/duration"
DENIED, FROZEN = "windows_are_denied /spec/windows", "?windows_are_frozen /spec/windows"
TABLE: dict[str, tuple[str, Environment | None, list[str]]] = {
    "a night": (good(allow()), None, []),
    "a night, and no freeze in the environment": (good(allow()), HOME, []),
    "30 February": (good(allow("0 2 30 2 *")), None, ["window_never_opens /spec/windows/0/schedule"]),
    "30 February, denied": (
        good(allow(), deny("0 2 30 2 *", "1h")),
        None,
        ["window_never_opens /spec/windows/1/schedule"],
    ),
    "29 February": (good(allow("0 2 29 2 *")), None, []),
    "30 February or a Monday": (good(allow("0 2 30 2 mon")), None, []),
    "a window that cannot be read, and one too short": (
        good(allow("0 25 * * *"), allow(duration="1m")),
        None,
        ["schedule_is_invalid /spec/windows/0/schedule"],
    ),
    "a window a little longer than the session": (good(allow(duration="13m")), None, []),
    "a window a little shorter than the session": (good(allow(duration="12m")), None, [SHORT % 0]),
    "too short, and the session may finish outside": (good(allow(duration="12m", overrun="finish")), None, []),
    "too short, pointed at the longest": (good(allow(duration="1m"), allow("0 5 * * *", "9m")), None, [SHORT % 1]),
    "two short windows that touch": (good(allow(duration="7m"), allow("7 22 * * *", "7m")), None, []),
    "two short windows that touch in summer only": (
        good(allow("0 22 * * *", "7m"), '    - {kind: allow, schedule: "7 20 * * *", duration: 7m, timeZone: UTC}\n'),
        None,
        [],
    ),
    "too short for a longer image": (
        good(allow(duration="13m"), text=changed("8000", "9000")),
        None,
        [SHORT % 0],
    ),
    "long enough for the last attempt": (good(allow(duration="18m"), text=GOOD + RETRY % 2), None, []),
    "too short for the last attempt": (good(allow(duration="18m"), text=GOOD + RETRY % 3), None, [SHORT % 0]),
    "too short, if anyone could tell": (good(allow(duration="1m"), text=with_backend(OTA, "things")), None, []),
    "radio fields that are wrong": (
        good(allow(duration="1m"), text=changed("dataRate: 3", "dataRate: 9")),
        None,
        ["data_rate_unknown /spec/fuota/dataRate"],
    ),
    "a deny over all of it": (good(allow(), deny("0 20 * * *", "12h")), None, [DENIED]),
    "a deny that leaves ten minutes": (good(allow(), deny("10 22 * * *", "12h")), None, [DENIED]),
    "a deny that leaves twenty minutes": (good(allow(), deny("20 22 * * *", "12h")), None, []),
    "a deny over all of it but in one week": (good(allow(), deny("0 20 8-31 * *", "12h")), None, []),
    "a deny without end, and no allow": (good(deny("* * * * *", "1m")), None, [DENIED]),
    "a deny over everything, unknown length": (
        good(allow(), deny("0 20 * * *", "12h"), text=with_backend(OTA, "things")),
        None,
        [DENIED],
    ),
    "a freeze without end": (good(allow()), frozen("* * * * *", "1m"), [FROZEN]),
    "a freeze without end, and no windows": (GOOD, frozen("* * * * *", "1m"), []),
    "a freeze that leaves half of the night": (good(allow()), frozen("0 20 * * *", "5h"), []),
    "a freeze and a deny that together leave nothing": (
        good(allow(), deny("0 22 * * *", "4h")),
        frozen("0 0 * * *", "12h"),
        [FROZEN],
    ),
    "a freeze that cannot be read is reported at its environment": (good(allow()), frozen("0 25 * * *", "1h"), []),
    "a zone no one knows is reported where it stands": (
        good(allow()),
        home(freezes=(Window(kind="deny", schedule="* * * * *", duration="1m", time_zone="Nowhere/Land"),)),
        [],
    ),
}


@pytest.mark.parametrize(("text", "environment", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_rules_find(text: str, environment: Environment | None, expected: list[str]) -> None:
    assert found(text, environment) == expected


def test_people_see_how_long_the_session_is() -> None:
    (violation,) = policies.check(value_of(good(allow(duration="12m"))), BACKENDS)
    assert violation.message == "no window is long enough for a session of 12m 55s"


def test_a_freeze_that_never_comes_is_reported() -> None:
    (violation,) = policies.check_environment(frozen("0 0 31 4 *", "1d"), BACKENDS)
    assert (violation.code, violation.pointer) == ("window_never_opens", "/spec/freezes/0/schedule")
