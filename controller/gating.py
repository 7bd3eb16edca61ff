"""Why a wave does not begin, or the next one does not yet: approvals, gates, soaks and retries as holds."""

from __future__ import annotations

from controller import membership, retrying, verdicts
from controller.actions import Hold
from controller.gates import GateState
from controller.model import Attempt, Rollout, Wave, WaveRecord, iso
from controller.situation import Situation


def unapproved(rollout: Rollout, wave: Wave) -> tuple[Hold, ...]:
    """An approval that is missing, or was of something else."""
    if wave.requires is None:
        return ()
    role, digest = wave.requires.approval, membership.approval_digest(rollout, wave)
    given = [a for a in rollout.approvals if (a.wave, a.role) == (wave.name, role)]
    if any(a.digest == digest for a in given):
        return ()
    how = f"otactl approve {rollout.source.file} --wave {wave.name} --role {role}"
    if given:
        text = f"wave {wave.name}: the approval by {given[-1].by} was of something else than is declared now; {how}"
        return (Hold(reason="approval_is_outdated", message=text),)
    text = f"wave {wave.name} needs the approval of {role} (digest {digest[:12]}…); {how}, by pull request"
    return (Hold(reason="approval_is_missing", message=text),)


def gate_hold(at: Situation, wave: Wave, known: WaveRecord, attempt: Attempt) -> Hold:
    """Why a wave that has run is not done."""
    verdict, gate = known.verdict, at.rollout.gate_of(wave)
    if verdicts.tainted(attempt, at.record, at.rollout, at.now):
        text = (
            f"wave {wave.name}: the image differed when the session began, so its devices may hold other bytes; "
            "look at them, then accept it in spec.drift.ignore, or declare new content"
        )
        return Hold(reason=verdicts.DIFFERED, message=text, stalled=True)
    again = retrying.retrial(at.rollout, known)
    if again is not None and again.ready_at > at.now:
        text = f"wave {wave.name}: {len(again.only)} devices are tried again at {iso(again.ready_at)}"
        return Hold(reason="retry_waits", message=text, until=again.ready_at)
    if verdict is None:
        state = verdicts.judgement(known, wave, at.rollout, at.now)
        until = state[0].until if state is not None and state[0].state is GateState.WAITING else None
        number = state[1].unanswered if state is not None else 0
        text = f"wave {wave.name}: {number} devices have not answered"
        text += f"; they count as failed at {iso(until)}" if until is not None else ""
        return Hold(reason="devices_are_waited_for", message=text, until=until)
    told = verdicts.arithmetic(verdict, gate)
    if verdict.passed:
        until = verdict.at + verdicts.soak_of(gate)
        text = f"wave {wave.name} passed ({told}) and has to stay so until {iso(until)}"
        return Hold(reason="soak_is_running", message=text, until=until)
    if verdict.reason == "too_few_reported":
        text = f"wave {wave.name} is not decided: {told}; late answers count; look at the devices, or change the gate"
        return Hold(reason=verdict.reason, message=text, stalled=True)
    reason = verdict.reason or "success_rate_is_too_low"
    text = f"wave {wave.name}: {told}; change spec.firmware, or the gate, by pull request"
    return Hold(reason=reason, message=text, stalled=True)
