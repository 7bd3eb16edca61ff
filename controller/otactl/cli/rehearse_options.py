"""Builds the assumptions about the fleet from the flags of `otactl rehearse`."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from otactl.errors import UsageError
from otactl.rehearsal.fleets.base import DEFAULT, Assumed


def assumed_of(devices_per_group: int, loss: tuple[str, ...], silent: float, fail: tuple[str, ...]) -> Assumed:
    """Return what the flags assume; UsageError for one that cannot be."""
    if math.isnan(silent):  # a range lets it pass
        raise UsageError(f"--silent {silent} is no number; it is a percentage, such as 3")
    general = 0.05
    by_label: list[tuple[str, str, float]] = []
    for text in loss:
        where, colon, share = text.rpartition(":")
        value = _number(share, f"--loss {text}")
        if not 0 <= value < 1:
            raise UsageError(f"--loss {text}: a share is at least 0 and below 1, such as 0.05")
        label, equals, wanted = where.partition("=")
        if not colon:
            general = value
        elif label and equals:
            by_label.append((label, wanted, value))
        else:
            raise UsageError(f"--loss {text}: write a share, or LABEL=VALUE:SHARE such as site=yard:0.2")
    failing = tuple(_failing(text) for text in fail)
    total = silent + sum(percent for _, percent in failing)
    if total > 100:
        raise UsageError(f"--silent and --fail together are {total:g} % of the devices; at most 100 % can be")
    return Assumed(
        devices_per_group=devices_per_group, loss=general, loss_by_label=tuple(by_label), silent=silent, fail=failing
    )


def moment(text: str) -> datetime:
    """Return a moment with a zone, as UTC.

    Raises: UsageError when the text is no such moment.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text} is no time; write it like 2026-11-21T22:00:00Z") from error
    if found.tzinfo is None:
        written = found.isoformat(timespec="seconds")
        raise UsageError(f"--at {text} has no zone; write it like {written}Z, or with an offset such as +01:00")
    try:
        utc = found.astimezone(UTC)
    except OverflowError as error:
        raise UsageError(f"--at {text} is outside the calendar") from error
    if not 2000 <= utc.year <= 2200:
        raise UsageError(f"--at {text} is not between the years 2000 and 2200")
    return utc


def _failing(text: str) -> tuple[str, float]:
    reason, equals, percent = text.rpartition("=")
    value = _number(percent, f"--fail {text}")
    if not 0 <= value <= 100 or (equals and not reason):
        raise UsageError(f"--fail {text}: write a percentage, or REASON=PERCENT such as noMemory=2")
    return reason or DEFAULT, value


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise UsageError(f"{where}: {text} is no number") from error
    if math.isnan(value):  # compares with nothing
        raise UsageError(f"{where}: {text} is no number")
    return value
