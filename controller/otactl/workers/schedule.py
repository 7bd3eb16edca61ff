"""Decides when an environment is due and how urgent its job is. Pure: times are the database's, in seconds.

1. An environment is due at the start of each of its slots: `every` seconds long, shifted by a share of `every` that its
   name decides. So environments spread over the time, keep their distance, and every worker names the same slot.
2. A request by hand goes before everything, then aborts, then live sessions, then the others.
3. An environment whose last pass hung or crashed goes after the others.
4. Each slot that a job has waited through raises it: whatever is more urgent, it is next after a few.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set

from otactl.model import Value
from otactl.model.values import duration

EVERY_SECONDS = 300.0
REQUESTED, ABORTING, LIVE, USUAL, TROUBLED = 30, 20, 10, 0, -10
RAISE = 15
"""What a slot of waiting adds: after two, a usual job goes before a fresh abort."""
HIGHEST = 1000


class Urgency(Value, frozen=True, kw_only=True):
    """What decides how urgent an environment is, as its last pass left it."""

    live: bool = False
    """Whether a unit is scheduled or running."""
    aborted: tuple[str, ...] = ()
    """Rollouts whose declared abort is done."""
    troubled: bool = False
    """Whether its last pass hung or crashed."""


def seconds_of(every: str | None, default: float = EVERY_SECONDS) -> float:
    """Return how often an environment runs, in seconds; `every` as its manifest has it."""
    return duration(every).total_seconds() if every is not None else default


def slot_at(name: str, every: float, now: float) -> float:
    """Return the start of the slot that an environment is in."""
    digest = hashlib.sha256(name.encode()).digest()
    offset = int.from_bytes(digest[:8]) / 2**64 * every
    return (now - offset) // every * every + offset


def priority_of(urgency: Urgency, aborts: Set[str]) -> int:
    """Return the priority of a job; `aborts` are the rollouts whose manifest declares one."""
    if aborts - set(urgency.aborted):
        return ABORTING
    if urgency.troubled:
        return TROUBLED
    return LIVE if urgency.live else USUAL


def raised(priority: int, waited: float, every: float) -> int:
    """Return the priority of a job that has waited for so many seconds (rule 4)."""
    return min(HIGHEST, priority + RAISE * int(max(0.0, waited) // every))
