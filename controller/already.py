"""Waves that have nothing left to do: every target reports the version, so there is no unit to make.

1. Where making a unit starts it, a service refuses one that would reach nobody: such a wave would never come to an end.
2. It counts what the targets report in this very pass; one of them unknown, and the unit is made as ever.
"""

from __future__ import annotations

import msgspec

from controller import strategy, verdicts
from controller.model import (
    Attempt,
    DeviceResult,
    Event,
    Outcome,
    Record,
    Stage,
    Wave,
    WaveRecord,
)
from controller.situation import Shape, Situation

DETAIL = "had it already"


def concluded(at: Situation, shape: Shape) -> tuple[Record, tuple[Event, ...]]:
    """The record with the next wave judged, if all its targets have the version; else as it is."""
    wave = verdicts.undone(at.record, at.rollout)
    if wave is None or shape.capabilities.starts_explicitly or at.rollout.suspend is not None:
        return at.record, ()
    known = at.record.wave(wave.name) or WaveRecord(name=wave.name)
    number = _number(at, wave, known)
    if number is None:
        return at.record, ()
    unit = strategy.declare(at.rollout, at.environment, wave, number, known)
    facts = {t.key: t for t in at.seen.targets}
    if not unit.members or not all(key in facts and facts[key].updated for key in unit.members):
        return at.record, ()
    names = tuple(facts[key].vendor_id for key in unit.members)
    attempt = Attempt(
        number=number, generation=unit.generation, unit_id=unit.unit_id, stage=Stage.JUDGED, members=unit.members,
        targets=unit.members, devices=names, ended_at=at.now,
        results=tuple(DeviceResult(device=n, name=n, outcome=Outcome.SUCCEEDED, detail=DETAIL) for n in names),
    )  # fmt: skip
    text = f"wave {wave.name} has nothing to do: its {len(names)} devices report {at.rollout.firmware.version} already"
    events = [Event(at=at.now, kind="results", subject=unit.unit_id, message=text)]
    others = tuple(a for a in known.attempts if a.unit_id != unit.unit_id)
    moved = msgspec.structs.replace(known, attempts=(*others, attempt), members=unit.members)
    moved = verdicts.judge(moved, at.record, at.rollout, at.now, events)
    return at.record.with_wave(moved), tuple(events)


def _number(at: Situation, wave: Wave, known: WaveRecord) -> int | None:
    """The attempt that would be made next; None when one is under way, judged, lost, or may still be made."""
    attempt = known.current
    pending = {i.unit_id for i in at.record.intents}
    if any(a.stage in (Stage.SCHEDULED, Stage.RUNNING) or a.unit_id in pending for a in at.record.attempts):
        return None
    if attempt is None or (attempt.generation != at.rollout.generation and not attempt.live):
        return strategy.next_number(at.rollout, at.environment, wave, known)
    if attempt.generation != at.rollout.generation:
        return None
    if attempt.stage is Stage.DECLARED:
        return attempt.number
    again = attempt.stage is Stage.SUPERSEDED or (attempt.canceled and not attempt.live)
    return strategy.next_number(at.rollout, at.environment, wave, known) if again else None
