"""Handles creates whose answer was lost: sends them again, waits for them, or drops them.

1. Where the service deduplicates it, a recorded create without an outcome is sent again identical, before all else.
2. Where creating a unit starts it, the create is sent again only while it is still declared and may start; otherwise
   it is waited for until a late copy of it would be refused (`settle_time`).
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from otactl.model import Attempt, iso
from otactl.model.actions import Action, ResendCreate
from otactl.planning import preflight, units, wave_holds
from otactl.planning.wave_context import AttemptContext, RolloutContext, WaveContext, of_attempt


def resend(ctx: RolloutContext) -> tuple[Action, ...]:
    """Return the creates to send again: their unit is not visible (rules 1 and 2)."""
    at = ctx.at
    pending = [i for i in at.record.intents if i.creates]
    if not pending or not ctx.can.create_is_idempotent:
        return ()
    actions: list[Action] = []
    for intent in pending:
        for wave in at.rollout.strategy.waves:
            known = at.record.wave(wave.name)
            for attempt in known.attempts if known is not None else ():
                if known is None or attempt.unit_id != intent.unit_id:
                    continue
                if intent.start_at is None or _still_right(of_attempt(ctx, wave, known, attempt)):
                    unit = units.declare(at.rollout, at.environment, wave, attempt, known)
                    why = f"the answer to its create at {iso(intent.at)} was lost; same name, same parameters"
                    named = msgspec.structs.replace(unit, unit_id=intent.unit_id)
                    resend = ResendCreate(unit=named, call=intent.call, reason=why, start_at=intent.start_at)
                    actions.append(resend)
    return tuple(actions)


def _still_right(ctx: AttemptContext) -> bool:
    """Return whether a create that starts is still what is declared, and may start now."""
    if ctx.of_another_revision:
        return False
    at, wave, unit = ctx.at, ctx.wave, ctx.declared
    whole = ctx.known.members == unit.whole == at.rollout.targets_of(wave).keys
    same = bool(unit.only) or whole
    if wave_holds.closed(at, unit, at.now, timedelta()) or wave_holds.unapproved(ctx):
        return False
    busy = at.busy_beside(ctx.attempt)
    return same and not preflight.may_start(unit, unit.members, at.seen, at.environment.region, busy, every=True)


def lost_create(ctx: WaveContext) -> Attempt | None:
    """Return an attempt whose create, or a part of it, may still have been carried out, and is not visible."""
    pending = {i.unit_id for i in ctx.at.record.intents if i.creates}
    attempts = ctx.known.attempts if ctx.known is not None else ()
    return next((a for a in attempts if a.live and a.unit_id in pending), None)
