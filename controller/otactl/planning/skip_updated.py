"""Skips waves and retries whose targets all report the declared version already.

1. A unit that would reach no device is not created: a service refuses it, or it would never end.
2. Only reports of the same pass count; if the version of one target is unknown, the unit is created.
"""

from __future__ import annotations

import msgspec

from otactl.model import Attempt, Event, Record, Stage, WaveRecord
from otactl.planning import reused_version
from otactl.planning.wave_context import AttemptContext, RolloutContext, WaveContext, of_wave
from otactl.verdicts import wave_verdict
from otactl.verdicts.retry import RetryPlan, goes_on, remainder, retry_plan
from otactl.verdicts.updated_devices import had_it
from otactl.wording import count


def concluded(ctx: RolloutContext) -> tuple[Record, tuple[Event, ...]]:
    """Return the record with the next wave judged, if all its targets have the version; else as it is."""
    at, wave = ctx.at, ctx.next_wave
    if wave is None or at.rollout.suspend is not None or at.rollout.abort is not None:
        return at.record, ()
    gathered = of_wave(ctx, wave)
    known = gathered.known or WaveRecord(name=wave.name)
    which, retry = _next(gathered)
    if which is None:
        return at.record, ()
    unit = at.declare(wave, which, known, retry)
    facts = {t.key: t for t in at.seen.targets}
    if not unit.whole or not all(key in facts and facts[key].updated for key in unit.whole):
        return at.record, ()
    if reused_version.holds(gathered):
        return at.record, ()
    names = {d: facts[key].names.get(d, d) for key in unit.whole for d in facts[key].devices}
    attempt = Attempt(
        number=unit.attempt,
        generation=unit.generation,
        unit_id=unit.unit_id,
        stage=Stage.ENDED,
        members=unit.whole,
        targets=unit.whole,
        devices=tuple(names),
        ended_at=at.now,
        retry_targets=unit.only,
        try_number=unit.tries,
        results=tuple(had_it(device, name) for device, name in names.items()),
    )
    what = f"try {unit.tries} of wave {wave.name}" if unit.only else f"wave {wave.name}"
    devices = count(len(names), "device has", "devices have")
    text = f"{what} has nothing to do: its {devices} {at.rollout.firmware.version} already"
    events = [Event(at=at.now, kind="spared", subject=unit.unit_id, message=text)]
    others = tuple(a for a in known.attempts if a.unit_id != unit.unit_id)
    members = known.members if unit.only else unit.whole
    moved = msgspec.structs.replace(known, attempts=(*others, attempt), members=members)
    moved = wave_verdict.judge(moved, at.record, at.rollout, at.now, events)
    return at.record.with_wave(moved), tuple(events)


def _next(ctx: WaveContext) -> tuple[int | Attempt | None, RetryPlan | None]:
    """Return the attempt that would be created next; None while one is in progress, judged, lost or pending."""
    at = ctx.at
    pending = {i.unit_id for i in at.record.intents}
    if _under_way(ctx) or any(a.unit_id in pending for a in at.record.attempts):
        return None, None
    number = ctx.next_number
    if not isinstance(ctx, AttemptContext):
        return number, None
    attempt, known = ctx.attempt, ctx.known
    if ctx.of_another_revision:
        return (None if attempt.live else number), None
    if attempt.stage is Stage.DECLARED:
        return attempt, None
    never_began = attempt.stage is Stage.SUPERSEDED or (attempt.stage is Stage.LOST and attempt.start_at is None)
    if never_began or (goes_on(known, at.rollout) and not attempt.live):
        return number, remainder(known, at.rollout)
    again = retry_plan(at.rollout, known)
    return (number, again) if again is not None and again.ready_at <= at.now else (None, None)


def _under_way(ctx: WaveContext) -> bool:
    """Return whether the wave, or another one that has not passed, is with its devices."""
    at, name = ctx.at, ctx.wave.name
    waves = (w for w in at.record.waves if w.name == name or not wave_verdict.passed(w, at.rollout))
    return any(a.stage in (Stage.SCHEDULED, Stage.RUNNING) for w in waves for a in w.attempts)
