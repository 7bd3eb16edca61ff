"""Handles units of an outdated revision or of a wave removed from the manifest.

1. An open unit is carried over by an update where that is possible, else replaced.
2. A scheduled one is deleted only when its successor could be created now: a wrong digest in a pull request deletes
   nothing.
3. A running one is left to finish: stopping it midway is undocumented. Where its service can stop before devices that
   have not started, it does, under rule 2.
4. A wave removed from the manifest is not canceled; it is reported with the command, and nothing starts beside it.
5. A unit that was counted as deleted, is shown again and has been replaced is deleted before its start; while it runs
   it starts no further devices, and its replacement does not start beside it.
"""

from __future__ import annotations

from typing import Literal

from otactl.drift import diff
from otactl.model import Attempt, Cause, Outcome, Rollout, Stage, Unit, UnitPhase, WaveRecord
from otactl.model.actions import Action, CancelUnit, DeleteUnit, Finding, Hold
from otactl.planning import preflight
from otactl.planning.context import PlanContext
from otactl.planning.start_context import of_successor
from otactl.planning.wave_context import AttemptContext, RolloutContext, WaveContext, of_attempt
from otactl.state.resend_permission import to_resend
from otactl.verdicts import device_results, wave_verdict

NAMED = 20


def supersede(ctx: RolloutContext) -> tuple[Action, ...]:
    """Return what deletes or cancels units of another revision (rules 1 to 3)."""
    at = ctx.at
    doomed: list[Action] = []
    for wave in at.rollout.strategy.waves:
        known = at.record.wave(wave.name)
        for attempt in known.attempts if known is not None else ():
            if attempt.generation != at.rollout.generation and attempt.vendor_id is not None and known is not None:
                doomed += _end(of_attempt(ctx, wave, known, attempt))
    declared = {w.name for w in at.rollout.strategy.waves}
    for left in (w for w in at.record.waves if w.name not in declared):
        doomed += [
            d for attempt in left.attempts for d in _remains(at, attempt, "its wave was removed from the manifest")
        ]
    return tuple(doomed)


def returned(ctx: RolloutContext) -> tuple[Action, ...]:
    """Return what ends units that came back after another attempt had taken their place (rule 5)."""
    at, can = ctx.at, ctx.can
    actions: list[Action] = []
    for attempt, unit in _came_back(at):
        why = "it was counted as deleted, and another attempt replaced it"
        if unit.phase is UnitPhase.OPEN or (unit.phase is UnitPhase.SCHEDULED and can.starts_explicitly):
            actions.append(delete(attempt, at.rollout, "superseded", why))
        elif unit.phase is UnitPhase.RUNNING and can.cancels_waiting and not unit.stopping:
            actions.append(_cancel(attempt, at.rollout, why))
    return tuple(actions)


def returned_holds(ctx: RolloutContext) -> tuple[Hold, ...]:
    """Return the holds of a unit that came back, for a wave whose next attempt has not started yet (rule 5)."""
    at = ctx.at
    known = at.record.wave(ctx.wave_name)
    current = known.current if known is not None else None
    if current is None or current.stage not in (Stage.DECLARED, Stage.OPEN, Stage.SUPERSEDED):
        return ()
    force = ctx.can.force_command or ctx.can.end_command
    return tuple(
        Hold(
            reason="another_wave_in_progress",
            message=f"{attempt.unit_id} was counted as deleted and is shown again ({unit.phase.value}); nothing starts "
            f"beside it; to stop it: {force.format(id=attempt.vendor_id)}",
        )
        for attempt, unit in _came_back(at)
        if known is not None and attempt in known.attempts
    )


def _came_back(at: PlanContext) -> list[tuple[Attempt, Unit]]:
    """Return live attempts at the declared revision that are not the newest of their wave, with their units."""
    return [
        (attempt, unit)
        for wave in at.record.waves
        for attempt in wave.attempts[:-1]
        if attempt.live and attempt.generation == at.rollout.generation == wave.attempts[-1].generation
        if (unit := at.unit_of(attempt)) is not None and unit.phase.is_there
    ]


def _remains(at: PlanContext, attempt: Attempt, why: str) -> list[Action]:
    """Return the deletion of a record without use: it could not be created, or its job is missing."""
    unit = at.unit_of(attempt)
    dead = attempt.stage in (Stage.FAILED, Stage.LOST)
    if not dead or unit is None or unit.phase not in (UnitPhase.FAILED, UnitPhase.BROKEN):
        return []
    return [delete(attempt, at.rollout, "replace", why)]


def _end(ctx: AttemptContext) -> list[Action]:
    """Return what deletes or cancels one unit of another revision, if that is allowed."""
    at, attempt, unit = ctx.at, ctx.attempt, ctx.unit
    if unit is None or not unit.phase.is_there:
        return []
    why = "the manifest declares another revision now"
    if remains := _remains(at, attempt, why):
        return remains
    if not attempt.live or unit.phase in (UnitPhase.ENDED, UnitPhase.UNKNOWN):
        return []
    held = preflight.may_create(of_successor(ctx))
    if attempt.stage is Stage.RUNNING or unit.phase is UnitPhase.RUNNING:
        stoppable = ctx.can.cancels_waiting and unit.phase is UnitPhase.RUNNING and not unit.stopping
        return [_cancel(attempt, at.rollout, why)] if stoppable and not held else []
    wanted = not wave_verdict.passed(ctx.known, at.rollout)
    if wanted and attempt is ctx.known.current and carries_over(ctx):
        return []
    # A creation in progress cannot be undone; the unit runs soon, and is stopped then.
    making = unit.phase is UnitPhase.SCHEDULED and not ctx.can.starts_explicitly
    if making or (unit.phase is not UnitPhase.OPEN and held):
        return []
    return [delete(attempt, at.rollout, "superseded", why)]


def _cancel(attempt: Attempt, rollout: Rollout, reason: str) -> CancelUnit:
    return CancelUnit(
        unit_id=attempt.unit_id,
        vendor_id=attempt.vendor_id or "",
        backend=rollout.backend_kind,
        why="superseded",
        reason=reason,
    )


def carries_over(ctx: AttemptContext) -> bool:
    """Return whether an update in place can make the unit what is declared now."""
    attempt, unit, known = ctx.attempt, ctx.unit, ctx.known
    if unit is None or unit.phase is not UnitPhase.OPEN or not ctx.can.updates_in_place:
        return False
    if attempt.retry_targets or attempt.may_be_retry:
        return False  # a retry is for some of its devices: other content is for all of them
    if known.verdict_of(ctx.at.rollout.generation) is not None and device_results.results_of(
        known, ctx.at.rollout.generation
    ):
        return False  # this content was judged in the wave: what is open goes, and the gate has its say
    return not diff.dropped_fields(ctx.fields, attempt, unit)


def delete(
    attempt: Attempt, rollout: Rollout, why: Literal["cleanup", "superseded", "replace"], reason: str
) -> DeleteUnit:
    """Remove an attempt's unit."""
    return DeleteUnit(
        unit_id=attempt.unit_id, vendor_id=attempt.vendor_id or "", backend=rollout.backend_kind, why=why, reason=reason
    )


def clean_up(ctx: RolloutContext) -> tuple[Action, ...]:
    """Return the deletion of ended units whose results are recorded, so that they do not hold their devices."""
    at = ctx.at
    if at.rollout.cleanup == "never" or ctx.can.keeps_ended:
        return ()
    reason = "its results are recorded; a done unit may still hold its devices"
    looked_at = [wave_verdict.watched(w, at.rollout) for w in at.record.waves]
    return tuple(
        delete(attempt, at.rollout, "cleanup", reason)
        for attempt in at.record.attempts
        if attempt.stage is Stage.ENDED
        and attempt not in looked_at
        and attempt not in _soaking(at)
        and (unit := at.unit_of(attempt)) is not None
        and unit.phase.is_there
        and unit.phase is not UnitPhase.UNKNOWN
    )


def _soaking(at: PlanContext) -> list[Attempt]:
    """Return ended attempts at other content whose wave has passed and was not released: until a unit is made for the
    declared content, that may be taken back, and only their units tell whether the devices stayed well."""
    names = {w.name for w in at.rollout.strategy.waves}
    waves = ((w.current, w) for w in at.record.waves if w.name in names and not w.released)
    other = (
        (a, w.verdict_of(a.generation)) for a, w in waves if a is not None and a.generation != at.rollout.generation
    )
    return [attempt for attempt, verdict in other if verdict is not None and verdict.passed]


def undeclared(at: PlanContext) -> list[tuple[WaveRecord, Attempt]]:
    """Return the live attempts of waves removed from the manifest."""
    names = {w.name for w in at.rollout.strategy.waves}
    return [(w, a) for w in at.record.waves if w.name not in names for a in w.attempts if a.live and a.vendor_id]


def undeclared_findings(ctx: RolloutContext) -> tuple[Finding, ...]:
    """Return the findings of units whose wave was removed from the manifest (rule 4)."""
    at, end_command = ctx.at, ctx.can.end_command
    return tuple(
        Finding(
            subject=attempt.unit_id,
            field="unit",
            desired=f"absent: wave {wave.name} was removed from the manifest",
            observed=f"present; to remove it: {end_command.format(id=attempt.vendor_id)}",
            cause=Cause.ORPHAN,
            correctable=False,
        )
        for wave, attempt in undeclared(at)
        if at.unit_of(attempt) is not None
    )


def wave_holds(ctx: RolloutContext) -> tuple[Hold, ...]:
    """Return the holds of waves that were removed, and of targets that another wave was sent (rule 4)."""
    at, end_command = ctx.at, ctx.can.end_command
    holds = [
        Hold(
            reason="wave_was_removed",
            message=f"wave {wave.name} was removed from the manifest while {attempt.unit_id} is {attempt.stage.value}; "
            f"put it back, or cancel it: {end_command.format(id=attempt.vendor_id)}",
            stalled=True,
        )
        for wave, attempt in undeclared(at)
        if at.unit_of(attempt) is not None
    ]
    return (*holds, *_sent_elsewhere(at))


def _sent_elsewhere(at: PlanContext) -> list[Hold]:
    """Return the other half of rule 4: devices that took this content in one wave are not sent it again in another.

    Unless the manifest says so, or they report it: these are spared.
    """
    holds: list[Hold] = []
    again = f"to send it to them again, {to_resend(at.rollout)}"
    had = {target.key for target in at.seen.targets if target.updated}
    names = {w.name for w in at.rollout.strategy.waves}
    for wave in at.rollout.strategy.waves:
        known = at.record.wave(wave.name)
        if known is not None and (known.started(at.rollout.generation) or wave_verdict.passed(known, at.rollout)):
            continue
        targets = set(at.rollout.targets_of(wave).keys) - had
        for old in at.record.waves:
            sent = [a for a in old.attempts_since(at.rollout.generation) if a.reached]
            since = [a for a in sent if not at.rollout.may_resend(a.sent_at)]
            taken = set(old.members or sent[-1].members) if since and old.name != wave.name else set()
            if len(since) < len(sent):
                taken &= {key for a in since for key in a.members}
            if shared := sorted(targets & taken):
                remedy = "leave it there" if old.name in names else f"call the wave {old.name} again"
                text = (
                    f"wave {wave.name} has targets that wave {old.name} was sent this content to "
                    f"({_some(shared)}); {remedy}; {again}"
                )
                holds.append(Hold(reason="targets_were_sent_already", message=text, stalled=True))
    return holds


def sent_in_groups(ctx: WaveContext) -> tuple[Hold, ...]:
    """Return the holds of a wave whose devices, single ones or in groups, were sent this content in another wave.

    Of a group those count that took it, or whose results are unknown, as of a unit that was deleted while it ran; a
    device that a wave named and that did not take it is no other wave's to try again.
    Who reports it is spared, and `strategy.resend` sends to them knowingly, once.
    """
    at, wave = ctx.at, ctx.wave
    again = f"to send it to them again, {to_resend(at.rollout)}"
    others = [
        (old.name, attempt)
        for old in at.record.waves
        if old.name != wave.name
        for attempt in old.attempts_since(at.rollout.generation)
        if not at.rollout.may_resend(attempt.sent_at)
    ]
    took = {r.device: name for name, a in others for r in a.results if r.outcome is Outcome.SUCCEEDED}
    took |= {device: name for name, a in others for device in a.updated_uncounted}
    unseen = {d: name for name, a in others if a.reached and not (a.results or a.live) for d in a.devices}
    named = {d: name for name, a in others if a.reached and _is_of_singles(a) for d in a.devices}
    wanted = at.rollout.targets_of(wave).keys
    holds = []
    for facts in (t for t in at.seen.targets if t.key in wanted and not t.updated):
        sent = {**unseen, **took} if facts.is_group else {**named, **unseen, **took}
        shared = sorted(set(facts.devices) & set(sent))
        if not shared:
            continue
        kind, _, name = facts.key.partition(":")
        target = f"{kind} {name} of wave {wave.name}"
        if facts.is_group:
            did = "took" if set(shared) & set(took) else "were sent"
            text = (
                f"{target} holds devices that {did} this content in wave {sent[shared[0]]}: {_some(shared)}; take them "
                f"out of the group, or name the devices of the wave one by one; {again}"
            )
        else:
            text = f"{target} was sent this content in wave {sent[shared[0]]} (id {shared[0]}); keep it in one of the "
            text += f"two; {again}"
        holds.append(Hold(reason="targets_were_sent_already", message=text, stalled=True))
    return tuple(holds)


def _some(names: list[str]) -> str:
    """Return the devices of a hold, by name: as many as a person can act on one by one."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _is_of_singles(attempt: Attempt) -> bool:
    """Return whether an attempt was for devices that are named one by one."""
    return bool(attempt.members) and all(key.partition(":")[0] in ("device", "devEui") for key in attempt.members)


def on_air_hold(ctx: AttemptContext) -> tuple[Hold, ...]:
    """Return the hold while a unit of the previous revision is with its devices (rule 3)."""
    attempt, unit, can = ctx.attempt, ctx.unit, ctx.can
    text = f"{attempt.unit_id} of the previous revision is on air; the declared revision follows when it has ended"
    if unit is not None and unit.stopping:
        text = f"{attempt.unit_id} of the previous revision starts no further devices; "
        text += "devices already in progress will finish"
        if can.force_command:
            text += f"; to stop them in the middle, at their risk: {can.force_command.format(id=attempt.vendor_id)}"
        elif can.silence_ends:
            text += f"; {can.silence_ends}"
    return (Hold(reason="previous_revision_running", message=text),)
