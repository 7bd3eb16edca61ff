"""Judges a wave from its devices, never from the unit's status, and summarises a rollout.

1. A gate is applied to what was recorded, so a gate declared again turns an old verdict without sending anything.
2. While bytes that were not declared may have been sent, a wave does not pass.
3. While a unit runs, only too many failures, or the end of the time for answers, decide; its success needs its results.
   Failures weigh then what they weigh at the end, and its devices are those it was started with: one that its service
   does not show yet is waiting, not absent. While a part of it is still to be created, only too many failures decide;
   its time for answers counts from the creation of the newest part.
4. A wave is released when it passed, stayed so for its soak, and nothing of it is to be tried again. Until then its
   devices are watched: a success that is lost in the soak, or an answer that comes late, turns the verdict.
5. A wave that we stopped fails as soon as the started devices cannot let it pass, so that the rest does not follow: too
   many failures or, without a retry, too few devices that may still succeed.
6. Where versions prove successes, a claim (version_claims.py) passes no wave. One that was made before the deadline is
   waited for as long again, if the wave passes with it; after that it counts as without an answer.
7. A gate with a confidence may decide before all have answered, unless a retry may still follow. A wave that passed so
   is judged by the fleet of that time: devices that are declared later do not take its verdict back.
8. What was withdrawn from a released wave, or is tried again as its unit ends late, takes its release back until it has
   followed: before the next wave starts, and after a later one that is with its devices already. It does not follow a
   later one that has failed its gate.
9. What a verdict has waited for is not waited for again by a pass whose clock is behind the one of the verdict, by
   `CLOCKS_DIFFER` at most: hosts differ, and a Date header has whole seconds. Further ahead is a wrong clock's verdict.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from otactl.model import (
    Attempt,
    Cause,
    DeviceResult,
    Event,
    Gate,
    Outcome,
    Phase,
    Reason,
    Record,
    Rollout,
    Stage,
    Unit,
    Verdict,
    VersionClaims,
    Wave,
    WaveRecord,
    duration,
)
from otactl.verdicts import confidence, retry
from otactl.verdicts import gate as gates
from otactl.verdicts.deadlines import NEVER, answers_until, claims_until, not_before, silence_until
from otactl.verdicts.device_results import results_of
from otactl.verdicts.found_units import may_be_retry
from otactl.verdicts.gate import GateState, Judgement, Tally
from otactl.verdicts.hurried_results import reopened
from otactl.wording import count

TAINTS = ("image.object", "image.sha256", "image.sizeBytes", "image.fingerprint")
DIFFERED = "image_differed_at_session"


def judge(wave: WaveRecord, record: Record, rollout: Rollout, now: datetime, events: list[Event]) -> WaveRecord:
    """Return the wave with its verdict, as far as one can be given."""
    declared = next((w for w in rollout.strategy.waves if w.name == wave.name), None)
    known = judgement(wave, declared, rollout, now) if declared is not None else None
    if declared is None or known is None:
        owed = declared is not None and wave.released and retry.is_to_follow(wave, rollout)
        return msgspec.structs.replace(wave, released=False) if owed else wave
    found, tally = known
    gate = rollout.gate_of(declared)
    old = wave.verdict_of(rollout.generation)
    if found.state is GateState.WAITING:
        return msgspec.structs.replace(wave, verdict=None, verdict_generation="", released=False) if old else wave
    attempt = _newest(wave, rollout)
    if found.state is GateState.PASSED and attempt is not None and tainted(attempt, record, rollout, now):
        found = Judgement(state=GateState.FAILED, reason=DIFFERED)
    passed_now = found.state is GateState.PASSED
    same = old is not None and old.passed == passed_now and old.reason == found.reason
    verdict = Verdict(
        passed=passed_now,
        succeeded=tally.succeeded,
        failed=tally.total - tally.succeeded,
        total=tally.total,
        needed_percent=gate.min_success_percent,
        at=old.at if same and old is not None else now,
        reason=found.reason,
        weighted=float(tally.weighted),
        unanswered=tally.unanswered,
        fleet=_fleet(tally, wave, declared, rollout) if gate.risk is not None else None,
    )
    moved = msgspec.structs.replace(wave, verdict=verdict, verdict_generation=rollout.generation)
    unseen = attempt is not None and attempt.stage is Stage.ENDED and attempt.missing_since is not None
    unseen = unseen or (attempt is not None and not wave.released and _unread(attempt))
    kept = wave.released and same and not retry.comes_late(rollout, moved)
    soaked = now >= verdict.at + soak_of(gate) and retry.retry_plan(rollout, moved) is None
    moved = msgspec.structs.replace(moved, released=passed_now and not unseen and (kept or soaked))
    if moved == wave:
        return wave
    if not same:
        word = "passed" if verdict.passed else "failed" if found.state is GateState.FAILED else "is not decided"
        text = f"wave {wave.name} {word}: {arithmetic(verdict, gate)}"
        events.append(Event(at=now, kind="verdict", subject=wave.name, message=text))
    if moved.released and not wave.released and gate.soak is not None:
        text = f"wave {wave.name} stayed well for {gate.soak}"
        events.append(Event(at=now, kind="released", subject=wave.name, message=text))
    return moved


def judgement(wave: WaveRecord, declared: Wave, rollout: Rollout, now: datetime) -> tuple[Judgement, Tally] | None:
    """Return the state of a wave's gate; None while there is nothing to judge."""
    attempt = _newest(wave, rollout)
    gate = rollout.gate_of(declared)
    if attempt is None or may_be_retry(attempt, declared, rollout):
        return None
    old = wave.verdict_of(rollout.generation)
    now = not_before(old, now)
    off = retry.let_off(wave, rollout)
    results = results_of(wave, rollout.generation)
    results = tuple(r for r in results if r.device not in off or r.reason is not Reason.CANCELED)
    if attempt.stage in (Stage.ENDED, Stage.DELETED):
        unfinished = attempt is not wave.current or retry.goes_on(wave, rollout)
        if (
            attempt.cut_short
            and unfinished
            and (not results or any(r.outcome is not Outcome.SUCCEEDED for r in results))
        ):
            # Missing batches are created later; they do not count as failures.
            return _started_alone(wave, declared, attempt, results, rollout, now)
        tally = gates.tally_of(results, gate)
        until = silence_until(attempt.ended_at or now, gate, old)
        late, early = later_devices(tally, wave, declared, rollout), may_be_early(attempt, rollout)
        return gates.judge(gate, tally, until, now, later=late, early=early), tally
    if attempt.stage not in (Stage.SCHEDULED, Stage.RUNNING) or attempt.canceled_by_us or not attempt.tally:
        return None
    deadline = answers_until(attempt, gate)
    counts = gates.tally_of_counts(attempt.counted, attempt.failures, gate)
    tally = _with(counts, results, attempt, gate)
    claimed = min(attempt.claims.open, tally.waiting)
    tally = msgspec.structs.replace(tally, claimed=claimed)
    late, early = later_devices(tally, wave, declared, rollout), may_be_early(attempt, rollout)
    found = gates.judge(gate, tally, deadline, now, later=late, early=early)
    shown = gate.risk is not None and early and not attempt.parts_missing
    if (deadline is None or now < deadline) and found.reason != "failures_exceed_limit" and not shown:  # rule 3
        return Judgement(state=GateState.WAITING, reason="waiting_for_devices", until=deadline), tally
    proved_by = claims_until(attempt, gate, old)
    if claimed and found.state is not GateState.PASSED and (proved_by is None or now < proved_by):  # rule 6
        proved = {"succeeded": tally.succeeded + claimed, "waiting": tally.waiting - claimed, "claimed": 0}
        true = msgspec.structs.replace(tally, **proved)
        if gates.judge(gate, true, deadline, now, later=late, early=early).state is GateState.PASSED:
            return Judgement(state=GateState.WAITING, reason="waiting_for_devices", until=proved_by), tally
    return found, tally


def _started_alone(
    wave: WaveRecord,
    declared: Wave,
    attempt: Attempt,
    results: tuple[DeviceResult, ...],
    rollout: Rollout,
    now: datetime,
) -> tuple[Judgement, Tally] | None:
    """Return the state of a gate by the devices that had started when we stopped the others (rule 5)."""
    if not results:
        return None
    gate = rollout.gate_of(declared)
    rest = {r.device for r in attempt.not_started}
    tally = gates.tally_of((r for r in results if r.device not in rest), gate)
    tally = msgspec.structs.replace(tally, waiting=tally.waiting + sum(r.device in rest for r in results))
    late = later_devices(tally, wave, declared, rollout)
    found = gates.judge(gate, tally, None, now, later=late, early=may_be_early(attempt, rollout))
    if found.state is GateState.PASSED:  # by the devices that had started; the others follow
        found = Judgement(state=GateState.WAITING, reason="waiting_for_devices")
    if found.state is GateState.FAILED:
        return found, tally
    if rollout.strategy.retry is None and gates.hopeless(gate, tally, late):
        return Judgement(state=GateState.FAILED, reason="success_rate_is_too_low"), tally
    return (found, tally) if failed(wave, rollout) else None


def later_devices(tally: Tally, wave: WaveRecord | None, declared: Wave, rollout: Rollout) -> int | None:
    """Return how many devices the waves after one have; None where groups hide it.

    After a wave has passed it is the number of that time (rule 7).
    """
    old = wave.verdict_of(rollout.generation) if wave is not None else None
    if old is not None and old.passed and old.fleet is not None:
        return max(old.fleet - tally.total, 0)
    names = [w.name for w in rollout.strategy.waves]
    after = [rollout.targets_of(w) for w in rollout.strategy.waves[names.index(declared.name) + 1 :]]
    hidden = any(t.multicast_groups or t.thing_groups for t in after)
    chosen = rollout.backend.selection is not None and bool(after)
    return None if hidden or chosen else sum(len(t.keys) for t in after)


def _fleet(tally: Tally, wave: WaveRecord, declared: Wave, rollout: Rollout) -> int | None:
    later = later_devices(tally, wave, declared, rollout)
    return tally.total + later if later is not None else None


def may_be_early(attempt: Attempt, rollout: Rollout) -> bool:
    """Return whether a gate with a confidence may be decided before all have answered: nothing is tried again."""
    retried = rollout.strategy.retry
    return retried is None or attempt.try_number >= retried.attempts


def _unread(attempt: Attempt) -> bool:
    """Return whether successes by version were not all read again: they may be lost (rule 4)."""
    claims = attempt.claims
    return attempt.unread or (attempt.stage is Stage.RUNNING and bool(claims.confirmed) and not claims.read)


def needs_proof(wave: WaveRecord | None, attempt: Attempt, unit: Unit, rollout: Rollout, now: datetime) -> bool:
    """Return whether the gate of a running unit passes if all that its counts take for a success is one.

    `wave` is the record of its wave, None where the journal has none yet.
    """
    declared = next((w for w in rollout.strategy.waves if wave is not None and w.name == wave.name), None)
    if wave is None or declared is None:
        return False
    shown = {"tally": unit.tally, "failures": unit.failures, "parts_missing": bool(unit.missing_targets)}
    claimed = msgspec.structs.replace(attempt, claims=VersionClaims(), **shown)
    attempts = tuple(claimed if a.unit_id == attempt.unit_id else a for a in wave.attempts)
    found = judgement(msgspec.structs.replace(wave, attempts=attempts), declared, rollout, now)
    return found is not None and found[0].state is GateState.PASSED


def _with(counts: Tally, results: tuple[DeviceResult, ...], attempt: Attempt, gate: Gate) -> Tally:
    """Return the counts of a unit that runs, with the devices it spared.

    Of a retry also the results of those it does not try again.
    """
    counts = msgspec.structs.replace(counts, succeeded=counts.succeeded + len(attempt.skipped_devices))
    if not attempt.retry_targets:
        return counts
    again = attempt.retried_devices
    rest = gates.tally_of((r for r in results if r.device not in again), gate)
    return Tally(
        succeeded=counts.succeeded + rest.succeeded,
        failed=counts.failed + rest.failed,
        weighted=counts.weighted + rest.weighted,
        silent=rest.silent,
        waiting=counts.waiting,
    )


def _newest(wave: WaveRecord, rollout: Rollout) -> Attempt | None:
    return next((a for a in reversed(wave.attempts) if a.generation == rollout.generation), None)


def soak_of(gate: Gate) -> timedelta:
    """Return how long a wave has to stay well."""
    return duration(gate.soak) if gate.soak is not None else timedelta()


def arithmetic(verdict: Verdict, gate: Gate) -> str:
    """Return how a verdict came about, in numbers."""
    parts = [f"{verdict.percent:.1f} % of {count(verdict.total, 'device')}, {verdict.needed_percent:g} % needed"]
    if verdict.failed:
        weighing = f", weighing {verdict.weighted:g}" if gate.weights else ""  # the limit is of what they weigh
        allowed = f" of {gate.max_failures} allowed" if gate.max_failures is not None else ""
        parts.append(f"{verdict.failed} failed{weighing}{allowed}")
    if verdict.unanswered:
        parts.append(f"{verdict.unanswered} of them without an answer")
    if gate.min_reported is not None and verdict.reason == gates.TOO_FEW:
        wanted = min(gate.min_reported, verdict.total)
        parts.append(f"{verdict.total - verdict.unanswered} answered, {wanted} needed")
    if gate.risk is not None and verdict.total:
        parts.append(_at_confidence(verdict, gate))
    return ", ".join(parts)


def _at_confidence(verdict: Verdict, gate: Gate) -> str:
    """Return with how many failures a wave of that size passes, and fails, at the confidence of its gate."""
    limits = confidence.limits_of(gate, verdict.total, None if verdict.fleet is None else verdict.fleet - verdict.total)
    text = f"at {gate.sureness} "
    if limits.passes_to < 0:
        return f"{text}a wave of {count(verdict.total, 'device')} is too small to pass"
    return f"{text}passes with {limits.passes_to} or fewer failures and fails with {limits.fails_from} or more"


def watched(wave: WaveRecord, rollout: Rollout) -> Attempt | None:
    """Return the ended attempt whose devices are still checked (rule 4)."""
    declared = next((w for w in rollout.strategy.waves if w.name == wave.name), None)
    attempt = wave.current
    if declared is None or attempt is None or attempt.stage is not Stage.ENDED or attempt.cut_short:
        return None
    if attempt.generation != rollout.generation or (passed(wave, rollout) and wave.released):
        return None
    gate = rollout.gate_of(declared)
    counts = gate.silence_after is not None or gate.min_reported is not None or gate.risk is not None
    counts = counts or wave.verdict_of(rollout.generation) is None
    late = counts and any(r.silent for r in attempt.results)
    return attempt if late or gate.soak is not None else None


def awake(record: Record, rollout: Rollout) -> Record:
    """Return the record as a backend is to see it: attempts that are still observed appear as running ones."""
    waves = []
    for wave in (reopened(w, rollout) for w in record.waves):
        looked_at = watched(wave, rollout)
        attempts = tuple(
            msgspec.structs.replace(a, stage=Stage.RUNNING) if a is looked_at else a for a in wave.attempts
        )
        waves.append(msgspec.structs.replace(wave, attempts=attempts))
    return msgspec.structs.replace(record, waves=tuple(waves))


def tainted(attempt: Attempt, record: Record, rollout: Rollout, now: datetime) -> bool:
    """Return whether the image differed when the session started: its devices may hold bytes no one declared.

    An accepted drift (spec.drift.ignore) taints nothing.
    """
    accepted = rollout.drift.accepted(now)
    return any(
        e.open
        and e.subject == attempt.unit_id
        and e.cause is Cause.IMAGE_BYTES
        and e.field in TAINTS
        and e.field not in accepted
        for e in record.drift
    )


def judged(record: Record, rollout: Rollout) -> Record:
    """Return the record with every verdict as the gates declared now would give it: a gate may have changed since.

    Judged as of the moment of the verdict that is there: what it waited for is not waited for again.
    """
    known = ((w, w.verdict_of(rollout.generation)) for w in record.waves)
    waves = tuple(judge(w, record, rollout, v.at if v is not None else NEVER, []) for w, v in known)
    return msgspec.structs.replace(record, waves=waves)


def passed(wave: WaveRecord | None, rollout: Rollout) -> bool:
    """Return whether a wave is released for the declared revision, with no other revision sent since."""
    if wave is None or wave.verdict is None or not wave.verdict.passed or not wave.released:
        return False
    return wave.verdict_generation == rollout.generation and not overtaken(wave, rollout.generation)


def failed(wave: WaveRecord | None, rollout: Rollout) -> bool:
    """Return whether a wave's gate has failed for the content declared now; one that is not decided has not."""
    if wave is None or wave.verdict is None or wave.verdict.passed or wave.verdict_generation != rollout.generation:
        return False
    return wave.verdict.reason not in gates.UNDECIDED


def gives_up(wave: WaveRecord | None, rollout: Rollout) -> bool:
    """Return whether what is left of a wave does not follow, because its gate has failed without it."""
    return failed(wave, rollout)


def undone(record: Record, rollout: Rollout) -> Wave | None:
    """Return the wave that is next of those that are not done and released; None when all are.

    It is the first one, unless that has passed and a later one is with its devices, or has failed (rule 8).
    """
    left = [(w, record.wave(w.name)) for w in rollout.strategy.waves if not passed(record.wave(w.name), rollout)]
    busy = (w for w, known in left if known is not None and _is_with_its_devices(known, rollout))
    over = (w for w, known in left if failed(known, rollout))
    first, known = left[0] if left else (None, None)
    verdict = known.verdict_of(rollout.generation) if known is not None else None
    return (*busy, *over, first)[0] if verdict is not None and verdict.passed else first


def _is_with_its_devices(wave: WaveRecord, rollout: Rollout) -> bool:
    stages = (Stage.SCHEDULED, Stage.RUNNING)
    return any(a.stage in stages and a.generation == rollout.generation for a in wave.attempts)


def overtaken(wave: WaveRecord, generation: str) -> bool:
    """Return whether other content was started on the wave's devices after this one's last attempt."""
    last = max((i for i, a in enumerate(wave.attempts) if a.generation == generation), default=-1)
    return any(a.generation != generation and a.reached for a in wave.attempts[last + 1 :])


def phase_of(record: Record, rollout: Rollout, stalled: bool) -> Phase:
    """Sum a rollout up in one word."""
    known = [record.wave(w.name) for w in rollout.strategy.waves]
    over = all(passed(w, rollout) and not retry.waits_for_end(rollout, w) for w in known)
    if rollout.abort is not None and not (over and not any(a.live for a in record.attempts)):
        return Phase.ABORTED
    if over:
        return Phase.SUCCEEDED
    if rollout.suspend is not None:
        return Phase.SUSPENDED
    if any(failed(w, rollout) for w in known):
        return Phase.FAILED
    if stalled:
        return Phase.STALLED
    return Phase.PROGRESSING if record.attempts else Phase.PENDING
