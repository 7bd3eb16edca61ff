"""Updates a rollout's record from an observation and its pending intents: the state machine of attempts.

1. Every transition of an attempt is a row of `TRANSITIONS`; nothing else changes a stage on an observation.
2. Reads lag: a unit that is missing, a start or a change that is not visible within `SETTLE` of our own call is no
   drift.
3. A pending intent explains a change: a unit that is missing while we meant to delete it was deleted by us.
4. One observation without a unit proves nothing: the unit is lost when a second one, SETTLE later, agrees. A lost unit
   that is shown again continues at its stage. The same holds for an ended unit whose devices are still watched.
5. A unit that vanished while the answer to its start was lost counts as started once the time of that start has come.
6. A revision that is declared again continues where it was, if no revision declared meanwhile reached a device.
7. A retry that was not created before its devices were removed from the manifest has ended; it is not sent.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.model import (
    Attempt,
    Baseline,
    Event,
    Intent,
    JsonObject,
    Observation,
    Outcome,
    Record,
    Rollout,
    Stage,
    Unit,
    UnitPhase,
    WaveRecord,
    duration,
    iso,
    tally,
)
from otactl.state.ambiguous_creates import is_undeclared, undecided
from otactl.state.shown_unit import recorded, unrecorded
from otactl.verdicts import retry, wave_verdict
from otactl.verdicts.deadlines import SETTLE
from otactl.verdicts.hurried_results import back, reopened, without_claims
from otactl.verdicts.updated_devices import with_spared
from otactl.verdicts.version_claims import proof_of
from otactl.wording import count

_D, _O, _S, _R = Stage.DECLARED, Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING
_J, _C, _X, _L, _F = Stage.ENDED, Stage.DELETED, Stage.SUPERSEDED, Stage.LOST, Stage.FAILED
_PHASES = (
    UnitPhase.ABSENT,
    UnitPhase.OPEN,
    UnitPhase.SCHEDULED,
    UnitPhase.RUNNING,
    UnitPhase.ENDED,
    UnitPhase.DELETING,
    UnitPhase.FAILED,
    UnitPhase.BROKEN,
    UnitPhase.UNKNOWN,
)
_ROWS: dict[Stage, tuple[Stage, ...]] = {
    #    absent open sched. running ended deleting failed broken unknown
    _D: (_D, _O, _S, _R, _R, _L, _F, _L, _D),
    _O: (_L, _O, _S, _R, _R, _L, _F, _L, _O),
    _S: (_L, _O, _S, _R, _R, _L, _F, _L, _S),
    _R: (_L, _R, _R, _R, _R, _L, _L, _L, _R),
    _F: (_X, _F, _S, _R, _R, _F, _F, _F, _F),
    _J: (_C, _J, _J, _J, _J, _J, _J, _J, _J),
    _C: (_C, _C, _C, _C, _C, _C, _C, _C, _C),
    _X: (_X, _X, _X, _X, _X, _X, _X, _X, _X),
    _L: (_L, _O, _S, _R, _R, _L, _L, _L, _L),
}
TRANSITIONS: dict[tuple[Stage, UnitPhase], Stage] = {
    (stage, phase): row[i] for stage, row in _ROWS.items() for i, phase in enumerate(_PHASES)
}


def advance(record: Record, rollout: Rollout, seen: Observation, now: datetime) -> tuple[Record, tuple[Event, ...]]:
    """Return the record updated by an observation, and the events that explain the change."""
    events: list[Event] = []
    waves: list[WaveRecord] = []
    if record.generation != rollout.generation:
        data: JsonObject = {"from": record.generation[:12], "to": rollout.generation[:12]}
        events.append(
            Event(
                at=now,
                kind="generation",
                subject=rollout.name,
                message="the manifest declares a new revision",
                data=data,
            )
        )
    intents = _meant(record, rollout, seen, now)
    for known in (_gone_back(w, rollout, seen) for w in _wave_records(record, rollout)):
        watched = wave_verdict.watched(known, rollout)
        attempts = tuple(
            _advance_attempt(known.name, a, a is watched, record.intents, intents, rollout, seen, now, events)
            for a in (*known.attempts, *unrecorded(known.name, record, rollout, seen, now, events))
        )
        moved = without_claims(msgspec.structs.replace(known, attempts=attempts), rollout)
        moved = _without_retry(moved, record, rollout, now, events)
        waves.append(wave_verdict.judge(moved, record, rollout, now, events))
    advanced = msgspec.structs.replace(
        record,
        environment=rollout.environment,
        name=rollout.name,
        backend=rollout.backend_kind,
        generation=rollout.generation,
        manifest=rollout.source.digest,
        source=rollout.source.file,
        manifest_path=rollout.source.place,
        version=rollout.firmware.version,
        waves=tuple(waves),
        intents=intents,
    )
    return advanced, tuple(events)


def _meant(record: Record, rollout: Rollout, seen: Observation, now: datetime) -> tuple[Intent, ...]:
    """Return the intents whose effect may still become visible."""
    left = {a.unit_id for w in record.waves if is_undeclared(w.name, rollout) for a in w.attempts}
    open_ = {a.unit_id for a in record.attempts if a.stage is Stage.OPEN}
    unclear = bool(undecided(record, rollout, seen))
    meant = (
        i
        if i.action == "startUnit" and i.unit_id in open_ and _vanished(seen.unit(i.unit_id))
        else _still_meant(i, rollout, seen, now, undeclared=i.unit_id in left, unclear=unclear)
        for i in record.intents
    )
    return tuple(i for i in meant if i is not None)


def _vanished(unit: Unit | None) -> bool:
    """Return whether no read can tell whether a start of the unit was carried out, until it is shown whole again."""
    return unit is None or unit.phase in (UnitPhase.ABSENT, UnitPhase.BROKEN, UnitPhase.UNKNOWN)


def _wave_records(record: Record, rollout: Rollout) -> list[WaveRecord]:
    declared = [record.wave(w.name) or WaveRecord(name=w.name) for w in rollout.strategy.waves]
    names = {w.name for w in declared}
    return declared + [w for w in record.waves if w.name not in names and w.attempts]


def _gone_back(wave: WaveRecord, rollout: Rollout, seen: Observation) -> WaveRecord:
    """Return the wave with the attempt at the declared revision as its newest again, and with its members (rule 6)."""
    generation = rollout.generation
    last = back(wave, generation)
    if last is None:
        return wave
    unit = find_unit(wave.attempts[last], seen)
    if unit is not None and unit.phase.is_there:
        wave = reopened(wave, rollout)
    if last == len(wave.attempts) - 1:
        return wave
    between, newest = wave.attempts[last + 1 :], wave.attempts[last]
    moved = msgspec.structs.replace(wave, attempts=(*wave.attempts[:last], *between, newest))
    whole = (a for a in moved.attempts_since(generation) if not a.retry_targets)
    members = tuple(sorted({key for a in whole for key in (*a.members, *a.skipped_devices.values())}))
    return msgspec.structs.replace(moved, members=members, baseline=newest.created_with, joined=())


def _without_retry(
    wave: WaveRecord, record: Record, rollout: Rollout, now: datetime, events: list[Event]
) -> WaveRecord:
    """Return the wave with its newest retry ended if it was not created, and none of its devices is declared."""
    attempt = wave.current
    if attempt is None or not attempt.retry_targets or attempt.generation != rollout.generation:
        return wave
    pending = any(i.creates and i.unit_id == attempt.unit_id for i in record.intents)
    never = attempt.stage in (Stage.DECLARED, Stage.SUPERSEDED) and attempt.start_at is None and not pending
    if not never or rollout.removed or retry.still_declared(attempt.retry_targets, rollout, wave):
        return wave
    text = f"attempt {attempt.number} was for devices that the manifest does not declare any more"
    events.append(Event(at=now, kind="stage", subject=attempt.unit_id, message=text))
    ended = msgspec.structs.replace(attempt, stage=Stage.ENDED, ended_at=now)
    return msgspec.structs.replace(wave, attempts=(*wave.attempts[:-1], ended))


def _still_meant(
    intent: Intent, rollout: Rollout, seen: Observation, now: datetime, *, undeclared: bool, unclear: bool
) -> Intent | None:
    """Return the intent while its effect may still become visible; None once it is, or cannot be any more.

    A create without its unit stays pending: it must be sent again, identical. One that starts, or that is `undeclared`
    (its wave or manifest was removed), stays until the service would refuse a late copy of it (`settle_time`), and
    until two observations after that agree that there is no unit, or that a person has decided about those that may be
    it. While that is `unclear`, it stays. A start or a rename stays for SETTLE.
    """
    unit = seen.unit(intent.unit_id)
    if intent.creates:
        if unit is not None and (not unit.ids_by_call or intent.key in unit.ids_by_call):
            return None
        if unclear:
            return intent  # one of what is there may be it: a person has to tell
        started = intent.start_at is not None
        if not (started or undeclared) or now - intent.at < duration(rollout.backend.settle_time):
            return intent
        if intent.not_found_since is None:
            return msgspec.structs.replace(intent, not_found_since=now)
        return intent if now - intent.not_found_since < SETTLE else None
    young = now - intent.at < SETTLE
    if intent.action == "cancelUnit":
        return intent if young and unit is not None and not _shows_stop(unit) else None
    if intent.action == "startUnit":
        return intent if young and unit is not None and unit.phase is UnitPhase.OPEN else None
    return intent if intent.action == "updateUnit" and young and unit is None else None


def _shows_stop(unit: Unit) -> bool:
    """Return whether a unit starts no more devices, so that a pending cancel of ours may have been carried out."""
    return unit.phase is not UnitPhase.RUNNING or unit.stopping


def find_unit(attempt: Attempt, seen: Observation) -> Unit | None:
    """Find the unit of an attempt: by the service's id once known (a rename keeps it), by our name before."""
    if attempt.vendor_id is not None:
        return next((u for u in seen.units if u.vendor_id == attempt.vendor_id), None)
    return seen.unit(attempt.unit_id)


def _advance_attempt(
    wave: str,
    attempt: Attempt,
    watched: bool,
    intents: tuple[Intent, ...],
    meant: tuple[Intent, ...],
    rollout: Rollout,
    seen: Observation,
    now: datetime,
    events: list[Event],
) -> Attempt:
    before, unit, undeclared = attempt, find_unit(attempt, seen), is_undeclared(wave, rollout)
    absent = missing(attempt, unit, watched=watched)
    phase = UnitPhase.ABSENT if unit is None else unit.phase
    mine = [i for i in intents if i.unit_id == attempt.unit_id]
    deleting = next((i for i in mine if i.action == "deleteUnit"), None)
    if deleting is not None and phase in (UnitPhase.ABSENT, UnitPhase.DELETING):
        attempt = before.deleted(deleting.reason, deleting.at if deleting.reason == "suspended" else now)
        stage = attempt.stage
    elif _lags(attempt, phase, now) or (absent and not _stays_missing(attempt, now)):
        stage = attempt.stage
    else:
        stage = TRANSITIONS[attempt.stage, phase]
    attempt = _perhaps_started(attempt, stage, mine, now)
    left = tuple(sorted({*attempt.leftovers, *(unit.leftovers if unit is not None else ())}))
    if not (seen.offline or seen.expected):
        left = tuple(n for n in left if n in seen.leftovers)
    if (
        stage is Stage.DECLARED
        and (attempt.generation != rollout.generation or undeclared)
        and not any(i.creates and i.unit_id == attempt.unit_id for i in meant)
    ):
        attempt = _dropped(attempt, mine, seen)
        stage = attempt.stage
    stops = [i for i in mine if i.action == "cancelUnit" and (unit is None or _shows_stop(unit))]
    canceled = attempt.canceled_by_us or bool(stops) or (unit is not None and unit.canceled_by_us)
    withdrawn = (
        attempt.withdrawn or any(i.reason == "suspended" for i in stops) or (unit is not None and unit.withdrawn)
    )
    unread = watched and unit is not None and unit.phase is UnitPhase.RUNNING and bool(unit.overdue)
    doubted = (phase is UnitPhase.BROKEN or absent) and stage is not Stage.DELETED
    missing_since = (attempt.missing_since or now) if doubted else None
    moved = msgspec.structs.replace(
        attempt,
        stage=stage,
        leftovers=left,
        canceled_by_us=canceled,
        withdrawn=withdrawn,
        missing_since=missing_since,
        unread=unread,
        lost_at=None if stage is not Stage.LOST else attempt.lost_at if before.stage is Stage.LOST else now,
    )
    if (
        stage is Stage.FAILED
        and attempt.created_with == Baseline()
        and seen.image is not None
        and seen.role is not None
    ):
        found = Baseline(image=seen.image.fingerprint, role=seen.role.fingerprint)
        moved = msgspec.structs.replace(moved, created_with=found)  # found without a journal: changes count from now
    if unit is not None:
        moved = recorded(wave, moved, unit, intents, rollout, now)
    if stage is not before.stage:
        text = f"attempt {attempt.number} is {stage.value}"
        events.append(
            Event(at=now, kind="stage", subject=moved.unit_id, message=text, data={"from": before.stage.value})
        )
    if unit is not None and stage is Stage.FAILED and before.stage is not Stage.FAILED:
        events.append(Event(at=now, kind="failed", subject=moved.unit_id, message=unit.failure))
    results = with_spared(unit.results, moved) if unit is not None and unit.results is not None else None
    results = results if phase is UnitPhase.ENDED else None
    if results is None or any(r.outcome is Outcome.UNKNOWN for r in results):
        return moved
    if stage is Stage.ENDED and results != moved.results:  # still observed: late answers, versions lost again
        turned = [r.device for r in results if r not in moved.results]
        text = f"{count(len(turned), 'device')} answered late, or otherwise than before: {', '.join(turned[:3])}"
        events.append(Event(at=now, kind="results", subject=moved.unit_id, message=text))
        return msgspec.structs.replace(moved, results=results)
    if stage is not Stage.RUNNING:
        return moved
    counts = tally(results)
    text = f"{counts[Outcome.SUCCEEDED]} of {count(len(results), 'device')} succeeded"
    data: JsonObject = {outcome.value: n for outcome, n in counts.items()}
    events.append(Event(at=now, kind="results", subject=moved.unit_id, message=text, data=data))
    other = moved.generation != rollout.generation
    hurried = other or rollout.abort is not None or rollout.removed
    unproved = other and proof_of(rollout, moved.generation, moved.version) is None
    return msgspec.structs.replace(
        moved, stage=Stage.ENDED, results=results, ended_at=now, hurried=hurried, unproved=unproved
    )


def _perhaps_started(attempt: Attempt, stage: Stage, intents: list[Intent], now: datetime) -> Attempt:
    """Return a lost attempt as started where the answer to its start was lost, and the time of that start has come."""
    if stage is not Stage.LOST or attempt.start_at is not None:
        return attempt
    starts = (i for i in intents if i.action == "startUnit" and i.start_at is not None and i.start_at <= now)
    start = next(starts, None)
    if start is None:
        return attempt
    return msgspec.structs.replace(attempt, start_at=start.start_at, start_sent_at=start.at, started_by_us=True)


def _dropped(attempt: Attempt, intents: list[Intent], seen: Observation) -> Attempt:
    """Return an attempt that no unit was found for, and whose revision is not declared any more.

    Where several that have ended may be its unit, its devices may have the revision: it is lost after its start.
    """
    if all(a.unit_id != attempt.unit_id for a in seen.ambiguous):
        return msgspec.structs.replace(attempt, stage=Stage.SUPERSEDED)
    at = min(i.at for i in intents if i.creates)
    return msgspec.structs.replace(attempt, stage=Stage.LOST, start_at=at, start_sent_at=at)


def _lags(attempt: Attempt, phase: UnitPhase, now: datetime) -> bool:
    """Return whether our own call is younger than SETTLE and the read does not show it yet (rule 2)."""
    if phase is UnitPhase.BROKEN and attempt.live:
        return not _stays_missing(attempt, now)
    if phase is UnitPhase.ABSENT and attempt.stage is Stage.OPEN:
        return attempt.created_at is not None and now - attempt.created_at < SETTLE
    if phase in (UnitPhase.OPEN, UnitPhase.ABSENT) and attempt.stage is Stage.SCHEDULED:
        return attempt.start_sent_at is not None and now - attempt.start_sent_at < SETTLE
    return False


def missing(attempt: Attempt, unit: Unit | None, *, watched: bool = False) -> bool:
    """Return whether a unit that the service gave an id is missing from this observation: a live or `watched` one."""
    return unit is None and (attempt.live or watched) and attempt.vendor_id is not None


def _stays_missing(attempt: Attempt, now: datetime) -> bool:
    """Return whether an observation at least SETTLE ago missed it too (rule 4)."""
    return attempt.missing_since is not None and now - attempt.missing_since >= SETTLE


def settled(attempt: Attempt, now: datetime) -> bool:
    """Return whether our last change of a unit is old enough for every read to show it."""
    return attempt.last_write_at is None or now - attempt.last_write_at >= SETTLE


def describe_intent(intent: Intent) -> str:
    """Describe an intent in one line, for history and `journal check`."""
    return f"{intent.action} {intent.unit_id}: {intent.call.service}:{intent.call.operation} at {iso(intent.at)}"
