"""Judges a wave from its devices, never from the unit's status, and sums a rollout up.

1. A gate is applied to what was recorded, so a gate declared anew turns an old verdict without sending anything.
2. While other bytes than declared may have gone out, a wave does not pass.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from controller.model import (
    Attempt,
    Cause,
    DeviceResult,
    Event,
    Outcome,
    Phase,
    Reason,
    Record,
    Rollout,
    Stage,
    Verdict,
    WaveRecord,
    tally,
)

TAINTS = ("image.object", "image.sha256", "image.sizeBytes", "image.fingerprint")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def judge(wave: WaveRecord, record: Record, rollout: Rollout, now: datetime, events: list[Event]) -> WaveRecord:
    """The wave with its verdict, once its attempt has its results."""
    declared = next((w for w in rollout.strategy.waves if w.name == wave.name), None)
    attempt = next((a for a in reversed(wave.attempts) if a.generation == rollout.generation), None)
    if declared is None or attempt is None or attempt.stage not in (Stage.JUDGED, Stage.CLEANED):
        return wave
    results = results_of(wave, rollout.generation)
    if attempt.canceled and any(r.outcome is not Outcome.SUCCEEDED for r in results):
        return wave  # stopped for other content: what is missing is made up for, not held against it
    counts = tally(results)
    needed = rollout.gate_of(declared).min_success_percent
    total = len(results)
    passed = total > 0 and 100.0 * counts[Outcome.SUCCEEDED] >= needed * total
    passed = passed and not tainted(attempt, record, rollout, now)
    verdict = Verdict(
        passed=passed,
        succeeded=counts[Outcome.SUCCEEDED],
        failed=total - counts[Outcome.SUCCEEDED],
        total=total,
        needed_percent=needed,
        at=attempt.ended_at or now,
    )
    if verdict == wave.verdict and wave.verdict_generation == rollout.generation:
        return wave
    word = "passed" if passed else "failed"
    text = f"wave {wave.name} {word}: {verdict.percent:.1f} % of {total} devices, {needed:g} % needed"
    events.append(Event(at=now, kind="verdict", subject=wave.name, message=text))
    return msgspec.structs.replace(wave, verdict=verdict, verdict_generation=rollout.generation)


def results_of(wave: WaveRecord, generation: str) -> tuple[DeviceResult, ...]:
    """The newest result of each device of the wave's attempts at a content, since it was begun last.

    One that took it in an attempt we stopped, and refuses it the second time, still has it.
    """
    found: dict[str, DeviceResult] = {}
    attempts = wave.since(generation)
    for attempt in attempts:
        if not (attempt.canceled or attempt is attempts[-1]):
            continue
        for result in attempt.results:
            before = found.get(result.device)
            has_it = before is not None and before.outcome is Outcome.SUCCEEDED
            if not (has_it and result.reason is Reason.REJECTED):
                found[result.device] = result
    return tuple(found.values())


def tainted(attempt: Attempt, record: Record, rollout: Rollout, now: datetime) -> bool:
    """Whether the image differed when the session began: its devices may hold bytes nobody declared.

    An accepted drift (spec.drift.ignore) taints nothing.
    """
    accepted = {i.field for i in rollout.drift.ignore if i.until is None or now < i.until}
    return any(
        e.open and e.subject == attempt.unit_id and e.cause is Cause.IMAGE_BYTES and e.field in TAINTS
        and e.field not in accepted
        for e in record.drift
    )  # fmt: skip


def judged(record: Record, rollout: Rollout) -> Record:
    """The record with every verdict as the gates declared now would give it: a gate may have changed since."""
    waves = tuple(judge(w, record, rollout, _NEVER, []) for w in record.waves)
    return msgspec.structs.replace(record, waves=waves)


def passed(wave: WaveRecord | None, rollout: Rollout) -> bool:
    """Whether a wave is done, for the content declared now and not put over by other content since."""
    if wave is None or wave.verdict is None or not wave.verdict.passed:
        return False
    return wave.verdict_generation == rollout.generation and not overtaken(wave, rollout.generation)


def overtaken(wave: WaveRecord, generation: str) -> bool:
    """Whether other content was started on the wave's devices after this one's last attempt."""
    last = max((i for i, a in enumerate(wave.attempts) if a.generation == generation), default=-1)
    return any(a.generation != generation and a.was_sent for a in wave.attempts[last + 1 :])


def phase_of(record: Record, rollout: Rollout, stalled: bool) -> Phase:
    """Sum a rollout up in one word."""
    known = [record.wave(w.name) for w in rollout.strategy.waves]
    if all(passed(w, rollout) for w in known):
        return Phase.SUCCEEDED
    if rollout.suspend is not None:
        return Phase.SUSPENDED
    if any(w and w.verdict and not w.verdict.passed and w.verdict_generation == rollout.generation for w in known):
        return Phase.FAILED
    if stalled:
        return Phase.STALLED
    return Phase.PROGRESSING if record.attempts else Phase.PENDING
