"""Decides what is next for a rollout: the first rule that applies, in this order.

1. A plan is one step: only what the present observation supports. The pass assesses again before the next.
2. Holds come first and are named; a plan with a stalling hold has no action.
3. Nothing is sent twice on a guess (`resend`).
4. A start needs every check to pass and no drift of the unit left. Where creating a unit starts it, that holds for the
   creation.
5. What the service could not create is created again when what it was created with has changed, or when a person has
   accepted it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from otactl.model import Stage
from otactl.model.actions import Hold
from otactl.planning import (
    abort,
    detect_drift,
    forbidden_starts,
    found_units,
    guardrails,
    resend,
    supersede,
    suspend,
    wave_holds,
)
from otactl.planning.context import RECHECK, Plan
from otactl.planning.create_unit import Creation, create
from otactl.planning.ended_unit import ENDED_RULES
from otactl.planning.live_unit import LIVE_RULES
from otactl.planning.previous_revision import PREVIOUS_RULES, lost_revision_may_return
from otactl.planning.start_unit import settling
from otactl.planning.wave_context import AttemptContext, RolloutContext, WaveContext, first, of_wave
from otactl.state.ambiguous_creates import undecided
from otactl.verdicts import wave_verdict


def plan(ctx: RolloutContext) -> Plan:
    """Decide the next step of one rollout from its context, to which its drift is added here."""
    decided = first(ROLLOUT_RULES, replace(ctx, findings=detect_drift.findings(ctx)))
    holds = retry_holds(ctx) if not decided.actions else ()
    if not holds:
        return decided
    back = decided.requeue_at or ctx.at.now + RECHECK
    return msgspec.structs.replace(decided, holds=(*decided.holds, *holds), requeue_at=back)


def retry_holds(ctx: RolloutContext) -> tuple[Hold, ...]:
    """Return the holds of waves that have passed and of which devices are to be tried again: no rule is about them."""
    rollout, record = ctx.at.rollout, ctx.at.record
    failed = any(wave_verdict.failed(record.wave(w.name), rollout) for w in rollout.strategy.waves)
    if failed or rollout.abort is not None or rollout.suspend is not None:
        return ()
    waves = (of_wave(ctx, w) for w in rollout.strategy.waves if w != ctx.next_wave)
    return tuple(h for w in waves if isinstance(w, AttemptContext) for h in wave_holds.retry_to_come(w))


def aborted(ctx: RolloutContext) -> Plan | None:
    """Return the plan if the manifest declares an abort: what is known is stopped, beside what is in doubt."""
    declared = ctx.at.rollout.abort
    running = ctx.next_wave is not None or any(a.live for a in ctx.at.record.attempts)
    if declared is None or not running:
        return None
    decided = abort.plan(ctx, declared.reason)
    doubts = (*ctx.refused, *_unreadable(ctx))
    return decided if decided.actions or not doubts else ctx.wait(*decided.holds, *doubts)


def start_is_forbidden(ctx: RolloutContext) -> Plan | None:
    """Return the plan if a freeze or a window forbids the start of a session that is scheduled: withdraw it."""
    actions = forbidden_starts.withdraw(ctx)
    return ctx.act(*actions) if actions else None


def suspended(ctx: RolloutContext) -> Plan | None:
    """Return the plan of a suspension: withdraw what devices have not started, then say what goes on."""
    by = ctx.at.rollout.suspend
    if by is None:
        return None
    if actions := suspend.withdraw(ctx, by):
        return ctx.act(*actions)
    going = any(a.stage in (Stage.SCHEDULED, Stage.RUNNING) for a in ctx.at.record.attempts)
    return ctx.wait(suspend.hold(ctx, by), *ctx.refused, *_unreadable(ctx), soon=going)


def held(ctx: RolloutContext) -> Plan | None:
    """Return the plan if something holds the whole rollout."""
    holds = (*ctx.refused, *_unreadable(ctx), *guardrails.shrunk(ctx), *found_units.unclear(ctx))
    return ctx.wait(*holds) if holds else None


def resent_or_removed(ctx: RolloutContext) -> Plan | None:
    """Return the plan if the response to a create was lost, or a unit has no wave any more."""
    actions = resend.resend(ctx)
    actions = actions or supersede.supersede(ctx) or supersede.returned(ctx) or supersede.clean_up(ctx)
    return ctx.act(*actions) if actions else None


def held_by_other_waves(ctx: RolloutContext) -> Plan | None:
    """Return the plan if a unit of another wave, or one that came back, keeps the next wave from its devices."""
    holds = (*supersede.wave_holds(ctx), *supersede.returned_holds(ctx))
    return ctx.wait(*holds) if holds else None


def next_wave(ctx: RolloutContext) -> Plan | None:
    """Return the plan of the first wave that has not passed."""
    return first(WAVE_RULES, of_wave(ctx, ctx.next_wave)) if ctx.next_wave is not None else None


def passed(ctx: RolloutContext) -> Plan | None:
    """Return the plan once every wave has passed."""
    return ctx.at.plan(findings=ctx.findings)


ROLLOUT_RULES: tuple[Callable[[RolloutContext], Plan | None], ...] = (
    aborted,
    start_is_forbidden,  # of a suspended rollout, too, whose sessions are to finish
    suspended,
    held,
    resent_or_removed,
    held_by_other_waves,
    next_wave,
    passed,
)


def create_is_lost(ctx: WaveContext) -> Plan | None:
    """Return the plan if a create of the wave may still have been carried out."""
    lost = resend.lost_create(ctx)
    return ctx.wait(*settling(lost), soon=True) if lost is not None else None


def not_created(ctx: WaveContext) -> Plan | None:
    """Return the creation, if nothing of the declared revision was created and nothing of another is live."""
    if isinstance(ctx, AttemptContext) and (not ctx.of_another_revision or ctx.attempt.live):
        return None
    return create(ctx, Creation(ctx.next_number, f"wave {ctx.wave.name} is next"))


def previous_revision(ctx: WaveContext) -> Plan | None:
    """Return the plan if a unit of another revision is live."""
    mine = isinstance(ctx, AttemptContext) and ctx.of_another_revision
    return first(PREVIOUS_RULES, ctx) if isinstance(ctx, AttemptContext) and mine else None


def recorded(ctx: WaveContext) -> Plan | None:
    """Return the plan if the attempt is recorded and its unit was never created."""
    if not isinstance(ctx, AttemptContext) or ctx.attempt.stage is not Stage.DECLARED:
        return None
    return create(ctx, Creation(ctx.attempt, f"wave {ctx.wave.name} is next"))


def live(ctx: WaveContext) -> Plan | None:
    """Return the plan if the service has its unit."""
    return first(LIVE_RULES, ctx) if isinstance(ctx, AttemptContext) and ctx.attempt.live else None


def ended(ctx: WaveContext) -> Plan | None:
    """Return the plan if the service has its unit no longer, or the unit has nothing left to do."""
    return first(ENDED_RULES, ctx) if isinstance(ctx, AttemptContext) else None


WAVE_RULES: tuple[Callable[[WaveContext], Plan | None], ...] = (
    create_is_lost,
    lost_revision_may_return,
    not_created,
    previous_revision,
    recorded,
    live,
    ended,
)


def _unreadable(ctx: RolloutContext) -> tuple[Hold, ...]:
    at = ctx.at
    unclear = undecided(at.record, at.rollout, at.seen)
    return (
        *(Hold(reason="observation_is_incomplete", message=text, stalled=True) for text in at.seen.unreadable),
        *(Hold(reason="lost_create_is_ambiguous", message=a.message, stalled=True) for a in unclear),
    )
