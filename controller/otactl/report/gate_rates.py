"""Computes the error rates of a rollout's gates, for `otactl gate` and for `plan`."""

from __future__ import annotations

from collections.abc import Sequence

from otactl.model import Gate, Record, Rollout, Value, exact
from otactl.planning import membership
from otactl.report.gate_values import GateChance, GateReport, GateRollout, GateWave
from otactl.verdicts.confidence import allowed_share, devices_needed
from otactl.verdicts.error_rates import chances, devices_for, devices_to_pass

TRIED = (3, 10, 30, 100, 300)
"""Numbers of devices that are tried where groups hide how many a wave has."""
BAD_PERCENT = 10.0
_GROUPS = ("group:", "thingGroup:")


class Assumptions(Value, frozen=True, kw_only=True):
    """What is assumed of firmware and devices, in percent; None is what `bad_of` and `good_of` say.

    `devices` are numbers of devices by the name of a wave.
    """

    bad: float | None = None
    good: float | None = None
    silent: float = 0.0
    risk: float = 5.0
    devices: dict[str, int] = {}  # noqa: RUF012 - msgspec copies mutable defaults


def report_of(rollouts: Sequence[Rollout], asked: Assumptions) -> GateReport:
    """Return the error rates of the gates of rollouts."""
    found = tuple(_rollout(r, asked) for r in sorted(rollouts, key=lambda r: (r.environment, r.name)))
    return GateReport(silent_percent=asked.silent, risk_percent=asked.risk, rollouts=found)


def bad_of(gate: Gate) -> float:
    """Return on what percent of devices bad firmware fails: 10, or twice what the gate allows if that is more."""
    return min(max(BAD_PERCENT, float(200 * allowed_share(gate))), 100.0)


def good_of(gate: Gate) -> float:
    """Return on what percent of devices good firmware fails: half of what the gate allows; 1 if it allows none."""
    return float(50 * allowed_share(gate)) or 1.0


def passing(gate: Gate, devices: int, later: int | None) -> tuple[float, float]:
    """Return on what percent of devices bad firmware fails, and in what percent of cases a wave passes it."""
    bad = bad_of(gate)
    return bad, 100 * chances(gate, devices, later, bad / 100).passes


def gate_words(gate: Gate) -> str:
    """Write a gate for people."""
    parts = [f"{gate.min_success_percent:g} % succeed"]
    if gate.max_failures is not None:
        parts.append(f"at most {gate.max_failures} fail")
    if gate.min_reported is not None:
        parts.append(f"at least {gate.min_reported} report")
    if gate.risk is not None:
        parts.append(f"shown with {gate.sureness}")
    if gate.weights:
        parts.append("failures are weighed")
    if gate.silence_after is not None:
        parts.append(f"silence counts as failed after {gate.silence_after}")
    if gate.soak is not None:
        parts.append(f"soak {gate.soak}")
    return ", ".join(parts)


def _rollout(rollout: Rollout, asked: Assumptions) -> GateRollout:
    named = membership.resolved(rollout, Record(environment=rollout.environment, name=rollout.name))
    sizes = [asked.devices.get(w.name) or _size(named.targets_of(w).keys) for w in named.strategy.waves]
    waves = []
    for index, wave in enumerate(named.strategy.waves):
        gate, after = named.gate_of(wave), sizes[index + 1 :]
        known = [n for n in after if n is not None]
        later = sum(known) if len(known) == len(after) else None
        waves.append(_wave(wave.name, gate, sizes[index], later, asked, last=not after))
    return GateRollout(name=rollout.name, environment=rollout.environment, waves=tuple(waves))


def _size(keys: Sequence[str]) -> int | None:
    return None if not keys or any(key.startswith(_GROUPS) for key in keys) else len(keys)


def _wave(name: str, gate: Gate, devices: int | None, later: int | None, asked: Assumptions, *, last: bool) -> GateWave:
    bad = asked.bad if asked.bad is not None else bad_of(gate)
    good = asked.good if asked.good is not None else good_of(gate)
    limit = float(100 * allowed_share(gate))
    kinds = {"bad": bad, "limit": limit, "good": good}
    silent, risk = asked.silent / 100, asked.risk / 100
    fleet = None if later is None or devices is None else devices + later
    limited = fleet if gate.risk is not None and not last else None

    def after(number: int) -> int | None:
        """Return the devices that come later if the wave had so many: they are taken from the waves after it."""
        return 0 if last else None if fleet is None else max(fleet - number, 0)

    shown = tuple(
        _chance(gate, number, after(number), kind, share, silent)
        for number in ((devices,) if devices is not None else TRIED)
        for kind, share in kinds.items()
        if kind != "limit" or share not in (bad, good)
    )
    return GateWave(
        name=name,
        devices=devices,
        last=last,
        gate=gate_words(gate),
        allowed_percent=limit,
        confidence=float(1 - gate.risk) if gate.risk is not None else None,
        chances=shown,
        devices_against_bad=devices_for(gate, after, bad / 100, silent, risk, fleet=limited),
        devices_for_good=devices_to_pass(gate, after, good / 100, silent, risk, fleet=limited),
        least_devices=_least(gate, fleet, last=last),
    )


def _least(gate: Gate, fleet: int | None, *, last: bool) -> int | None:
    return 1 if gate.risk is None or last else devices_needed(gate, fleet)


def _chance(gate: Gate, devices: int, later: int | None, kind: str, percent: float, silent: float) -> GateChance:
    share = min(float(exact(percent) / 100), 1 - silent)
    found = chances(gate, devices, later, share, silent)
    return GateChance(
        devices=devices,
        kind=kind,
        failing_percent=round(percent, 6),
        passes_percent=_percent(found.passes),
        fails_percent=_percent(found.fails),
        undecided_percent=_percent(found.undecided),
    )


def _percent(chance: float) -> float:
    return round(100 * chance, 6)
