"""Plans the next step while the unit of a wave's attempt is with the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from otactl.drift import ledger
from otactl.model import Outcome, Stage, UnitPhase
from otactl.model.actions import Hold
from otactl.planning import detect_drift, forbidden_starts, start_waits, supersede, suspend, unseen_changes
from otactl.planning.context import POLL, Plan
from otactl.planning.create_unit import Creation, create
from otactl.planning.ended_unit import judged
from otactl.planning.start_unit import doubtful, marks, not_started, paced, settling, to_the_start
from otactl.planning.wave_context import AttemptContext, UnitContext, first
from otactl.verdicts import gate as gates
from otactl.verdicts import wave_verdict
from otactl.wording import count


def status_is_unknown(ctx: AttemptContext) -> Plan | None:
    """Return the hold if the service shows a status that this version does not know."""
    if ctx.unit is None or ctx.unit.phase is not UnitPhase.UNKNOWN:
        return None
    text = f"{ctx.attempt.unit_id} shows a status this version does not know; check it at the service, or update otactl"
    return ctx.stall(reason="unit_status_is_unknown", text=text)


def not_visible_yet(ctx: AttemptContext) -> Plan | None:
    """Return the hold if the unit is not shown, not shown whole, or its start was sent and is not shown."""
    unit, mine = ctx.unit, ctx.attempt.unit_id
    broken = unit is None or unit.phase is UnitPhase.BROKEN or detect_drift.lagging(ctx)
    sent = any(i.action == "startUnit" and i.unit_id == mine for i in ctx.at.record.intents)
    return ctx.wait(*settling(ctx.attempt), soon=True) if broken or sent else None


def gate_has_failed(ctx: AttemptContext) -> Plan | None:
    """Return the plan if its gate cannot be met any more while devices are in progress."""
    failed = wave_verdict.failed(ctx.known, ctx.at.rollout)
    return judged(ctx) if failed and not ctx.attempt.canceled_by_us else None


def shown(ctx: AttemptContext) -> Plan | None:
    """Return the plan if the service shows the unit."""
    return first(SHOWN_RULES, ctx) if isinstance(ctx, UnitContext) else None


LIVE_RULES: tuple[Callable[[AttemptContext], Plan | None], ...] = (
    status_is_unknown,
    not_visible_yet,
    gate_has_failed,
    shown,
)


def parts_are_missing(ctx: UnitContext) -> Plan | None:
    """Return the creation of missing parts, unless one is in doubt or the gate cannot be met."""
    unit, attempt, rollout = ctx.unit, ctx.attempt, ctx.at.rollout
    if not unit.missing_targets:
        return None
    if fields := doubtful(ctx):
        text = (
            f"{attempt.unit_id}: {', '.join(fields)}; the rest of it is not created unless spec.drift.ignore accepts it"
        )
        return ctx.stall(reason="drift_is_open", text=text)
    gate = rollout.gate_of(ctx.wave)
    counts = gates.tally_of_counts(attempt.counted, attempt.failures, gate)
    later = wave_verdict.later_devices(counts, ctx.known, ctx.wave, rollout)
    if rollout.strategy.retry is None and gates.hopeless(gate, counts, later):
        devices = count(counts.total, "device")
        text = f"{attempt.unit_id}: {counts.failed} of {devices} failed, so its gate cannot be met; "
        text += "the rest of it is not created; change spec.firmware, or the gate, by pull request"
        return ctx.stall(reason="success_rate_is_too_low", text=text)
    why = f"{len(unit.missing_targets)} of its targets are in no part of it yet"
    return create(ctx, Creation(attempt, why, rest=unit.missing_targets))


def is_open(ctx: UnitContext) -> Plan | None:
    """Return the way to its start if the unit has not started, once what we changed is visible."""
    if ctx.attempt.stage is not Stage.OPEN:
        return None
    drift = detect_drift.unit_drift(ctx)
    if any(detect_drift.behind(ctx, f) for f in drift):
        return ctx.wait(*settling(ctx.attempt), soon=True)
    return to_the_start(ctx)


def result_is_unknown(ctx: UnitContext) -> Plan | None:
    """Return the hold if it has ended with results this version does not know."""
    if ctx.unit.phase is not UnitPhase.ENDED or ctx.unit.results is None:
        return None
    names = ", ".join(r.device for r in ctx.unit.results if r.outcome is Outcome.UNKNOWN)
    text = f"devices with a result this version does not know: {names}; update otactl"
    return ctx.stall(reason="device_result_is_unknown", text=text)


def stops(ctx: UnitContext) -> Plan | None:
    """Return the hold if it was asked to start no further devices; those in progress continue."""
    attempt = ctx.attempt
    holds: tuple[Hold, ...] = ()
    if attempt.withdrawn and ctx.unit.stopping:
        reported = suspend.going(attempt, ctx.at.now, ctx.can, stopping=True)
        text = f"{reported}; the others follow when these have ended"
        if unproved := ctx.unit.claims.open:
            text += f"; {count(unproved, 'device has', 'devices have')} the image and still to report the version"
        holds = (Hold(reason="withdrawn_devices_wait", message=text),)
    elif attempt.canceled_by_us and not attempt.withdrawn:
        holds = supersede.on_air_hold(ctx)
    return ctx.wait(*holds, soon=True) if holds else None


def differs(ctx: UnitContext) -> Plan | None:
    """Return the corrections, if something of it may still be set as declared."""
    rollout = ctx.at.rollout
    accepted = frozenset(f.field for f in ctx.findings if ledger.acknowledged(f, rollout.drift, ctx.at.now))
    drift = detect_drift.unit_drift(ctx)
    late = any(f.field.startswith("tags.") and detect_drift.behind(ctx, f) for f in drift)
    corrects = ctx.unit.readable and rollout.drift.mode == "correct" and not late  # first into the ledger
    restored = marks(ctx, accepted) if corrects else ()
    actions = (*paced(ctx, accepted), *restored)
    actions, vain = unseen_changes.divided(actions, ctx.attempt, ctx.unit, ctx.fields)
    if actions:
        return ctx.act(*actions)
    return ctx.wait(*vain, soon=True) if vain else None


def starts_are_held(ctx: UnitContext) -> Plan | None:
    """Return the hold if devices wait for a start of ours that may not be sent now."""
    holds = not_started(ctx)
    return ctx.wait(*holds, soon=True) if holds else None


def start_is_forbidden(ctx: UnitContext) -> Plan | None:
    """Return the hold if another actor scheduled it for a time at which nothing may start."""
    holds = forbidden_starts.holds(ctx)
    return ctx.wait(*holds) if holds else None


def session_is_overdue(ctx: UnitContext) -> Plan | None:
    """Return the plan if its session should have started, or ended, long ago."""
    holds = start_waits.session_hold(ctx)
    return ctx.wait(*holds) if holds else None


def devices_are_overdue(ctx: UnitContext) -> Plan | None:
    """Return the hold if the service waits for devices too long."""
    if not ctx.unit.overdue:
        return None
    end = ctx.can.end_command.format(id=", ".join(ctx.unit.overdue_in) or ctx.attempt.vendor_id)
    text = f"{ctx.attempt.unit_id}: {ctx.unit.overdue}; waiting for it; to stop waiting: {end}"
    return ctx.wait(Hold(reason="devices_are_overdue", message=text))


def passed_already(ctx: UnitContext) -> Plan | None:
    """Return the plan if its gate has passed while some devices are still in progress."""
    return judged(ctx) if ctx.known.verdict_of(ctx.at.rollout.generation) is not None else None


def runs(ctx: UnitContext) -> Plan | None:
    """Return when to check again: it runs, or waits for its start, as declared."""
    now = ctx.at.now
    starts = ctx.attempt.start_at if ctx.attempt.stage is Stage.SCHEDULED else None
    back = starts if starts is not None and starts > now else now + POLL
    return ctx.wait_until(max(back, now + timedelta(seconds=1)))


SHOWN_RULES: tuple[Callable[[UnitContext], Plan | None], ...] = (
    parts_are_missing,
    is_open,
    result_is_unknown,
    stops,
    differs,
    starts_are_held,
    start_is_forbidden,
    session_is_overdue,
    devices_are_overdue,
    passed_already,
    runs,
)
