"""Describes the waves of a planned rollout: devices, gate, approval, earliest start and its window, length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from otactl.lorawan.errors import LorawanError
from otactl.model import Gate, Observation, Record, Rollout, Stage, Wave, WaveRecord
from otactl.model.actions import CreateUnit, StartUnit
from otactl.planning import membership
from otactl.planning.expected_state import Step
from otactl.report.plan_values import PlanApproval, PlanStart, PlanWave
from otactl.schedule.windows import window_around
from otactl.verdicts import wave_verdict


def waves_of(
    rollout: Rollout, record: Record, seen: Iterable[Observation], steps: Iterable[Step]
) -> tuple[PlanWave, ...]:
    """Return the waves in order; `seen` are the observations of the plan, `steps` all that it expects to send."""
    named = membership.resolved(rollout, record)
    counts = _counts(seen)
    starts: dict[str, datetime] = {}
    for step in steps:
        if isinstance(step.action, CreateUnit | StartUnit) and step.action.start_at is not None:
            starts.setdefault(step.action.unit.wave, step.action.start_at)
    upcoming = wave_verdict.undone(record, named)
    length = _length(named)
    if length is None and upcoming is not None:  # no one knows when the waves before a later one end
        starts = {name: start for name, start in starts.items() if name == upcoming.name}
    return tuple(
        PlanWave(
            name=wave.name,
            state=_state(record.wave(wave.name), named, upcoming, wave),
            targets=len(named.targets_of(wave).keys),
            devices=_devices(named, wave, record.wave(wave.name), counts),
            gate=gate_words(named.gate_of(wave)),
            approval=_approval(named, wave),
            start=_start(named, starts[wave.name]) if wave.name in starts else None,
            duration_seconds=length,
        )
        for wave in named.strategy.waves
    )


def gate_words(gate: Gate) -> str:
    """Write a gate for people."""
    parts = [f"{gate.min_success_percent:g} % succeed"]
    if gate.max_failures is not None:
        parts.append(f"at most {gate.max_failures} fail")
    if gate.min_reported is not None:
        parts.append(f"at least {gate.min_reported} report")
    if gate.weights:
        parts.append("failures are weighed")
    if gate.silence_after is not None:
        parts.append(f"silence counts as failed after {gate.silence_after}")
    if gate.soak is not None:
        parts.append(f"soak {gate.soak}")
    return ", ".join(parts)


def _state(known: WaveRecord | None, rollout: Rollout, upcoming: Wave | None, wave: Wave) -> str:
    if wave_verdict.passed(known, rollout):
        return "passed"
    if wave_verdict.failed(known, rollout):
        return "failed"
    current = known.current if known is not None else None
    mine = current is not None and current.generation == rollout.generation
    if current is not None and mine and current.stage in (Stage.SCHEDULED, Stage.RUNNING, Stage.ENDED, Stage.DELETED):
        return "started"
    return "next" if upcoming is not None and upcoming.name == wave.name else "later"


def _counts(seen: Iterable[Observation]) -> dict[str, int]:
    """Return the number of devices of each group that was counted."""
    found: dict[str, int] = {}
    for observation in seen:
        found |= observation.group_sizes
        for target in observation.targets:
            if target.is_group and (target.requested is not None or target.members):
                found[target.key] = max(target.requested or 0, len(target.members))
    return found


def _devices(rollout: Rollout, wave: Wave, known: WaveRecord | None, counts: Mapping[str, int]) -> int | None:
    attempts = known.attempts_since(rollout.generation) if known is not None else ()
    if started := max((a.size + len(a.skipped_devices) for a in attempts if a.was_sent), default=0):
        return started
    keys = rollout.targets_of(wave).keys
    singles = [key for key in keys if key.startswith(("device:", "devEui:"))]
    groups = [counts.get(key) for key in keys if key not in singles]
    known_groups = [number for number in groups if number is not None]
    return len(singles) + sum(known_groups) if keys and len(known_groups) == len(groups) else None


def _approval(rollout: Rollout, wave: Wave) -> PlanApproval | None:
    if wave.requires is None:
        return None
    role = wave.requires.approval
    given = [a for a in rollout.approvals if (a.wave, a.role) == (wave.name, role)]
    good = [a for a in given if a.digest == membership.approval_digest(rollout, wave)]
    return PlanApproval(role=role, given_by=good[-1].by if good else None, outdated=bool(given) and not good)


def _start(rollout: Rollout, at: datetime) -> PlanStart:
    found = window_around(rollout.windows, at)
    if found is None:
        return PlanStart(at=at, local=local(at, "UTC"), window=None, opens=None, closes=None, closes_local=None)
    window, opening = found
    forever = opening.end - opening.start > timedelta(days=366)
    return PlanStart(
        at=at,
        local=local(at, window.time_zone),
        window=f'"{window.schedule}" for {window.duration} ({window.time_zone})',
        opens=opening.start,
        closes=None if forever else opening.end,
        closes_local=None if forever else local(opening.end, window.time_zone),
    )


def local(moment: datetime, zone: str) -> str:
    """Write a time in a zone, to the minute, with the zone's own abbreviation."""
    there = moment.astimezone(ZoneInfo(zone))
    return there.strftime("%Y-%m-%d %H:%M %Z")


def _length(rollout: Rollout) -> float | None:
    try:
        length = rollout.session_length()
    except LorawanError:
        return None
    return length.total_seconds() if length is not None else None
