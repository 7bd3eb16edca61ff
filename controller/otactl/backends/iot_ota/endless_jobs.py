"""Counts the things of a job that goes on for ever, for the verdict of its wave.

1. The verdict is over the things that had an execution by the gate's deadline. A thing that joins later, or comes back,
   is served and shown, and counts in no verdict: one that is still offline would take back what had passed.
2. A thing counts once, by the newest of its executions of that time: one that left its group and came back has several,
   and the job counts each.
3. The list is read only where a verdict depends on it: once the deadline is over, or when more failed than the gate
   allows; after a verdict only in a pass whose counts have changed.
4. A list that is behind the counts takes back no verdict. Without a verdict the counts decide, less what the list shows
   to be an older execution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from otactl.backends.iot_ota.executions import by_status, disagreement, newest, queued_by, sorted_out, tally_of
from otactl.model import Attempt, Gate, JsonObject, Outcome, Reason, Unit
from otactl.verdicts import gate as gates
from otactl.verdicts.version_claims import as_taken, without_claims

Tallied = tuple[dict[Outcome, int], dict[Reason, int]]


def tally(
    counted: Mapping[str, int],
    attempt: Attempt,
    gate: Gate,
    deadline: datetime | None,
    *,
    judged: bool,
    listing: Callable[[], Collection[JsonObject]],
) -> Tallied:
    """Return the devices by outcome, and those that failed by reason; `deadline` is None while it is not over.

    `counted` is what the job counts, `judged` says that the wave has a verdict, `listing` reads the executions.
    """
    outcomes, failures = sorted_out(counted)
    if deadline is None and not _exceeds(gate, outcomes, failures):
        return outcomes, failures
    if judged and as_taken(attempt.progress) == {name: n for name, n in counted.items() if n}:
        return without_claims(attempt), dict(attempt.failures)
    listed = listing()
    then = queued_by(listed, deadline) or listed
    if not _is_behind(listed, counted):
        return tally_of(newest(then).values())
    if judged:
        return without_claims(attempt), dict(attempt.failures)
    last = newest(listed)
    older = Counter(by_status(item for item in listed if item not in last.values()))
    return sorted_out(Counter(counted) - older)


def progress(unit: Unit, counted: Mapping[str, int], outcomes: Mapping[Outcome, int]) -> dict[str, int]:
    """Return how far a unit is; no version is read of things that count in no verdict.

    Where no version was read at all, as the job counts: it may never be that anything depends on them.
    """
    if not unit.claims.read:
        return dict(counted)
    shown = unit.progress
    later = counted.get("succeeded", 0) - outcomes.get(Outcome.SUCCEEDED, 0)
    later = min(max(later, 0), shown.get("succeeded", 0))
    moved = {"succeeded": shown.get("succeeded", 0) - later, "versionNotRead": shown.get("versionNotRead", 0) + later}
    return {name: n for name, n in {**shown, **moved}.items() if n}


def _exceeds(gate: Gate, outcomes: Mapping[Outcome, int], failures: Mapping[Reason, int]) -> bool:
    most = gate.max_failures
    return most is not None and gates.tally_of_counts(outcomes, failures, gate).weighted > most


def _is_behind(listed: Collection[JsonObject], counted: Mapping[str, int]) -> bool:
    """Return whether list and counts differ; that removed things may not be listed is no difference."""
    shown = by_status(listed)["removed"]
    return bool(disagreement(listed, {**counted, "removed": min(counted.get("removed", 0), shown)}, ()))
