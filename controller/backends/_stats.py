"""What a run cost in calls, counted alike by every transport."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Stats:
    """What a run cost: every attempt is a call; `writes` are those that change something."""

    calls: int = 0
    writes: int = 0
    throttled: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)
