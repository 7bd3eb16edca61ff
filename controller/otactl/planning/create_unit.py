"""Plans the creation of a wave's unit: the preflight checks, and the hold reported while one fails.

1. A wave that the journal does not know is not created while a later wave of the same revision is recorded.
2. Waves run one after another; a wave that has passed may still have devices in progress.
3. Where creating a unit starts it, all checks of a start apply to the creation, which carries the time of the decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import msgspec

from otactl.model import Attempt, Stage
from otactl.model.actions import CreateUnit, Hold, UnitDeclaration
from otactl.planning import detect_drift, guardrails, preflight, reused_version, supersede, suspend, wave_holds
from otactl.planning.context import RECHECK, Plan
from otactl.planning.sent_elsewhere import sent_already, without_sent
from otactl.planning.start_context import StartContext, checked, of_creation, source_drift
from otactl.planning.start_unit import doubts, open_drift
from otactl.planning.wave_context import WaveContext
from otactl.verdicts import wave_verdict
from otactl.verdicts.retry import RetryPlan
from otactl.verdicts.updated_devices import sent_again, spared


def _before_known(ctx: WaveContext) -> tuple[Hold, ...]:
    """Return a wave the journal does not know, before one of the same content that was found by its marks alone.

    Of one that it knows and that was not sent, an old journal knows too little just as well.
    """
    at, wave, known = ctx.at, ctx.wave, ctx.known
    generation = at.rollout.generation
    if known is not None and any(a.reached for a in known.attempts if a.generation == generation):
        return ()
    names = [w.name for w in at.rollout.strategy.waves]
    for later in names[names.index(wave.name) + 1 :]:
        record = at.record.wave(later)
        found = [a for a in record.attempts if a.found_by_tags] if record is not None else []
        if any(a.generation == generation for a in found):
            what = "does not know that it sent" if known is not None and known.attempts else "does not know"
            text = (
                f"the journal {what} wave {wave.name}, and wave {later} of its revision was created after it; "
                "restore the journal, or remove the wave from the manifest if its devices have the image"
            )
            return (Hold(reason="earlier_wave_is_unknown", message=text, stalled=True),)
    return ()


def _under_way(ctx: WaveContext) -> tuple[Hold, ...]:
    """Return the hold of a wave beside another.

    Waves run one after another, in whatever order the manifest has them now.
    """
    at, wave = ctx.at, ctx.wave
    for other in at.record.waves:
        for attempt in other.attempts:
            at_it = attempt.stage in (Stage.SCHEDULED, Stage.RUNNING)
            others = other.name != wave.name and not wave_verdict.passed(other, at.rollout)
            if others and at_it and attempt.generation == at.rollout.generation:
                text = f"wave {other.name} has not ended ({attempt.unit_id}); waves run one after another; "
                text += f"to stop waiting: {suspend.end_of(attempt, ctx.can)}"
                return (Hold(reason="another_wave_in_progress", message=text),)
    return ()


class Creation(NamedTuple):
    """What is to be created: the unit of an attempt, or of a new one by its number.

    `rest` are the targets that are in no part of a recorded attempt's unit yet; `retry` is for a new attempt for some
    of the wave's devices.
    """

    which: int | Attempt
    reason: str
    rest: tuple[str, ...] = ()
    retry: RetryPlan | None = None


def create(ctx: WaveContext, wanted: Creation) -> Plan:
    """Create the unit of an attempt, or hold it with what keeps it."""
    at, shape = ctx.at, ctx.shape
    retry, reason = wanted.retry, wanted.reason
    if retry is not None and retry.only:
        left, others = without_sent(at, retry.only)
        retry, reason = msgspec.structs.replace(retry, only=left), f"{reason}{others}"
    had = spared(at.seen, shape.capabilities)
    unit = at.declare(ctx.wave, wanted.which, ctx.known, retry, had)
    part = msgspec.structs.replace(unit, members=wanted.rest or unit.members)
    unapproved = wave_holds.unapproved(ctx, again=bool(unit.only))
    if unapproved and not ctx.can.starts_explicitly:  # an approval alone would not start it
        unapproved = (*unapproved, *wave_holds.closed(of_creation(ctx, part)))
    if holds := _before_known(ctx) or _under_way(ctx) or unapproved or reused_version.holds(ctx):
        return ctx.wait(*holds, soon=True)
    if unit.spared and not unit.members:
        text = f"every target of {unit.unit_id} reports {at.rollout.firmware.version} already; checking again"
        return ctx.wait(Hold(reason="checks_are_incomplete", message=text), soon=True)
    if ctx.can.starts_explicitly:
        return _create_open(ctx, unit, part, reason)
    return _create_and_start(ctx, wanted, unit, part, reason)


def _create_open(ctx: WaveContext, unit: UnitDeclaration, part: UnitDeclaration, reason: str) -> Plan:
    """Create a unit that is started by a call of its own."""
    if holds := checked(CREATE_CHECKS, of_creation(ctx, part)):
        return _held(ctx, holds)
    return ctx.act(CreateUnit(unit=unit, reason=f"{reason}{_remarks(ctx, unit)}"))


def _create_and_start(
    ctx: WaveContext, wanted: Creation, unit: UnitDeclaration, part: UnitDeclaration, reason: str
) -> Plan:
    """Create a unit that starts with its creation (rule 3)."""
    at = ctx.at
    sources = source_drift(ctx, unit)
    attempt = wanted.which if isinstance(wanted.which, Attempt) else None
    unmet = sources if wanted.rest else (*ctx.findings, *sources)  # devices of a part that failed hold no other part
    start = of_creation(ctx, part, attempt, unmet)
    holds = checked(START_CHECKS, start)
    ctx = replace(ctx, findings=(*ctx.findings, *sources, *detect_drift.of_targets(unit.unit_id, at.seen)))
    if holds:
        return _held(ctx, holds)
    why = f"{reason}{_remarks(ctx, unit)}{doubts(ctx)}"
    until = wave_holds.latest_start(start)
    return ctx.act(CreateUnit(unit=unit, reason=why, start_at=at.now, not_after=until))


CREATE_CHECKS: tuple[Callable[[StartContext], tuple[Hold, ...]], ...] = (
    preflight.may_create,
    preflight.may_fill,
    supersede.sent_in_groups,
    sent_already,
)
START_CHECKS: tuple[Callable[[StartContext], tuple[Hold, ...]], ...] = (
    preflight.may_start,
    guardrails.too_many,
    wave_holds.going_back,
    wave_holds.closed,
    supersede.sent_in_groups,
    open_drift,
    sent_already,
)


def _held(ctx: WaveContext, holds: tuple[Hold, ...]) -> Plan:
    opens = [h.until for h in holds if h.until is not None]
    return ctx.wait_until(opens[0] if opens and len(holds) == 1 else ctx.at.now + RECHECK, *holds)


def _remarks(ctx: WaveContext, unit: UnitDeclaration) -> str:
    """Return what to report with a creation beside its reason."""
    had = f"; {len(unit.spared)} of the wave report the version already" if unit.spared else ""
    return f"{had}{sent_again(ctx.at.seen, unit.firmware.version)}"
