"""Formats durations for people: one unit, rounded down."""

from __future__ import annotations

from datetime import timedelta


def span(left: timedelta) -> str:
    """Write a duration in its largest unit: `59s`, `12m`, `23h`, `2d`."""
    seconds = int(left.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
