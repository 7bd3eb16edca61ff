"""Renders a plan for a terminal."""

from __future__ import annotations

from shlex import quote

from otactl.report import airtime as radio
from otactl.report import folding, journals_used, plan_lines
from otactl.report.plan import digest_of
from otactl.report.plan_values import PlannedRollout, PlanReport, PlanStep
from otactl.report.sanitize import plain
from otactl.wording import count

CALLS = 5
"""How many calls of a step are shown unless all are asked for."""
_INDENT = 4


def as_text(report: PlanReport, *, all_calls: bool = False, width: int | None = None) -> str:
    """Return a plan for a terminal: each rollout with its verdict, waves, holds, drift and calls.

    Its lines are folded to fit the `width` of a terminal; without one each is whole. With `all_calls` none is left out.
    """
    lines: list[str] = [f"error: {error}" for error in report.errors]
    for rollout in plan_lines.in_order(report):
        lines += folding.sentence(f"{rollout.title}: {plan_lines.verdict(rollout)}", width)
        lines += _rollout(rollout, all_calls, width)
        lines.append("")
    lines += journals_used.footer(report.journals, "text")
    lines.append(f"{plan_lines.totals(report)}; plan {digest_of(report)[:12]}")
    if report.offline:
        lines.append("offline: nothing was read from the cloud, so nothing was compared with it")
    return "\n".join(plain(line) for line in lines)


def _rollout(rollout: PlannedRollout, all_calls: bool, width: int | None) -> list[str]:
    before = [*_facts(rollout), *_holds(rollout)]
    after = [f"then held: {h.reason}: {plan_lines.hold(h)}" for h in rollout.run_holds]
    after += [f"later: {plan_lines.step(step)}" for step in rollout.later]
    after += [f"later held: {h.reason}: {plan_lines.hold(h)}" for h in rollout.outlook_holds]
    folded = [part for line in before for part in folding.sentence(f"  {line}", width)]
    for step in rollout.run:
        folded += folding.sentence(f"  next run: {plan_lines.step(step)}", width)
        folded += _calls(step, all_calls, width)
    return folded + [part for line in after for part in folding.sentence(f"  {line}", width)]


def _facts(rollout: PlannedRollout) -> list[str]:
    """Return what is known of a rollout: versions, waves and the radio."""
    version = plan_lines.version(rollout)
    lines = [f"version: {version}"] if version else []
    lines += [f"why: {rollout.why}"] if rollout.why else []
    lines += [f"note: {note}" for note in rollout.notes]
    lines += [f"wave {wave.name}: {plan_lines.wave(wave)}" for wave in rollout.waves]
    if gates := plan_lines.gates(rollout):
        lines.append(f"gates: {gates}")
    if rollout.airtime is not None:
        lines.append(f"on air: {radio.line(rollout.airtime)}")
        lines.append(f"success: {radio.chance_line(rollout.airtime)}")
        lines += [f"radio warning: {w.code}: {w.message}" for w in rollout.airtime.warnings]
        lines.append(f"all radio figures: otactl airtime {quote(rollout.file)}")
    return lines


def _holds(rollout: PlannedRollout) -> list[str]:
    holds = [f"hold: {h.reason}: {plan_lines.hold(h)}" for h in rollout.holds]
    return [*holds, *(f"drift: {plan_lines.drift(f)}" for f in rollout.drift)]


def _calls(step: PlanStep, all_calls: bool, width: int | None) -> list[str]:
    limit = len(step.calls) if all_calls else CALLS
    shown = [
        line
        for each in step.calls[:limit]
        for line in folding.call(f"{each.service}:{each.operation}", each.parameters, _INDENT, width)
    ]
    if len(step.calls) > limit:
        shown.append(f"{' ' * _INDENT}… and {count(len(step.calls) - limit, 'more call')} (-v shows all)")
    return shown
