"""Renders conditions and holds with their age, and an environment's last run, for `status`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from otactl.model import Condition, Failure, LastRun, Record, RecordedHold, Value, iso, iso_or_none
from otactl.wording import count


class ConditionLine(Value, frozen=True, kw_only=True):
    """A condition; `since` is when status and reason became these, where that was recorded."""

    type: Annotated[
        str,
        Meta(
            description="Which condition.",
            examples=["Reconciling"],
            extra_json_schema={"enum": ["Ready", "Reconciling", "Stalled", "Overdue"]},
        ),
    ]
    status: Annotated[bool, Meta(description="Whether it holds.", examples=[True])]
    reason: Annotated[
        str, Meta(description="PascalCase word listed in the documentation.", examples=["TargetIsNotReady"])
    ]
    message: Annotated[str, Meta(description="A sentence, or empty.", examples=["1 of 2 devices are ready"])]
    since: Annotated[
        str | None,
        Meta(
            description="When status and reason became these; null if that was not recorded.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ] = None


class HoldLine(Value, frozen=True, kw_only=True):
    """A hold of the last pass; `overdue_since` is when it had lasted longer than it should."""

    reason: Annotated[str, Meta(description="Name of the hold.", examples=["target_is_not_ready"])]
    message: Annotated[
        str, Meta(description="What is waited for, and what to do.", examples=["1 of 2 devices are ready"])
    ]
    stalled: Annotated[bool, Meta(description="Whether a person must act.", examples=[False])]
    since: Annotated[
        str | None,
        Meta(
            description="When it was first seen; null if that was not recorded.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]
    until: Annotated[
        str | None,
        Meta(
            description="When it ends by itself; null if it names no time.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]
    overdue_since: Annotated[
        str | None,
        Meta(
            description="When it had lasted longer than its limit; null while it has not.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]


class FailureLine(Value, frozen=True, kw_only=True):
    """The error that stopped the last pass, or calls that were sent."""

    reason: Annotated[str, Meta(description="PascalCase reason.", examples=["PermissionDenied"])]
    message: Annotated[
        str, Meta(description="What happened, and what to do.", examples=["iot:CreateOTAUpdate was refused"])
    ]
    since: Annotated[
        str,
        Meta(
            description="When it was first seen.", pattern="^[0-9-]{10}T[0-9:]{8}Z$", examples=["2026-11-20T09:00:00Z"]
        ),
    ]


class RunLine(Value, frozen=True, kw_only=True):
    """The last recorded run; `reason` and `error` are empty for one without an error."""

    at: Annotated[
        str, Meta(description="When it ended.", pattern="^[0-9-]{10}T[0-9:]{8}Z$", examples=["2026-11-20T09:00:00Z"])
    ]
    by: Annotated[str, Meta(description="Host and process that ran it.", examples=["ci-7/4711"])]
    since: Annotated[
        str,
        Meta(
            description="Since when runs end in the same way.",
            pattern="^[0-9-]{10}T[0-9:]{8}Z$",
            examples=["2026-11-20T09:00:00Z"],
        ),
    ]
    reason: Annotated[
        str, Meta(description="PascalCase reason of its error; empty without one.", examples=["PermissionDenied"])
    ]
    error: Annotated[
        str, Meta(description="Its error; empty without one.", examples=["sts:GetCallerIdentity was refused"])
    ]
    last_good: Annotated[
        str | None,
        Meta(
            description="When the last recorded run without an error ended; null if none is recorded.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]


class ReceiverLine(Value, frozen=True, kw_only=True):
    """A receiver of notices for which some wait, or that accepts none."""

    name: Annotated[str, Meta(description="Name of the receiver.", examples=["ops"])]
    waiting: Annotated[int, Meta(description="Notices that it has not accepted yet.", ge=0, examples=[2])]
    error: Annotated[
        str | None, Meta(description="Why it accepts nothing; null if it does.", examples=["it answered 500"])
    ]
    since: Annotated[
        str | None,
        Meta(
            description="Since when it accepts nothing; null if it does.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]


class EnvironmentLine(Value, frozen=True, kw_only=True):
    """An environment: its last run, and the open drift that belongs to no rollout."""

    name: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    run: Annotated[RunLine | None, Meta(description="Its last recorded run; null before one.")]
    open_drift: Annotated[int, Meta(description="Open entries that belong to no rollout.", ge=0, examples=[0])]
    receivers: Annotated[
        tuple[ReceiverLine, ...],
        Meta(description="Receivers for which notices wait, or that accept none; empty when all is sent."),
    ] = ()


def conditions_of(conditions: tuple[Condition, ...]) -> tuple[ConditionLine, ...]:
    """Return a record's conditions as lines."""
    return tuple(
        ConditionLine(type=c.type, status=c.status, reason=c.reason, message=c.message, since=iso_or_none(c.since))
        for c in conditions
    )


def holds_of(holds: tuple[RecordedHold, ...]) -> tuple[HoldLine, ...]:
    """Return a record's holds as lines."""
    return tuple(
        HoldLine(
            reason=h.reason,
            message=h.message,
            stalled=h.stalled,
            since=iso_or_none(h.since),
            until=iso_or_none(h.until),
            overdue_since=iso_or_none(h.overdue_since),
        )
        for h in holds
    )


def failure_of(failure: Failure | None) -> FailureLine | None:
    """Return a record's error as a line."""
    return FailureLine(reason=failure.reason, message=failure.message, since=iso(failure.since)) if failure else None


def environment_of(name: str, record: Record | None, records: Iterable[Record] = ()) -> EnvironmentLine:
    """Return an environment from its own record, and from all of them what waits for receivers of notices."""
    receivers = _receivers(record, records)
    if record is None:
        return EnvironmentLine(name=name, run=None, open_drift=0, receivers=receivers)
    run = _run(record.last_run) if record.last_run is not None else None
    return EnvironmentLine(name=name, run=run, open_drift=sum(e.open for e in record.drift), receivers=receivers)


def _receivers(record: Record | None, records: Iterable[Record]) -> tuple[ReceiverLine, ...]:
    waiting = Counter(name for each in records for notice in each.notices for name in notice.to)
    failures = record.receiver_failures if record is not None else {}
    return tuple(
        ReceiverLine(
            name=name,
            waiting=waiting[name],
            error=failures[name].error if name in failures else None,
            since=iso(failures[name].since) if name in failures else None,
        )
        for name in sorted({*waiting, *failures})
    )


def receiver_text(line: ReceiverLine) -> str:
    """One line on a receiver of notices."""
    waiting = f"{count(line.waiting, 'notice waits', 'notices wait')}"
    if line.error is None:
        return f"receiver {line.name}: {waiting}"
    return f"receiver {line.name} accepts nothing since {line.since}: {line.error}; {waiting}"


def _run(run: LastRun) -> RunLine:
    return RunLine(
        at=iso(run.at),
        by=run.by,
        since=iso(run.since),
        reason=run.reason,
        error=run.error,
        last_good=iso_or_none(run.last_good),
    )


def environment_text(line: EnvironmentLine) -> str:
    """Return one line on an environment."""
    drift = f"; {line.open_drift} drift entries belong to no rollout (`otactl drift`)" if line.open_drift else ""
    if line.run is None:
        return f"environment {line.name}: no run is recorded yet{drift}"
    run = line.run
    if not run.reason:
        return f"environment {line.name}: last recorded run {run.at} by {run.by}, without an error{drift}"
    good = (
        f"the last one without an error was {run.last_good}" if run.last_good else "none without an error is recorded"
    )
    return (
        f"environment {line.name}: last recorded run {run.at} by {run.by} failed, since {run.since}: "
        f"{run.reason}: {run.error}; {good}{drift}"
    )


def stands_text(
    conditions: tuple[ConditionLine, ...], holds: tuple[HoldLine, ...], failure: FailureLine | None
) -> list[str]:
    """Return the conditions in one line, then each error and hold once, with its age."""
    lines = [", ".join(_condition(c) for c in conditions)] if conditions else []
    messages: dict[str, str] = {}
    if failure is not None:
        messages[failure.message] = f"{failure.reason}: {failure.message} (since {failure.since})"
    for hold in holds:
        late = f", too long since {hold.overdue_since}" if hold.overdue_since else ""
        age = f" (since {hold.since}{late})" if hold.since else ""
        messages.setdefault(hold.message, f"{hold.reason}: {hold.message}{age}")
    for condition in conditions:
        if condition.message:
            age = f" (since {condition.since})" if condition.since else ""
            messages.setdefault(condition.message, f"{condition.reason}: {condition.message}{age}")
    return [*lines, *messages.values()]


def _condition(condition: ConditionLine) -> str:
    word = "yes" if condition.status else "no"
    return f"{condition.type} {word}" + (f" ({condition.reason})" if condition.reason.lower() != word else "")
