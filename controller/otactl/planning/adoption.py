"""Decides which units of other actors are adopted, and with which manifest and record. Pure.

1. A unit is adopted if nothing about it is in doubt: it runs, is scheduled or has ended; its bytes, version and targets
   are known; it carries no marks of otactl.
2. A device runs what it was sent last. A unit that has ended and that another one followed on one of its devices is
   history; two that are at one device at the same time are not distinguished.
3. An adopted unit is known by the service's id in the journal alone. Nothing is written to the service.
4. The manifest has one wave, keeps the unit (`cleanup: never`) and wants every device to succeed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from otactl.model import (
    Attempt,
    Doubt,
    Environment,
    Event,
    ExistingUnit,
    JsonObject,
    Record,
    Rollout,
    Stage,
    UnitPhase,
    WaveRecord,
)
from otactl.model.tags import TAG_ENVIRONMENT, TAG_JOURNAL, TAG_OWNER, TAG_ROLLOUT
from otactl.planning import units
from otactl.ports import Capabilities, Shape
from otactl.state import intents

WAVE = "fleet"
LONGEST_NAME = 30
_LIVE = (UnitPhase.SCHEDULED, UnitPhase.RUNNING)
_ADOPTABLE = (*_LIVE, UnitPhase.ENDED)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def in_order(found: Iterable[ExistingUnit]) -> list[ExistingUnit]:
    """Return units by their start, the oldest first."""
    return sorted(found, key=lambda unit: (_at(unit), unit.vendor_id))


def doubted(
    found: Sequence[ExistingUnit], records: Iterable[Record], kind: str, environment: Environment
) -> list[ExistingUnit]:
    """Return all units that one service shows, in order, each with everything that keeps it from being adopted."""
    ordered = in_order(found)
    known = [(record, attempt) for record in records if record.backend == kind for attempt in record.attempts]
    return [
        msgspec.structs.replace(unit, doubts=(*_own(unit, environment), *_overlaps(unit, ordered, known)))
        for unit in ordered
    ]


def _own(unit: ExistingUnit, environment: Environment) -> tuple[Doubt, ...]:
    """Return the doubts about a unit by itself."""
    if TAG_OWNER in unit.tags or TAG_ENVIRONMENT in unit.tags:
        return (_marked(unit, environment),)
    if unit.phase is UnitPhase.OPEN:
        return (
            Doubt(
                code="unit_is_not_started",
                message="it was created and never started, so it sent nothing",
                fix="start it by hand and adopt again, or delete it and declare a rollout",
            ),
        )
    if unit.doubts:
        return unit.doubts
    if unit.phase not in _ADOPTABLE or unit.firmware is None:
        text = "it is being created or deleted, could not be created, or shows a status that no rollout has"
        return (Doubt(code="unit_has_no_equivalent", message=text, fix="adopt again when it runs or has ended"),)
    return ()


def _marked(unit: ExistingUnit, environment: Environment) -> Doubt:
    owner, home = unit.tags.get(TAG_OWNER, "none"), unit.tags.get(TAG_ENVIRONMENT, "none")
    if (owner, home) != (environment.owner, environment.name):
        text = f"otactl created it for environment {home} of owner {owner}"
        return Doubt(
            code="unit_is_anothers", message=text, fix="drive it from that environment's manifests and journal"
        )
    journal = unit.tags.get(TAG_JOURNAL, "")
    text = f"otactl created it for rollout {unit.tags.get(TAG_ROLLOUT, 'unknown')}, which this journal does not know"
    fix = "put that rollout's manifest back; reconcile takes the unit up by its tags"
    if journal not in ("", environment.journal_id, *environment.replaces):
        fix = f"use journal {journal}; if it is lost for good, otactl journal init --replaces {journal}"
    return Doubt(code="unit_has_our_marks", message=text, fix=fix)


def _overlaps(
    unit: ExistingUnit, others: Sequence[ExistingUnit], known: Sequence[tuple[Record, Attempt]]
) -> tuple[Doubt, ...]:
    """Return the doubts about a unit because of others at its devices (rule 2)."""
    mine = set(unit.reaches)
    for other in others:
        if other is unit or other.phase not in _ADOPTABLE or mine.isdisjoint(other.reaches):
            continue
        earlier, later = sorted((unit, other), key=lambda each: (_at(each), each.vendor_id))
        shared = _some(mine & set(other.reaches))
        if earlier.phase in _LIVE:
            return (_overlap(f"{other.vendor_id} ({other.name})", shared),)
        if later is other:
            return (_followed(f"{other.vendor_id} ({other.name})", shared),)
    for record, attempt in known:
        if attempt.vendor_id == unit.vendor_id or not attempt.reached or mine.isdisjoint(attempt.keys):
            continue
        shared, named = _some(mine & attempt.keys), f"{attempt.unit_id} of rollout {record.name}"
        if attempt.stage in (Stage.SCHEDULED, Stage.RUNNING) or (unit.phase in _LIVE and _sent(attempt) > _at(unit)):
            return (_overlap(named, shared),)
        if _sent(attempt) > _at(unit):
            return (_followed(named, shared),)
    return ()


def _overlap(other: str, shared: str) -> Doubt:
    return Doubt(
        code="units_overlap",
        message=f"it and {other} are at the same devices ({shared}), so which of them these follow is not known",
        fix="adopt again when both have ended, or cancel one of them",
    )


def _followed(other: str, shared: str) -> Doubt:
    return Doubt(
        code="newer_unit_followed",
        message=f"{other} was sent to its devices ({shared}) after it, so they do not run what it sent any more",
        fix="nothing; it is history",
    )


def name_of(kind: str, unit: ExistingUnit, taken: Collection[str]) -> str:
    """Return the name of a unit's rollout: that of the unit, as a rollout may be called, and not yet taken."""
    letters = re.sub(r"[^a-z0-9]+", "-", unit.name.lower()).strip("-")
    if not letters or not letters[0].isalpha():
        letters = f"{kind.lower()}-{letters or re.sub(r'[^a-z0-9]+', '-', unit.vendor_id.lower()).strip('-')}"
    base = letters[:LONGEST_NAME].strip("-")
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base[: LONGEST_NAME - len(str(number)) - 1].strip('-')}-{number}"
    return name


def document_of(environment: str, name: str, kind: str, unit: ExistingUnit, can: Capabilities) -> JsonObject:
    """Return the manifest of a unit (rule 4)."""
    firmware = unit.firmware
    if firmware is None:
        raise TypeError(f"what {unit.vendor_id} sends is not known")
    wave: JsonObject = {"name": WAVE, **({"targets": unit.targets} if unit.targets else {})}
    spec: JsonObject = {
        "environment": environment,
        "firmware": msgspec.to_builtins(firmware),
        kind: unit.block,
        "strategy": {"waves": [wave], "gate": {"minSuccessPercent": 100}},
    }
    if not can.keeps_ended:
        spec["cleanup"] = "never"
    return {"apiVersion": "otactl.dev/v1", "kind": "Rollout", "metadata": {"name": name}, "spec": spec}


def adopted(rollout: Rollout, unit: ExistingUnit, environment: Environment, shape: Shape, now: datetime) -> Record:
    """Return the record of a rollout whose one unit another actor created (rule 3)."""
    wave = rollout.strategy.waves[0]
    declared = msgspec.structs.replace(units.declare(rollout, environment, wave, 1, None), adopted=True)
    fields, _ = shape.desired(declared)
    attempt = Attempt(
        number=1,
        generation=rollout.generation,
        unit_id=declared.unit_id,
        stage=Stage.SCHEDULED if unit.phase is UnitPhase.SCHEDULED else Stage.RUNNING,
        vendor_id=unit.vendor_id,
        arn=unit.arn,
        job_id=unit.job_id,
        declared=tuple(sorted(fields)),
        members=declared.members,
        targets=declared.members,
        created_at=now,
        start_at=unit.start_at,
        started_by_us=True,
        start_sent_at=unit.start_at,
        annotation_digest=declared.annotations,
        field_digests=intents.noted(fields),
        devices=unit.devices,
        names=unit.names,
        image_sha256=rollout.firmware.sha256,
        adopted=True,
    )
    return Record(
        environment=rollout.environment,
        name=rollout.name,
        backend=rollout.backend_kind,
        generation=rollout.generation,
        waves=(WaveRecord(name=wave.name, members=declared.members, attempts=(attempt,)),),
    )


def event(record: Record, unit: ExistingUnit, service: str, now: datetime) -> Event:
    """Return the first event of an adopted rollout: what was taken over."""
    (attempt,) = record.attempts
    named = f" ({unit.name})" if unit.name not in ("", unit.vendor_id) else ""
    text = f"adopted {unit.vendor_id}{named} of {service}, which another actor created"
    data: JsonObject = {"unit": unit.vendor_id}
    return Event(at=now, kind="adopted", subject=attempt.unit_id, message=text, data=data)


def without_manifest(records: Mapping[str, Record], declared: Collection[str]) -> dict[str, str]:
    """Return the rollouts with an adopted unit that no manifest declares, by the unit: their file was never written."""
    return {
        attempt.vendor_id: name
        for name, record in records.items()
        for attempt in record.attempts
        if name not in declared and attempt.adopted and attempt.vendor_id is not None
    }


def _at(unit: ExistingUnit) -> datetime:
    return unit.start_at or unit.created_at or _NEVER


def _sent(attempt: Attempt) -> datetime:
    return attempt.start_at or attempt.start_sent_at or _NEVER


def _some(keys: Collection[str]) -> str:
    named = sorted(keys)[:3]
    return ", ".join(named) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
