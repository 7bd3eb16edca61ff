"""Describes the waves of a planned rollout: devices, gate, approval, earliest start and its window, length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from otactl.lorawan.errors import LorawanError
from otactl.model import Gate, Observation, Record, Rollout, Stage, Wave, WaveRecord
from otactl.model.actions import CreateUnit, StartUnit
from otactl.planning import membership
from otactl.planning.expected_state import Step
from otactl.policies.confidence import too_small
from otactl.report.gate_rates import gate_words, passing
from otactl.report.plan_values import PlanApproval, PlanGateRate, PlanStart, PlanWave
from otactl.schedule.windows import window_around
from otactl.verdicts import wave_verdict
from otactl.verdicts.confidence import limits_of


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
    sizes = [_devices(named, wave, record.wave(wave.name), counts) for wave in named.strategy.waves]
    states = [_state(record.wave(wave.name), named, upcoming, wave) for wave in named.strategy.waves]
    fresh = all(state in ("next", "later") for state in states)
    return tuple(
        PlanWave(
            name=wave.name,
            state=states[index],
            targets=len(named.targets_of(wave).keys),
            devices=sizes[index],
            gate=gate_words(named.gate_of(wave)),
            gate_rate=_rate(named.gate_of(wave), sizes[index:]) if fresh else None,
            approval=_approval(named, wave),
            start=_start(named, starts[wave.name]) if wave.name in starts else None,
            duration_seconds=length,
        )
        for index, wave in enumerate(named.strategy.waves)
    )


def small_waves(rollout: Rollout, waves: Sequence[PlanWave]) -> tuple[str, ...]:
    """Warn of waves that were counted, and that are too small to pass their gate with a confidence."""
    found = []
    sizes = [w.devices for w in waves]
    gates = {w.name: rollout.gate_of(w) for w in rollout.strategy.waves}
    for index, wave in enumerate(waves):
        gate, devices, later = gates.get(wave.name), wave.devices, later_of(sizes[index + 1 :])
        if gate is None or gate.risk is None or not devices or wave.state not in ("next", "later"):
            continue
        if limits_of(gate, devices, later).passes_to < 0:
            found.append(f"warning: wave {wave.name}, {too_small(gate, devices, later)}; it would be held for ever")
    return tuple(found)


def later_of(sizes: Sequence[int | None]) -> int | None:
    """Return the devices of waves together; None if one was not counted."""
    known = [n for n in sizes if n is not None]
    return sum(known) if len(known) == len(sizes) else None


def _rate(gate: Gate, sizes: Sequence[int | None]) -> PlanGateRate | None:
    if not sizes[0]:
        return None
    bad, passes = passing(gate, sizes[0], later_of(sizes[1:]))
    return PlanGateRate(failing_percent=round(bad, 6), passes_percent=round(passes, 6))


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
