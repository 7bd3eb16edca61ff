"""Counts the calls of a run, alike for every client, against the call budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from otactl.backends.transport import metering
from otactl.errors import BudgetSpentError


@dataclass
class Stats:
    """Holds what a run cost: every attempt is a call; `writes` are those that change something. Threads share it."""

    calls: int = 0
    writes: int = 0
    throttled: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)
    throttled_by_operation: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def count(self, key: str, *, writes: bool, budget: int) -> None:
        """Count a call that is about to be sent; raises `BudgetSpentError` when it must not be."""
        # A fifth is reserved for writes: a budget that reads alone could spend would never get a step sent.
        limit = budget if writes else budget - budget // 5
        with self._lock:
            if self.calls >= limit:
                raise BudgetSpentError(budget=budget, limit=limit, calls=self.calls)
            self.calls += 1
            self.writes += writes
            self.by_operation[key] = self.by_operation.get(key, 0) + 1
        metering.count()

    def count_throttled(self, key: str) -> None:
        """Count an attempt of `service:operation` that the service throttled."""
        with self._lock:
            self.throttled += 1
            self.throttled_by_operation[key] = self.throttled_by_operation.get(key, 0) + 1

    def reset(self) -> None:
        """Start again from zero, as a new run does; clients that share this count keep sharing it."""
        with self._lock:
            self.calls = self.writes = self.throttled = 0
            self.by_operation, self.throttled_by_operation = {}, {}
