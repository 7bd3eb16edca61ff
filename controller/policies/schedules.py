"""Rules of cron schedules: five fields, each within its range, names of months and days allowed."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model import Window, duration
from controller.policies.violation import Violation

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
LONGEST_WINDOW = 7 * 86400


def schedule(window: Window, pointer: str) -> Iterator[Violation]:
    """Judge one window or freeze."""
    for text, (name, low, high, names) in zip(window.schedule.split(), _FIELDS, strict=True):
        if not all(_item(item, low, high, names) for item in text.split(",")):
            message = f"{text} is no {name} of a cron schedule ({low} to {high}, *, lists, ranges, steps)"
            yield Violation(
                pointer=f"{pointer}/schedule",
                code="schedule_is_invalid",
                message=message,
                hint='for example "0 22 * * *"',
            )
    if duration(window.duration).total_seconds() > LONGEST_WINDOW and window.kind == "allow":
        message = f"a window of {window.duration} is longer than a week"
        yield Violation(pointer=f"{pointer}/duration", code="window_is_very_long", message=message, severity="warning")


def _item(text: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    span, slash, step = text.partition("/")
    if slash and not (step.isdigit() and 0 < int(step) <= high):
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    ends = [_number(first, low, high, names)]
    if dash:
        ends.append(_number(last, low, high, names))
    numbers = [end for end in ends if end is not None]
    return len(numbers) == len(ends) and numbers == sorted(numbers)


def _number(text: str, low: int, high: int, names: tuple[str, ...]) -> int | None:
    if text.lower() in names:
        return names.index(text.lower()) + (1 if names is _MONTHS else 0)
    return int(text) if text.isdigit() and low <= int(text) <= high else None
