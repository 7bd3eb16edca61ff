"""Counts the vendor calls made for one thing, such as the assessment of one rollout: the budget of a run is shared.

A meter counts what its own thread calls while it is open. Transports report each call here when they count it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Meter:
    """Calls counted so far."""

    calls: int = 0


_OPEN: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Count the calls made in the block."""
    meter = Meter()
    token = _OPEN.set(meter)
    try:
        yield meter
    finally:
        _OPEN.reset(token)


def count() -> None:
    """Note one call."""
    meter = _OPEN.get()
    if meter is not None:
        meter.calls += 1
