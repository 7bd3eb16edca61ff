"""Writes numbers and durations for people, alike in every message and report.

1. A number agrees with its noun: `1 rollout`, `2 rollouts`.
2. A duration always names its units, largest first: `3h 10m`, `2d`, `45s`.
"""

from __future__ import annotations

from datetime import timedelta

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_HOUR, _MINUTE = 3600, 60


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, or with words that start with it; `many` is the plural, if not `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def length(duration: timedelta | float) -> str:
    """Return a duration exact to the second, in days, hours, minutes and seconds; a number is in seconds."""
    left, parts = round(_seconds(duration)), []
    for unit, size in _UNITS:
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts) or "0s"


def about(duration: timedelta | float) -> str:
    """Return a duration rounded for its size: to a tenth of a second below a minute, to the minute from an hour on."""
    seconds = _seconds(duration)
    if seconds < _MINUTE and seconds != int(seconds):
        return f"{seconds:.1f}s"
    return length(60 * round(seconds / 60) if seconds >= _HOUR else seconds)


def span(duration: timedelta | float) -> str:
    """Return a duration in its largest unit, rounded down: `59s`, `12m`, `23h`, `2d`; a number is in seconds."""
    seconds = int(_seconds(duration))
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "0s"


def _seconds(duration: timedelta | float) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else duration
