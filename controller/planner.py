"""The one place that decides: from what is declared, remembered and seen, to the next rung or the reason to wait.

1. One rung per plan: only what the present observation supports. The loop looks again before the next.
2. Holds come first and are named; a plan with a stalling hold has no action.
3. Nothing is sent twice on a guess: a recorded create without an outcome is sent again identical where the service
   deduplicates it, and blocks everything else until it is settled.
4. A start needs every check to pass and no drift of the unit left.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

from controller import differences, ledger, lifecycle, readiness, strategy
from controller.actions import Action, CreateUnit, DeleteUnit, Finding, Hold, ResendCreate
from controller.model import (
    Attempt,
    Observation,
    Outcome,
    Rollout,
    Stage,
    Unit,
    UnitPhase,
    Wave,
    WaveRecord,
    iso,
)
from controller.opening import POLL, RECHECK, marks, open_plan, settling
from controller.situation import Plan, Shape, Situation

__all__ = ["Plan", "Shape", "Situation", "findings", "plan"]


def plan(at: Situation, shape: Shape, refused: tuple[Hold, ...]) -> Plan:
    """Decide the next rung of one rollout. `refused` are holds known from the manifest alone."""
    wave = next(
        (w for w in at.rollout.strategy.waves if not lifecycle.passed(at.record.wave(w.name), at.rollout)), None
    )
    found = findings(at, shape)
    name = wave.name if wave is not None else ""
    holds = (*refused, *_suspended(at.rollout), *_unreadable(at.seen))
    if holds:
        return at.plan(holds=holds, findings=found, wave=name, requeue_at=at.now + RECHECK)
    if actions := _resend(at, shape) or _supersede(at, shape) or _clean_up(at):
        return at.plan(*actions, findings=found, wave=name)
    if wave is None:
        return at.plan(findings=found)
    return _wave_plan(at, shape, wave, found)


def findings(at: Situation, shape: Shape) -> tuple[Finding, ...]:
    """Every drift of the rollout: its units, and what they point at while they are not done."""
    found: list[Finding] = []
    watched = False
    for wave in at.rollout.strategy.waves:
        known = at.record.wave(wave.name)
        attempt = known.current if known is not None else None
        if known is None or attempt is None:
            continue
        declared = strategy.declare(at.rollout, at.environment, wave, attempt.number, known)
        unit = lifecycle.find_unit(attempt, at.seen)
        if not (at.seen.offline or _lagging(attempt, unit)):
            drift = differences.unit_findings(declared, shape.desired(declared), attempt, unit)
            found += [f for f in drift if not _behind(attempt, f, at)]
        if attempt.generation == at.rollout.generation:
            keys = at.rollout.targets_of(wave).keys
            found += differences.target_findings(attempt.unit_id, known.members, keys)
        if attempt.stage in (Stage.OPEN, Stage.SCHEDULED) and not watched:
            watched = True
            firmware = at.rollout.firmware
            found += differences.source_findings(
                attempt.unit_id, firmware.sha256, firmware.size_bytes, known.baseline, at.seen
            )
    return tuple(found)


def _lagging(attempt: Attempt, unit: Unit | None) -> bool:
    """The unit's reads are behind our own calls: what they show is not drift."""
    return unit is not None and attempt.stage is Stage.SCHEDULED and unit.phase is UnitPhase.OPEN


def _behind(attempt: Attempt, finding: Finding, at: Situation) -> bool:
    """A difference first seen in what we wrote a moment ago may be a read that does not show it yet."""
    if attempt.stage is not Stage.OPEN or not finding.correctable or lifecycle.settled(attempt, at.now):
        return False
    return not any(e.open and (e.subject, e.field) == (finding.subject, finding.field) for e in at.record.drift)


def _suspended(rollout: Rollout) -> tuple[Hold, ...]:
    if rollout.suspend is None:
        return ()
    by = rollout.suspend
    return (Hold(reason="suspended", message=f"{by.reason} (held by {by.owner}); remove spec.suspend to go on"),)


def _unreadable(seen: Observation) -> tuple[Hold, ...]:
    return tuple(Hold(reason="observation_is_incomplete", message=text, stalled=True) for text in seen.unreadable)


def _resend(at: Situation, shape: Shape) -> tuple[Action, ...]:
    """Rule 3. A create whose unit is not to be seen is sent again before anything else."""
    pending = [i for i in at.record.intents if i.action in ("createUnit", "resendCreate")]
    if not pending or not shape.capabilities.create_is_idempotent:
        return ()
    actions: list[Action] = []
    for intent in pending:
        for wave in at.rollout.strategy.waves:
            known = at.record.wave(wave.name)
            for attempt in known.attempts if known is not None else ():
                if attempt.unit_id == intent.unit_id:
                    unit = strategy.declare(at.rollout, at.environment, wave, attempt.number, known)
                    why = f"the answer to its create at {iso(intent.at)} was lost; same token, same parameters"
                    named = msgspec.structs.replace(unit, unit_id=intent.unit_id)
                    actions.append(ResendCreate(unit=named, call=intent.call, reason=why))
    return tuple(actions)


def _supersede(at: Situation, shape: Shape) -> tuple[Action, ...]:
    """Units of content that is not declared any more, except the one an update in place will carry over."""
    doomed: list[Action] = []
    declared = {w.name for w in at.rollout.strategy.waves}
    for known in at.record.waves:
        for attempt in known.attempts:
            stale = attempt.generation != at.rollout.generation or known.name not in declared
            if not stale or not attempt.live or attempt.vendor_id is None:
                continue
            if attempt is known.current and known.name in declared and _carries_over(at, shape, known, attempt):
                continue
            if lifecycle.find_unit(attempt, at.seen) is not None:
                doomed.append(_delete(attempt, at.rollout, "superseded", "the manifest declares other content now"))
    return tuple(doomed)


def _carries_over(at: Situation, shape: Shape, known: WaveRecord, attempt: Attempt) -> bool:
    unit = lifecycle.find_unit(attempt, at.seen)
    wave = next(w for w in at.rollout.strategy.waves if w.name == known.name)
    if unit is None or unit.phase is not UnitPhase.OPEN or not shape.capabilities.updates_in_place:
        return False
    fields, _ = shape.desired(strategy.declare(at.rollout, at.environment, wave, 1, known))
    return not differences.dropped_fields(fields, attempt, unit)


def _delete(attempt: Attempt, rollout: Rollout, why: Literal["cleanup", "superseded"], reason: str) -> DeleteUnit:
    return DeleteUnit(
        unit_id=attempt.unit_id, vendor_id=attempt.vendor_id or "", backend=rollout.backend_kind, why=why, reason=reason
    )


def _clean_up(at: Situation) -> tuple[Action, ...]:
    """Ended units go once their results are recorded, so that they do not hold their devices."""
    if at.rollout.cleanup == "never":
        return ()
    reason = "its results are recorded; a done unit may still hold its devices"
    return tuple(
        _delete(attempt, at.rollout, "cleanup", reason)
        for attempt in at.record.attempts
        if attempt.stage is Stage.JUDGED and lifecycle.find_unit(attempt, at.seen) is not None
    )


def _wave_plan(at: Situation, shape: Shape, wave: Wave, found: tuple[Finding, ...]) -> Plan:
    known = at.record.wave(wave.name)
    attempt = known.current if known is not None else None
    if attempt is None or known is None or (attempt.generation != at.rollout.generation and not attempt.live):
        return _create(at, wave, 1, found, f"wave {wave.name} is next")
    if attempt.generation != at.rollout.generation:
        if attempt.stage is Stage.OPEN and _carries_over(at, shape, known, attempt):
            return open_plan(at, shape, wave, known, attempt, found)
        return at.plan(holds=settling(attempt), findings=found, wave=wave.name, requeue_at=at.now + POLL)
    if attempt.stage is Stage.DECLARED:
        return _create(at, wave, attempt.number, found, f"wave {wave.name} is next")
    if attempt.stage is Stage.LOST:
        return _lost(at, wave, attempt, found)
    if attempt.stage is Stage.SUPERSEDED:
        return _create(at, wave, attempt.number + 1, found, "the attempt before was replaced")
    if attempt.stage in (Stage.JUDGED, Stage.CLEANED):
        return at.plan(holds=(_gate_hold(wave, known),), findings=found, wave=wave.name)
    return _live(at, shape, wave, known, attempt, found)


def _live(
    at: Situation, shape: Shape, wave: Wave, known: WaveRecord, attempt: Attempt, found: tuple[Finding, ...]
) -> Plan:
    unit = lifecycle.find_unit(attempt, at.seen)
    if unit is not None and unit.phase is UnitPhase.UNKNOWN:
        text = f"{attempt.unit_id} shows a status this version does not know; look at it by hand, or update otactl"
        hold = Hold(reason="unit_status_is_unknown", message=text, stalled=True)
        return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    if unit is None or _lagging(attempt, unit):
        return at.plan(holds=settling(attempt), findings=found, wave=wave.name, requeue_at=at.now + POLL)
    if attempt.stage is Stage.OPEN:
        declared = strategy.declare(at.rollout, at.environment, wave, attempt.number, known)
        drift = differences.unit_findings(declared, shape.desired(declared), attempt, unit)
        if any(_behind(attempt, f, at) for f in drift):
            return at.plan(holds=settling(attempt), findings=found, wave=wave.name, requeue_at=at.now + POLL)
        return open_plan(at, shape, wave, known, attempt, found)
    if unit.phase is UnitPhase.ENDED and unit.results is not None:
        names = ", ".join(r.device for r in unit.results if r.outcome is Outcome.UNKNOWN)
        text = f"devices with a result this version does not know: {names}; update otactl"
        hold = Hold(reason="device_result_is_unknown", message=text, stalled=True)
        return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    declared = strategy.declare(at.rollout, at.environment, wave, attempt.number, known)
    accepted = frozenset(f.field for f in found if ledger.acknowledged(f, at.rollout.drift, at.now))
    mending = marks(declared, shape, unit, accepted)
    if mending and at.rollout.drift.mode == "correct":
        return at.plan(*mending, findings=found, wave=wave.name)
    back = attempt.start_at if attempt.stage is Stage.SCHEDULED and attempt.start_at else at.now + POLL
    return at.plan(findings=found, wave=wave.name, requeue_at=max(back, at.now + timedelta(seconds=1)))


def _gate_hold(wave: Wave, known: WaveRecord) -> Hold:
    verdict = known.verdict
    got = f"{verdict.percent:.1f} % of {verdict.total} devices" if verdict else "no device"
    need = f"{verdict.needed_percent:g} %" if verdict else "more"
    text = f"wave {wave.name}: {got} succeeded, {need} needed; change spec.firmware, or the gate, by pull request"
    return Hold(reason="success_rate_is_too_low", message=text, stalled=True)


def _lost(at: Situation, wave: Wave, attempt: Attempt, found: tuple[Finding, ...]) -> Plan:
    if attempt.start_at is None and at.rollout.drift.mode == "correct":
        return _create(
            at, wave, attempt.number + 1, found, f"{attempt.unit_id} was deleted out of band before its start"
        )
    text = f"{attempt.unit_id} was deleted out of band; declare new content, or drift.mode correct for one not started"
    hold = Hold(reason="unit_was_deleted", message=text, stalled=True)
    return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=at.now + RECHECK)


def _create(at: Situation, wave: Wave, number: int, found: tuple[Finding, ...], reason: str) -> Plan:
    unit = strategy.declare(at.rollout, at.environment, wave, number, at.record.wave(wave.name))
    holds = readiness.may_create(unit, at.seen, at.environment.region)
    if holds:
        return at.plan(holds=holds, findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    return at.plan(CreateUnit(unit=unit, reason=reason), findings=found, wave=wave.name)
