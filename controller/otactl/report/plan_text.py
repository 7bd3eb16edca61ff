"""Renders a plan for a terminal."""

from __future__ import annotations

import json

from otactl.report import airtime as radio
from otactl.report import journals_used, plan_lines
from otactl.report.plan import digest_of
from otactl.report.plan_values import PlannedRollout, PlanReport, PlanStep
from otactl.report.sanitize import plain
from otactl.wording import count

CALLS = 5
"""How many calls of a step are shown unless all are asked for."""


def as_text(report: PlanReport, *, all_calls: bool = False) -> str:
    """Return a plan for a terminal: each rollout with its verdict, waves, holds, drift and calls."""
    lines: list[str] = [f"error: {error}" for error in report.errors]
    for rollout in plan_lines.in_order(report):
        lines += [f"{rollout.title}: {plan_lines.verdict(rollout)}"]
        lines += [f"  {line}" for line in _rollout(rollout, all_calls)]
        lines.append("")
    lines += journals_used.footer(report.journals, "text")
    lines.append(f"{plan_lines.totals(report)}; plan {digest_of(report)[:12]}")
    if report.offline:
        lines.append("offline: nothing was read from the cloud, so nothing was compared with it")
    return "\n".join(plain(line) for line in lines)


def _rollout(rollout: PlannedRollout, all_calls: bool) -> list[str]:
    version = plan_lines.version(rollout)
    lines = [f"version: {version}"] if version else []
    lines += [f"why: {rollout.why}"] if rollout.why else []
    lines += [f"note: {note}" for note in rollout.notes]
    lines += [f"wave {wave.name}: {plan_lines.wave(wave)}" for wave in rollout.waves]
    if rollout.airtime is not None:
        lines.append(f"on air: {radio.line(rollout.airtime)}")
        lines.append(f"success: {radio.chance_line(rollout.airtime)}")
        lines += [f"radio warning: {w.code}: {w.message}" for w in rollout.airtime.warnings]
        lines.append(f"all radio figures: otactl airtime {rollout.file}")
    lines += [f"hold: {h.reason}: {plan_lines.hold(h)}" for h in rollout.holds]
    lines += [f"drift: {plan_lines.drift(f)}" for f in rollout.drift]
    for step in rollout.run:
        lines.append(f"next run: {plan_lines.step(step)}")
        lines += [f"  {line}" for line in _calls(step, all_calls)]
    lines += [f"then held: {h.reason}: {plan_lines.hold(h)}" for h in rollout.run_holds]
    lines += [f"later: {plan_lines.step(step)}" for step in rollout.later]
    lines += [f"later held: {h.reason}: {plan_lines.hold(h)}" for h in rollout.outlook_holds]
    return lines


def _calls(step: PlanStep, all_calls: bool) -> list[str]:
    limit = len(step.calls) if all_calls else CALLS
    shown = [f"{c.service}:{c.operation} {json.dumps(c.parameters, ensure_ascii=False)}" for c in step.calls[:limit]]
    if len(step.calls) > limit:
        shown.append(f"… and {count(len(step.calls) - limit, 'more call')} (-o json shows all)")
    return shown
