"""Checks a rollout's windows together: some time is left, and it is long enough for a session.

1. Nothing here knows the time: a rule is broken only if no day of any year would do. That nothing fits within the next
   400 days, because a freeze stands before the only window, is for the plan to say (`otactl.schedule.windows.verdict`).
2. A session is measured with the redundancy of its last attempt: a retry that fits nowhere would wait for ever.
3. What the rollout's own windows leave no room for is an error. Where the environment's freezes take the room it is a
   warning: a freeze without an end is how an environment is closed for a while, and the rollout is not at fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from otactl import wording
from otactl.lorawan.errors import LorawanError
from otactl.model import Environment, Rollout, Window, duration
from otactl.model.violation import Violation
from otactl.schedule.cron import broken_fields
from otactl.schedule.windows import ever_permitted

_Fault = Literal["window_shorter_than_session", "windows_are_denied", "windows_are_frozen"]


def windows(rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
    """Check the windows of a rollout against its session and against the freezes of its environment."""
    allow = tuple(window for window in rollout.windows if window.kind == "allow")
    freezes = environment.freezes if environment is not None else ()
    if not rollout.windows or not all(_is_readable(window) for window in (*rollout.windows, *freezes)):
        return
    length = _longest_session(rollout)
    enough = "" if length is None else f" long enough for a session of {wording.length(length)}"
    match _fault(rollout.windows, freezes, length):
        case "window_shorter_than_session":
            widest = max(allow, key=lambda window: duration(window.duration))
            yield Violation(
                pointer=f"/spec/windows/{rollout.windows.index(widest)}/duration",
                code="window_shorter_than_session",
                message=f"no window is{enough}",
                hint="a longer window, a shorter session (otactl airtime shows the reasons), or overrun: finish",
            )
        case "windows_are_denied":
            yield Violation(
                pointer="/spec/windows",
                code="windows_are_denied",
                message=f"the windows of kind deny leave no time{enough}",
                hint="deny wins over allow: move one of them, or shorten the deny",
            )
        case "windows_are_frozen":
            yield Violation(
                pointer="/spec/windows",
                code="windows_are_frozen",
                message=f"the freezes of environment {rollout.environment} leave no time{enough}",
                hint="nothing starts until the environment's freezes change",
                severity="warning",
            )


@lru_cache(maxsize=1024)
def _fault(own: tuple[Window, ...], freezes: tuple[Window, ...], length: timedelta | None) -> _Fault | None:
    """Return the innermost fault of a window (rule 3); the manifests of a fleet share their windows."""
    allow = tuple(window for window in own if window.kind == "allow")
    if ever_permitted(own, freezes, length):
        return None
    if not ever_permitted(allow, (), None):
        return None  # none of them ever opens, which is reported for each
    if not ever_permitted(allow, (), length):
        return "window_shorter_than_session"
    return "windows_are_frozen" if freezes and ever_permitted(own, (), length) else "windows_are_denied"


def _longest_session(rollout: Rollout) -> timedelta | None:
    retry = rollout.strategy.retry
    try:
        return rollout.session_length(retry.attempts if retry is not None else 1)
    except LorawanError:
        return None  # reported as a fault of the radio fields


def _is_readable(window: Window) -> bool:
    """Return whether its schedule and zone are usable; what is wrong with them is reported at their own lines."""
    if broken_fields(window.schedule):
        return False
    try:
        ZoneInfo(window.time_zone)
    except (ValueError, OSError, KeyError):
        return False
    return True
