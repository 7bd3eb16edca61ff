"""Schedules events by time, so that one jump of the clock has the effect of many small steps.

1. What is due runs in the order of its moments; what is due at the same moment in the order it was put down.
2. While it runs, the service's time is that moment, not the clock's.
3. What is put down holds the objects it is about, and looks when it runs whether they still stand.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from otactl_simulator.clock import Clock


class Agenda(Clock):
    """The time as the service sees it: the simulated clock's, or the moment it is catching up with."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(freeze=True)
        self._clock = clock
        self._moment: datetime | None = None
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._put = 0

    def now(self) -> datetime:
        """Return the moment being caught up with, else the simulated time."""
        return self._moment or self._clock.now()

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Schedule an event for a moment; one that has passed is due at once."""
        self._put += 1
        heapq.heappush(self._due, (when, self._put, action))

    @property
    def next_due(self) -> datetime | None:
        """Return the earliest moment something is put down for."""
        return self._due[0][0] if self._due else None

    def run(self, until: datetime) -> None:
        """Do everything that is due."""
        while self._due and self._due[0][0] <= until:
            when, _, action = heapq.heappop(self._due)
            with self.standing_at(when):
                action()

    @contextmanager
    def standing_at(self, moment: datetime) -> Iterator[None]:
        """Stop the service's time at a moment for the block."""
        before, self._moment = self._moment, moment
        try:
            yield
        finally:
            self._moment = before
