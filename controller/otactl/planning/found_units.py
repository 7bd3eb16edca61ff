"""Holds a rollout while a unit that was found by its tags may be a retry."""

from __future__ import annotations

from otactl.model import Attempt, Stage, Wave
from otactl.model.actions import Hold
from otactl.planning.wave_context import RolloutContext
from otactl.state.resend_permission import to_resend
from otactl.verdicts.found_units import may_be_retry


def unclear(ctx: RolloutContext) -> tuple[Hold, ...]:
    """Return the hold of the first wave whose newest unit may be a retry that the journal does not know."""
    for wave in ctx.at.rollout.strategy.waves:
        known = ctx.at.record.wave(wave.name)
        attempt = known.current if known is not None else None
        if attempt is not None and may_be_retry(attempt, wave, ctx.at.rollout):
            return (Hold(reason="unit_may_be_a_retry", message=_text(ctx, wave, attempt), stalled=True),)
    return ()


def _text(ctx: RolloutContext, wave: Wave, attempt: Attempt) -> str:
    """Return what is unknown, and each way out that its stage leaves."""
    text = (
        f"the journal does not know for which devices {attempt.unit_id} was created; it is not the first unit of wave "
        f"{wave.name} and does not hold all of its targets, so it may be a retry; restore a backup of the journal that "
        "knows it, or declare another revision"
    )
    if attempt.stage is Stage.SUPERSEDED and attempt.start_at is None:
        again = to_resend(ctx.at.rollout)
        return f"{text}; it was deleted before its start: to send to every device of the wave, {again}"
    if attempt.stage is not Stage.OPEN:
        return text
    end = ctx.can.end_command.format(id=attempt.vendor_id)
    return f"{text}; to send to every device of the wave again, delete it: {end}"
