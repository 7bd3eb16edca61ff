"""Renders a plan for a comment on a pull request, within the length that GitHub takes.

1. Its first line is a hidden marker, by which the comment of the plan before is found and replaced: one comment in a
   pull request, and never that of another bot.
2. Changed rollouts come first, with details that fold; then one line for each other rollout; then numbers. What does
   not fit is left out in this order from the end, and the comment says so and where the whole is.
3. Errors are in it: a plan that failed has a comment, too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from otactl.report import airtime as radio
from otactl.report import journals_used, plan_lines
from otactl.report.plan import digest_of
from otactl.report.plan_values import PlannedRollout, PlanReport, PlanStep
from otactl.report.sanitize import cell, plain, safe_json
from otactl.wording import count

MARKER = "<!-- otactl-plan -->"
LIMIT = 60_000
"""Characters of a comment; GitHub takes 65,536."""
CALL_CHARACTERS = 6_000
"""Characters of exact calls that the details of one rollout show."""
ERRORS = 20
_FOOT = 1_500
"""Characters kept for the end of the comment."""


def as_markdown(report: PlanReport, *, limit: int | None = LIMIT, whole: str = "") -> str:
    """Return a plan as Markdown; without a `limit` all of it. `whole` says where the whole plan is."""
    head = _head(report, cut=limit is not None)
    ordered = plan_lines.in_order(report)
    room = limit - _FOOT - _size(head) if limit is not None else None
    detailed, listed, left_out = _divided(ordered, room)
    lines = list(head)
    for block in detailed:
        lines += block
    if listed:
        lines += ["", "| Rollout | Next run |", "|---|---|", *listed]
    if left_out:
        lines += ["", f"… and {count(left_out, 'more rollout')}, which this comment has no room for."]
    if left_out or listed or limit is not None:
        lines += _rest(whole, bool(left_out or listed))
    foot = [*lines, *journals_used.footer(report.journals, "markdown")]
    text = "\n".join(foot)
    return text if limit is None or len(text) <= limit else "\n".join(lines)


def _divided(ordered: Sequence[PlannedRollout], room: int | None) -> tuple[list[list[str]], list[str], int]:
    """Return the rollouts with details, those in one line, and the number of those that are only counted (rule 2)."""
    if room is None:
        return [_details(r, None) for r in ordered], [], 0
    rows = [_row(r) for r in ordered]
    left = room - min(sum(len(row) + 1 for row in rows), room // 3)
    detailed: list[list[str]] = []
    shown: set[int] = set()
    for number, rollout in enumerate(ordered):
        if rollout.changed is False:
            continue
        block = _details(rollout, CALL_CHARACTERS)
        size = _size(block)
        if size > left + len(rows[number]):
            continue
        detailed.append(block)
        shown.add(number)
        left -= size
    left = room - sum(_size(block) for block in detailed)
    listed: list[str] = []
    others = [row for number, row in enumerate(rows) if number not in shown]
    for row in others:
        if len(row) + 1 > left:
            break
        listed.append(row)
        left -= len(row) + 1
    return detailed, listed, len(others) - len(listed)


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _head(report: PlanReport, *, cut: bool) -> list[str]:
    lines = [MARKER, f"### otactl plan `{digest_of(report)[:12]}`", "", cell(plan_lines.totals(report)), ""]
    if report.offline:
        lines += ["*Offline: nothing was read from the cloud, so nothing was compared with it.*", ""]
    shown = report.errors[:ERRORS] if cut else report.errors
    lines += [f"- **Error:** {cell(_short(error) if cut else error)}" for error in shown]
    if len(report.errors) > len(shown):
        lines.append(f"- … and {count(len(report.errors) - len(shown), 'more error')}")
    return lines


def _short(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[:most]} …"


def _row(rollout: PlannedRollout) -> str:
    return f"| {_code(rollout.title)} | {cell(_short(plan_lines.verdict(rollout), 300))} |"


def _rest(whole: str, left_out: bool) -> list[str]:
    if not left_out:
        return []
    where = f"The whole plan is in {whole}." if whole else "`otactl plan` prints the details of every rollout."
    return ["", f"*{cell(where)}*"]


def _details(rollout: PlannedRollout, most: int | None) -> list[str]:
    """Return one rollout: its verdict, then what folds."""
    lines = ["", f"#### {_code(rollout.title)}: {cell(plan_lines.verdict(rollout))}", ""]
    version = plan_lines.version(rollout)
    lines += [f"- version: {cell(version)}"] if version else []
    lines += [f"- why: {cell(rollout.why)}"] if rollout.why else []
    lines += [f"- wave {_code(wave.name)}: {cell(plan_lines.wave(wave))}" for wave in rollout.waves]
    lines += [f"- gates: {cell(gates)}"] if (gates := plan_lines.gates(rollout)) else []
    if rollout.airtime is not None:
        lines.append(f"- on air: {cell(radio.line(rollout.airtime))}")
        lines.append(f"- success: {cell(radio.chance_line(rollout.airtime))}")
    lines += [f"- note: {cell(note)}" for note in rollout.notes]
    lines += [f"- **hold** {_code(h.reason)}: {cell(plan_lines.hold(h))}" for h in rollout.holds]
    lines += [f"- **drift** {cell(plan_lines.drift(f))}" for f in rollout.drift]
    lines += [f"- next run: {cell(plan_lines.step(s))}" for s in rollout.run]
    lines += [f"- then **held** {_code(h.reason)}: {cell(plan_lines.hold(h))}" for h in rollout.run_holds]
    lines += [f"- later **held** {_code(h.reason)}: {cell(plan_lines.hold(h))}" for h in rollout.outlook_holds]
    if rollout.later:
        later = [f"- {cell(plan_lines.step(s))}" for s in rollout.later]
        lines += ["", *_folded(f"later runs: {count(len(later), 'step')}", later)]
    if rollout.airtime is not None:
        warnings = [f"- {_code(w.code)}: {cell(w.message)}" for w in rollout.airtime.warnings]
        lines += ["", *_folded("radio: all figures", [*radio.table(rollout.airtime), "", *warnings])]
    return lines + _calls(rollout.run, most)


def _calls(steps: Sequence[PlanStep], most: int | None) -> list[str]:
    """Return the exact calls of the next run, at most so many characters of them."""
    calls = [
        {"action": s.action, "service": c.service, "operation": c.operation, "parameters": c.parameters}
        for s in steps
        for c in s.calls
    ]
    if not calls:
        return []
    shown: list[str] = []
    left = most
    for call in calls:
        text = safe_json(json.dumps(call, indent=2, ensure_ascii=False))
        if left is not None and len(text) > left:
            break
        shown.append(text)
        left = left - len(text) if left is not None else None
    more = len(calls) - len(shown)
    body = ["```json", ",\n".join(shown), "```"] if shown else []
    body += [f"… and {count(more, 'more call')}: `otactl plan -o json` shows all"] if more else []
    return ["", *_folded(f"exact calls of the next run: {len(calls)}", body)]


def _code(text: str) -> str:
    """Return a name as code, in which nothing of it is markup."""
    return "`" + plain(text).replace("`", "'").replace("|", "/") + "`"


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]
