"""Renders the result of a reconcile run: one JSON line, or a few lines of text."""

from __future__ import annotations

import json

import msgspec

from otactl.model import Phase, Value
from otactl.reconcile.run_report import RolloutReport
from otactl.report import journals_used
from otactl.report.journals_used import UsedJournal
from otactl.report.sanitize import plain, safe_json


class RunFault(Value, frozen=True, kw_only=True):
    """An error that is about an environment as a whole, or about none that is known."""

    environment: str | None
    reason: str
    message: str


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
        """Two environments' runs as one."""
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
    """One line; keys as DESIGN section 6 fixes them, `holds` besides."""
    document = {
        "passes": report.passes,
        "calls": report.calls,
        "writes": report.writes,
        "leaseHeldBy": report.lease_held_by or None,
        "errors": [msgspec.to_builtins(e) for e in report.errors],
        "rollouts": [
            {
                "name": r.name,
                "environment": r.environment,
                "phase": r.phase,
                "wave": r.wave or None,
                "actions": list(r.actions),
                "requeueAfterSeconds": r.requeue_after_seconds,
                "error": r.error or None,
                "overdue": list(r.overdue),
                "acknowledged": r.acknowledged,
                "holds": [msgspec.to_builtins(h) for h in r.holds],
            }
            for r in report.rollouts
        ],
        **journals_used.document(report.journals),
        "notes": list(report.notes),
    }
    return safe_json(json.dumps(document, ensure_ascii=False))


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
    told = "\n".join(lines)
    lines += [f"{e.environment or 'error'}: {e.reason}: {e.message}" for e in report.errors if e.message not in told]
    lines += [f"note: {note}" for note in report.notes]
    if report.lease_held_by:
        lines.append(f"another process works here: {report.lease_held_by}; nothing was sent")
    lines += journals_used.lines(report.journals) if report.journals else []
    lines.append(f"{report.passes} passes, {report.calls} calls, {report.writes} writes")
    return "\n".join(plain(line) for line in lines)
