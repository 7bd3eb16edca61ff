"""Assesses one rollout without I/O: updates the record, evaluates drift, plans the next step.

The outlook repeats the same assessment over expected states, so plan and reconcile cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from otactl.drift import ledger, ownership, unit_home
from otactl.model import (
    Attempt,
    Environment,
    Event,
    Failure,
    JsonObject,
    Observation,
    Phase,
    Record,
    RecordedHold,
    Rollout,
    Stage,
    Survey,
    Value,
)
from otactl.model.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    Hold,
    MarkUnit,
    RemoveMembers,
    UpdateUnit,
)
from otactl.planning import (
    changed_home,
    guardrails,
    joined_devices,
    membership,
    skip_updated,
    still_updated,
    unseen_changes,
)
from otactl.planning.context import Plan, PlanContext
from otactl.planning.planner import plan
from otactl.planning.sent_content import SentContents, own_words
from otactl.planning.wave_context import of_rollout
from otactl.ports import Shape
from otactl.state import intents, lifecycle, resend_permission
from otactl.state import status_conditions as conditions
from otactl.state.jobs import ActionResult
from otactl.verdicts import wave_verdict


class Assessment(Value, frozen=True, kw_only=True):
    """The result of one assessment: the new record, the plan, and the events that explain the difference.

    `overdue` are the holds that became overdue in this assessment.
    """

    record: Record
    plan: Plan
    seen: Observation
    events: tuple[Event, ...] = ()
    overdue: tuple[RecordedHold, ...] = ()


def assess(
    environment: Environment,
    rollout: Rollout,
    record: Record,
    seen: Observation,
    shape: Shape | None,
    refused: tuple[Hold, ...],
    now: datetime,
    busy: Mapping[str, str] | None = None,
    sendings: SentContents | None = None,
) -> Assessment:
    """Assess a rollout. Without a shape (a backend not driven yet) only the refusals apply."""
    if (elsewhere := changed_home.moved(rollout, record, environment)) is not None:
        return _held(rollout, record, seen, elsewhere, now)
    before = record
    record = resend_permission.noted(record, rollout, now)
    record, joined = joined_devices.noted(rollout, record, seen, sendings or SentContents({}), now)
    declared, rollout = rollout, resend_permission.granted(membership.resolved(rollout, record), record)
    if record.generation and record.backend != rollout.backend_kind and any(a.live for a in record.attempts):
        return _service_changed(rollout, record, seen, now)
    record = unit_home.settled(record, environment, rollout.backend_kind, rollout.generation)
    seen = ownership.without_anothers(seen, record, environment)
    seen = own_words(seen, record, rollout, sendings or SentContents({}))
    moved, events = lifecycle.advance(record, rollout, seen, now)
    moved = proving(moved, seen)
    if shape is not None:
        seen = still_updated.noted(seen, moved, rollout, sendings or SentContents({}), shape.capabilities)
    at = PlanContext(
        rollout=rollout,
        environment=environment,
        record=moved,
        seen=seen,
        now=now,
        busy={} if busy is None else busy,
        sendings=sendings or SentContents({}),
    )
    if shape is not None:
        ctx = of_rollout(at, shape, refused)
        ctx = ctx.with_record(unseen_changes.forgotten(ctx))
        moved, more = skip_updated.concluded(ctx)
        events = (*events, *more)
        decided = plan(ctx.with_record(moved))
    else:
        decided = at.plan(holds=refused)
    moved = _asked(moved, rollout, decided, seen)
    drift, drift_events = moved.drift, tuple[Event, ...]()
    if not seen.offline:
        gone = frozenset(a.unit_id for a in moved.attempts if a.stage in _OVER)
        drift, drift_events = ledger.fold(
            moved.drift,
            decided.findings,
            rollout.drift,
            rollout.source.digest,
            gone,
            now,
            started=frozenset(a.unit_id for a in moved.attempts if _has_started(a, shape)),
        )
    # Only a fixed time is remembered (a start, a deadline): "in a minute" would be another record in every pass.
    times = {*(a.start_at for a in moved.attempts), *(h.until for h in decided.holds)}
    fixed = decided.requeue_at if decided.requeue_at in times else None
    held = any(h.reason == "targets_shrunk" for h in decided.holds)
    targets = moved.target_count if held else guardrails.declared_targets(rollout)
    moved = msgspec.structs.replace(
        moved,
        target_count=targets,
        drift=drift,
        requeue_at=fixed,
        declaration=_declaration(declared, moved, decided, shape),
    )
    sending = record.failure if record.failure is not None and record.failure.sending and decided.actions else None
    phase = wave_verdict.phase_of(moved, rollout, any(h.stalled for h in decided.holds))
    return stated(before, moved, decided, seen, (*joined, *events, *drift_events), phase, sending, now)


def stated(
    before: Record,
    moved: Record,
    decided: Plan,
    seen: Observation,
    events: tuple[Event, ...],
    phase: Phase,
    failure: Failure | None,
    now: datetime,
) -> Assessment:
    """Return the assessment with phase, holds and conditions, as `status` and `history` show them."""
    holds = conditions.remember(before.holds, decided.holds, now)
    overdue = conditions.newly_overdue(before.holds, holds)
    shown = conditions.shown_phase(phase, failure)
    name = before.name or moved.name
    events = (
        *events,
        *(conditions.overdue_event(h, name, now) for h in overdue),
        *conditions.phase_event(before.phase, shown, holds, failure, name, now, moved.waves),
    )
    shown_record = msgspec.structs.replace(
        moved,
        phase=shown,
        holds=holds,
        failure=failure,
        conditions=conditions.conditions(shown, holds, failure, before.conditions, now),
    )
    return Assessment(record=shown_record, plan=decided, seen=seen, events=events, overdue=overdue)


def _service_changed(rollout: Rollout, record: Record, seen: Observation, now: datetime) -> Assessment:
    """Stall until the units of the previous service have ended: another service does not show them."""
    live = ", ".join(a.unit_id for a in record.attempts if a.live)
    text = (
        f"the manifest has {rollout.backend_kind} now, and {live} of {record.backend} has not ended; "
        f"put the {record.backend} block back until it has, or give the rollout another name"
    )
    return _held(rollout, record, seen, Hold(reason="service_changed", message=text, stalled=True), now)


def _held(rollout: Rollout, record: Record, seen: Observation, hold: Hold, now: datetime) -> Assessment:
    """Return an assessment that compares nothing, since the service's state cannot be read from here."""
    plan_ = Plan(rollout=rollout.name, environment=rollout.environment, holds=(hold,))
    return stated(record, record, plan_, seen, (), Phase.STALLED, None, now)


def _declaration(rollout: Rollout, record: Record, decided: Plan, shape: Shape | None) -> str:
    """Return the rollout as its record keeps it while the service holds, or is about to hold, something of it."""
    ended = shape is not None and not shape.capabilities.keeps_ended and rollout.cleanup != "never"
    there = any(a.stage is Stage.LOST or (ended and a.stage is Stage.ENDED) for a in record.attempts)
    kept = record.under_way or there or decided.actions
    return msgspec.json.encode(rollout).decode() if kept else ""


def proving(record: Record, seen: Observation) -> Record:
    """Return the record with the progress of version checks, until the unit is deleted."""

    def kept(_wave: str, attempt: Attempt) -> Attempt:
        unit = lifecycle.find_unit(attempt, seen)
        shown = unit.version_check if unit is not None else None
        now = None if attempt.stage.is_over else shown or attempt.version_check
        return attempt if now == attempt.version_check else msgspec.structs.replace(attempt, version_check=now)

    return record.with_attempts(kept)


def _asked(record: Record, rollout: Rollout, decided: Plan, seen: Observation) -> Record:
    """Return the record with the devices in the groups of a wave that waits for an approval of them."""
    wave = next((w for w in rollout.strategy.waves if w.name == decided.wave), None)
    known = record.wave(decided.wave)
    if wave is None or known is None or not any(h.reason.startswith("approval_is_") for h in decided.holds):
        return record
    groups = membership.groups_of(rollout, wave)
    devices = membership.inside(groups, seen) if groups else None
    if devices is None or membership.named_devices(devices) == known.approval_devices:
        return record
    return record.with_wave(msgspec.structs.replace(known, approval_devices=membership.named_devices(devices)))


def _has_started(attempt: Attempt, shape: Shape | None) -> bool:
    """Return whether its role is no longer used: it runs, or creating it started it."""
    starts_with = shape is not None and not shape.capabilities.starts_explicitly
    return attempt.stage is Stage.RUNNING or (attempt.stage is Stage.SCHEDULED and starts_with)


def unlooked(rollout: Rollout, record: Record, reason: str, message: str, now: datetime) -> Assessment:
    """Return the record of an assessment that an error stopped: the error and since when, and nothing else.

    A rollout that was never assessed is recorded by its manifest alone.
    """
    known = record
    if not record.generation:
        known = msgspec.structs.replace(
            record,
            backend=rollout.backend_kind,
            manifest=rollout.source.digest,
            source=rollout.source.file,
            version=rollout.firmware.version,
        )
    marked, events = failed(known, reason, message, now)
    hold = Hold(reason=reason, message=message, stalled=True)
    plan_ = Plan(rollout=record.name, environment=record.environment, holds=(hold,))
    return Assessment(record=marked, plan=plan_, seen=Observation(), events=events)


def failed(
    record: Record, reason: str, message: str, now: datetime, *, sending: bool = False
) -> tuple[Record, tuple[Event, ...]]:
    """Return the record with an error, and the event where that changes the phase; the error keeps its age."""
    old = record.failure
    same = old is not None and old.reason == reason and conditions.alike(old.message, message)
    since = old.since if same and old is not None else now
    failure = Failure(reason=reason, message=message, since=since, sending=sending)
    phase = conditions.shown_phase(record.phase, failure)
    events = conditions.phase_event(record.phase, phase, record.holds, failure, record.name, now)
    stated = conditions.conditions(phase, record.holds, failure, record.conditions, now)
    return msgspec.structs.replace(record, failure=failure, phase=phase, conditions=stated), events


_OVER = (Stage.ENDED, Stage.DELETED, Stage.SUPERSEDED)


def intended(
    look: Assessment, lowered: Iterable[tuple[Action, tuple[Call, ...]]], shape: Shape, now: datetime
) -> Record:
    """Return the record with the intents of a step, and with the drift it corrects marked so."""
    record = look.record
    for action, calls in tuple(lowered):
        record = intents.intend(record, action, calls, look.seen, declared_fields(action, shape), now)
        record = _correcting(record, action, ledger.UNANSWERED)
    return record


def settled(
    record: Record, done: Iterable[ActionResult], shape: Shape, now: datetime
) -> tuple[Record, tuple[Event, ...]]:
    """Return the record after a step was sent."""
    events: list[Event] = []
    for job in done:
        action = job.job.action
        fields = declared_fields(action, shape)
        record, more = intents.settle(record, action, job.results, fields, now, gone=shape.capabilities.deletes_at_once)
        record = unseen_changes.counted(record, action, job.results, fields)
        if all(r.receipt is not None for r in job.results):
            record = _correcting(record, action, ledger.CORRECTION_SENT)
        elif not any(r.unknown or r.receipt is not None for r in job.results):
            record = _correcting(record, action, ledger.TO_CORRECT)
        events += more
    return record, tuple(events)


def _correcting(record: Record, action: Action, word: str) -> Record:
    """Return the record with the entries that an action corrects marked with how far that is."""
    drift = record.drift
    match action:
        case UpdateUnit(unit=unit, fields=fields):
            drift = ledger.correcting(drift, word, unit.unit_id, frozenset(fields))
        case MarkUnit(unit=unit):
            drift = ledger.correcting(drift, word, unit.unit_id, prefix="tags.")
        case AddMembers(unit=unit, members=members) | RemoveMembers(unit=unit, members=members):
            drift = ledger.correcting(drift, word, unit.unit_id, frozenset(f"members.{m}" for m in members))
        case CreateUnit(unit=unit):
            wave = record.wave(unit.wave)
            lost = [a for a in wave.attempts if a.stage is Stage.LOST] if wave is not None else []
            for attempt in lost:
                drift = ledger.correcting(drift, word, attempt.unit_id, frozenset({"unit"}))
    return msgspec.structs.replace(record, drift=drift) if drift != record.drift else record


def declared_fields(action: Action, shape: Shape) -> JsonObject:
    """Return the fields an action's unit is declared with; none for one that only ends it."""
    if isinstance(action, DeleteUnit | CancelUnit):
        return {}
    return shape.desired(action.unit)[0]


def as_seen(rollout: Rollout, record: Record) -> tuple[Rollout, Record]:
    """Return what a backend is asked to observe.

    The waves with their targets, and the attempts whose devices are watched.
    """
    named = resend_permission.granted(membership.resolved(rollout, record), record)
    return named, wave_verdict.awake(record, named)


def finished(rollout: Rollout, record: Record, survey: Survey | None = None) -> bool:
    """Return whether nothing is left to assess: every wave passed for this revision, is cleaned up, no lost unit is
    listed again, and no unit with the name of this rollout that no record knows."""
    if survey is not None and (_listed_again(record, survey) or _strangers(rollout, record, survey)):
        return False
    if not record.finished or record.generation != rollout.generation or any(e.open for e in record.drift):
        return False  # an open drift closes when a read no longer shows it
    if resend_permission.is_to_note(record, rollout):
        return False  # what the field allows counts from the run that first sees it
    rollout = membership.resolved(rollout, record)
    if joined_devices.groups(rollout, record):
        return False  # devices may have joined them, to whom the service sends nothing
    names = {w.name for w in rollout.strategy.waves}
    for wave in rollout.strategy.waves:
        known = record.wave(wave.name)
        if known is not None and known.members and set(known.members) != set(rollout.targets_of(wave).keys):
            return False  # targets declared after the wave's start: to be reported
    clean = rollout.cleanup == "never" or all(a.stage.is_over for a in record.attempts)
    now_judged = wave_verdict.judged(record, rollout)  # a changed gate may change an old verdict
    return clean and names == {w.name for w in now_judged.waves if wave_verdict.passed(w, rollout)}


def _listed_again(record: Record, survey: Survey) -> bool:
    """Return whether a unit that was lost is listed again."""
    lost = {a.vendor_id for a in record.attempts if a.stage is Stage.LOST}
    return bool(lost) and any(item.vendor_id in lost and not item.leftover_of for item in survey.listed)


def _strangers(rollout: Rollout, record: Record, survey: Survey) -> bool:
    """Return whether a unit is listed that is named as those of a rollout are, and that no record knows."""
    unknown = survey.unknown
    if not unknown:
        return False
    mine = record.vendor_ids
    return any(
        any(f"-{name}-" in item.name for name in rollout.names) for item in unknown if item.vendor_id not in mine
    )
