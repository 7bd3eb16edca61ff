"""Runs the simulator's clock: from real time, or from a time that a request sets."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Lock


class Clock:
    """Real time plus an offset; a frozen one moves only when moved. `at` is where it starts, not now."""

    def __init__(self, *, freeze: bool = False, at: datetime | None = None) -> None:
        self._lock = Lock()
        self._freeze = freeze
        self._at = at.astimezone(UTC) if at is not None else None
        self._base = self._at or datetime.now(UTC)
        self._since = time.monotonic()

    def now(self) -> datetime:
        """Return the simulated time, aware, UTC."""
        with self._lock:
            return self._base + self._elapsed()

    def advance(self, seconds: float) -> None:
        """Move forward; backwards is refused with ValueError, because no service does that."""
        if seconds < 0:
            raise ValueError("the clock moves forward only")
        with self._lock:
            self._base += timedelta(seconds=seconds)

    def set(self, moment: datetime) -> None:
        """Set the time; it must carry a zone and not lie in the past."""
        if moment.tzinfo is None:
            raise ValueError("the time must carry a zone")
        with self._lock:
            if moment < self._base + self._elapsed():
                raise ValueError("the clock moves forward only")
            self._base, self._since = moment.astimezone(UTC), time.monotonic()

    def reset(self) -> None:
        """Back to where it started: to `at`, or to real time."""
        with self._lock:
            self._base, self._since = self._at or datetime.now(UTC), time.monotonic()

    def _elapsed(self) -> timedelta:
        return timedelta(0) if self._freeze else timedelta(seconds=time.monotonic() - self._since)
