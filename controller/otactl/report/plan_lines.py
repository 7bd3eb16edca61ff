"""Words the parts of a plan, for its text and its Markdown alike."""

from __future__ import annotations

from shlex import quote

from otactl.model import iso
from otactl.report.gate import percent
from otactl.report.plan_values import (
    PlanFinding,
    PlanHold,
    PlannedRollout,
    PlanReport,
    PlanStart,
    PlanStep,
    PlanVerdict,
    PlanWave,
)
from otactl.wording import about, count

WORDS = {
    PlanVerdict.CANNOT_BE_PLANNED: "cannot be planned",
    PlanVerdict.WILL_START: "will start (irrevocable)",
    PlanVerdict.WILL_CREATE: "will create",
    PlanVerdict.WILL_CHANGE: "will change",
    PlanVerdict.HELD: "held",
    PlanVerdict.REMOVED: "removed from Git, and not over",
    PlanVerdict.IN_PROGRESS: "in progress, nothing to send",
    PlanVerdict.NOTHING_TO_DO: "nothing to do",
}
"""The verdicts in words, what needs most attention first."""
_GATES = 3
_RANK = {verdict: rank for rank, verdict in enumerate(WORDS)}


def in_order(report: PlanReport) -> list[PlannedRollout]:
    """Return the rollouts: changed ones first, then by verdict, then as they were planned."""
    return sorted(report.rollouts, key=lambda r: (not r.changed, _RANK[r.verdict]))


def verdict(rollout: PlannedRollout) -> str:
    """Return what the next run does with a rollout, in one line."""
    word = WORDS[rollout.verdict]
    if rollout.verdict is PlanVerdict.CANNOT_BE_PLANNED:
        return f"{word}: {rollout.error}"
    if rollout.verdict is PlanVerdict.HELD:
        return f"{word}: {', '.join(dict.fromkeys(h.reason for h in rollout.holds))}"
    steps = rollout.run
    if not steps:
        return word
    chosen = [s for s in steps if s.irrevocable] or [s for s in steps if s.action == "createUnit"] or list(steps)
    parts = [f"{word} {', '.join(dict.fromkeys(s.unit for s in chosen))}"]
    parts += [count(wave.devices, "device") for wave in rollout.waves if wave.state == "next" and wave.devices]
    parts += [
        f"from {_moment(wave.start)}" for wave in rollout.waves if wave.state == "next" and wave.start is not None
    ]
    if rollout.run_holds:
        parts.append(f"then held: {', '.join(dict.fromkeys(h.reason for h in rollout.run_holds))}")
    return ", ".join(parts)


def version(rollout: PlannedRollout) -> str:
    """Return the versions of a rollout in one line; empty where none is known."""
    known = rollout.version
    if known is None:
        return ""
    if not known.replaces:
        return f"{known.to} (what the devices run is not known)" if rollout.run else known.to
    said = "as the devices report" if known.known_by == "devices" else "as the journal has it"
    return f"{', '.join(known.replaces)} → {known.to} ({said})"


def wave(each: PlanWave) -> str:
    """Return a wave in one line."""
    size = count(each.targets, "target") if each.devices is None else count(each.devices, "device")
    if each.devices is None:
        size += ", devices not counted"
    parts = [f"{each.state}; {size}; gate: {each.gate}"]
    if each.approval is not None:
        had = f"given by {each.approval.given_by}" if each.approval.given_by else "missing"
        had = "outdated" if each.approval.outdated else had
        parts.append(f"approval of {each.approval.role}: {had}")
    if each.start is not None:
        parts.append(f"earliest start {start(each.start)}")
    if each.duration_seconds is not None:
        parts.append(f"lasts {about(each.duration_seconds)}")
    return "; ".join(parts)


def gates(rollout: PlannedRollout) -> str:
    """Return how often the waves of a rollout pass bad firmware, in one line; empty where no one can say.

    Of several waves the last protects no other, and is left out.
    """
    shown = [w for w in (rollout.waves[:-1] or rollout.waves) if w.gate_rate is not None]
    parts: list[str] = []
    said = None
    for name, rate in [(w.name, w.gate_rate) for w in shown[:_GATES] if w.gate_rate is not None]:
        firmware = "" if rate.failing_percent == said else f" firmware that fails on {rate.failing_percent:g} %"
        said = rate.failing_percent
        parts.append(f"wave {name} passes{firmware} in {percent(rate.passes_percent)} of cases")
    more = [f"{len(shown) - _GATES} more: otactl gate {quote(rollout.file)}"] if len(shown) > _GATES else []
    return ", ".join([*parts, *more])


def start(found: PlanStart) -> str:
    """Return a start with its window, in local time and in UTC."""
    text = _moment(found)
    if found.window is None:
        return text
    closes = f", open until {found.closes_local}" if found.closes_local is not None else ""
    return f"{text} in window {found.window}{closes}"


def _moment(found: PlanStart) -> str:
    return found.local if found.local.endswith(" UTC") else f"{found.local} ({iso(found.at)})"


def step(each: PlanStep) -> str:
    """Return a step in one line, marked where it cannot be undone."""
    mark = " (irrevocable)" if each.irrevocable else ""
    air = f"; on air from {iso(each.start_at)}" if each.start_at is not None and each.action == "startUnit" else ""
    return f"{each.action} {each.unit}{mark}: {each.reason}{air}"


def hold(each: PlanHold) -> str:
    """Return a hold in one line: its message, when it ends if that is known, and the way out."""
    parts = [each.message]
    if each.until is not None:
        parts.append(f"until {iso(each.until)}")
    if each.fix:
        parts.append(f"way out: {each.fix}")
    return "; ".join(parts)


def drift(found: PlanFinding) -> str:
    """Return a difference in one line."""
    return f"{found.subject} {found.field}: declared {_value(found.desired)}, observed {_value(found.observed)}"


def _value(value: object) -> str:
    return "nothing" if value is None else repr(value)


def totals(report: PlanReport) -> str:
    """Return how many rollouts there are of each verdict, and how many calls the next run sends."""
    numbers = {word: sum(r.verdict is verdict for r in report.rollouts) for verdict, word in WORDS.items()}
    parts = [f"{number} {word}" for word, number in numbers.items() if number]
    calls = sum(len(s.calls) for r in report.rollouts for s in r.run)
    return f"{count(len(report.rollouts), 'rollout')}: {', '.join(parts) or 'none'}; {count(calls, 'call')} next"
