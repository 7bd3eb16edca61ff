"""Plans what follows an attempt whose unit has ended, was deleted, or could not be created."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from otactl.drift import diff, ledger
from otactl.model import Stage
from otactl.model.actions import Hold
from otactl.planning import abort, supersede, wave_holds
from otactl.planning.context import POLL, Plan
from otactl.planning.create_unit import Creation, create
from otactl.planning.start_unit import settling
from otactl.planning.wave_context import AttemptContext
from otactl.verdicts import retry, wave_verdict
from otactl.wording import count

_NEVER_FOUND = "was not found for certain: the answer to its create was lost, and several ended that may be it"
_NEVER_SHOWN = " (no read has shown it: the service may have answered with a unit that an earlier journal created)"


def lost(ctx: AttemptContext) -> Plan | None:
    """Return the plan if it was deleted out of band.

    Create it again if it had not started, or if the loss is accepted.
    """
    attempt = ctx.attempt
    if attempt.stage is not Stage.LOST:
        return None
    surely_unsent = attempt.start_at is None and not attempt.never_shown
    if not (loss_accepted(ctx) or (surely_unsent and ctx.at.rollout.drift.mode == "correct")):
        how = f"was deleted out of band{_NEVER_SHOWN if attempt.never_shown else ''}"
        text = (
            f"{attempt.unit_id} {how if attempt.vendor_id is not None else _NEVER_FOUND}; to send it again "
            f"{_how_to_accept(ctx)}, or declare new content"
        )
        return ctx.stall(reason="unit_was_deleted", text=text)
    when = "before its start" if attempt.start_at is None else "after its start, which spec.drift.ignore accepts"
    why = f"{attempt.unit_id} was deleted out of band {when}"
    if ctx.unit is not None and ctx.unit.phase.is_there:
        return ctx.act(supersede.delete(attempt, ctx.at.rollout, "replace", why))
    return create(ctx, Creation(ctx.next_number, why, retry=retry.remainder(ctx.known, ctx.at.rollout)))


def failed(ctx: AttemptContext) -> Plan | None:
    """Return the plan if the service could not create it.

    Delete its record and name once what it was created with changed.
    """
    attempt, unit, at = ctx.attempt, ctx.unit, ctx.at
    if attempt.stage is not Stage.FAILED:
        return None
    if unit is None or not unit.phase.is_there:
        return ctx.wait(*settling(attempt), soon=True)
    now = diff.baseline_of(at.seen)
    pairs = ((now.image, attempt.created_with.image), (now.role, attempt.created_with.role))
    changed = any(new and old and new != old for new, old in pairs)
    changed = changed or attempt.annotation_digest not in ("", ctx.declared.annotations)
    changed = changed or (bool(unit.members) and set(unit.members) != set(ctx.declared.members))
    if changed or loss_accepted(ctx):
        why = (
            "the role, image or manifest that it failed with has changed"
            if changed
            else "spec.drift.ignore accepts that it failed"
        )
        return ctx.act(supersede.delete(attempt, at.rollout, "replace", why))
    text = (
        f"{attempt.unit_id} could not be created: {attempt.failure}; fix the cause; it is recreated when role, "
        f"image or manifest changes, or after: "
        f"{ctx.can.delete_command.format(id=attempt.vendor_id)}"
    )
    return ctx.stall(reason="unit_creation_failed", text=text)


def replaced(ctx: AttemptContext) -> Plan | None:
    """Return the creation of its successor, if it was deleted before its start."""
    if ctx.attempt.stage is not Stage.SUPERSEDED:
        return None
    why = "the previous attempt was withdrawn before its start" if ctx.attempt.withdrawn else "it was replaced"
    return create(ctx, Creation(ctx.next_number, why, retry=retry.remainder(ctx.known, ctx.at.rollout)))


def stopped(ctx: AttemptContext) -> Plan | None:
    """Return the creation for devices that had not started, if we stopped it."""
    attempt, known, rollout = ctx.attempt, ctx.known, ctx.at.rollout
    if not retry.goes_on(known, rollout) or wave_verdict.gives_up(known, rollout):
        return None
    why = "the previous attempt was stopped for another revision"
    if attempt.withdrawn:
        waiting = count(len(retry.unbegun(known, rollout)), "device")
        why = f"{waiting} had not started when the previous attempt was withdrawn"
    if attempt.by_hand:
        why += f"; not {', '.join(attempt.by_hand)}, canceled by hand: only new content is sent to them"
    return create(ctx, Creation(ctx.next_number, why, retry=retry.remainder(known, rollout)))


def retried(ctx: AttemptContext) -> Plan | None:
    """Return the retry of devices that failed, if it is due."""
    again = retry.retry_plan(ctx.at.rollout, ctx.known)
    if again is None or again.ready_at > ctx.at.now:
        return None
    why = f"try {again.tries} for {count(len(again.only), 'device')} that failed"
    return create(ctx, Creation(ctx.next_number, why, retry=again))


def judged(ctx: AttemptContext) -> Plan | None:
    """Return what holds a wave that its gate does not pass; abort it if the manifest asks for that."""
    hold = _with_end(ctx, wave_holds.gate_hold(ctx))
    if wave_verdict.failed(ctx.known, ctx.at.rollout) and ctx.at.rollout.strategy.on_failure == "abort":
        return abort.plan(ctx, f"its gate failed ({hold.reason}): {hold.message}", stalled=True)
    watching = wave_verdict.watched(ctx.known, ctx.at.rollout) is not None or ctx.attempt.live
    back = ctx.at.now + POLL if watching else None
    return ctx.wait_until(hold.until or back, hold)


def _with_end(ctx: AttemptContext, hold: Hold) -> Hold:
    """Return the hold of a failed gate with the command that ends the unit, while devices of it have not finished."""
    if not (ctx.attempt.live and hold.stalled):
        return hold
    end = ctx.can.end_command.format(id=ctx.attempt.vendor_id)
    text = f"{hold.message}; {ctx.attempt.unit_id} still has devices that have not finished; to cancel it: {end}"
    return msgspec.structs.replace(hold, message=text)


ENDED_RULES: tuple[Callable[[AttemptContext], Plan | None], ...] = (lost, failed, replaced, stopped, retried, judged)


def loss_accepted(ctx: AttemptContext) -> bool:
    """Return whether the manifest was edited to accept a loss since it was seen: an old entry accepts no new loss."""
    at, mine = ctx.at, ctx.attempt.unit_id
    seen = [e for e in at.record.drift if e.open and e.subject == mine and e.field == "unit"]
    edited = [e for e in seen if e.manifest != at.rollout.source.digest]
    accepted = any(ledger.accepted_since(e, at.rollout.drift, at.now) for e in edited)
    return accepted and any(f.subject == mine and f.field == "unit" for f in ctx.findings)


def _how_to_accept(ctx: AttemptContext) -> str:
    """Return what to write in the manifest to accept a loss."""
    mine = (f for f in ctx.findings if f.subject == ctx.attempt.unit_id and f.field == "unit")
    if any(ledger.acknowledged(f, ctx.at.rollout.drift, ctx.at.now) for f in mine):
        return "give field unit in spec.drift.ignore another reason (what was there before the loss does not accept it)"
    return "accept the loss (spec.drift.ignore with field unit and a reason)"
