"""Why a wave does not begin, or the next one does not yet: approvals, windows, gates, soaks and retries as holds."""

from __future__ import annotations

from datetime import datetime, timedelta

from controller import membership, retrying, verdicts, versions, windows
from controller.actions import Hold, UnitDeclaration
from controller.gates import GateState
from controller.model import Attempt, FuotaSpec, Rollout, Wave, WaveRecord, iso
from controller.sessions import session_length
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


def closed(at: Situation, unit: UnitDeclaration, start: datetime, lead: timedelta) -> tuple[Hold, ...]:
    """A start that no window permits, or that a freeze forbids; `lead` is how long before it may be sent."""
    length = session_length(at.rollout, _redundancy(unit))
    found = windows.verdict(at.rollout.windows, at.environment.freezes, start, length)
    if found.permitted:
        return ()
    until = found.earliest - lead if found.earliest is not None else None
    text = f"{unit.unit_id}: {found.sentence}"
    return (Hold(reason=found.reason or "window_is_closed", message=text, until=until, stalled=until is None),)


def going_back(at: Situation) -> tuple[Hold, ...]:
    """Devices that report a newer version than they would get, and nobody said that this is meant."""
    if at.rollout.strategy.allow_downgrade:
        return ()
    runs = {t.vendor_id: t.version for t in at.seen.targets if t.version}
    newer = versions.downgraded(runs, at.rollout.firmware.version)
    if not newer:
        return ()
    text = (
        f"{len(newer)} devices report a newer version than {at.rollout.firmware.version} ({newer[0]}: {runs[newer[0]]}"
        f"{', …' if len(newer) > 1 else ''}); to take them back say strategy.allowDowngrade: true"
    )
    return (Hold(reason="version_would_go_back", message=text, stalled=True),)


def latest_start(at: Situation, start: datetime) -> datetime | None:
    """Until when what starts now may be sent; None when no window says."""
    if not at.rollout.windows and not at.environment.freezes:
        return None
    return windows.verdict(at.rollout.windows, at.environment.freezes, start, None).latest


def _redundancy(unit: UnitDeclaration) -> int | None:
    return unit.backend.redundancy_percent if isinstance(unit.backend, FuotaSpec) else None


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
