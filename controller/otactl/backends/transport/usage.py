"""What a run cost in calls, counted alike by every transport, and the budget it must stay in."""

from __future__ import annotations

from dataclasses import dataclass, field

from otactl.backends.transport import metering
from otactl.errors import BudgetSpentError


@dataclass
class Stats:
    """What a run cost: every attempt is a call; `writes` are those that change something."""

    calls: int = 0
    writes: int = 0
    throttled: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)

    def count(self, key: str, *, writes: bool, budget: int) -> None:
        """Count a call that is about to be made; raises `BudgetSpentError` when it must not. Callers hold a lock."""
        # A fifth is kept for writes: a budget that reads alone could spend would never get a rung sent.
        limit = budget if writes else budget - budget // 5
        if self.calls >= limit:
            raise BudgetSpentError(budget=budget, limit=limit, calls=self.calls)
        self.calls += 1
        self.writes += writes
        self.by_operation[key] = self.by_operation.get(key, 0) + 1
        metering.count()
