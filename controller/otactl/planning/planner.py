"""The one place that decides: from what is declared, remembered and seen, to the next rung or the reason to wait.

1. One rung per plan: only what the present observation supports. The loop looks again before the next.
2. Holds come first and are named; a plan with a stalling hold has no action.
3. Nothing is sent twice on a guess (`resending`).
4. A start needs every check to pass and no drift of the unit left. Where making a unit starts it, that holds for the
   making.
5. What the service could not make is made again when what it stood on has changed, or when a person has accepted it.
"""

from __future__ import annotations

from datetime import timedelta

from otactl.drift import diff, ledger
from otactl.model import Attempt, Observation, Outcome, Stage, Suspend, Unit, UnitPhase, Wave, WaveRecord, iso
from otactl.model.actions import Finding, Hold
from otactl.planning import (
    abort,
    guardrails,
    preflight,
    resend,
    start_waits,
    supersede,
    suspend,
    units,
    unseen_changes,
    wave_holds,
)
from otactl.planning import detect_drift as findings
from otactl.planning.context import Plan, PlanContext
from otactl.planning.create_unit import create
from otactl.planning.start_unit import POLL, RECHECK, doubtful, marks, open_plan, paced, settling
from otactl.ports import Shape
from otactl.state import lifecycle
from otactl.verdicts import gate as gates
from otactl.verdicts import retry, wave_verdict
from otactl.verdicts.updated_devices import spared

__all__ = ["Plan", "PlanContext", "Shape", "plan"]


def plan(at: PlanContext, shape: Shape, refused: tuple[Hold, ...]) -> Plan:
    """Decide the next rung of one rollout. `refused` are holds known from the manifest alone."""
    wave = wave_verdict.undone(at.record, at.rollout)
    found = findings.findings(at, shape)
    name = wave.name if wave is not None else ""
    running = wave is not None or any(a.live for a in at.record.attempts)
    if at.rollout.abort is not None and running and not (refused or _unreadable(at.seen)):
        return _abort(at, shape, name, found, at.rollout.abort.reason)
    if at.rollout.suspend is not None:
        return _suspend(at, shape, name, found, at.rollout.suspend, (*refused, *_unreadable(at.seen)))
    holds = (*refused, *_unreadable(at.seen), *guardrails.shrunk(at.rollout, at.environment, at.record))
    if holds:
        return at.plan(holds=holds, findings=found, wave=name, requeue_at=at.now + RECHECK)
    ends = supersede.supersede(at, shape) or supersede.returned(at, shape) or supersede.clean_up(at, shape)
    if actions := resend.resend(at, shape) or ends:
        return at.plan(*actions, findings=found, wave=name)
    ending = supersede.returned_holds(at, shape, wave) if wave is not None else ()
    if holds := (*supersede.wave_holds(at, shape.capabilities.end_command), *ending):
        return at.plan(holds=holds, findings=found, wave=name, requeue_at=at.now + RECHECK)
    if wave is None:
        return at.plan(findings=found)
    return _wave_plan(at, shape, wave, found)


def _suspend(
    at: PlanContext, shape: Shape, wave: str, found: tuple[Finding, ...], by: Suspend, besides: tuple[Hold, ...]
) -> Plan:
    """Withdraw what devices have not begun, then say what goes on."""
    if actions := suspend.withdraw(at, shape, by):
        return at.plan(*actions, findings=found, wave=wave)
    going = any(a.stage in (Stage.SCHEDULED, Stage.RUNNING) for a in at.record.attempts)
    holds = (suspend.hold(at, shape, by), *besides)
    return at.plan(holds=holds, findings=found, wave=wave, requeue_at=at.now + (POLL if going else RECHECK))


def _unreadable(seen: Observation) -> tuple[Hold, ...]:
    holds = [Hold(reason="observation_is_incomplete", message=text, stalled=True) for text in seen.unreadable]
    if seen.ambiguous:
        holds.append(Hold(reason="lost_create_is_ambiguous", message=seen.ambiguous, stalled=True))
    return tuple(holds)


def _settling(at: PlanContext, wave: Wave, found: tuple[Finding, ...], attempt: Attempt) -> Plan:
    """What we did does not show yet: another look, soon."""
    return at.plan(holds=settling(attempt), findings=found, wave=wave.name, requeue_at=at.now + POLL)


def _stalled(at: PlanContext, wave: Wave, found: tuple[Finding, ...], *, reason: str, text: str) -> Plan:
    """A person has to see to it."""
    hold = Hold(reason=reason, message=text, stalled=True)
    return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=at.now + RECHECK)


def _wave_plan(at: PlanContext, shape: Shape, wave: Wave, found: tuple[Finding, ...]) -> Plan:
    known = at.record.wave(wave.name)
    attempt = known.current if known is not None else None
    if (lost := resend.lost_create(at, known)) is not None:
        return _settling(at, wave, found, lost)
    if (
        attempt is not None
        and attempt.generation != at.rollout.generation
        and (held := _lost_before(at, attempt, found))
    ):
        return at.plan(holds=held, findings=found, wave=wave.name, requeue_at=at.now + POLL)
    if attempt is None or known is None or (attempt.generation != at.rollout.generation and not attempt.live):
        number = units.next_number(at.rollout, at.environment, wave, known)
        return create(at, shape, wave, number, found, f"wave {wave.name} is next")
    if attempt.generation != at.rollout.generation:
        if attempt.stage is Stage.OPEN and supersede.carries_over(at, shape, known, attempt):
            return open_plan(at, shape, wave, known, attempt, found)
        if attempt.stage in (Stage.SCHEDULED, Stage.RUNNING):
            successor = units.declare(at.rollout, at.environment, wave, 1, None)
            can = shape.capabilities
            unit = lifecycle.find_unit(attempt, at.seen)
            holds = supersede.on_air_hold(attempt, unit, can.force_command)
            if can.cancels_waiting:
                holds = (*holds, *preflight.may_create(successor, at.seen, at.environment.region))
            if unit is not None:
                holds = (*holds, *start_waits.session_hold(at, shape, attempt, unit))
            if attempt.stage is Stage.SCHEDULED:
                holds = preflight.may_create(successor, at.seen, at.environment.region) or settling(attempt)
            return at.plan(holds=holds, findings=found, wave=wave.name, requeue_at=at.now + POLL)
        return _settling(at, wave, found, attempt)
    if attempt.stage is Stage.DECLARED:
        return create(at, shape, wave, attempt, found, f"wave {wave.name} is next")
    if attempt.live:
        return _live(at, shape, wave, known, attempt, found)
    return _over(at, shape, wave, known, attempt, found)


def _over(
    at: PlanContext, shape: Shape, wave: Wave, known: WaveRecord, attempt: Attempt, found: tuple[Finding, ...]
) -> Plan:
    """What follows an attempt that is not with the service any more, or has nothing left to do there."""
    number = units.next_number(at.rollout, at.environment, wave, known)
    if attempt.stage is Stage.LOST:
        return _lost(at, shape, wave, known, attempt, found)
    if attempt.stage is Stage.FAILED:
        return _failed(at, shape, wave, known, attempt, found)
    rest = retry.remainder(known, at.rollout)
    if attempt.stage is Stage.SUPERSEDED:
        why = "the attempt before was withdrawn before its start" if attempt.withdrawn else "it was replaced"
        return create(at, shape, wave, number, found, why, retry=rest)
    if retry.goes_on(known, at.rollout) and not wave_verdict.gives_up(known, at.rollout):
        why = "the attempt before was stopped for other content"
        if attempt.withdrawn:
            number_left = len(retry.unbegun(known, at.rollout))
            why = f"{number_left} devices had not begun when the attempt before was withdrawn"
        if attempt.by_hand:
            why += f"; not {', '.join(attempt.by_hand)}, canceled by hand: only new content is sent to them"
        return create(at, shape, wave, number, found, why, retry=rest)
    again = retry.retry_plan(at.rollout, known)
    if again is not None and again.ready_at <= at.now:
        why = f"try {again.tries} for {len(again.only)} devices that failed"
        return create(at, shape, wave, number, found, why, retry=again)
    return _judged(at, shape, wave, known, attempt, found)


def _judged(
    at: PlanContext, shape: Shape, wave: Wave, known: WaveRecord, attempt: Attempt, found: tuple[Finding, ...]
) -> Plan:
    """A wave whose gate has not let it go: what holds it, and what a failed one does."""
    hold = wave_holds.gate_hold(at, wave, known, attempt)
    if wave_verdict.failed(known, at.rollout) and at.rollout.strategy.on_failure == "abort":
        return _abort(at, shape, wave.name, found, f"its gate failed ({hold.reason}): {hold.message}", stalled=True)
    watching = wave_verdict.watched(known, at.rollout) is not None or attempt.live
    back = at.now + POLL if watching else None
    return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=hold.until or back)


def _abort(
    at: PlanContext, shape: Shape, wave: str, found: tuple[Finding, ...], why: str, *, stalled: bool = False
) -> Plan:
    """End what can be ended, then say what goes on."""
    if actions := abort.end(at, shape, why):
        return at.plan(*actions, findings=found, wave=wave)
    going = any(a.live for a in at.record.attempts)
    hold = abort.hold(at, shape, why, stalled=stalled)
    return at.plan(holds=(hold,), findings=found, wave=wave, requeue_at=at.now + POLL if going else None)


def _live(
    at: PlanContext, shape: Shape, wave: Wave, known: WaveRecord, attempt: Attempt, found: tuple[Finding, ...]
) -> Plan:
    unit = lifecycle.find_unit(attempt, at.seen)
    if unit is not None and unit.phase is UnitPhase.UNKNOWN:
        text = f"{attempt.unit_id} shows a status this version does not know; look at it by hand, or update otactl"
        return _stalled(at, wave, found, reason="unit_status_is_unknown", text=text)
    if unit is None or unit.phase is UnitPhase.BROKEN or findings.lagging(attempt, unit):
        return _settling(at, wave, found, attempt)
    if any(i.action == "startUnit" and i.unit_id == attempt.unit_id for i in at.record.intents):
        return _settling(at, wave, found, attempt)
    if wave_verdict.failed(known, at.rollout) and not attempt.canceled_by_us:
        return _judged(at, shape, wave, known, attempt, found)
    if unit.missing_targets:
        return _rest(at, shape, wave, attempt, found, unit)
    if attempt.stage is Stage.OPEN:
        had = spared(at.seen, shape.capabilities)
        declared = units.declare(at.rollout, at.environment, wave, attempt, known, spared=had)
        drift = findings.unit_drift(declared, shape, attempt, unit)
        if any(findings.behind(attempt, f, at) for f in drift):
            return _settling(at, wave, found, attempt)
        return open_plan(at, shape, wave, known, attempt, found)
    if unit.phase is UnitPhase.ENDED and unit.results is not None:
        names = ", ".join(r.device for r in unit.results if r.outcome is Outcome.UNKNOWN)
        text = f"devices with a result this version does not know: {names}; update otactl"
        return _stalled(at, wave, found, reason="device_result_is_unknown", text=text)
    if holds := _stopped(at, shape, attempt, unit):
        return at.plan(holds=holds, findings=found, wave=wave.name, requeue_at=at.now + POLL)
    declared = units.declare(at.rollout, at.environment, wave, attempt, known)
    accepted = frozenset(f.field for f in found if ledger.acknowledged(f, at.rollout.drift, at.now))
    mending = marks(declared, shape, unit, accepted) if unit.readable and at.rollout.drift.mode == "correct" else ()
    mending = (*paced(at, shape, declared, attempt, unit, accepted), *mending)
    mending, vain = unseen_changes.divided(mending, attempt, unit, shape.desired(declared)[0])
    if mending:
        return at.plan(*mending, findings=found, wave=wave.name)
    if vain:
        return at.plan(holds=vain, findings=found, wave=wave.name, requeue_at=at.now + POLL)
    return _waiting(at, shape, wave, known, attempt, found, unit)


def _stopped(at: PlanContext, shape: Shape, attempt: Attempt, unit: Unit) -> tuple[Hold, ...]:
    """What a unit is waited for with that we told to begin no more devices."""
    if attempt.withdrawn:
        told = suspend.going(attempt, at.now, shape.capabilities, stopping=True)
        text = f"{told}; the others follow when these have ended"
        return (Hold(reason="withdrawn_devices_wait", message=text),) if unit.stopping else ()
    return supersede.on_air_hold(attempt, unit, shape.capabilities.force_command) if attempt.canceled_by_us else ()


def _rest(at: PlanContext, shape: Shape, wave: Wave, attempt: Attempt, found: tuple[Finding, ...], unit: Unit) -> Plan:
    """What is still to be made of a unit, unless somebody stopped it or its gate cannot be met any more."""
    if fields := doubtful(unit, at):
        text = f"{attempt.unit_id}: {', '.join(fields)}; the rest of it is not made unless spec.drift.ignore accepts it"
        return _stalled(at, wave, found, reason="drift_is_open", text=text)
    gate = at.rollout.gate_of(wave)
    counts = gates.tally_of_counts(attempt.counted, attempt.failures, gate)
    if at.rollout.strategy.retry is None and gates.hopeless(gate, counts):
        text = f"{attempt.unit_id}: {counts.failed} of {counts.total} devices failed, so its gate cannot be met; "
        text += "the rest of it is not made; change spec.firmware, or the gate, by pull request"
        return _stalled(at, wave, found, reason="success_rate_is_too_low", text=text)
    why = f"{len(unit.missing_targets)} of its targets are in no part of it yet"
    return create(at, shape, wave, attempt, found, why, unit.missing_targets)


def _waiting(
    at: PlanContext,
    shape: Shape,
    wave: Wave,
    known: WaveRecord,
    attempt: Attempt,
    found: tuple[Finding, ...],
    unit: Unit,
) -> Plan:
    """A unit that runs, with nothing to set right: what is waited for, and until when."""
    if holds := start_waits.session_hold(at, shape, attempt, unit):
        return at.plan(holds=holds, findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    if unit.overdue:
        end = shape.capabilities.end_command.format(id=", ".join(unit.overdue_in) or attempt.vendor_id)
        text = f"{attempt.unit_id}: {unit.overdue}; it is waited for; to wait no longer: {end}"
        hold = Hold(reason="devices_are_overdue", message=text)
        return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    if known.verdict is not None and known.verdict_generation == at.rollout.generation:  # passed, with some still at it
        return _judged(at, shape, wave, known, attempt, found)
    starts = attempt.start_at if attempt.stage is Stage.SCHEDULED else None
    back = starts if starts is not None and starts > at.now else at.now + POLL
    return at.plan(findings=found, wave=wave.name, requeue_at=max(back, at.now + timedelta(seconds=1)))


def _accepted(at: PlanContext, attempt: Attempt, found: tuple[Finding, ...]) -> bool:
    """Whether the manifest was edited to accept it since it was seen: an old entry accepts no new loss."""
    mine = [f for f in found if f.subject == attempt.unit_id and f.field == "unit"]
    seen = [e for e in at.record.drift if e.open and e.subject == attempt.unit_id and e.field == "unit"]
    since = any(e.manifest != at.rollout.source.digest for e in seen)
    return since and any(ledger.acknowledged(f, at.rollout.drift, at.now) for f in mine)


def _lost_before(at: PlanContext, attempt: Attempt, found: tuple[Finding, ...]) -> tuple[Hold, ...]:
    """A unit of other content that was deleted after its start: its devices may still be at it, and it may come back.

    Waited for until it is not shown SETTLE after it was believed gone, or until a person accepts the loss.
    """
    if attempt.stage is not Stage.LOST or attempt.start_at is None or _accepted(at, attempt, found):
        return ()
    unit = lifecycle.find_unit(attempt, at.seen)
    shown = unit is not None and unit.phase is not UnitPhase.ABSENT
    until = attempt.lost_at + lifecycle.SETTLE if attempt.lost_at is not None else None
    if not shown and (until is None or at.now >= until):
        return ()
    when = "is still shown" if shown or until is None else f"may come to be seen again until {iso(until)}"
    text = (
        f"{attempt.unit_id} of the content before was deleted out of band after its start, and {when}; what is "
        "declared now follows when it is gone for certain; to start now accept the loss in spec.drift.ignore "
        "(field unit)"
    )
    return (Hold(reason="previous_revision_running", message=text, until=None if shown else until),)


def _failed(
    at: PlanContext, shape: Shape, wave: Wave, known: WaveRecord, attempt: Attempt, found: tuple[Finding, ...]
) -> Plan:
    """Rule 5. Its record goes first: a failed one keeps its name."""
    unit = lifecycle.find_unit(attempt, at.seen)
    if unit is None or not unit.phase.is_there:
        return _settling(at, wave, found, attempt)
    declared = units.declare(at.rollout, at.environment, wave, attempt, known)
    now = diff.baseline_of(at.seen)
    pairs = ((now.image, attempt.created_with.image), (now.role, attempt.created_with.role))
    changed = any(new and old and new != old for new, old in pairs)
    changed = changed or attempt.annotation_digest not in ("", declared.annotations)
    changed = changed or (bool(unit.members) and set(unit.members) != set(declared.members))
    if changed or _accepted(at, attempt, found):
        why = "what it could not be made with has changed" if changed else "spec.drift.ignore accepts that it failed"
        return at.plan(supersede.delete(attempt, at.rollout, "replace", why), findings=found, wave=wave.name)
    text = (
        f"{attempt.unit_id} could not be made: {attempt.failure}; mend what it names: it is made again when the role, "
        f"the image or the manifest changed, or when it is ended: "
        f"{shape.capabilities.delete_command.format(id=attempt.vendor_id)}"
    )
    return _stalled(at, wave, found, reason="unit_creation_failed", text=text)


def _lost(
    at: PlanContext, shape: Shape, wave: Wave, known: WaveRecord, attempt: Attempt, found: tuple[Finding, ...]
) -> Plan:
    if _accepted(at, attempt, found) or (attempt.start_at is None and at.rollout.drift.mode == "correct"):
        number = units.next_number(at.rollout, at.environment, wave, known)
        when = "before its start" if attempt.start_at is None else "after its start, which spec.drift.ignore accepts"
        why = f"{attempt.unit_id} was deleted out of band {when}"
        unit = lifecycle.find_unit(attempt, at.seen)
        if unit is not None and unit.phase.is_there:
            return at.plan(supersede.delete(attempt, at.rollout, "replace", why), findings=found, wave=wave.name)
        return create(at, shape, wave, number, found, why, retry=retry.remainder(known, at.rollout))
    text = (
        f"{attempt.unit_id} was deleted out of band; to send it again accept the loss (spec.drift.ignore with field "
        "unit and a reason), or declare new content"
    )
    return _stalled(at, wave, found, reason="unit_was_deleted", text=text)
