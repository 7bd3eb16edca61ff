"""Plans an open unit up to its start: corrects drift, adds members, runs the preflight checks, starts it.

1. Differences come first, members next, the start last; each is a step of its own and never mixed with a start.
2. An ignored drift is left alone and does not hold the start; a drift that is only reported does.
3. The start lies far enough ahead for the service and for a late process: the call says until when it may be sent.
4. Where no start is permitted yet but a window opens within REACH of the soonest start, the start is the second at
   which it opens: a session that only just fits its window must start with it, and no run comes at that second.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from otactl.drift import diff, ledger
from otactl.model import Attempt, Cause, Unit, duration, iso
from otactl.model.actions import (
    Action,
    AddMembers,
    Finding,
    Hold,
    MarkUnit,
    RemoveMembers,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
)
from otactl.planning import guardrails, preflight, reused_version, supersede, unseen_changes, wave_holds
from otactl.planning.context import RECHECK, Plan
from otactl.planning.sent_elsewhere import sent_already
from otactl.planning.start_context import StartContext, checked, of_unit
from otactl.planning.wave_context import AttemptContext, RolloutContext, UnitContext, first
from otactl.state import lifecycle
from otactl.verdicts.deadlines import SETTLE
from otactl.verdicts.updated_devices import sent_again

START_MARGIN = timedelta(minutes=1)
REACH = timedelta(minutes=12)
"""How much earlier than it must a start may be sent: more than runs by cron are apart (10 minutes in our workflow)."""


def settling(attempt: Attempt) -> tuple[Hold, ...]:
    """Hold while our own change is not visible yet, or the unit is not shown any more."""
    text = f"{attempt.unit_id}: our last change is not visible at the service yet; checking again"
    until = None
    if attempt.missing_since is not None:
        until = attempt.missing_since + SETTLE
        text = f"{attempt.unit_id} is not shown, or not whole, since {iso(attempt.missing_since)}; "
        text += f"it counts as deleted when a read at {iso(until)} or later does not show it either"
    return (Hold(reason="change_not_visible_yet", message=text, until=until),)


def marks(ctx: UnitContext, ignored: frozenset[str] = frozenset()) -> tuple[Action, ...]:
    """Return what restores our owner tags and the declared ones, if anything must."""
    wrong = [k for k in diff.changed_marks(ctx.tags, ctx.unit) if f"tags.{k}" not in ignored]
    strange = tuple(k for k in diff.foreign_marks(ctx.tags, ctx.unit) if f"tags.{k}" not in ignored)
    if not wrong and not strange:
        return ()
    why = "tags differ: " + ", ".join((*wrong, *strange))
    return (MarkUnit(unit=ctx.declared, arn=ctx.unit.arn, remove=strange, reason=why),)


def paced(ctx: UnitContext, ignored: frozenset[str]) -> tuple[Action, ...]:
    """Return what sets the fields of a running unit that may still be set, back or on to what is declared."""
    at, attempt, unit, declared, fields = ctx.at, ctx.attempt, ctx.unit, ctx.declared, ctx.fields
    if not unit.readable:
        return ()
    if ctx.can.starting_fields and (doubtful(ctx) or _not_released(ctx)):
        ignored = ignored | frozenset(ctx.can.starting_fields)
        fields = {n: v for n, v in fields.items() if n not in ctx.can.starting_fields}
    known = {e.field for e in at.record.drift if e.open and e.subject == attempt.unit_id}
    differ = [name for name in diff.changed_fields(fields, unit) if diff.settable(name, fields[name], unit, ctx.can)]
    changed = tuple(name for name in differ if diff.declared_again(name, fields[name], attempt))
    drifted = tuple(
        name
        for name in differ
        if name not in (*changed, *ignored) and (name in known or lifecycle.settled(attempt, at.now))
    )
    if at.rollout.drift.mode != "correct":
        drifted = tuple(name for name in drifted if name in ctx.can.starting_fields)  # work, not drift
    why = [
        f"{word}: {', '.join(names)}"
        for word, names in (("the manifest changed", changed), ("drift", drifted))
        if names
    ]
    if not why:
        return ()
    names = (*changed, *drifted)
    waiting = diff.waiting(names, unit, ctx.can)
    update = UpdateUnit(unit=declared, vendor_id=unit.vendor_id, fields=names, reason="; ".join(why), waiting=waiting)
    return (update,)


def _not_released(ctx: UnitContext) -> tuple[Hold, ...]:
    """Return what forbids to let devices of a running unit start: letting them start is a start."""
    return checked(RELEASE_CHECKS, of_unit(ctx))


def _release_unapproved(ctx: StartContext) -> tuple[Hold, ...]:
    return wave_holds.unapproved(ctx, again=True)


RELEASE_CHECKS: tuple[Callable[[StartContext], tuple[Hold, ...]], ...] = (
    wave_holds.closed,
    _release_unapproved,
    wave_holds.going_back,
    sent_already,
)


def not_started(ctx: UnitContext) -> tuple[Hold, ...]:
    """Return why devices that wait for a start of ours do not get it: a doubt about the unit, or a hold of starts."""
    unit, fields = ctx.unit, ctx.fields
    waits = [name for name in diff.changed_fields(fields, unit) if name in ctx.can.starting_fields]
    if not unit.readable or not any(diff.settable(name, fields[name], unit, ctx.can) for name in waits):
        return ()
    held = _not_released(ctx)
    doubts_ = ", ".join(doubtful(ctx))
    if not doubts_:
        return held
    text = f"{ctx.attempt.unit_id}: {doubts_}; devices that wait for a confirmation get none unless spec.drift.ignore "
    text += f"accepts it; to cancel them: {ctx.can.end_command.format(id=ctx.attempt.vendor_id)}"
    return (Hold(reason="drift_is_open", message=text, stalled=True), *held)


DOUBTS = (Cause.IMAGE_BYTES, Cause.DELETED, Cause.OUT_OF_BAND_EDIT)


def doubtful(ctx: UnitContext) -> tuple[str, ...]:
    """Return the findings of a running unit that forbid starting devices: other bytes, a cancel by another actor."""
    accepted = ctx.at.rollout.drift.accepted(ctx.at.now)
    return tuple(c.field for c in ctx.unit.findings if c.cause in DOUBTS and c.field not in accepted)


def to_the_start(ctx: AttemptContext) -> Plan:
    """Bring an open unit to its start: correct drift, add members, check everything, start it."""
    return first(OPEN_RULES, ctx) if isinstance(ctx, UnitContext) else ctx.wait(*settling(ctx.attempt), soon=True)


def _replaced(ctx: UnitContext, why: str) -> Plan:
    return ctx.act(supersede.delete(ctx.attempt, ctx.at.rollout, "superseded", why))


def version_is_reused(ctx: UnitContext) -> Plan | None:
    """Return the hold if devices report the version and took other bytes under it: they would be left out."""
    holds = reused_version.holds(ctx)
    return ctx.wait(*holds) if holds else None


def no_device_needs_it(ctx: UnitContext) -> Plan | None:
    """Return the plan if every device of the wave reports the version already."""
    if not ctx.declared.spared or ctx.declared.members:
        return None
    return _replaced(ctx, f"every device of the wave reports {ctx.at.rollout.firmware.version} already")


def _drifted(ctx: UnitContext) -> tuple[tuple[Finding, ...], frozenset[str]]:
    """Return the correctable differences that are not accepted, and the names of those that are."""
    found = [f for f in ctx.findings if f.subject == ctx.attempt.unit_id and f.correctable]
    kept = tuple(f for f in found if not ledger.acknowledged(f, ctx.at.rollout.drift, ctx.at.now))
    return kept, frozenset({f.field for f in found} - {f.field for f in kept})


def drift_is_undecided(ctx: UnitContext) -> Plan | None:
    """Return the hold if the manifest asks to report drift only, and some is not accepted."""
    kept, _ = _drifted(ctx)
    if not kept or ctx.at.rollout.drift.mode != "report":
        return None
    names = ", ".join(f.field for f in kept)
    text = f"{ctx.attempt.unit_id}: {names} differ; set them back, ignore them, or declare drift.mode correct"
    return ctx.stall(reason="drift_needs_decision", text=text)


def holds_other_kinds(ctx: UnitContext) -> Plan | None:
    """Return the plan if the declared targets are of another kind than the unit holds."""
    targets = ctx.attempt.targets
    if not targets or _kinds(targets) == _kinds(ctx.declared.members):
        return None
    return _replaced(ctx, "targets of another kind are declared, and a unit holds one kind")


def cannot_be_cleared(ctx: UnitContext) -> Plan | None:
    """Return the plan if the manifest no longer has a field that no update can clear."""
    dropped = diff.dropped_fields(ctx.fields, ctx.attempt, ctx.unit) if not ctx.of_another_revision else ()
    return _replaced(ctx, f"no update can clear {', '.join(dropped)}") if dropped else None


def differs(ctx: UnitContext) -> Plan | None:
    """Return the corrections, if fields, tags or members differ from what is declared (rule 1)."""
    _, ignored = _drifted(ctx)
    actions: list[Action] = []
    if changed := tuple(n for n in ctx.changed_fields if n not in ignored):
        declared = ctx.of_another_revision or ctx.attempt.annotation_digest not in ("", ctx.declared.annotations)
        why = ("the manifest changed: " if declared else "drift: ") + ", ".join(changed)
        actions.append(UpdateUnit(unit=ctx.declared, vendor_id=ctx.unit.vendor_id, fields=changed, reason=why))
    actions += marks(ctx, ignored)
    moves = _members(ctx.declared, ctx.unit, ignored, ctx.attempt)
    adds = any(isinstance(m, AddMembers) for m in moves)
    unfit = preflight.may_fill(of_unit(ctx)) if adds else ()
    actions += [m for m in moves if not (unfit and isinstance(m, AddMembers))]
    step, vain = unseen_changes.divided(actions, ctx.attempt, ctx.unit, ctx.fields)
    if step:
        return ctx.act(*step)
    return ctx.wait(*(vain or unfit)) if vain or unfit else None


def may_not_start(ctx: UnitContext) -> Plan | None:
    """Return the plan if a check of the start fails."""
    holds = checked(START_CHECKS, of_unit(ctx))
    return ctx.wait(*holds) if holds else None


def open_drift(ctx: StartContext) -> tuple[Hold, ...]:
    """Hold a start while there is drift that is not accepted and cannot be corrected."""
    unit_id, policy = ctx.declared.unit_id, ctx.at.rollout.drift
    fields = [
        f.field
        for f in ctx.unmet
        if f.subject == unit_id and not f.correctable and not ledger.acknowledged(f, policy, ctx.at.now)
    ]
    if not fields:
        return ()
    text = f"{unit_id}: {', '.join(fields)} differ; set them back, or accept each in spec.drift.ignore with a reason"
    return (Hold(reason="drift_is_open", message=text, stalled=True),)


def _start_unapproved(ctx: StartContext) -> tuple[Hold, ...]:
    return wave_holds.unapproved(ctx, again=bool(ctx.declared.only))


START_CHECKS: tuple[Callable[[StartContext], tuple[Hold, ...]], ...] = (
    _start_unapproved,
    guardrails.too_many,
    wave_holds.going_back,
    preflight.may_start,
    supersede.sent_in_groups,
    sent_already,
    open_drift,
)


def _kinds(keys: tuple[str, ...]) -> set[bool]:
    return {key.startswith("group:") for key in keys}


def _members(declared: UnitDeclaration, unit: Unit, ignored: frozenset[str], attempt: Attempt) -> list[Action]:
    wanted, inside = set(declared.members), set(unit.members)
    missing = tuple(sorted(k for k in wanted - inside if f"members.{k}" not in ignored))
    strange = tuple(sorted(k for k in inside - wanted if f"members.{k}" not in ignored))
    actions: list[Action] = []
    if strange:
        had = len(set(strange) & set(declared.spared))
        why = f"{len(strange) - had} inside that the wave does not declare"
        why += f", {had} that report the version already" if had else ""
        actions.append(RemoveMembers(unit=declared, vendor_id=unit.vendor_id, members=strange, reason=why))
    if missing:
        back = "put back" if any(k in attempt.members for k in missing) else "to put in"
        why = f"{len(missing)} of {len(wanted)} {back}"
        actions.append(AddMembers(unit=declared, vendor_id=unit.vendor_id, members=missing, reason=why))
    return actions


def doubts(ctx: RolloutContext) -> str:
    """Return what could not be decided, or may interfere: reported with the start."""
    at = ctx.at
    role = at.seen.role
    beside = "".join(
        f"; warning: {t.not_started_with}, with devices of {t.key}" for t in at.seen.targets if t.not_started_with
    )
    if role is None:
        return beside
    undecided = f"; not decided here: {role.why}" if "undecided" in (role.trusts, role.reads) else ""
    return undecided + (f"; warning: {role.warning}" if role.warning else "") + beside


def _whole_minute(moment: datetime) -> datetime:
    """Return the first whole minute from a moment on."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + timedelta(minutes=1)


def starts(ctx: UnitContext) -> Plan | None:
    """Return the start, where a window permits it (rules 3 and 4)."""
    at, declared = ctx.at, ctx.declared
    lead = timedelta(seconds=ctx.can.minimum_lead_seconds) + START_MARGIN
    lead = max(lead, duration(declared.backend.start_lead))
    start_at = _whole_minute(at.now + lead)
    holds = wave_holds.closed(of_unit(ctx, start_at, lead + REACH))
    if holds and holds[0].until is not None and holds[0].until <= at.now:
        start_at = holds[0].until + lead + REACH  # rule 4
        holds = wave_holds.closed(of_unit(ctx, start_at, lead + REACH))
    if holds:
        back = holds[0].until or at.now + RECHECK
        return ctx.wait_until(max(back, at.now + timedelta(seconds=1)), *holds)
    why = f"every member is in, every check passed{sent_again(at.seen, declared.firmware.version)}{doubts(ctx)}"
    return ctx.act(StartUnit(unit=declared, vendor_id=ctx.unit.vendor_id, start_at=start_at, reason=why))


OPEN_RULES: tuple[Callable[[UnitContext], Plan | None], ...] = (
    version_is_reused,
    no_device_needs_it,
    drift_is_undecided,
    holds_other_kinds,
    cannot_be_cleared,
    differs,
    may_not_start,
    starts,
)
