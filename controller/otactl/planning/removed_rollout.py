"""Assesses a rollout whose manifest was removed from Git while the service still holds, or may hold, units of it.

1. Nothing is sent: removing a file from Git does not stop a rollout. What is there is reported in every run, with the
   command that cancels it, until it has ended. Only a session that is scheduled for a time which a freeze or a window
   has come to forbid is withdrawn, as one of a declared rollout is (`forbidden_starts`).
2. Its units are observed as before, by the manifest that the record keeps: results are recorded, the unit of a create
   without an answer is adopted, and a create that had no effect is dropped after `settle_time`.
3. It holds its targets only while its devices are in progress. When nothing of it is left it costs no call.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from otactl.drift import diff, ledger, ownership, unit_home
from otactl.model import (
    Attempt,
    BackendConfig,
    Cause,
    DriftPolicy,
    Environment,
    Event,
    JsonObject,
    Observation,
    Phase,
    Record,
    Rollout,
    Stage,
    Survey,
    Unit,
    UnitPhase,
    iso,
)
from otactl.model.actions import Action, Finding, Hold, unit_of
from otactl.planning import detect_drift, forbidden_starts, suspend
from otactl.planning.assess import Assessment, proving, stated
from otactl.planning.context import POLL, RECHECK, Plan, PlanContext
from otactl.planning.start_unit import settling
from otactl.planning.wave_context import of_rollout
from otactl.ports import Capabilities, Shape
from otactl.state import lifecycle

LEFT = "manifest_removed"


ReadConfig = Callable[[JsonObject], BackendConfig]
"""Reads a backend block as a record keeps it; raises msgspec.ValidationError for what it cannot read."""


def declared(record: Record, read: ReadConfig) -> Rollout | None:
    """Return the rollout as it was last declared, marked as removed.

    None where the record keeps none that can be read.
    """

    def config(_wanted: type, written: JsonObject) -> BackendConfig:
        return read(written)

    try:
        rollout = msgspec.json.decode(record.declaration, type=Rollout, dec_hook=config) if record.declaration else None
    except (msgspec.DecodeError, RecursionError):
        return None
    return msgspec.structs.replace(rollout, name=record.name, removed=True) if rollout is not None else None


def unsettled(record: Record, survey: Survey | None, can: Capabilities) -> bool:
    """Return whether something of it may still be with the service, or was a moment ago (rule 3)."""
    listed = {item.vendor_id for item in survey.listed if not item.leftover_of} if survey is not None else set()
    there = any(
        a.vendor_id in listed and (a.stage is Stage.LOST or (a.stage is Stage.ENDED and not can.keeps_ended))
        for a in record.attempts
    )
    return there or record.under_way or record.phase is Phase.ORPHANED or record.failure is not None


def look_at(
    environment: Environment, rollout: Rollout, record: Record, seen: Observation, shape: Shape, now: datetime
) -> Assessment:
    """Assess one removed rollout; nothing is sent but what withdraws a forbidden start."""
    if (elsewhere := unit_home.moved(record, environment)) is not None:
        return _assessment(record, record, rollout, seen, (elsewhere,), now)
    seen = ownership.without_anothers(seen, record, environment)
    moved, events = lifecycle.advance(record, rollout, seen, now)
    moved = proving(moved, seen)
    left = [(a, lifecycle.find_unit(a, seen)) for a in moved.attempts if not _is_over(a, shape.capabilities)]
    findings = [
        orphan(a, shape.capabilities)
        for a, unit in left
        if lifecycle.missing(a, unit) or (unit is not None and unit.phase.is_there)
    ]
    # What was open of a unit still there was not compared without its manifest: it stays open.
    names = {a.unit_id for a, _ in left}
    findings += [
        ledger.reported(e) for e in moved.drift if e.open and e.subject in names and e.cause is not Cause.ORPHAN
    ]
    gone = frozenset(a.unit_id for a in moved.attempts if _is_over(a, shape.capabilities))
    lost = [diff.lost(a) for a in moved.attempts if detect_drift.just_lost(a, now)]
    drift, noted = ledger.fold(moved.drift, [*findings, *lost], DriftPolicy(), moved.manifest, gone, now)
    if lost:  # nothing follows, and no later pass would close it
        drift, closed = ledger.fold(drift, findings, DriftPolicy(), moved.manifest, gone, now)
        noted = (*noted, *closed)
    kept = left or any(a.stage is Stage.LOST for a in moved.attempts)  # which may come back
    moved = msgspec.structs.replace(moved, drift=drift, declaration=record.declaration if kept else "")
    left_over = [_words(a, unit, moved, seen, now, shape.capabilities) for a, unit in left]
    at = PlanContext(rollout=rollout, environment=environment, record=moved, seen=seen, now=now)
    withdrawn = forbidden_starts.withdraw(of_rollout(at, shape))
    sent = f"only {', '.join(unit_of(a) for a in withdrawn)} is withdrawn" if withdrawn else "nothing is sent"
    text = f"its manifest was removed from Git, so {sent}; restore it to continue: {'; '.join(left_over)}"
    holds = (Hold(reason=LEFT, message=text),) if left_over else ()
    return _assessment(record, moved, rollout, seen, holds, now, (*events, *noted), withdrawn)


def unasked(environment: Environment, rollout: Rollout, record: Record, now: datetime) -> Assessment:
    """Assess a rollout whose service this environment can no longer reach: its state is reported as unknown."""
    live = ", ".join(a.unit_id for a in record.attempts if a.live)
    text = f"its manifest was removed from Git, and environment {environment.name} no longer has access to "
    text += f"{record.backend}; the state of {live} is unknown; restore the access until it has ended"
    return _assessment(record, record, rollout, Observation(), (Hold(reason=LEFT, message=text),), now)


def _is_over(attempt: Attempt, can: Capabilities) -> bool:
    """Return whether nothing of it is left with the service, as far as is known."""
    return attempt.stage.is_over or attempt.stage is Stage.FAILED or (attempt.stage is Stage.ENDED and can.keeps_ended)


def orphan(attempt: Attempt, can: Capabilities) -> Finding:
    """Return the finding of a unit whose manifest was removed from Git, with the command that removes it."""
    end = suspend.end_of(attempt, can)
    return Finding(
        subject=attempt.unit_id,
        field="unit",
        desired="absent: its manifest is not in Git any more",
        observed=f"present; to remove it: {end}",
        cause=Cause.ORPHAN,
        correctable=False,
    )


def _words(
    attempt: Attempt, unit: Unit | None, record: Record, seen: Observation, now: datetime, can: Capabilities
) -> str:
    """Return what is left of one attempt, and what to do about it."""
    if unit is not None and unit.phase in (UnitPhase.SCHEDULED, UnitPhase.RUNNING):
        return suspend.going(attempt, now, can, stopping=unit.stopping)
    if unit is not None:
        done = "has ended, its results are recorded" if attempt.stage is Stage.ENDED else f"is {unit.phase.value}"
        return f"{attempt.unit_id} {done}, and is still there; to remove it: {suspend.end_of(attempt, can)}"
    made = next((i for i in record.intents if i.creates and i.unit_id == attempt.unit_id), None)
    if made is not None:
        unclear = (a.message for a in seen.ambiguous if a.unit_id == attempt.unit_id and not a.ended)
        text = f"{attempt.unit_id} may have been created: the answer at {iso(made.at)} was lost; "
        return next(unclear, f"{text}the next passes search for it")
    return settling(attempt)[0].message


def _assessment(
    before: Record,
    record: Record,
    rollout: Rollout,
    seen: Observation,
    holds: tuple[Hold, ...],
    now: datetime,
    events: tuple[Event, ...] = (),
    actions: tuple[Action, ...] = (),
) -> Assessment:
    phase = Phase.ORPHANED if holds else Phase.REMOVED
    at_it = any(a.stage in (Stage.SCHEDULED, Stage.RUNNING) for a in record.attempts) or record.intents
    back = now + (POLL if at_it else RECHECK) if holds else None
    plan = Plan(rollout=rollout.name, environment=rollout.environment, actions=actions, holds=holds, requeue_at=back)
    return stated(before, msgspec.structs.replace(record, requeue_at=None), plan, seen, events, phase, None, now)
