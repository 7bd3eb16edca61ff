"""Renders the error rates of gates: in words for people, as JSON for machines."""

from __future__ import annotations

from collections.abc import Callable

from otactl.report.gate_values import GateChance, GateReport, GateWave
from otactl.report.sanitize import as_json as safely
from otactl.report.sanitize import plain
from otactl.wording import count

_SURE = 99.995


def as_json(report: GateReport) -> str:
    """Return the report as JSON."""
    return safely(report)


def as_text(report: GateReport) -> str:
    """Return the report for a terminal: each wave in sentences."""
    lines: list[str] = []
    for rollout in report.rollouts:
        lines.append(f"{rollout.environment}/{rollout.name}")
        for wave in rollout.waves:
            lines += [f"  {line}" for line in _wave(wave, report)]
        lines.append("")
    silent = f", {percent(report.silent_percent)} of them never answers" if report.silent_percent else ""
    lines.append(f"assumed: each device fails by itself with the same chance{silent}")
    return "\n".join(plain(line) for line in lines)


def percent(number: float) -> str:
    """Write a percentage with the digits that matter: `73 %`, `4.2 %`, `less than 0.01 %`, `more than 99.99 %`."""
    if number in (0, 100) or number >= _SURE:
        return f"{number:g} %" if number in (0, 100) else "more than 99.99 %"
    if number < 100 - _SURE:
        return "less than 0.01 %"
    digits = 2 if number < 100 - 1 else 4
    return f"{float(f'{number:.{digits}g}'):g} %"


def _wave(wave: GateWave, report: GateReport) -> list[str]:
    size = count(wave.devices, "device") if wave.devices is not None else "devices not counted"
    lines = [f"wave {wave.name}, {size}; gate: {wave.gate}{'; no wave follows' if wave.last else ''}"]
    by_kind = {kind: [c for c in wave.chances if c.kind == kind] for kind in ("bad", "limit", "good")}
    bad, good = (f"{by_kind[kind][0].failing_percent:g} %" for kind in ("bad", "good"))
    cases = _cases(by_kind["bad"], lambda c: c.passes_percent)
    lines.append(f"  this gate lets firmware that fails on {bad} of devices pass in {cases}")
    for found in (by_kind["limit"], by_kind["good"]):
        if found:
            allows = ", as it allows," if found[0].kind == "limit" else ""
            cases = _cases(found, lambda c: round(100 - c.passes_percent, 6))
            lines.append(f"  it holds firmware that fails on {found[0].failing_percent:g} %{allows} in {cases}")
    return lines + [f"  {text}" for text in _needed(wave, bad, good, percent(report.risk_percent))]


def _cases(found: list[GateChance], percent_of: Callable[[GateChance], float]) -> str:
    """Return in how many cases, by the number of devices where several were tried."""
    first, *others = found
    text = f"{percent(percent_of(first))} of cases with {count(first.devices, 'device')}"
    return ", ".join([text, *(f"{percent(percent_of(c))} with {c.devices}" for c in others)])


def _needed(wave: GateWave, bad: str, good: str, risk: str) -> list[str]:
    lines = []
    if wave.least_devices is None:
        lines.append("no number of devices is enough to pass while the size of the fleet is not known")
    elif wave.least_devices > 1:
        lines.append(f"{count(wave.least_devices, 'device')} are the least that can pass")
    if wave.confidence is None:
        many = wave.devices_against_bad
        lines.append(
            f"{count(many, 'device')} or more let firmware that fails on {bad} pass in {risk} of cases at most"
            if many is not None
            else f"no number of devices keeps firmware that fails on {bad} from passing in more than {risk}"
        )
    many = wave.devices_for_good
    if many is not None:
        lines.append(f"{count(many, 'device')} or more hold firmware that fails on {good} in {risk} of cases at most")
    return lines
