"""Records what a service shows of units: of one that the journal knows, and of one that only its tags name."""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.drift.ownership import is_journal_id
from otactl.model import (
    Attempt,
    Cause,
    Event,
    Intent,
    JsonObject,
    Observation,
    Record,
    Rollout,
    Stage,
    Unit,
    UnitPhase,
)
from otactl.model.tags import TAG_ATTEMPT, TAG_ENVIRONMENT, TAG_GENERATION, TAG_JOURNAL, TAG_ROLLOUT, TAG_WAVE
from otactl.model.unit_id import named_by
from otactl.verdicts import wave_verdict


def unrecorded(
    wave: str, record: Record, rollout: Rollout, seen: Observation, now: datetime, events: list[Event]
) -> list[Attempt]:
    """Rebuild attempts from the tags of units that the journal does not know: after its loss, or from an old backup.

    A unit that is named as its tags say is ours, beside whatever else its wave has; with another name it may be a copy.
    """
    known = {a.vendor_id for a in record.attempts} | {a.unit_id for a in record.attempts}
    here = record.wave(wave)
    if here is not None and wave_verdict.passed(here, rollout):
        return []
    live = here is not None and any(a.live for a in here.attempts)
    reported = {e.subject for e in record.drift if e.open and e.cause is Cause.FOREIGN}
    tags = {TAG_WAVE: wave, TAG_ENVIRONMENT: rollout.environment}
    fresh = [
        unit
        for unit in seen.units
        if unit.vendor_id not in known and unit.unit_id not in known and unit.phase.is_there
        if unit.tags.get(TAG_ROLLOUT) in rollout.names
        if all(unit.tags.get(tag) == value for tag, value in tags.items()) and unit.tags.get(TAG_ATTEMPT, "").isdigit()
    ]
    chosen = {unit.unit_id: unit for unit in reversed(fresh) if unit.unit_id == named_by(unit.tags)}
    if not (chosen or live):  # one unit a wave: another one with our tags is a copy, and reported as such
        made = {(str(a.number), a.generation) for a in here.attempts} if here is not None else set()
        others = [u for u in fresh if (u.tags[TAG_ATTEMPT], u.tags.get(TAG_GENERATION, "")) not in made]
        chosen = {unit.unit_id: unit for unit in others[:1] if unit.vendor_id not in reported}
    found: list[Attempt] = []
    for name, unit in chosen.items():
        text = f"adopted {name} by its tags; the journal did not know it"
        events.append(Event(at=now, kind="adopted", subject=name, message=text))
        number, generation = int(unit.tags[TAG_ATTEMPT]), unit.tags.get(TAG_GENERATION, "")
        before = "" if unit.tags[TAG_ROLLOUT] == rollout.name else unit.tags[TAG_ROLLOUT]
        attempt = Attempt(number=number, generation=generation, unit_id=name, rollout=before, found_by_tags=True)
        found.append(attempt)
    return sorted(found, key=lambda a: (a.generation == rollout.generation, a.number))


def recorded(
    wave: str, attempt: Attempt, unit: Unit, intents: tuple[Intent, ...], rollout: Rollout, now: datetime
) -> Attempt:
    """Record what the unit shows: its ids, a finished rename, members, a start."""
    changes: JsonObject = {"job_id": unit.job_id} if unit.job_id not in ("", attempt.job_id) else {}
    if attempt.vendor_id is None:
        changes |= {
            "vendor_id": unit.vendor_id,
            "arn": unit.arn,
            "created_at": now,
            "declared": attempt.declared or tuple(sorted(unit.fields)),
        }
    declared = next((w for w in rollout.strategy.waves if w.name == wave), None)
    if attempt.stage is Stage.OPEN or not attempt.members:
        known = tuple(sorted({*attempt.members, *unit.members}))
        meant = set(rollout.targets_of(declared).keys) if declared is not None else set()
        targets = tuple(sorted({*attempt.targets, *(meant & set(unit.members))}))
        if (known, targets) != (attempt.members, attempt.targets):
            changes |= {"members": known, "targets": targets}
    if unit.ids_by_call and unit.ids_by_call != attempt.ids_by_call:
        changes["ids_by_call"] = {**attempt.ids_by_call, **unit.ids_by_call}
    shown: JsonObject = {
        "progress": unit.progress,
        "tally": unit.tally,
        "failures": unit.failures,
        "parts_missing": bool(unit.missing_targets),
        "claims": unit.claims,
    }
    if attempt.live and any(getattr(attempt, name) != value for name, value in shown.items()):
        changes |= shown
    if unit.data_rates and unit.data_rates != attempt.data_rates:
        changes["data_rates"] = unit.data_rates
    if unit.failure != attempt.failure:
        changes["failure"] = unit.failure or attempt.failure
    if unit.success_cleared:
        cleared = frozenset(unit.success_cleared)
        changes["already_succeeded"] = tuple(d for d in attempt.already_succeeded if d not in cleared)
    if unit.updated_uncounted:
        changes["updated_uncounted"] = tuple(sorted({*attempt.updated_uncounted, *unit.updated_uncounted}))
    named = unit.tags.get(TAG_JOURNAL)
    if is_journal_id(named) and named != attempt.journal_id:
        changes["journal_id"] = named
    changes |= _rename(attempt, unit, intents, rollout) | _shown_whole(attempt, unit)
    if unit.start_at is not None and attempt.start_at is None and attempt.stage is not Stage.SUPERSEDED:
        ours = any(_may_have_started(i, unit) for i in intents if i.unit_id == attempt.unit_id)
        changes |= {"start_at": unit.start_at, "started_by_us": ours, "start_sent_at": now}
    return msgspec.structs.replace(attempt, **changes) if changes else attempt


def _may_have_started(intent: Intent, unit: Unit) -> bool:
    """Return whether a call of ours without a known outcome may be what set the start that the unit shows.

    A start that was asked for at another time did not arrive: another actor started the unit.
    """
    return intent.start_at is not None and (intent.action != "startUnit" or intent.start_at == unit.start_at)


def _shown_whole(attempt: Attempt, unit: Unit) -> JsonObject:
    """Return what changes once a read shows, whole, the unit that a create of ours was answered with."""
    whole = unit.phase not in (UnitPhase.DELETING, UnitPhase.BROKEN, UnitPhase.UNKNOWN)
    return {"never_shown": False} if attempt.never_shown and whole else {}


def _rename(attempt: Attempt, unit: Unit, intents: tuple[Intent, ...], rollout: Rollout) -> JsonObject:
    """Return what changes once an update of ours that renamed the unit is visible."""
    renamed = any(i.action == "updateUnit" and i.unit_id == unit.unit_id for i in intents)
    if not renamed or unit.unit_id == attempt.unit_id:
        return {}
    return {
        "unit_id": unit.unit_id,
        "generation": rollout.generation,
        "number": int(unit.unit_id.rsplit("-", 2)[-2]),
        "previous_unit_ids": (*attempt.previous_unit_ids, attempt.unit_id),
        "image_sha256": rollout.firmware.sha256,
        "version": rollout.firmware.version,
        "rollout": "",
        "found_by_tags": False,
    }
