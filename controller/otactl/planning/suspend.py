"""Suspends a rollout: withdraws what devices have not started and reports what continues.

1. A unit that is scheduled is deleted while its start lies ahead; it comes back as another attempt when the rollout
   goes on. A start whose answer was lost counts as scheduled: the service may have it.
2. A running unit starts no further devices, where its service supports that. Devices that had not started follow in
   another attempt; the results of those that had count.
3. A unit that is open, and for which no start was sent, stays as it is.
4. `running: finish` withdraws nothing; a freeze over a scheduled start does all the same (`forbidden_starts`).
"""

from __future__ import annotations

from datetime import datetime

from otactl.model import Attempt, Record, Stage, Suspend, Unit, UnitPhase, iso
from otactl.model.actions import Action, CancelUnit, DeleteUnit, Hold
from otactl.planning.context import PlanContext
from otactl.planning.wave_context import RolloutContext
from otactl.ports import Capabilities
from otactl.verdicts.found_units import may_be_retry
from otactl.wording import count


def withdraw(ctx: RolloutContext, by: Suspend) -> tuple[Action, ...]:
    """Return what withdraws everything that devices have not started (rules 1 and 2)."""
    if by.running == "finish":
        return ()
    found = (_withdrawn(ctx, attempt, by) for attempt in ctx.at.record.attempts if attempt.live)
    return tuple(action for action in found if action is not None)


def hold(ctx: RolloutContext, by: Suspend) -> Hold:
    """Return why nothing is sent, and what continues nevertheless, each with the command that would stop it."""
    parts = [f"{by.reason} (held by {by.owner}); remove spec.suspend to continue"]
    return Hold(reason="suspended", message="; ".join((*parts, *_goes_on(ctx), *_follows(ctx.at))))


def going(attempt: Attempt, at: datetime, can: Capabilities, *, stopping: bool = False) -> str:
    """Return one unit that continues although its rollout is suspended: since when, and how it would be stopped."""
    start = attempt.start_at
    begins = "has been on air" if can.starts_explicitly else "has been running"
    when = f"{begins} since {iso(start)}" if start is not None else "runs"
    if start is not None and start > at:
        when = f"is to start at {iso(start)}"
    goes = "starts no further devices; devices already in progress will finish" if stopping else "will finish"
    end = end_of(attempt, can, can.force_command)
    return f"{attempt.unit_id} {when} and {goes}; to stop it at its risk: {end}"


def end_of(attempt: Attempt, can: Capabilities, command: str = "") -> str:
    """Return the command, whole, that ends what the service holds of an attempt; of one that has ended, deletes it."""
    ids = ", ".join(attempt.vendor_ids) if attempt.ids_by_call else attempt.vendor_id
    if not command and attempt.stage in (Stage.ENDED, Stage.FAILED):
        command = can.delete_command
    return (command or can.end_command).format(id=ids)


def before_its_start(ctx: RolloutContext, attempt: Attempt, reason: str) -> DeleteUnit | None:
    """Return what deletes a unit that is scheduled while its start lies ahead; None for any other (rule 1)."""
    at = ctx.at
    unit = at.unit_of(attempt)
    if unit is None or attempt.vendor_id is None or not ctx.can.starts_explicitly:
        return None
    begins = unit.start_at or attempt.start_at
    ahead = begins is None or at.now < begins
    if not (ahead and _is_meant_to_start(at, attempt, unit)):
        return None
    return DeleteUnit(
        unit_id=attempt.unit_id,
        vendor_id=attempt.vendor_id,
        backend=at.rollout.backend_kind,
        why="suspended",
        reason=reason,
        not_after=begins,
    )


def _withdrawn(ctx: RolloutContext, attempt: Attempt, by: Suspend) -> Action | None:
    unit = ctx.at.unit_of(attempt)
    why = f"suspended by {by.owner}: {by.reason}"
    if ctx.can.starts_explicitly:
        return before_its_start(ctx, attempt, why)
    if unit is None or attempt.vendor_id is None or not _runs_on(unit, ctx):
        return None
    kind = ctx.at.rollout.backend_kind
    return CancelUnit(unit_id=attempt.unit_id, vendor_id=attempt.vendor_id, backend=kind, why="suspended", reason=why)


def _is_meant_to_start(at: PlanContext, attempt: Attempt, unit: Unit) -> bool:
    """Return whether it is scheduled, or a start was sent and is not shown yet (rule 1)."""
    if unit.phase is UnitPhase.SCHEDULED:
        return True
    sent = attempt.stage is Stage.SCHEDULED or any(
        i.action == "startUnit" and i.unit_id == attempt.unit_id for i in at.record.intents
    )
    return unit.phase is UnitPhase.OPEN and sent


def _runs_on(unit: Unit, ctx: RolloutContext) -> bool:
    return unit.phase is UnitPhase.RUNNING and ctx.can.cancels_waiting and not unit.stopping


def _goes_on(ctx: RolloutContext) -> list[str]:
    parts, at = [], ctx.at
    for attempt in at.record.attempts:
        unit = at.unit_of(attempt)
        if attempt.live and unit is not None and unit.phase in (UnitPhase.SCHEDULED, UnitPhase.RUNNING):
            parts.append(going(attempt, at.now, ctx.can, stopping=unit.stopping))
        elif attempt.live and any(i.creates and i.unit_id == attempt.unit_id for i in at.record.intents):
            parts.append(f"{attempt.unit_id} may have been created: the answer was lost; the next passes search for it")
    return parts


def _follows(at: PlanContext) -> list[str]:
    """Return what comes back when the rollout goes on."""
    parts = []
    for wave in at.record.waves:
        attempt = wave.current
        if attempt is None or attempt.generation != at.rollout.generation or not attempt.withdrawn:
            continue
        declared = next((w for w in at.rollout.strategy.waves if w.name == wave.name), None)
        if declared is not None and may_be_retry(attempt, declared, at.rollout):
            ended = "was withdrawn before its start" if attempt.stage is Stage.SUPERSEDED else "was stopped"
            parts.append(f"{attempt.unit_id} {ended}; it may be a retry, so unit_may_be_a_retry holds what follows")
        elif attempt.stage is Stage.SUPERSEDED:
            parts.append(f"{attempt.unit_id} was withdrawn before its start, and comes back as another attempt")
        elif attempt.not_started:
            parts.append(
                f"{count(len(attempt.not_started), 'device')} of {attempt.unit_id} had not started, "
                "and follow in another attempt"
            )
        if attempt.by_hand:
            parts.append(f"{', '.join(attempt.by_hand)} of {attempt.unit_id} were canceled by hand, and do not follow")
    return parts


def goes_on(record: Record, finish: bool, now: datetime, can: Capabilities) -> tuple[str, ...]:
    """Return what the journal knows to be in progress: what a suspension withdraws, and what it cannot."""
    parts = []
    for attempt in record.attempts:
        if attempt.stage not in (Stage.SCHEDULED, Stage.RUNNING):
            continue
        start = attempt.start_at
        if can.starts_explicitly and start is not None and now < start and not finish:
            text = f"{attempt.unit_id} is to start at {iso(start)}; a reconcile before that deletes it; to do it now"
            parts.append(f"{text}: {can.end_command.format(id=attempt.vendor_id)}")
        else:
            parts.append(going(attempt, now, can, stopping=can.cancels_waiting and not finish))
    return tuple(parts)
