"""Reads the time in the Date header of an answer; a header that is no time is ignored."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_YEARS = range(2000, 2200)


def date_of(date: object) -> datetime | None:
    """Return the time of a Date header, in UTC; None for one that is missing, doubled or no date.

    `-0000` is a time without a zone to the library; the header's times are always UTC (RFC 9110, 5.6.7).
    """
    if not isinstance(date, str):
        return None
    try:
        stamp = parsedate_to_datetime(date)
        stamp = stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return stamp if stamp.year in _YEARS else None
