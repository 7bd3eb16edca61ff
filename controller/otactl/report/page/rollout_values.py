"""Gathers what the page shows of one rollout: what is next, gates, attempts, failures, drift, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from urllib.parse import quote

from otactl.explanations import find
from otactl.model import Attempt, Event, Gate, Outcome, Reason, Value, WaveRecord, Window, exact, iso, iso_or_none
from otactl.report import drift
from otactl.report.drift import DriftLine
from otactl.report.history import EventLine
from otactl.report.page.facts import RolloutFacts
from otactl.report.page.timeline import Timeline, session_end, soak_end, timeline_of
from otactl.report.status_summary import RolloutLine
from otactl.report.wave_summary import Devices, WaveLine
from otactl.verdicts.gate import UNDECIDED
from otactl.wording import about, count, span

MOST_EVENTS = 100
"""Newest events that the page shows of a rollout; `otactl history` prints all."""
MOST_FAILURES = 20
MOST_CLOSED = 50
_SHORT = 12


class NextStep(Value, frozen=True, kw_only=True):
    """What comes next, and when; `at` is None where no time is known. `code` is a hold, with what it means."""

    at: str | None
    text: str
    code: str = ""
    means: str = ""
    fix: str = ""
    since: str | None = None
    urgent: bool = False
    look: bool = False
    """True for the next look of a run, which every rollout in progress has."""


class WaveView(Value, frozen=True, kw_only=True):
    """One wave: its state in numbers and in words."""

    line: WaveLine
    state: str
    """One of passed, soaking, unreleased, failed, undecided, running, scheduled, preparing, waiting."""
    arithmetic: tuple[str, ...]
    needed_percent: float | None
    reasons: tuple[tuple[str, int], ...]
    targets: int


class AttemptView(Value, frozen=True, kw_only=True):
    """One attempt, newest last."""

    wave: str
    number: int
    try_number: int
    stage: str
    unit_id: str
    names: tuple[tuple[str, str], ...]
    """What its service calls it."""
    created_at: str | None
    start_at: str | None
    ended_at: str | None
    took: str
    devices: Devices
    notes: tuple[str, ...]
    version: str


class RolloutView(Value, frozen=True, kw_only=True):
    """All that the page shows of one rollout."""

    line: RolloutLine
    slug: str
    """Its place in the page: unique, and safe in an address."""
    backend: str
    labels: tuple[str, ...]
    image_sha256: str
    place: str
    commit: str
    """The commit that first had this manifest; empty if not known."""
    next: tuple[NextStep, ...]
    waves: tuple[WaveView, ...]
    attempts: tuple[AttemptView, ...]
    timeline: Timeline | None
    open_drift: tuple[DriftLine, ...]
    closed_drift: tuple[DriftLine, ...]
    closed_total: int
    events: tuple[EventLine, ...]
    events_total: int
    meanings: tuple[tuple[str, str], ...]
    """Reasons of failures that occur, each with what it means."""


def rollout_view(
    facts: RolloutFacts, line: RolloutLine, freezes: tuple[Window, ...], now: datetime, *, detailed: bool = True
) -> RolloutView:
    """Gather one rollout; `line` is its status. Timeline and history are left out of one that is not `detailed`."""
    record, declared = facts.stored.record, facts.declared
    ledger = drift.collect([record])
    attempts = [(wave, attempt) for wave in record.waves for attempt in wave.attempts]
    attempts.sort(key=lambda each: (each[1].created_at or each[1].start_at or now, each[1].number))
    waves = tuple(_wave(facts, w, at, now) for w, at in zip(record.waves, line.waves, strict=True))
    reasons = sorted({reason for wave in waves for reason, _ in wave.reasons})
    return RolloutView(
        line=line,
        slug=f"{quote(record.environment, safe='')}/{quote(record.name, safe='')}",
        backend=record.backend,
        labels=tuple(f"{k}={v}" for k, v in sorted(declared.labels.items())) if declared is not None else (),
        image_sha256=declared.firmware.sha256 if declared is not None else _image(record.attempts, record.generation),
        place=declared.source.place or record.source if declared is not None else record.source,
        commit=record.commit,
        next=tuple(_next(facts, now)),
        waves=waves,
        attempts=tuple(_attempt(wave, a, record.version, record.generation) for wave, a in attempts),
        timeline=timeline_of(facts, freezes, now) if detailed else None,
        open_drift=ledger.open,
        closed_drift=ledger.closed[-MOST_CLOSED:],
        closed_total=len(ledger.closed),
        events=tuple(_event(e) for e in facts.events[: -MOST_EVENTS - 1 : -1]) if detailed else (),
        events_total=len(facts.events),
        meanings=tuple((reason, _meaning(reason)[0]) for reason in reasons),
    )


def _image(attempts: tuple[Attempt, ...], generation: str) -> str:
    return next((a.image_sha256 for a in reversed(attempts) if a.generation == generation and a.image_sha256), "")


def _event(event: Event) -> EventLine:
    """Return an event without its data, which is for machines."""
    return EventLine(
        at=iso(event.at),
        kind=event.kind,
        subject=event.subject,
        message=event.message,
        data={},
        actor=event.actor,
        commit=event.commit,
    )


def _meaning(code: str, page: str = "") -> tuple[str, str]:
    found = [text for where, _, text in find(code) if not page or where.title == page]
    return (found[0].means, found[0].fix) if found else ("", "")


def _next(facts: RolloutFacts, now: datetime) -> list[NextStep]:
    """Return what stops it, then what is planned by time."""
    record = facts.stored.record
    steps: list[NextStep] = []
    if record.failure is not None:
        means, fix = _meaning(record.failure.reason)
        failure = record.failure
        steps.append(
            NextStep(
                at=None,
                text=failure.message,
                code=failure.reason,
                means=means,
                fix=fix,
                since=iso(failure.since),
                urgent=True,
            )
        )
    for hold in record.holds:
        means, fix = _meaning(hold.reason)
        steps.append(
            NextStep(
                at=iso_or_none(hold.until),
                text=hold.message,
                code=hold.reason,
                means=means,
                fix=fix,
                since=iso_or_none(hold.since),
                urgent=hold.stalled or hold.overdue_since is not None,
            )
        )
    planned = [step for wave in record.waves for step in _planned(wave, facts, now)]
    if record.requeue_at is not None:
        planned.append(NextStep(at=iso(record.requeue_at), text="next look of a run is due", look=True))
    if record.intents:
        calls = count(len(record.intents), "call has", "calls have")
        planned.append(NextStep(at=None, text=f"{calls} no outcome yet; the next run reads the result"))
    return [*steps, *sorted(planned, key=lambda s: s.at or "")]


def _planned(wave: WaveRecord, facts: RolloutFacts, now: datetime) -> list[NextStep]:
    steps = []
    attempt = wave.current
    if attempt is not None and attempt.live and attempt.start_at is not None:
        if attempt.start_at > now:
            text = f"wave {wave.name}, attempt {attempt.number}: its session starts"
            steps.append(NextStep(at=iso(attempt.start_at), text=text))
        end = session_end(attempt, facts.declared)
        if end is not None and end > now:
            text = f"wave {wave.name}, attempt {attempt.number}: its session ends"
            steps.append(NextStep(at=iso(end), text=text))
    soaked = soak_end(wave, facts.declared, now)
    if soaked is not None:
        steps.append(NextStep(at=iso(soaked), text=f"wave {wave.name}: its soak ends"))
    return steps


def _wave(facts: RolloutFacts, wave: WaveRecord, line: WaveLine, now: datetime) -> WaveView:
    gate = _gate(facts, wave.name)
    reasons = Counter(f.reason for f in line.failures)
    if not reasons and wave.current is not None and wave.current.live:
        reasons = Counter({r.value if isinstance(r, Reason) else str(r): n for r, n in wave.current.failures.items()})
    return WaveView(
        line=line,
        state=_state(wave, line, facts, now),
        arithmetic=tuple(_arithmetic(wave, line, gate)),
        needed_percent=line.verdict.needed_percent
        if line.verdict is not None
        else gate.min_success_percent
        if gate
        else None,
        reasons=tuple(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))),
        targets=len(wave.members),
    )


def _gate(facts: RolloutFacts, name: str) -> Gate | None:
    declared = facts.declared
    written = next((w for w in declared.strategy.waves if w.name == name), None) if declared is not None else None
    return declared.gate_of(written) if declared is not None and written is not None else None


def _state(wave: WaveRecord, line: WaveLine, facts: RolloutFacts, now: datetime) -> str:
    verdict = line.verdict
    if verdict is not None and verdict.current:
        if verdict.passed and not verdict.released:
            return "soaking" if _soaks(wave, facts, now) else "unreleased"
        if verdict.passed:
            return "passed"
        return "undecided" if verdict.reason in UNDECIDED else "failed"
    if line.stage in ("running", "ended", "deleted"):
        return "running"
    if line.stage == "scheduled":
        attempt = wave.current
        started = attempt is not None and attempt.start_at is not None and attempt.start_at <= now
        return "running" if started else "scheduled"
    return "preparing" if line.stage in ("declared", "open") else "waiting"


def _soaks(wave: WaveRecord, facts: RolloutFacts, now: datetime) -> bool:
    """Return whether a passed wave is in its soak: by its manifest, else by what the last pass waited for."""
    if facts.declared is not None:
        return soak_end(wave, facts.declared, now) is not None
    return any(h.reason == "soak_is_running" for h in facts.stored.record.holds)


def _arithmetic(wave: WaveRecord, line: WaveLine, gate: Gate | None) -> list[str]:
    verdict = line.verdict
    if verdict is None:
        if gate is None:
            return []
        devices = line.devices
        total = devices.succeeded + devices.failed + devices.waiting + devices.unknown
        needs = f"needs {gate.min_success_percent:g} % of its devices"
        allowed = f"; at most {count(_allowed(total, gate.min_success_percent), 'failure')} of {total}" if total else ""
        return [needs + allowed, *_more_of(gate)]
    judged = count(verdict.total, "device")
    lines = [
        f"{verdict.succeeded} of {judged} succeeded: {verdict.percent:.1f} %, needed {verdict.needed_percent:g} %",
        f"{count(verdict.failed, 'failure')} of at most {_allowed(verdict.total, verdict.needed_percent)}",
    ]
    if verdict.unanswered:
        lines[1] += f", {verdict.unanswered} of them without an answer"
    weighted = wave.verdict.weighted if wave.verdict is not None else 0.0
    if gate is not None and gate.weights and verdict.failed:
        lines.append(f"weighed by reason: {weighted:g} of {count(verdict.failed, 'failure')}")
    if not verdict.current:
        lines.append("this verdict is of content declared earlier")
    return [*lines, *(_more_of(gate) if gate is not None else [])]


def _more_of(gate: Gate) -> list[str]:
    limits = []
    if gate.max_failures is not None:
        limits.append(f"at most {count(gate.max_failures, 'failure')}, whoever has still to answer")
    if gate.min_reported is not None:
        limits.append(f"at least {count(gate.min_reported, 'device has', 'devices have')} to answer")
    if gate.risk is not None:
        limits.append(f"{gate.sureness} that no larger share of the fleet fails")
    if gate.silence_after is not None:
        limits.append(f"no answer after {gate.silence_after} counts as a failure")
    if gate.soak is not None:
        limits.append(f"soak: stays passed for {gate.soak}")
    return limits


def _allowed(total: int, needed_percent: float) -> int:
    """Return how many failures of weight 1 a gate lets pass."""
    return int((total * (100 - exact(needed_percent)) / Decimal(100)).to_integral_value(ROUND_FLOOR))


def _attempt(wave: WaveRecord, attempt: Attempt, version: str, generation: str) -> AttemptView:
    counted: Mapping[Outcome, int] = attempt.counted if attempt.live else Counter(r.outcome for r in attempt.results)
    devices = Devices(
        succeeded=counted.get(Outcome.SUCCEEDED, 0),
        failed=counted.get(Outcome.FAILED, 0),
        waiting=counted.get(Outcome.WAITING, 0),
        unknown=counted.get(Outcome.UNKNOWN, 0),
    )
    names = [("id", i) for i in attempt.vendor_ids]
    names += [(word, name) for word, name in (("job", attempt.job_id), ("ARN", attempt.arn or "")) if name]
    lasted = attempt.ended_at - attempt.start_at if attempt.start_at is not None and attempt.ended_at else None
    return AttemptView(
        wave=wave.name,
        number=attempt.number,
        try_number=attempt.try_number,
        stage=attempt.stage.value,
        unit_id=attempt.unit_id,
        names=tuple(names),
        created_at=iso_or_none(attempt.created_at),
        start_at=iso_or_none(attempt.start_at),
        ended_at=iso_or_none(attempt.ended_at),
        took=about(lasted) if lasted is not None and lasted >= timedelta() else "",
        devices=devices,
        notes=tuple(_notes(attempt)),
        version=version if attempt.generation == generation else f"image {attempt.image_sha256[:_SHORT]}",
    )


def _notes(attempt: Attempt) -> list[str]:
    notes = []
    if attempt.failure:
        notes.append(attempt.failure)
    if attempt.retry_targets:
        notes.append(f"a retry for {count(len(attempt.retry_targets), 'target')}")
    if attempt.withdrawn:
        notes.append("withdrawn by a suspension")
    elif attempt.canceled_by_us:
        notes.append("canceled by otactl")
    if attempt.by_hand:
        notes.append(f"{count(len(attempt.by_hand), 'device was', 'devices were')} canceled by a person")
    if attempt.skipped_devices:
        words = count(len(attempt.skipped_devices), "device", "devices")
        notes.append(f"{words} reported the version before the start and got nothing")
    if attempt.updated_uncounted:
        notes.append(f"{count(len(attempt.updated_uncounted), 'device')} took the image and do not count")
    if attempt.found_by_tags:
        notes.append("found at the service by its tags")
    if attempt.missing_since is not None:
        notes.append(f"not shown by the service since {iso(attempt.missing_since)}")
    if attempt.data_rates:
        chosen = sorted(Counter(attempt.data_rates.values()).items())
        rates = ", ".join(f"{n} at data rate {rate}" for rate, n in chosen)
        notes.append(f"data rates that the service chose: {rates}")
    return notes


def lasting(since: str, now: datetime) -> str:
    """Return how long something has lasted: `for 2h`."""
    return f"for {span(max(now - datetime.fromisoformat(since), timedelta()))}"


def age(since: str | None, now: datetime) -> str:
    """Return how long ago a moment was, or how far it lies ahead: `2h ago`, `in 12m`."""
    if since is None:
        return ""
    passed = now - datetime.fromisoformat(since)
    return f"{span(passed)} ago" if passed >= timedelta() else f"in {span(-passed)}"
