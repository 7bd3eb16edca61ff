"""An open unit's way to its start: set right what differs, fill it, check everything, let it go.

1. Differences come first, members next, the start last; each is a rung of its own kind and never mixed with a start.
2. An ignored drift is left alone and does not hold the start; a drift that is only reported does.
3. The start lies far enough ahead for the service and for a late process: the call says until when it may be sent.
4. Where no start is permitted yet but one is within REACH of the soonest, that is where it lies: to the second, when
   the window opens. A session that only just fits its window must begin with it, and no run comes at a second.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from otactl.drift import diff, ledger
from otactl.model import Attempt, Cause, Unit, Wave, WaveRecord, duration, iso
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
from otactl.planning import guardrails, preflight, start_waits, supersede, units, unseen_changes, wave_holds
from otactl.planning.context import Plan, PlanContext
from otactl.planning.sent_content import sent_already
from otactl.ports import Shape
from otactl.state import lifecycle
from otactl.verdicts.updated_devices import sent_again, spared

POLL = timedelta(seconds=60)
RECHECK = timedelta(minutes=5)
START_MARGIN = timedelta(minutes=1)
REACH = timedelta(minutes=12)
"""How much earlier than it must a start may be sent: more than runs by cron are apart (10 minutes in our workflow)."""


def settling(attempt: Attempt) -> tuple[Hold, ...]:
    """Our own call is not to be seen yet, or the unit is not shown any more."""
    text = f"{attempt.unit_id}: what we sent is not to be seen yet; looking again"
    until = None
    if attempt.missing_since is not None:
        until = attempt.missing_since + lifecycle.SETTLE
        text = f"{attempt.unit_id} is not shown, or not whole, since {iso(attempt.missing_since)}; "
        text += f"one look proves nothing: it is believed gone when another one, at {iso(until)} or later, agrees"
    return (Hold(reason="change_not_visible_yet", message=text, until=until),)


def marks(
    declared: UnitDeclaration, shape: Shape, unit: Unit, ignored: frozenset[str] = frozenset()
) -> tuple[Action, ...]:
    """What restores our owner mark and the declared tags, if anything must."""
    _, desired = shape.desired(declared)
    wrong = [k for k in diff.changed_marks(desired, unit) if f"tags.{k}" not in ignored]
    strange = tuple(k for k in diff.foreign_marks(desired, unit) if f"tags.{k}" not in ignored)
    if not wrong and not strange:
        return ()
    why = "tags differ: " + ", ".join((*wrong, *strange))
    return (MarkUnit(unit=declared, arn=unit.arn, remove=strange, reason=why),)


def paced(
    at: PlanContext,
    shape: Shape,
    declared: UnitDeclaration,
    attempt: Attempt,
    unit: Unit,
    ignored: frozenset[str],
) -> tuple[Action, ...]:
    """What sets the fields of a running unit that may still be set, back or on to what is declared."""
    if not unit.readable:
        return ()
    fields, _ = shape.desired(declared)
    if doubtful(unit, at) or wave_holds.closed(at, declared, at.now, timedelta()):  # letting devices begin is a start
        ignored = ignored | frozenset(shape.capabilities.starting_fields)
        fields = {n: v for n, v in fields.items() if n not in shape.capabilities.starting_fields}
    told = {e.field for e in at.record.drift if e.open and e.subject == attempt.unit_id}
    differ = [
        name
        for name in diff.changed_fields(fields, unit)
        if diff.settable(name, fields[name], unit, shape.capabilities)
    ]
    anew = tuple(name for name in differ if diff.declared_anew(name, fields[name], attempt))
    drifted = tuple(
        name
        for name in differ
        if name not in (*anew, *ignored) and (name in told or lifecycle.settled(attempt, at.now))
    )
    if at.rollout.drift.mode != "correct":
        drifted = ()
    why = [
        f"{word}: {', '.join(names)}" for word, names in (("the manifest changed", anew), ("drift", drifted)) if names
    ]
    if not why:
        return ()
    return (UpdateUnit(unit=declared, vendor_id=unit.vendor_id, fields=(*anew, *drifted), reason="; ".join(why)),)


DOUBTS = (Cause.IMAGE_BYTES, Cause.DELETED, Cause.OUT_OF_BAND_EDIT)


def doubtful(unit: Unit, at: PlanContext) -> tuple[str, ...]:
    """What a running unit's service says that forbids more devices to begin: other bytes, an end by somebody."""
    accepted = at.rollout.drift.accepted(at.now)
    return tuple(c.field for c in unit.findings if c.cause in DOUBTS and c.field not in accepted)


def open_plan(
    at: PlanContext, shape: Shape, wave: Wave, known: WaveRecord, attempt: Attempt, found: tuple[Finding, ...]
) -> Plan:
    """An open unit: set right what differs, fill it, then start it."""
    carried = attempt.generation != at.rollout.generation
    unit = lifecycle.find_unit(attempt, at.seen)
    if unit is None:
        return at.plan(holds=settling(attempt), findings=found, wave=wave.name, requeue_at=at.now + POLL)
    which = units.next_number(at.rollout, at.environment, wave, known) if carried else attempt
    had = spared(at.seen, shape.capabilities)
    declared = units.declare(at.rollout, at.environment, wave, which, known, spared=had)
    if declared.spared and not declared.members:
        why = f"every device of the wave reports {at.rollout.firmware.version} already"
        return at.plan(supersede.delete(attempt, at.rollout, "superseded", why), findings=found, wave=wave.name)
    fields, _ = shape.desired(declared)
    drifted = [f for f in found if f.subject == attempt.unit_id and f.correctable]
    kept = [f for f in drifted if not ledger.acknowledged(f, at.rollout.drift, at.now)]
    ignored = frozenset({f.field for f in drifted} - {f.field for f in kept})
    if kept and at.rollout.drift.mode == "report":
        names = ", ".join(f.field for f in kept)
        hold = Hold(
            reason="drift_needs_decision",
            message=f"{attempt.unit_id}: {names} differ; set them back, ignore them, or declare drift.mode correct",
            stalled=True,
        )
        return at.plan(holds=(hold,), findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    if attempt.targets and _kinds(attempt.targets) != _kinds(declared.members):
        why = "targets of another kind are declared, and a unit holds one kind"
        return at.plan(supersede.delete(attempt, at.rollout, "superseded", why), findings=found, wave=wave.name)
    if not carried and (dropped := diff.dropped_fields(fields, attempt, unit)):
        why = f"no update can clear {', '.join(dropped)}"
        return at.plan(supersede.delete(attempt, at.rollout, "superseded", why), findings=found, wave=wave.name)
    actions: list[Action] = []
    changed = tuple(n for n in diff.changed_fields(fields, unit) if n not in ignored)
    if changed:
        anew = carried or attempt.annotation_digest not in ("", declared.annotations)
        why = ("the manifest changed: " if anew else "drift: ") + ", ".join(changed)
        actions.append(UpdateUnit(unit=declared, vendor_id=unit.vendor_id, fields=changed, reason=why))
    actions += marks(declared, shape, unit, ignored)
    moves = _members(declared, unit, ignored, attempt)
    unfit = preflight.reached(declared, at.seen, at.rollout) if any(isinstance(m, AddMembers) for m in moves) else ()
    actions += [m for m in moves if not (unfit and isinstance(m, AddMembers))]
    rung, vain = unseen_changes.divided(actions, attempt, unit, fields)
    if rung:
        return at.plan(*rung, findings=found, wave=wave.name)
    if vain:
        return at.plan(holds=vain, findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    if unfit:
        return at.plan(holds=unfit, findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    holds = (
        *wave_holds.unapproved(at, wave),
        *guardrails.too_many(declared, at),
        *wave_holds.going_back(at),
        *preflight.may_start(
            declared,
            unit.members,
            at.seen,
            at.environment.region,
            at.busy_beside(attempt),
            every=True,
            rollout=at.rollout,
            rule=start_waits.ready_rule(at, attempt),
        ),
        *supersede.sent_in_groups(at, wave),
        *sent_already(at.rollout, declared, at.seen, at.sendings),
        *open_drift(at, attempt.unit_id, found),
    )
    if holds:
        return at.plan(holds=holds, findings=found, wave=wave.name, requeue_at=at.now + RECHECK)
    return _start(at, shape, declared, unit, found)


def _kinds(keys: tuple[str, ...]) -> set[bool]:
    return {key.startswith("group:") for key in keys}


def open_drift(at: PlanContext, unit_id: str, found: tuple[Finding, ...]) -> tuple[Hold, ...]:
    """Drift nobody accepted and nothing can set back: a start over it would be a start on hope."""
    fields = [
        f.field
        for f in found
        if f.subject == unit_id and not f.correctable and not ledger.acknowledged(f, at.rollout.drift, at.now)
    ]
    if not fields:
        return ()
    text = f"{unit_id}: {', '.join(fields)} differ; set them back, or accept each in spec.drift.ignore with a reason"
    return (Hold(reason="drift_is_open", message=text, stalled=True),)


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


def doubts(at: PlanContext) -> str:
    """What could not be decided, or may come between: told with the start."""
    role = at.seen.role
    beside = "".join(
        f"; warning: {t.not_started_with}, with devices of {t.key}" for t in at.seen.targets if t.not_started_with
    )
    if role is None:
        return beside
    undecided = f"; not decided here: {role.why}" if "undecided" in (role.trusts, role.reads) else ""
    return undecided + (f"; warning: {role.warning}" if role.warning else "") + beside


def _whole_minute(moment: datetime) -> datetime:
    """The first whole minute from a moment on."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + timedelta(minutes=1)


def _start(at: PlanContext, shape: Shape, declared: UnitDeclaration, unit: Unit, found: tuple[Finding, ...]) -> Plan:
    lead = timedelta(seconds=shape.capabilities.minimum_lead_seconds) + START_MARGIN
    lead = max(lead, duration(declared.backend.start_lead))
    start_at = _whole_minute(at.now + lead)
    holds = wave_holds.closed(at, declared, start_at, lead + REACH)
    if holds and holds[0].until is not None and holds[0].until <= at.now:
        start_at = holds[0].until + lead + REACH  # rule 4
        holds = wave_holds.closed(at, declared, start_at, lead + REACH)
    if holds:
        back = holds[0].until or at.now + RECHECK
        return at.plan(
            holds=holds, findings=found, wave=declared.wave, requeue_at=max(back, at.now + timedelta(seconds=1))
        )
    why = f"every member is in, every check passed{sent_again(at.seen, declared.firmware.version)}{doubts(at)}"
    action = StartUnit(unit=declared, vendor_id=unit.vendor_id, start_at=start_at, reason=why)
    return at.plan(action, findings=found, wave=declared.wave)
