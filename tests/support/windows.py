"""Windows that tests of schedules and of messages share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from otactl.model import Window

Overrun = Literal["finish", "doNotStart"]


def allow(schedule: str, duration: str, overrun: Overrun = "doNotStart", zone: str = "UTC") -> Window:
    return Window(kind="allow", schedule=schedule, duration=duration, time_zone=zone, overrun=overrun)


def deny(schedule: str, duration: str, overrun: Overrun = "doNotStart", zone: str = "UTC") -> Window:
    return Window(kind="deny", schedule=schedule, duration=duration, time_zone=zone, overrun=overrun)


NIGHT = allow("0 22 * * *", "7h")  # to 05:00


LENIENT = allow("0 22 * * *", "7h", "finish")


MORNING = allow("0 5 * * *", "2h")  # to 07:00, adjacent to NIGHT


CHRISTMAS = deny("0 0 24 12 *", "3d")  # to 27 December 00:00


SOFT_CHRISTMAS = deny("0 0 24 12 *", "3d", "finish")


ALWAYS = deny("* * * * *", "1m")


PARIS = allow("0 22 * * *", "7h", zone="Europe/Paris")


OK = "ok"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text if text.startswith("20") else f"2026-{text}").replace(tzinfo=UTC)


def length(text: str | None) -> timedelta | None:
    return None if text is None else timedelta(seconds=int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]])
