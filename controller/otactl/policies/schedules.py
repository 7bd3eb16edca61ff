"""Checks one window or freeze: its schedule can be read, and it occurs."""

from __future__ import annotations

from collections.abc import Iterator

from otactl.model import Window, duration
from otactl.model.violation import Violation
from otactl.schedule.cron import broken_fields, parse

LONGEST_WINDOW = 7 * 86400


def schedule(window: Window, pointer: str) -> Iterator[Violation]:
    """Check one window or freeze."""
    broken = broken_fields(window.schedule)
    for text, field in broken:
        message = f"{text} is no {field.name} of a cron schedule ({field.low} to {field.high}, *, lists, ranges, steps)"
        yield Violation(
            pointer=f"{pointer}/schedule",
            code="schedule_is_invalid",
            message=message,
            hint='for example "0 22 * * *"',
        )
    if not broken and not parse(window.schedule).ever:
        yield Violation(
            pointer=f"{pointer}/schedule",
            code="window_never_opens",
            message=f'no month of "{window.schedule}" has such a day',
            hint="name a day that comes, or * and a day of the week",
        )
    if duration(window.duration).total_seconds() > LONGEST_WINDOW and window.kind == "allow":
        message = f"a window of {window.duration} is longer than a week"
        yield Violation(pointer=f"{pointer}/duration", code="window_is_very_long", message=message, severity="warning")
