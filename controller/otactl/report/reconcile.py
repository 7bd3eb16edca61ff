"""Renders the result of a reconcile run: one JSON line, or a few lines of text."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from otactl.model import Phase, Value
from otactl.reconcile.run_report import RolloutReport
from otactl.report import journals_used
from otactl.report.journals_used import UsedJournal
from otactl.report.sanitize import plain, safe_json
from otactl.wording import count


class RunFault(Value, frozen=True, kw_only=True):
    """An error that is about an environment as a whole, or about none that is known."""

    environment: Annotated[
        str | None,
        Meta(description="Name of the environment; null where it is not known.", examples=["prod-eu"]),
    ]
    reason: Annotated[str, Meta(description="PascalCase reason.", examples=["NoCredentials"])]
    message: Annotated[str, Meta(description="What happened, and what to do.", examples=["no credentials were found"])]


class HoldResult(Value, frozen=True, kw_only=True):
    """A hold of a rollout's last pass."""

    reason: Annotated[str, Meta(description="Name of the hold.", examples=["target_is_not_ready"])]
    message: Annotated[
        str, Meta(description="What is waited for, and what to do.", examples=["1 of 2 devices are ready"])
    ]
    until: Annotated[
        datetime | None,
        Meta(description="When it ends by itself; null if it names no time.", examples=["2026-11-20T09:00:00Z"]),
    ]
    stalled: Annotated[bool, Meta(description="Whether a person must act.", examples=[False])]
    limit: Annotated[
        timedelta | None,
        Meta(description="How long it may last before it is overdue; null without a limit.", examples=["P1D"]),
    ]
    overdue_since: Annotated[
        datetime | None,
        Meta(description="When it had lasted longer than its limit; null while it has not.", examples=[None]),
    ]


class RolloutResult(Value, frozen=True, kw_only=True):
    """How far one rollout has come."""

    name: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe-2-4-1"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    phase: Annotated[
        str,
        Meta(
            description="Phase of the rollout.",
            examples=["Progressing"],
            extra_json_schema={"enum": [phase.value for phase in Phase]},
        ),
    ]
    wave: Annotated[str | None, Meta(description="Wave being worked on.", examples=["canary"])]
    actions: Annotated[tuple[str, ...], Meta(description="Actions that were sent.", examples=[["createUnit"]])]
    requeue_after_seconds: Annotated[int | None, Meta(description="When to run again, in seconds.", examples=[60])]
    error: Annotated[str | None, Meta(description="What went wrong.", examples=[None])]
    overdue: Annotated[
        tuple[str, ...],
        Meta(description="Holds that this run was the first to find lasting longer than they should.", examples=[[]]),
    ]
    acknowledged: Annotated[
        bool,
        Meta(
            description="Whether it failed in an earlier run, and its manifest said what to do then.",
            examples=[False],
        ),
    ]
    holds: Annotated[tuple[HoldResult, ...], Meta(description="Why the rollout does not go on.", examples=[[]])]


class RunResult(Value, frozen=True, kw_only=True):
    """What a run did, on one line."""

    passes: Annotated[int, Meta(description="Passes made.", ge=0, examples=[1])]
    calls: Annotated[int, Meta(description="Vendor calls made, reads included.", ge=0, examples=[12])]
    writes: Annotated[int, Meta(description="Vendor calls that write.", ge=0, examples=[0])]
    lease_held_by: Annotated[
        str | None, Meta(description="Who holds the lease, when another process does.", examples=["host:4711"])
    ]
    errors: Annotated[
        tuple[RunFault, ...],
        Meta(
            description="Errors of environments as a whole, and of manifests; each makes the run exit 1.",
            examples=[[]],
        ),
    ]
    rollouts: Annotated[tuple[RolloutResult, ...], Meta(description="One entry per rollout.", examples=[[]])]
    notes: Annotated[
        tuple[str, ...],
        Meta(
            description="What needs a person though it stopped nothing: a lease taken over from a wrong clock.",
            examples=[[]],
        ),
    ]


class ReconcileReport(Value, frozen=True, kw_only=True):
    """Sums over the environments of a run. `writes` are the vendor calls among `calls` that change something.

    `errors` are those of environments, whether they have a rollout or not.
    """

    passes: int = 0
    calls: int = 0
    writes: int = 0
    lease_held_by: str = ""
    rollouts: tuple[RolloutReport, ...] = ()
    journals: tuple[UsedJournal, ...] = ()
    notes: tuple[str, ...] = ()
    errors: tuple[RunFault, ...] = ()

    def plus(self, other: ReconcileReport) -> ReconcileReport:
        """Return the runs of two environments as one."""
        return ReconcileReport(
            passes=self.passes + other.passes,
            calls=self.calls + other.calls,
            writes=self.writes + other.writes,
            lease_held_by=self.lease_held_by or other.lease_held_by,
            rollouts=(*self.rollouts, *other.rollouts),
            journals=(*self.journals, *other.journals),
            notes=(*self.notes, *other.notes),
            errors=(*self.errors, *other.errors),
        )

    @property
    def failed(self) -> bool:
        """Return whether some rollout failed or stalled, became overdue, or an error stopped more than that."""
        return bool(self.errors) or any(
            r.error or r.overdue or r.phase == Phase.STALLED or (r.phase == Phase.FAILED and not r.acknowledged)
            for r in self.rollouts
        )


def as_json(report: ReconcileReport) -> str:
    """Return one line of JSON, as schemas/v1/reconcile.schema.json says."""
    result = RunResult(
        passes=report.passes,
        calls=report.calls,
        writes=report.writes,
        lease_held_by=report.lease_held_by or None,
        errors=report.errors,
        rollouts=tuple(_result(r) for r in report.rollouts),
        notes=report.notes,
    )
    document = {**msgspec.to_builtins(result), **journals_used.document(report.journals)}
    return safe_json(json.dumps(document, ensure_ascii=False))


def _result(rollout: RolloutReport) -> RolloutResult:
    return RolloutResult(
        name=rollout.name,
        environment=rollout.environment,
        phase=rollout.phase,
        wave=rollout.wave or None,
        actions=rollout.actions,
        requeue_after_seconds=rollout.requeue_after_seconds,
        error=rollout.error or None,
        overdue=rollout.overdue,
        acknowledged=rollout.acknowledged,
        holds=tuple(HoldResult(**msgspec.structs.asdict(hold)) for hold in rollout.holds),
    )


def as_text(report: ReconcileReport) -> str:
    """Return a line a rollout, then a sum."""
    lines = []
    for r in report.rollouts:
        back = f", back in {r.requeue_after_seconds} s" if r.requeue_after_seconds is not None else ""
        wave = f" wave {r.wave}" if r.wave else ""
        known = ", reported before and aborted as onFailure says" if r.acknowledged else ""
        lines.append(f"{r.environment}/{r.name}: {r.phase}{wave}{known}{back}")
        if r.actions:
            lines.append(f"  sent: {', '.join(r.actions)}")
        lines += [f"  hold: {h.reason}: {h.message}" for h in r.holds if h.message not in r.error]
        if r.error:
            lines.append(f"  error: {r.error}")
        if r.overdue:
            lines.append(f"  overdue: {', '.join(r.overdue)}: exit code 1 reports it once, `otactl status` always")
    text = "\n".join(lines)
    lines += [f"{e.environment or 'error'}: {e.reason}: {e.message}" for e in report.errors if e.message not in text]
    lines += [f"note: {note}" for note in report.notes]
    if report.lease_held_by:
        lines.append(f"another process works here: {report.lease_held_by}; nothing was sent")
    lines += journals_used.lines(report.journals) if report.journals else []
    passes, calls = count(report.passes, "pass", "passes"), count(report.calls, "call")
    lines.append(f"{passes}, {calls}, {count(report.writes, 'write')}")
    return "\n".join(plain(line) for line in lines)
