"""Compares the executions of a job with what the job counts and the things it was started with.

1. A job counts executions, not things (boto/boto3 #4656): a thing that left its group and came back after its end has
   several. What became of a thing is its execution with the highest number.
2. List and counts agree when they say the same of every execution, or of the newest of each thing. Whether the list
   shows those of a deleted thing is not documented: removals that are counted and not listed agree, too, where as many
   things of the start are not listed.
3. What does not agree is behind, for SETTLE after the job's end. Then the list counts, and what it lacks is reported.
4. A thing with an execution was there when the job was created, or joined one without an end: it counts, also where the
   list of its group did not show it.
5. A job that we canceled starts no further things and lets those in progress finish: a thing that had started and is
   canceled, and the first ones, as many as were canceled before us, were canceled by another actor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec

from otactl.backends.iot_ota.statuses import MOVING, STATUS_COUNTS, execution_outcome
from otactl.model import Cause, DeviceResult, JsonObject, Outcome, Reason, ServiceFinding, Value

SETTLE = timedelta(hours=1)


class Judged(Value, frozen=True, kw_only=True):
    """What became of the things of a job; None while list and counts do not agree. `concerns` say what is odd.

    `took` are the things whose transfer succeeded, each with the time it did.
    """

    results: tuple[DeviceResult, ...] | None
    took: dict[str, datetime | None] = msgspec.field(default_factory=dict)
    concerns: tuple[ServiceFinding, ...] = ()


def thing_of(item: JsonObject) -> str:
    """Return the thing of a listed execution."""
    return str(item.get("thingArn", "")).rpartition("/")[2]


def newest(listed: Iterable[JsonObject]) -> dict[str, JsonObject]:
    """Return the listed execution of each thing that has the highest number, in whatever order they are listed."""
    found: dict[str, JsonObject] = {}
    for item in listed:
        name = thing_of(item)
        if name not in found or _number(item) > _number(found[name]):
            found[name] = item
    return found


def result(item: JsonObject) -> DeviceResult:
    """Return what became of one execution."""
    outcome, reason = execution_outcome(_status(item))
    name = thing_of(item)
    return DeviceResult(device=name, outcome=outcome, reason=reason, name=name)


def disagreement(
    listed: Collection[JsonObject], counted: Mapping[str, int], things: Collection[str]
) -> tuple[ServiceFinding, ...]:
    """Return what a job counts that its list does not show, or the other way round (rule 2).

    Nothing where they agree.
    """
    wanted = Counter({name: n for name, n in counted.items() if n})
    every, latest = by_status(listed), by_status(newest(listed).values())
    if wanted in (every, latest):
        return ()
    lacks, more = wanted - every, every - wanted
    hidden = set(things) - {thing_of(item) for item in listed}
    if not more and set(lacks) == {"removed"} and lacks["removed"] <= len(hidden):
        return ()
    return (
        ServiceFinding(
            field="executions",
            desired=dict(sorted(wanted.items())),
            observed=dict(sorted(every.items())),
            cause=Cause.VENDOR,
        ),
    )


def no_one_moves(listed: Collection[JsonObject], job: JsonObject) -> bool:
    """Return whether a job counts devices in progress and lists none of them (left, came back, was deleted)."""
    return not job.get("isConcurrent") and not any(STATUS_COUNTS.get(_status(item)) in MOVING for item in listed)


def by_hand(listed: Iterable[JsonObject], before: int) -> frozenset[str]:
    """Return the things that another actor canceled in a job that we canceled when `before` of them were (rule 5)."""
    canceled = [item for item in newest(listed).values() if STATUS_COUNTS.get(_status(item)) == "canceled"]
    started = {thing_of(item) for item in canceled if _summary(item).get("startedAt")}
    first = sorted(canceled, key=lambda item: str(_summary(item).get("lastUpdatedAt") or "~"))[:before]
    return frozenset(started | {thing_of(item) for item in first})


def tally_of(items: Iterable[JsonObject]) -> tuple[dict[Outcome, int], dict[Reason, int]]:
    """Return executions by outcome, and those that failed by reason."""
    return sorted_out(by_status(items))


def sorted_out(counted: Mapping[str, int]) -> tuple[dict[Outcome, int], dict[Reason, int]]:
    """Return numbers of executions, by what a job counts them as, by outcome, and those that failed by reason."""
    outcomes: dict[Outcome, int] = {}
    failures: dict[Reason, int] = {}
    statuses = {name: status for status, name in STATUS_COUNTS.items()}
    for name, number in counted.items():
        outcome, reason = execution_outcome(statuses.get(name, name))
        if number:
            outcomes[outcome] = outcomes.get(outcome, 0) + number
        if number and outcome is Outcome.FAILED and reason is not None:
            failures[reason] = failures.get(reason, 0) + number
    return outcomes, failures


def by_status(items: Iterable[JsonObject]) -> Counter[str]:
    """Return executions by what a job counts them as."""
    return Counter(STATUS_COUNTS.get(_status(item), _status(item)) for item in items)


def queued_by(listed: Collection[JsonObject], moment: datetime | None) -> Collection[JsonObject]:
    """Return the listed executions that were there at a moment; all of them without one."""
    if moment is None:
        return listed
    times = ((item, _summary(item).get("queuedAt")) for item in listed)
    return [item for item, at in times if not isinstance(at, datetime) or at.astimezone(UTC) <= moment]


def took(listed: Iterable[JsonObject]) -> dict[str, datetime | None]:
    """Return the things whose transfer succeeded, each with the time it did, as far as it is shown."""
    succeeded = {n: item for n, item in newest(listed).items() if result(item).outcome is Outcome.SUCCEEDED}
    times = ((name, _summary(item).get("lastUpdatedAt")) for name, item in succeeded.items())
    return {name: at.astimezone(UTC) if isinstance(at, datetime) else None for name, at in times}


def _summary(item: JsonObject) -> JsonObject:
    return cast("JsonObject", item.get("jobExecutionSummary") or {})


def _status(item: JsonObject) -> str:
    return str(_summary(item).get("status"))


def _number(item: JsonObject) -> int:
    return int(cast("int", _summary(item).get("executionNumber") or 0))
