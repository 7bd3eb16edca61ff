"""Handles creates whose answer was lost: sends them again, waits for them, or drops them.

1. Where the service deduplicates it, a recorded create without an outcome is sent again identical, before all else.
2. Where creating a unit starts it, the create is sent again only while it is still declared and may start; otherwise
   it is waited for until a late copy of it would be refused (`settle_time`).
"""

from __future__ import annotations

import msgspec

from otactl.model import Attempt, WaveRecord, iso
from otactl.model.actions import Action, ResendCreate
from otactl.planning import create_unit, wave_holds
from otactl.planning.start_context import checked, of_creation, source_drift
from otactl.planning.wave_context import AttemptContext, RolloutContext, WaveContext, of_attempt
from otactl.verdicts import retry


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
                if intent.start_at is not None and _has_followers(known, attempt):
                    continue  # of an older journal: it was carried out, or the later one would not be there
                if intent.start_at is None or _still_right(of_attempt(ctx, wave, known, attempt)):
                    unit = at.declare(wave, attempt, known)
                    why = f"the answer to its create at {iso(intent.at)} was lost; same name, same parameters"
                    named = msgspec.structs.replace(unit, unit_id=intent.unit_id)
                    resend = ResendCreate(unit=named, call=intent.call, reason=why, start_at=intent.start_at)
                    actions.append(resend)
    return tuple(actions)


def _has_followers(known: WaveRecord, attempt: Attempt) -> bool:
    """Return whether the service has shown a later attempt at the wave, found by its tags."""
    later = known.attempts[known.attempts.index(attempt) + 1 :]
    return any(a.found_by_tags and a.generation == attempt.generation for a in later)


def _still_right(ctx: AttemptContext) -> bool:
    """Return whether a create that starts is still what is declared, and passes every check of a start now."""
    if ctx.of_another_revision:
        return False
    at, unit, known = ctx.at, ctx.declared, ctx.known
    whole = known.members == unit.whole == at.rollout.targets_of(ctx.wave).keys
    same = retry.still_declared(unit.only, at.rollout, known) == unit.only if unit.only else whole
    if not same or wave_holds.unapproved(ctx, again=bool(unit.only)):
        return False
    unmet = (*ctx.findings, *source_drift(ctx, unit))
    return not checked(create_unit.START_CHECKS, of_creation(ctx, unit, ctx.attempt, unmet))


def lost_create(ctx: WaveContext) -> Attempt | None:
    """Return an attempt whose create, or a part of it, may still have been carried out, and is not visible."""
    pending = {i.unit_id for i in ctx.at.record.intents if i.creates}
    attempts = ctx.known.attempts if ctx.known is not None else ()
    return next((a for a in attempts if a.live and a.unit_id in pending), None)
