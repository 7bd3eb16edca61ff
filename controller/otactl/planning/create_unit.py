"""Making the unit of an attempt: every check that has to pass before, and what is told while one does not.

1. A wave the journal does not know is not made before one that came after it.
2. Waves run one after another; one whose gate let the next go may still have devices at it.
3. Where making a unit starts it, all checks of a start hold for the making, and it carries the moment it was decided.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from otactl.drift import diff
from otactl.model import Attempt, Baseline, Stage, Wave
from otactl.model.actions import CreateUnit, Finding, Hold
from otactl.planning import detect_drift as findings
from otactl.planning import guardrails, preflight, supersede, units, wave_holds
from otactl.planning.context import Plan, PlanContext
from otactl.planning.sent_content import sent_already, without_sent
from otactl.planning.start_unit import POLL, RECHECK, doubts, open_drift
from otactl.ports import Shape
from otactl.verdicts import wave_verdict
from otactl.verdicts.retry import RetryPlan
from otactl.verdicts.updated_devices import sent_again, spared


def _before_known(at: PlanContext, wave: Wave) -> tuple[Hold, ...]:
    """A wave the journal does not know, before one of the same content that was found by its marks alone."""
    known = at.record.wave(wave.name)
    if known is not None and known.attempts:
        return ()
    names = [w.name for w in at.rollout.strategy.waves]
    for later in names[names.index(wave.name) + 1 :]:
        record = at.record.wave(later)
        found = [a for a in record.attempts if not a.field_digests and a.was_sent] if record is not None else []
        if any(a.generation == at.rollout.generation for a in found):
            text = (
                f"the journal does not know wave {wave.name}, and wave {later} of the same content was begun after it; "
                "restore the journal, or take the wave out of the manifest if its devices have the content"
            )
            return (Hold(reason="earlier_wave_is_unknown", message=text, stalled=True),)
    return ()


def _under_way(at: PlanContext, wave: Wave) -> tuple[Hold, ...]:
    """Waves run one after another, in whatever order the manifest has them now."""
    for other in at.record.waves:
        for attempt in other.attempts:
            at_it = attempt.stage in (Stage.SCHEDULED, Stage.RUNNING)
            others = other.name != wave.name and not wave_verdict.passed(other, at.rollout)
            if others and at_it and attempt.generation == at.rollout.generation:
                text = f"wave {other.name} has not ended ({attempt.unit_id}); waves run one after another"
                return (Hold(reason="another_wave_in_progress", message=text),)
    return ()


def create(
    at: PlanContext,
    shape: Shape,
    wave: Wave,
    which: int | Attempt,
    found: tuple[Finding, ...],
    reason: str,
    rest: tuple[str, ...] = (),
    retry: RetryPlan | None = None,
) -> Plan:
    """Make the unit of an attempt: of a wave, of a retry, or what is still to be made, for the targets in `rest`.

    `which` is the attempt where it is recorded, or the number of a new one.
    """
    known = at.record.wave(wave.name)
    if retry is not None and retry.only:
        left, others = without_sent(at.rollout, retry.only, at.seen, at.sendings)
        retry, reason = msgspec.structs.replace(retry, only=left), f"{reason}{others}"
    unit = units.declare(at.rollout, at.environment, wave, which, known, retry, spared(at.seen, shape.capabilities))
    starts = not shape.capabilities.starts_explicitly
    begun = msgspec.structs.replace(unit, members=rest or unit.members)
    if holds := _before_known(at, wave) or _under_way(at, wave) or wave_holds.unapproved(at, wave):
        return at.plan(holds=holds, findings=found, wave=wave.name, requeue_at=at.now + POLL)
    if unit.spared and not unit.members:
        text = f"every target of {unit.unit_id} reports {at.rollout.firmware.version} already; looking again"
        hold = Hold(reason="checks_are_incomplete", message=text)
        return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=at.now + POLL)
    if starts:
        baseline = known.baseline if known is not None and known.started(unit.generation) else Baseline()
        sources = diff.source_findings(unit.unit_id, unit.firmware.sha256, unit.firmware.size_bytes, baseline, at.seen)
        busy = at.busy_beside(which if isinstance(which, Attempt) else None)
        holds = preflight.may_start(
            begun, begun.members, at.seen, at.environment.region, busy, every=True, rollout=at.rollout
        )
        holds = (
            *holds,
            *guardrails.too_many(begun, at),
            *wave_holds.going_back(at),
            *wave_holds.closed(at, begun, at.now, timedelta()),
        )
        unmet = sources if rest else (*found, *sources)  # devices of a part that failed hold no other part
        holds = (*holds, *supersede.sent_in_groups(at, wave), *open_drift(at, unit.unit_id, unmet))
        found = (*found, *sources, *findings.of_targets(unit.unit_id, at.seen))
    else:
        holds = preflight.may_make(unit, at.seen, at.environment.region, at.rollout)
        holds = (*holds, *supersede.sent_in_groups(at, wave))
    holds = (*holds, *sent_already(at.rollout, begun, at.seen, at.sendings))
    if holds:
        opens = [h.until for h in holds if h.until is not None]
        back = opens[0] if opens and len(holds) == 1 else at.now + RECHECK
        return at.plan(holds=holds, findings=found, wave=wave.name, requeue_at=back)
    had = f"; {len(unit.spared)} of the wave report the version already" if unit.spared else ""
    why = f"{reason}{had}{sent_again(at.seen, unit.firmware.version)}{doubts(at) if starts else ''}"
    start_at, until = (at.now, wave_holds.latest_start(at, at.now)) if starts else (None, None)
    action = CreateUnit(unit=unit, reason=why, start_at=start_at, not_after=until)
    return at.plan(action, findings=found, wave=wave.name)
