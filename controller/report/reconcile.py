"""How a reconcile run came out: one JSON line for machines, a few lines for people, from the same value."""

from __future__ import annotations

import json

import msgspec

from controller.model import Phase, Value
from controller.reconciler_values import RolloutReport
from controller.report import used
from controller.report.plain import plain, safe_json
from controller.report.used import UsedJournal


class ReconcileReport(Value, frozen=True, kw_only=True):
    """Sums over the environments of a run. `writes` are the vendor calls among `calls` that change something."""

    passes: int = 0
    calls: int = 0
    writes: int = 0
    lease_held_by: str = ""
    rollouts: tuple[RolloutReport, ...] = ()
    journals: tuple[UsedJournal, ...] = ()
    notes: tuple[str, ...] = ()

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
        )

    @property
    def failed(self) -> bool:
        """Whether some rollout failed or stalled."""
        return any(r.error or r.phase in (Phase.FAILED, Phase.STALLED) for r in self.rollouts)


def as_json(report: ReconcileReport) -> str:
    """One line; keys as DESIGN section 6 fixes them, `holds` besides."""
    document = {
        "passes": report.passes,
        "calls": report.calls,
        "writes": report.writes,
        "leaseHeldBy": report.lease_held_by or None,
        "rollouts": [
            {
                "name": r.name,
                "environment": r.environment,
                "phase": r.phase,
                "wave": r.wave or None,
                "actions": list(r.actions),
                "requeueAfterSeconds": r.requeue_after_seconds,
                "error": r.error or None,
                "holds": [msgspec.to_builtins(h) for h in r.holds],
            }
            for r in report.rollouts
        ],
        **used.document(report.journals),
        "notes": list(report.notes),
    }
    return safe_json(json.dumps(document, ensure_ascii=False))


def as_text(report: ReconcileReport) -> str:
    """A line a rollout, then a sum."""
    lines = []
    for r in report.rollouts:
        back = f", back in {r.requeue_after_seconds} s" if r.requeue_after_seconds is not None else ""
        wave = f" wave {r.wave}" if r.wave else ""
        lines.append(f"{r.environment}/{r.name}: {r.phase}{wave}{back}")
        if r.actions:
            lines.append(f"  sent: {', '.join(r.actions)}")
        lines += [f"  hold: {h.reason}: {h.message}" for h in r.holds]
        if r.error:
            lines.append(f"  error: {r.error}")
    lines += [f"note: {note}" for note in report.notes]
    if report.lease_held_by:
        lines.append(f"another process works here: {report.lease_held_by}; nothing was sent")
    lines += used.lines(report.journals) if report.journals else []
    lines.append(f"{report.passes} passes, {report.calls} calls, {report.writes} writes")
    return "\n".join(plain(line) for line in lines)
