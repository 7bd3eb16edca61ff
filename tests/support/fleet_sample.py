"""Builds a fleet for the page: rollouts in every state, with windows, soaks, holds, retries, drift, and any number of
devices with labels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from otactl.model import (
    Attempt,
    DeviceResult,
    Event,
    Failure,
    LastRun,
    Outcome,
    Phase,
    Reason,
    Record,
    Stage,
    Value,
    Verdict,
    VersionCheck,
    WaveRecord,
    Window,
)
from otactl.planning.environment import NAME
from otactl.ports import Stored
from otactl.report.page.facts import FleetFacts, RolloutFacts
from otactl.wording import count
from tests.support.fleet_sample_parts import (
    ENVIRONMENT,
    HOUR,
    MINUTE,
    Plan,
    conditions,
    declared,
    drift,
    holds,
    phase_event,
    stray,
)

T = TypeVar("T", bound=Value)
NOW = datetime(2026, 11, 20, 21, 40, tzinfo=UTC)
GENERATION, OLDER = "9f2c4e5a7b1d" * 5, "1b7d3c5a9e2f" * 5
_REASONS = (Reason.MISSING_FRAGMENTS, Reason.MISSING_FRAGMENTS, Reason.TIMEOUT, Reason.NO_MEMORY, Reason.VERSION)
_DETAILS = {Reason.VERSION: "reports 2.3.9, the version before; declared is 2.4.1", Reason.TIMEOUT: "no answer in 24h"}


PLANS = (
    Plan(name="soil-probe-2-4-1", version="2.4.1", phase=Phase.PROGRESSING, days_ago=1.4, fleet="running"),
    Plan(name="leak-sensor-1-3-0", version="1.3.0", phase=Phase.STALLED, days_ago=2.2, fleet="held", soak="12h"),
    Plan(name="smart-plug-2-4-1", version="2.4.1", phase=Phase.FAILED, days_ago=3.1, fleet="failed", loss=0.14),
    Plan(name="gateway-3-2-0", version="3.2.0", phase=Phase.PROGRESSING, days_ago=0.5, fleet="scheduled", soak="6h"),
    Plan(name="meter-5-0-2", version="5.0.2", phase=Phase.SUCCEEDED, days_ago=12, older=True),
    Plan(name="valve-1-9-0", version="1.9.0", phase=Phase.SUSPENDED, days_ago=5, fleet="none"),
    Plan(name="beacon-0-8-1", version="0.8.1", phase=Phase.SUCCEEDED, days_ago=20),
)


def fleet(devices: int = 120, plans: Sequence[Plan] = PLANS, now: datetime = NOW) -> FleetFacts:
    """Return a fleet with this many devices, divided among the rollouts."""
    drawn = random.Random(7)  # noqa: S311 - nothing secret
    each = max(devices // len(plans), 4)
    numbers = [each] * (len(plans) - 1) + [devices - each * (len(plans) - 1)]
    rollouts, first = [], 1
    for plan, number in zip(plans, numbers, strict=True):
        rollouts.append(_rollout(plan, first, number, drawn, now))
        first += number
    run = LastRun(at=now - 6 * MINUTE, by="ci-7/4711", since=now - 30 * HOUR, last_good=now - 6 * MINUTE)
    own = Record(environment=ENVIRONMENT, name=NAME, last_run=run, drift=(stray(now),))
    freeze = Window(kind="deny", schedule="0 0 24 12 *", duration="3d", time_zone="Europe/Berlin")
    return FleetFacts(
        built_at=now,
        version="0.1.0",
        title="Acme firmware",
        journals=("s3://acme-otactl-journal/prod-eu",),
        environments={ENVIRONMENT: Stored(record=own, revision=3)},
        rollouts=tuple(rollouts),
        freezes={ENVIRONMENT: (freeze,)},
    )


def _rollout(plan: Plan, first: int, number: int, drawn: random.Random, now: datetime) -> RolloutFacts:
    names = [f"70b3d57e{n:08x}" for n in range(first, first + number)]
    canary = names[: max(number // 10, 2)]
    rest = names[len(canary) :]
    began = now - timedelta(days=plan.days_ago)
    events = [
        Event(at=began, kind="generation", subject=plan.name, message="the manifest declares a new revision"),
        phase_event(plan, began + MINUTE, "Pending", "Progressing", "WaveInProgress: a wave is in progress"),
    ]
    waves = [_passed(plan, "canary", canary, began, drawn, events)]
    fleet_at = began + 3 * HOUR + (timedelta(hours=int(plan.soak[:-1])) if plan.soak else timedelta())
    if plan.fleet != "none":
        waves.append(_second(plan, rest, fleet_at, drawn, events, now))
    last = {
        Phase.PROGRESSING: None,
        Phase.STALLED: ("Stalled", "DriftIsOpen: image.bucketVersioning differs; set it back, or accept it"),
        Phase.FAILED: ("Failed", "SuccessRateIsTooLow: wave fleet: 86.0 % succeeded, 90 % needed"),
        Phase.SUSPENDED: ("Suspended", "Suspended: crash reports from the canary (ada)"),
        Phase.SUCCEEDED: ("Succeeded", "AllWavesPassed: every wave passed its gate"),
    }[plan.phase]
    if last is not None:
        at = min(now - 2 * HOUR, fleet_at + 3 * HOUR)
        events.append(phase_event(plan, at, "Progressing", last[0], last[1]))
    manifest = declared(plan, canary, rest)
    record = Record(
        environment=ENVIRONMENT,
        name=plan.name,
        backend="fuota",
        generation=GENERATION,
        manifest="c0ffee" * 10,
        source=f"rollouts/{plan.name}.yaml",
        version=plan.version,
        phase=plan.phase,
        waves=tuple(waves),
        drift=tuple(drift(plan, now)),
        conditions=conditions(plan, now),
        holds=tuple(holds(plan, now)),
        requeue_at=now + 4 * MINUTE if plan.phase in (Phase.PROGRESSING, Phase.STALLED) else None,
    )
    return RolloutFacts(
        stored=Stored(record=_of_revision(record, manifest.generation), revision=9),
        events=tuple(sorted(events, key=lambda e: e.at)),
        declared=manifest,
    )


def _of_revision(record: Record, generation: str) -> Record:
    """Name the revision as the manifest does, so that what it plans is known."""

    def renamed(_wave: str, attempt: Attempt) -> Attempt:
        same = attempt.generation == GENERATION
        return _replaced(attempt, generation=generation) if same else attempt

    waves = tuple(_replaced(w, verdict_generation=generation if w.verdict else "") for w in record.waves)
    return _replaced(record, waves=waves, generation=generation).with_attempts(renamed)


def _passed(
    plan: Plan, name: str, devices: list[str], began: datetime, drawn: random.Random, events: list[Event]
) -> WaveRecord:
    start = began + 40 * MINUTE
    first = _attempt(plan, name, 1, devices, began + MINUTE, start, start + HOUR, drawn)
    attempts = [first]
    if plan.older:
        older = _attempt(plan, name, 1, devices, began - 50 * HOUR, began - 49 * HOUR, began - 48 * HOUR, drawn)
        attempts = [_replaced(older, generation=OLDER, image_sha256="5e" * 32, stage=Stage.SUPERSEDED), first]
        attempts[1] = _replaced(first, number=2, unit_id=f"{plan.name}-{name}-2-5eed5eed")
    verdict = _verdict(attempts[-1].results, start + HOUR, 80.0)
    events += _events(plan, name, attempts[-1], verdict)
    if plan.soak is not None:
        end = verdict.at + timedelta(hours=int(plan.soak[:-1]))
        text = f"wave {name} stayed well for {plan.soak}"
        events.append(Event(at=end, kind="released", subject=name, message=text))
    return WaveRecord(
        name=name,
        members=tuple(f"device:{d}" for d in devices),
        attempts=tuple(attempts),
        verdict=verdict,
        verdict_generation=GENERATION,
        released=True,
    )


def _second(
    plan: Plan, devices: list[str], at: datetime, drawn: random.Random, events: list[Event], now: datetime
) -> WaveRecord:
    members = tuple(f"device:{d}" for d in devices)
    if plan.fleet == "held":
        return WaveRecord(name="fleet", members=members)
    if plan.fleet == "scheduled":
        attempt = _attempt(plan, "fleet", 1, devices, now - 9 * MINUTE, now + 35 * MINUTE, None, drawn)
        attempt = _replaced(attempt, stage=Stage.SCHEDULED, start_sent_at=now - 5 * MINUTE)
        return WaveRecord(name="fleet", members=members, attempts=(attempt,))
    if plan.fleet == "running":
        attempt = _attempt(plan, "fleet", 1, devices, now - 70 * MINUTE, now - 25 * MINUTE, None, drawn)
        events.append(
            Event(at=now - 25 * MINUTE, kind="stage", subject=attempt.unit_id, message="attempt 1 is running")
        )
        return WaveRecord(name="fleet", members=members, attempts=(attempt,))
    attempt = _attempt(plan, "fleet", 1, devices, at, at + 40 * MINUTE, at + 2 * HOUR, drawn)
    verdict = _verdict(attempt.results, at + 2 * HOUR, 90.0)
    events += _events(plan, "fleet", attempt, verdict)
    return WaveRecord(
        name="fleet",
        members=members,
        attempts=(attempt,),
        verdict=verdict,
        verdict_generation=GENERATION,
        released=verdict.passed,
    )


def _attempt(
    plan: Plan,
    wave: str,
    number: int,
    devices: list[str],
    created: datetime,
    start: datetime,
    ended: datetime | None,
    drawn: random.Random,
) -> Attempt:
    results = tuple(_result(d, plan.loss, drawn) for d in devices) if ended is not None else ()
    check = None
    if ended is not None and plan.version == "3.2.0":
        good = tuple(r.device for r in results if r.outcome is Outcome.SUCCEEDED)
        check = VersionCheck(since=ended, confirmed=good)
    return Attempt(
        number=number,
        generation=GENERATION,
        unit_id=f"{plan.name}-{wave}-{number}-0a1b2c3d",
        stage=Stage.DELETED if ended is not None else Stage.RUNNING,
        vendor_id="cffb1bc4-8b62-512e-baf0-e7a58989185f",
        arn="arn:aws:iotwireless:eu-west-1:123456789012:FuotaTask/cffb1bc4-8b62-512e-baf0-e7a58989185f",
        created_at=created,
        start_sent_at=created + 2 * MINUTE,
        start_at=start,
        started_by_us=True,
        ended_at=ended,
        results=results,
        targets=tuple(f"device:{d}" for d in devices),
        devices=tuple(devices),
        image_sha256="02867c576527804c" * 4,
        version_check=check,
    )


def _result(device: str, loss: float, drawn: random.Random) -> DeviceResult:
    if drawn.random() >= loss:
        return DeviceResult(device=device, outcome=Outcome.SUCCEEDED)
    reason = drawn.choice(_REASONS)
    silent = reason is Reason.TIMEOUT
    detail = _DETAILS.get(reason, "")
    return DeviceResult(device=device, outcome=Outcome.FAILED, reason=reason, detail=detail, silent=silent)


def _verdict(results: tuple[DeviceResult, ...], at: datetime, needed: float) -> Verdict:
    good = sum(r.outcome is Outcome.SUCCEEDED for r in results)
    passed = 100 * good >= needed * len(results)
    return Verdict(
        passed=passed,
        succeeded=good,
        failed=len(results) - good,
        total=len(results),
        needed_percent=needed,
        at=at,
        reason="" if passed else "success_rate_is_too_low",
        weighted=float(len(results) - good),
        unanswered=sum(r.silent for r in results),
    )


def _events(plan: Plan, wave: str, attempt: Attempt, verdict: Verdict) -> list[Event]:
    unit, start = attempt.unit_id, attempt.start_at or NOW
    word = "passed" if verdict.passed else "failed"
    judged = f"{verdict.percent:.1f} % of {count(verdict.total, 'device')}, {verdict.needed_percent:g} % needed"
    sent = start - 38 * MINUTE
    return [
        Event(at=sent - 2 * MINUTE, kind="sent", subject=unit, message=f"createUnit: wave {wave} is next"),
        Event(at=sent, kind="sent", subject=unit, message="startUnit: every member is in, every check passed"),
        Event(at=start, kind="stage", subject=unit, message=f"attempt {attempt.number} is running"),
        Event(
            at=verdict.at,
            kind="results",
            subject=unit,
            message=f"{verdict.succeeded} of {count(verdict.total, 'device')} succeeded",
        ),
        Event(at=verdict.at, kind="verdict", subject=wave, message=f"wave {wave} {word}: {judged}"),
    ]


def failing(facts: FleetFacts) -> FleetFacts:
    """Return the fleet with runs that fail, and a rollout whose last call failed."""
    stored = facts.environments[ENVIRONMENT]
    assert stored is not None
    run = LastRun(
        at=NOW - 6 * MINUTE,
        by="ci-7/4711",
        since=NOW - 4 * HOUR,
        reason="PermissionDenied",
        error="sts:GetCallerIdentity was refused",
        last_good=NOW - 5 * HOUR,
    )
    own = Stored(record=_replaced(stored.record, last_run=run), revision=stored.revision)
    first, *others = facts.rollouts
    failure = Failure(reason="PermissionDenied", message="iotwireless:StartFuotaTask was refused", since=NOW - HOUR)
    record = _replaced(first.stored.record, failure=failure)
    first = _replaced(first, stored=Stored(record=record, revision=10))
    return _replaced(facts, environments={ENVIRONMENT: own}, rollouts=(first, *others))


def _replaced(value: T, **changes: object) -> T:
    return msgspec.structs.replace(value, **changes)
